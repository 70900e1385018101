"""Parts cut out of the examples of the rule pages, and what is found in them compared with what the whole has.

Around a part everything is white space, so that every place in it is the same in both. What the whole has and the part
has not, or has with another severity, confidence or message, is a *loss*; what only the part has is a *gain*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nginxaudit.engine.run.audit import audit
from nginxaudit.finding import Finding
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Statement
from tests.rules.examples import Case, clean, main_name, settings_of, texts

_PART = "site.conf"
_NOT_BLANK = re.compile(r"[^\n]")


class Cut(NamedTuple):
    """A part of an example: ``kind`` is ``http``, ``server``, ``location``, …: the block whose content it is, or which it is."""

    name: str
    text: str
    start: int
    end: int
    around: tuple[str, ...]  # the blocks in which it stands

    @property
    def completed(self) -> tuple[str, int]:
        """The part alone in the blocks in which it stands, and by how much its places are moved."""
        before = "events {} " + "".join(f"{name} {{ " for name in self.around)
        return f"{before}{self.text}{' }' * len(self.around)}\n", len(before)


class Difference(NamedTuple):
    """What is found in only one of whole and part, or differently in both."""

    cut: str
    rule: str
    line: int
    whole: str  # severity, confidence and message; empty: nothing is found
    completed: str  # the same where the part is alone in its blocks
    part: str


def cuts(case: Case) -> Iterator[Cut]:
    """What is in each ``http`` and ``stream``, each of their servers, each location of these."""
    text = clean(case.example.text)
    counts: dict[str, int] = {}

    def cut(kind: str, start: int, end: int, *around: str) -> Cut:
        counts[kind] = counts.get(kind, 0) + 1
        before, after = (_NOT_BLANK.sub(" ", part) for part in (text[:start], text[end:]))
        return Cut(f"{kind} {counts[kind]}", before + text[start:end] + after, start, end, around)

    def inside(statement: Statement) -> tuple[int, int]:
        assert statement.close is not None
        return statement.end, statement.close

    for outer in _blocks(parse(SourceText("x", text)).statements, "http", "stream"):
        if outer.block:
            yield cut(f"in {outer.name}", *inside(outer), outer.name)
        for server in _blocks(outer.block, "server"):
            yield cut("server", server.start, inside(server)[1] + 1, outer.name)
            if outer.name == "http" and server.block:
                yield cut("in server", *inside(server), "http", "server")
            for location in _blocks(server.block, "location"):
                yield cut("location", location.start, inside(location)[1] + 1, "http", "server")


def _blocks(statements: list[Statement] | None, *names: str) -> list[Statement]:
    return [
        each
        for each in statements or ()
        if each.name in names and each.block is not None and each.close is not None
    ]


def differences(case: Case, directory: Path) -> list[Difference]:
    """Losses and gains of every part of an example, which are written below ``directory``."""
    for name, text in texts(case.example).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clean(text).encode("utf-8", "surrogateescape"))
    whole = _found(case, directory, main_name(case.example))
    (directory / main_name(case.example)).unlink()
    found: list[Difference] = []
    for cut in cuts(case):
        completed = _found_in(case, directory, main_name(case.example), *cut.completed)
        part = _found_in(case, directory, _PART, cut.text)
        places = [place for place in whole | part if cut.start <= place[0] < cut.end]
        found += [
            Difference(
                cut.name,
                case.rule.slug,
                cut.text[: place[0]].count("\n") + 1,
                whole.get(place, ""),
                completed.get(place, ""),
                part.get(place, ""),
            )
            for place in places
            if whole.get(place) != part.get(place)
        ]
    return found


def _found_in(
    case: Case, directory: Path, name: str, text: str, moved: int = 0
) -> dict[tuple[int, int], str]:
    path = directory / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    found = _found(case, directory, name)
    path.unlink()
    return {(start - moved, end - moved): said for (start, end), said in found.items()}


def _found(case: Case, directory: Path, name: str) -> dict[tuple[int, int], str]:
    report = audit([str(directory / name)], settings_of(case))
    assert not report.crashes, report.crashes
    return {
        (each.span.start, each.span.end): _said(each, str(directory))
        for each in report.findings
        if each.rule == case.rule.slug and each.suppressed is None and each.span.file.endswith(name)
    }


def _said(each: Finding, here: str) -> str:
    return f"{each.severity.label}/{each.confidence.label}: {each.message.replace(here, '')}"
