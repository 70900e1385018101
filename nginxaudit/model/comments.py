"""Comments by their place, and the annotations among them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Comment, Directive

MARK = "nginxaudit:"
"""What comments begin with that are meant for this program."""

_ANNOTATION = rf"\s*{MARK}\s*(.*)"


class Comments:
    """Index of the comments of a configuration."""

    def __init__(self, comments: Iterable[Comment]) -> None:
        self._by_source: dict[SourceText, list[Comment]] = {}
        for comment in comments:
            self._by_source.setdefault(comment.source, []).append(comment)
        self._starts: dict[SourceText, list[int]] = {}
        self._lines: dict[SourceText, dict[int, Comment]] = {}
        for source, found in self._by_source.items():
            found.sort(key=lambda comment: comment.start)
            self._starts[source] = [comment.start for comment in found]
            self._lines[source] = {source.position(comment.start)[0]: comment for comment in found}

    def on_line(self, source: SourceText, line: int) -> Comment | None:
        """The comment that begins on a line: there is at most one."""
        return self._lines.get(source, {}).get(line)

    def trailing(self, directive: Directive) -> Comment | None:
        """Comment right behind a directive (for a block, behind its brace), on the same line."""
        comment = self.same_line(directive)
        end = directive.statement.end
        if comment is None or comment.start < end:
            return None
        return comment if not directive.source.text[end : comment.start].strip() else None

    def same_line(self, directive: Directive) -> Comment | None:
        """Comment on the line where a directive ends or, for a block, opens; whatever stands between."""
        source = directive.source
        if source not in self._lines:
            return None
        return self.on_line(source, source.position(max(directive.statement.end - 1, 0))[0])

    def above(self, directive: Directive) -> Comment | None:
        """Comment that has the line above a directive to itself."""
        if directive.source not in self._lines:
            return None
        line = directive.source.position(directive.start)[0]
        comment = self.on_line(directive.source, line - 1)
        return comment if comment and comment.own_line else None

    def block_above(self, directive: Directive) -> list[Comment]:
        """Comments on the unbroken run of comment lines above a directive, nearest first."""
        line = directive.source.position(directive.start)[0] - 1
        found = []
        while (comment := self.on_line(directive.source, line)) and comment.own_line:
            found.append(comment)
            line -= 1
        return found

    def inside(self, block: Directive) -> list[Comment]:
        """Comments between the braces of a block, in the file where they stand."""
        close = block.statement.close
        found = self._by_source.get(block.source)
        if close is None or not found:
            return []
        starts = self._starts[block.source]
        return found[bisect_left(starts, block.statement.end) : bisect_left(starts, close)]


def annotation(comment: Comment) -> str | None:
    """What ``# nginxaudit: …`` says; None for any other comment."""
    found = compiled(_ANNOTATION, re.IGNORECASE).fullmatch(comment.text)
    return found[1].strip() if found else None


def is_annotation(comment: Comment) -> bool:
    """Addressed to this program, so no words about the configuration."""
    return annotation(comment) is not None
