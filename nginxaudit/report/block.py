"""One finding of the text report: in full with an excerpt, or in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nginxaudit.report.arranged import alike
from nginxaudit.report.base import fix_mark, remedy_of, why_of
from nginxaudit.report.cells import width_of, wrap
from nginxaudit.report.excerpt import Frame, Row, excerpt, glance, near
from nginxaudit.report.paint import Line, Link, Screen

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding, Related, Span

_TRY = "try"  # label of the line with a witness
_SEE = "see"
MOST_RELATED = 5  # places of one finding that are shown before the rest is only counted
_MOST_AGAIN = 5
_MOST_NEAR = 2  # of those, how many stand in the excerpt


def place_of(finding: Finding) -> str:
    """Line and column, for the line of a finding below the name of its file."""
    return f"{finding.span.line}:{finding.span.column}"


class Blocks:
    """Lays out findings one after the other. What explains a rule is said at the first one of it, where its page is with ``see``."""

    def __init__(self, report: Report, screen: Screen, *, fold: bool, see: bool) -> None:
        self._sources = report.sources
        self._rules = {rule.slug: rule for rule in report.rules}
        self._screen = screen
        self._fold = fold
        self._see = see
        self._said: set[tuple[str, str, str]] = set()

    def brief(self, finding: Finding, gutter: int, again: Sequence[int]) -> Iterator[Line]:
        """The line of a finding, which goes on below where the screen ends; ``again``: lines with the same one."""
        place = f"  {place_of(finding):>{gutter}}  "
        head = self._head(finding)
        said = f" ({finding.suppressed.kind}: {finding.suppressed.reason})" if finding.suppressed else ""
        text = f": {finding.claim}{said}{_also(again)}"
        indent = len(place) + 2
        if self._screen.bounded:
            first, *rest = self._wrap(text, indent, used=_cells(head) - 2)
        else:
            first, *rest = [self._screen.safe(text)]
        yield [(place, "frame"), *head, (first, "")]
        for line in rest:
            yield [(" " * indent + line, "")]

    def full(self, finding: Finding, after: Finding | None) -> Iterator[Line]:
        """The lines of a finding; what the one ``after`` which it comes has said, the message or the excerpt, is not repeated."""
        places = [each for each in finding.related if not each.includes]
        gutter = len(str(max([finding.span.end_line, *(each.span.end_line for each in places)])))
        if after is None or alike(after) != alike(finding):
            yield from self._header(finding)
        yield [(f"{'':{gutter}}--> ", "frame"), (self._at(finding.span), "")]
        if after is None or after.span != finding.span:
            rows, places = self._excerpt(finding, places, gutter)
            yield from self._rows(rows, gutter, finding.severity.label)
        most = MOST_RELATED if self._fold else len(places)
        for related in places[:most]:
            yield self._related(related, gutter)
        if len(places) > most:
            text = f"and {len(places) - most:,} more places (--all shows them)"
            yield [(f"{'':{gutter}} ... ", "frame"), (text, "")]
        for label, text in self._notes(finding):
            yield from self._note(label, text, gutter)

    def _head(self, finding: Finding) -> Line:
        rule = self._rules.get(finding.rule)
        mark = "suppressed " if finding.suppressed else ""
        style = "dim" if finding.suppressed else finding.severity.label
        text = self._screen.safe(f"{mark}{finding.severity.label}[{finding.rule}]")
        head: Line = [(Link(text, rule.url if rule else ""), style)]
        sign = fix_mark(finding)
        return [*head, (f" {sign}", "mark")] if sign else head

    def _header(self, finding: Finding) -> Iterator[Line]:
        head = self._head(finding)
        first, *rest = self._wrap(f": {finding.claim}", indent=4, used=_cells(head) - 4)
        yield [*head, (first, "strong")]
        for line in rest:
            yield [("    ", ""), (line, "strong")]

    def _excerpt(
        self, finding: Finding, places: list[Related], gutter: int
    ) -> tuple[list[Row], list[Related]]:
        """The rows of the finding with the places next to them, and the other places."""
        frame = self._frame(gutter + 3)
        rows = excerpt(self._sources.get(finding.span.file), finding.span, frame)
        others = []
        taken = 0
        for each in places:
            merged = None
            if rows and taken < _MOST_NEAR and each.span.file == finding.span.file:
                label = self._screen.safe(each.message)
                merged = near(rows, self._sources[each.span.file], each.span, label, frame)
            if merged is None:
                others.append(each)
            else:
                rows, taken = merged, taken + 1
        return rows, others

    def _related(self, related: Related, gutter: int) -> Line:
        """A place on one line: where, why it is shown, and what stands there as far as there is room."""
        lead = f"{'':{gutter}}--> "
        text = f"{self._at(related.span)}: {self._screen.safe(related.message)}"
        line: Line = [(lead, "frame"), (text, "")]
        room = self._screen.width - width_of(lead) - width_of(text) - 2
        shown = glance(
            self._sources.get(related.span.file), related.span, self._frame(self._screen.width - room)
        )
        if shown and room >= min(20, width_of(shown)):
            line.append((f"  {shown}", "related"))
        return line

    def _notes(self, finding: Finding) -> Iterator[tuple[str, str]]:
        if finding.suppressed:
            yield "suppressed", f"{finding.suppressed.kind}: {finding.suppressed.reason}"
        rule = self._rules.get(finding.rule)
        why = why_of(finding, rule)
        if finding.rejected_by_nginx and not ("refuses to load" in why and self._is_new(finding, "why", why)):
            yield "note", "nginx refuses to load this"
        notes = [("why", why), ("fix", remedy_of(finding, rule))]
        for label, text in [*notes, (_SEE, rule.url if rule and self._see else "")]:
            if text and self._is_new(finding, label, text):
                self._said.add((finding.rule, label, text))
                yield label, text
        if finding.witness is not None:
            yield _TRY, finding.witness.command

    def _is_new(self, finding: Finding, label: str, text: str) -> bool:
        return (finding.rule, label, text) not in self._said

    def _note(self, label: str, text: str, gutter: int) -> Iterator[Line]:
        lead = f"{'':{gutter + 1}}= "
        indent = len(lead) + len(label) + 2
        # A command or an address is copied: it stays on one line.
        first, *rest = [self._screen.safe(text)] if label in (_TRY, _SEE) else self._wrap(text, indent)
        style = "dim" if label == _SEE else ""
        yield [
            (lead, "frame"),
            (f"{label}: ", "label"),
            (Link(first, first) if label == _SEE else first, style),
        ]
        for line in rest:
            yield [(" " * indent + line, "")]

    def _rows(self, rows: list[Row], gutter: int, style: str) -> Iterator[Line]:
        number = 0
        for row in rows:
            if not row.number:
                yield [(row.text, "frame")]
                continue
            if row.number != number:
                yield [(f"{row.number:>{gutter}} | ", "frame"), (row.text, "")]
            number = row.number
            if row.mark:
                first, end = row.mark
                sign, kind = ("-", "related") if row.label else ("^", style)
                marks = " " * first + sign * (end - first)
                yield [(f"{'':{gutter + 1}}| ", "frame"), (f"{marks} {row.label}".rstrip(), kind)]

    def _frame(self, taken: int) -> Frame:
        return Frame(max(self._screen.width - taken, 1), self._screen.encoding, self._screen.ellipsis)

    def _at(self, span: Span) -> str:
        return f"{self._screen.safe(span.file)}:{span.line}:{span.column}"

    def _wrap(self, text: str, indent: int, used: int = 0) -> list[str]:
        return wrap(self._screen.safe(text).split(" "), self._screen.width - indent, used)


def _also(lines: Sequence[int]) -> str:
    """Where else the same was found."""
    if not lines:
        return ""
    named = ", ".join(map(str, lines[:_MOST_AGAIN]))
    more = f" and {len(lines) - _MOST_AGAIN:,} more" if len(lines) > _MOST_AGAIN else ""
    return f" (also line{'s' * (len(lines) > 1)} {named}{more})"


def _cells(line: Line) -> int:
    return sum(width_of(text) for text, _ in line)
