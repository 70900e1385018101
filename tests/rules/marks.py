"""Marks: what a rule page says is found on a line of its bad examples.

``listen 80; # finding: warning "part of the message"``, several of them where a line has several findings, in
the order in which they are reported. The author of a page writes ``# finding``; ``python -m tests.expected``
puts severities and words behind it, and words anew where messages have changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from nginxaudit.finding import Finding
from tests.rules.examples import Case, texts

_MARK = re.compile(r'# finding(?:: (error|warning|info) "((?:[^"\\\n]|\\["\\])+)")?(?=\s|$)')
_LINE = re.compile(r"[ \t]*# finding\b[^\n]*")
_CLAUSE_END = re.compile(r' ?"[^"]*"[:;,.]? ?|[:;,.]? (?:[(]|(?<=[:;,.] ))')
_SIZES = (5, 4, 3, 2, 6, 7, 8)
_SHORTEST = 15
_ENDS = " .,:;()…"
# The words after which nobody ends a phrase.
_OPEN = re.compile(
    r"(?:an?|and|are|as|at|before|by|for|from|has|in|is|its?|not?|o[fnr]|so|th(?:an|at|e|is)|to|which|with)"
)


class MarkError(ValueError):
    """A mark that is not understood; the message says where it is."""


class Mark(NamedTuple):
    """What a page says of a line; ``severity`` is empty in a mark that is still to be filled in."""

    severity: str
    part: str

    def fits(self, finding: Finding) -> bool:
        """Whether ``finding`` is what the mark says."""
        return self.severity == finding.severity.label and self.part in finding.message

    def __str__(self) -> str:
        escaped = self.part.replace("\\", "\\\\").replace('"', '\\"')
        return f'# finding: {self.severity} "{escaped}"'


Place = tuple[str, int]  # name of the file, number of the line


def marks(case: Case) -> dict[Place, list[Mark]]:
    """The marks of an example by their lines. Raises `MarkError`."""
    return {
        (name, number): found
        for name, text in texts(case.example).items()
        for number, line in enumerate(text.split("\n"), 1)
        if (found := _parsed(line, f"{case.name}, {name}:{number}"))
    }


def _parsed(line: str, where: str) -> list[Mark]:
    written = _LINE.search(line)
    if written is None:
        return []
    rest = _MARK.sub("", written[0]).strip()
    if rest:
        raise MarkError(f'{where}: {rest!r} is no mark: write # finding: warning "part of the message"')
    found = (match.groups("") for match in _MARK.finditer(written[0]))
    return [Mark(severity, re.sub(r'\\(["\\])', r"\1", part)) for severity, part in found]


def by_line(findings: Iterable[Finding]) -> dict[Place, list[Finding]]:
    """Findings by the line where they begin; they are ordered by place."""
    return {
        place: list(there)
        for place, there in groupby(findings, lambda each: (each.span.file, each.span.line))
    }


def refusal_differs(case: Case, findings: Sequence[Finding]) -> bool:
    """Whether the first bad example of a page is refused, or loads, against what the page says of its findings."""
    if case.name != f"{case.rule.slug}-bad-1" or "refused" in case.example.flags:
        return False
    refused = case.rule.rejected_by_nginx and "accepted" not in case.example.flags
    return any(each.rejected_by_nginx for each in findings) is not refused


def refilled(case: Case, findings: Sequence[Finding], said: Iterable[str]) -> dict[str, str]:
    """The texts of an example with marks for ``findings``; what a mark says and still holds stays.

    Raises `MarkError` where other lines are marked than those of the findings: which ones are meant is for people.
    """
    old, found = marks(case), by_line(findings)
    if set(old) != set(found):
        places = (", ".join(f"{name}:{line}" for name, line in sorted(each)) for each in (old, found))
        raise MarkError("{}: marked is {}, found is {}".format(case.name, *places))
    result = {name: text.split("\n") for name, text in texts(case.example).items()}
    for (name, number), there in found.items():
        result[name][number - 1] = _filled(result[name][number - 1], old[name, number], there, said)
    return {name: "\n".join(each) for name, each in result.items()}


def _filled(line: str, old: list[Mark], findings: list[Finding], said: Iterable[str]) -> str:
    if len(old) == len(findings) and all(map(Mark.fits, old, findings)):
        return line
    new = [Mark(each.severity.label, part_of(each.message, said)) for each in findings]
    before = _LINE.split(line)[0]
    blank = line[len(before) :].partition("#")[0]
    return f"{before}{blank}{' '.join(map(str, new))}"


def part_of(message: str, said: Iterable[str]) -> str:
    """A short part of ``message`` by which it is known among all that the rule says: the beginning of a clause."""
    others = set(said) - {message}
    clauses = _CLAUSE_END.split(message)
    beginnings = [part for clause in clauses for part in _parts(clause.split(" "), first=True)]
    inner = [part for clause in clauses for part in _parts(clause.split(" "), first=False)]
    found = [part for part in [*beginnings, *inner] if '"' not in part and "\\" not in part] or [message]
    unclear = [sum(part in other for other in others) for part in found]
    return found[unclear.index(min(unclear))]


def _parts(words: list[str], *, first: bool) -> Iterator[str]:
    """Runs of a few words, long ones first, that do not end in the middle of a phrase."""
    for at in [0] if first else range(1, len(words)):
        for size in _SIZES:
            run = words[at : at + size]
            if (
                len(run) == size
                and _OPEN.fullmatch(run[-1]) is None
                and len(part := " ".join(run).strip(_ENDS)) >= _SHORTEST
            ):
                yield part
