"""What can be said of directives that stand in templates."""

from __future__ import annotations

from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Config, Directive
from nginxaudit.templates import Branch, Template


class Templates:
    """The templates among the files of one configuration; false where it has none."""

    def __init__(self, config: Config) -> None:
        found = ((path, source.template) for path, source in config.sources.items())
        self._by_path: dict[str, Template] = {path: each for path, each in found if each is not None}

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def of(self, source: SourceText) -> Template | None:
        """``source`` as a template, or None."""
        return self._by_path.get(source.path)

    def is_filled_in(self, node: Directive) -> bool:
        """Whether a part of ``node`` is filled in, or is there on a condition only."""
        template = self._by_path.get(node.source.path)
        return template is not None and template.touches(node.start, node.statement.end)

    def touches(self, source: SourceText, start: int, end: int) -> bool:
        """Whether the same holds for a stretch of a text."""
        template = self._by_path.get(source.path)
        return template is not None and template.touches(start, end)

    def branch(self, source: SourceText, offset: int) -> Branch | None:
        """The condition or loop that decides whether what stands at ``offset`` is there; None if it always is.

        Two directives are there together, however the template is filled in, if theirs is the same.
        """
        template = self._by_path.get(source.path)
        return None if template is None else template.branch(offset)

    def has_place(self, source: SourceText, offset: int) -> bool:
        """Whether it is known in which blocks nginx gets to read what stands at ``offset``."""
        template = self._by_path.get(source.path)
        if template is None:
            return True
        branch = template.branch(offset)
        return template.balanced and not (branch is not None and branch.elsewhere)
