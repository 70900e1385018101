"""Parts cut out of the examples of the rule pages, and what is found in them compared with what the whole has.

Around a part everything is white space, so that every place in it is the same in both. Three configurations are
compared: the example, the part alone, and the part completed: in its blocks, in which nothing else is. What the part
has as the example has it needs no word. What the completed part has not, either, rests on text outside of the part.
All else is written down in ``parts.toml`` with its reason; ``python -m tests.expected rules`` writes the lists anew.
"""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from nginxaudit.engine.run.audit import audit
from nginxaudit.finding import Finding
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Statement
from tests.rules.examples import MORE, Case, cases, clean, main_name, settings_of, texts

KEPT = Path(__file__).with_name("parts.toml")
_PART = "site.conf"
_NOT_BLANK = re.compile(r"[^\n]")
_ASSUMED = ", unless "

Places = dict[tuple[int, int], Finding]


class Cut(NamedTuple):
    """A part of an example; ``around`` are the blocks in which it stands."""

    name: str
    text: str
    start: int
    end: int
    around: tuple[str, ...]

    @property
    def completed(self) -> tuple[str, int]:
        """The part in its blocks, and by how much its places are moved."""
        before = "events {} " + "".join(f"{name} {{ " for name in self.around)
        return f"{before}{self.text}{' }' * len(self.around)}\n", len(before)


class Difference(NamedTuple):
    """What a part has otherwise than its example.

    ``kind``: it is ``lost``; it is ``info``, with the words that say what is assumed; it is ``changed`` in another way;
    or it is ``gained``: the example does not have it, and nothing is said to be assumed.
    """

    kind: str
    rule: str
    where: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.kind} {self.where}"


def cuts(case: Case) -> Iterator[Cut]:
    """What is in each ``http`` and ``stream``, each of their servers, what is in it, and each of its locations."""
    text = clean(case.example.text)
    counts: dict[str, int] = {}

    def cut(kind: str, start: int, end: int, *around: str) -> Cut:
        counts[kind] = counts.get(kind, 0) + 1
        before, after = (_NOT_BLANK.sub(" ", part) for part in (text[:start], text[end:]))
        return Cut(f"{kind} {counts[kind]}", before + text[start:end] + after, start, end, around)

    for outer in _blocks(parse(SourceText("x", text)).statements, "http", "stream"):
        close = outer.close or outer.end
        if outer.block:
            yield cut(f"in {outer.name}", outer.end, close, outer.name)
        for server in _blocks(outer.block, "server"):
            close = server.close or server.end
            yield cut("server", server.start, close + 1, outer.name)
            if outer.name == "http" and server.block:
                yield cut("in server", server.end, close, "http", "server")
            for location in _blocks(server.block, "location"):
                yield cut("location", location.start, (location.close or 0) + 1, "http", "server")


def _blocks(statements: list[Statement] | None, *names: str) -> list[Statement]:
    return [each for each in statements or () if each.name in names and each.close is not None]


def differences(case: Case, directory: Path) -> Iterator[Difference]:
    """What the parts of an example have otherwise; its files are written below ``directory``."""
    for name, text in texts(case.example).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(clean(text)))
    main = main_name(case.example)
    whole = _found(case, directory, main, clean(case.example.text))
    for cut in cuts(case):
        part = _found(case, directory, _PART, cut.text)
        inside = sorted(place for place in whole | part if cut.start <= place[0] < cut.end)
        different = [place for place in inside if not _alike(whole.get(place), part.get(place))]
        completed = _found(case, directory, main, *cut.completed) if different else {}
        for place in different:
            kind = _kind(whole.get(place), completed.get(place), part.get(place))
            if kind:
                line = cut.text.count("\n", 0, place[0]) + 1
                example = case.name.removeprefix(f"{case.rule.slug}-")
                yield Difference(kind, case.rule.slug, f"{example}, {cut.name}, line {line}")


def _kind(whole: Finding | None, completed: Finding | None, part: Finding | None) -> str:
    if part is None:
        return "lost" if completed is not None else ""
    if _ASSUMED in part.message:
        same = whole is None or part.message.startswith(f"{whole.message}{_ASSUMED}")
        info = part.severity.label == "info" and not part.rejected_by_nginx
        return ("info" if whole is not None else "") if same and info else "changed"
    if whole is None:
        return "gained"
    return "" if _alike(completed, part) else "changed"


def _alike(one: Finding | None, other: Finding | None) -> bool:
    return one is not None and other is not None and _judgement(one) == _judgement(other)


def _judgement(each: Finding) -> tuple[object, ...]:
    return each.severity, each.confidence, each.message, each.rejected_by_nginx


def _found(case: Case, directory: Path, name: str, text: str, moved: int = 0) -> Places:
    path = directory / name
    path.write_bytes(_bytes(text))
    report = audit([str(path)], settings_of(case))
    path.unlink()
    assert not report.crashes, report.crashes
    return {
        (each.span.start - moved, each.span.end - moved): each
        for each in report.apart
        if each.rule == case.rule.slug and each.span.file == str(path)
    }


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@cache
def kept() -> dict[str, dict[str, list[str]]]:
    """What is written down: by rule the reason, and by kind where something is different."""
    if not KEPT.exists():
        return {}
    return tomllib.loads(KEPT.read_text(encoding="utf-8"))


def in_pages() -> list[Case]:
    """The examples that readers see; those for the tests alone have the same kinds of findings."""
    return [case for case in cases() if case.path.parent != MORE]


def written() -> str:
    """The text of ``parts.toml`` as it would be written now; a rule that is new there has no reason yet."""
    found: dict[str, dict[str, list[str]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, case in enumerate(in_pages()):  # the names of files say what is in them
            for each in differences(case, Path(scratch, str(number))):
                found.setdefault(each.rule, {}).setdefault(each.kind, []).append(each.where)
    old, lines = (
        kept(),
        [line for line in KEPT.read_text(encoding="utf-8").split("\n") if line.startswith("#")],
    )
    for rule, kinds in sorted(found.items()):
        lines += ["", f"[{rule}]", f'reason = "{old.get(rule, {}).get("reason", "")}"']
        for kind, places in sorted(kinds.items()):
            lines += [f"{kind} = [", *(f'    "{place}",' for place in places), "]"]
    return "\n".join(lines) + "\n"
