"""What of a configuration is elsewhere: in includes that could not be read, around a fragment, or filled in later.

Checks ask before they say that something is missing or at its default.
"""

from __future__ import annotations

from nginxaudit.model.facts import Fact, Timing
from nginxaudit.model.scope import Scopes, enclosing, family_of, levels
from nginxaudit.model.templates import Templates
from nginxaudit.nginx.names import FAMILIES
from nginxaudit.syntax.tree import Config, Directive


class Unread:
    """The part of the model that says what is not known of ``config``. It is asked for through `Model`."""

    def __init__(self, config: Config, timing: Timing) -> None:
        self.config = config
        self.timing = timing
        self._scopes = Scopes(config)

    @Fact
    def _unread(self) -> tuple[set[Directive], set[Directive]]:
        """Blocks of which a part is elsewhere, and blocks with such a block anywhere inside.

        It is in an include that could not be read; around a fragment it is in the files that include it.
        """
        direct = {include.parent for include in self.config.incomplete_includes if include.parent is not None}
        if self.config.fragment:
            direct.add(self.config.top)
        anywhere: set[Directive] = set()
        for block in direct:
            at: Directive | None = block
            while at is not None and at not in anywhere:
                anywhere.add(at)
                at = at.parent
        return direct, anywhere

    def unknown_inside(self, block: Directive, *, direct: bool = False) -> bool:
        """Whether a part of what is inside ``block`` is elsewhere, at any depth.

        ``direct``: only what would stand in the block itself.
        """
        return block in self._unread[0 if direct else 1]

    def may_be_set(self, node: Directive, name: str) -> bool:
        """Whether ``name`` may be in effect in ``node``, or be another one, by what is written elsewhere.

        To be asked before saying that it is missing, or at its default. What a block says itself hides what is around it.
        """
        direct = self._unread[0]
        if not direct:
            return False
        found = self._scopes.effective(node, name)
        at = found[0].parent if found else None
        for block in levels(node):
            if block in direct:
                return True
            if block is at:
                return False
        return False

    def unread_around(self, node: Directive) -> bool:
        """Whether an include could not be read whose content would stand in ``node`` or in a block around it."""
        direct = self._unread[0]
        return bool(direct) and any(
            block in direct and block is not self.config.top for block in levels(node)
        )

    def is_part(self, family: str) -> bool:
        """Whether a fragment is judged, of whose ``http``, ``stream`` or ``mail`` more is elsewhere."""
        return self.config.fragment and self.unread_files(family)

    @Fact
    def takes_more_files(self) -> bool:
        """Whether files that come later are included by a pattern: they may use what nothing uses yet."""
        return any("*" in token for node in self.config.named("include") for token in node.args)

    @Fact
    def is_in_server(self) -> bool:
        """Whether all that is written stands in a ``server`` that is elsewhere, with its locations and what it restricts."""
        return self.config.fragment and enclosing(self.config.top, "server", "location") is not None

    @Fact
    def is_enclosed(self) -> bool:
        """Whether all that is written stands in an ``http``, a ``server``, … that is elsewhere.

        Where a problem is that such a block restricts, adds or verifies nothing, it is a remark (see `hit.unless`).
        """
        return self.config.fragment and self.config.top.inner != "main"

    def unread_files(self, family: str) -> bool:
        """Whether a part of ``http``, ``stream`` or ``mail`` is elsewhere: what it lacks may be defined there."""
        return family in self._unread_families

    @Fact
    def _unread_families(self) -> frozenset[str]:
        """There is one ``http`` in a configuration: what is missing at the top cannot bring more of it."""
        found = set(map(family_of, self._unread[0]))
        if self.templates:  # what is filled in may name anything
            found.update(family_of(node) for node in self.config.top.walk() if self.is_filled_in(node))
        if "main" in found:
            found |= {family for family in FAMILIES if self.config.top.first(family) is None}
        return frozenset(found)

    @Fact
    def templates(self) -> Templates:
        """What can be said of directives that stand in templates."""
        return Templates(self.config)

    def is_filled_in(self, node: Directive) -> bool:
        """Whether a part of ``node`` is filled in by something else before nginx reads it, or left out."""
        templates = self.templates
        return bool(templates) and templates.is_filled_in(node)
