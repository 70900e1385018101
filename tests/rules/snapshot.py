"""Everything that the rules find in their examples, written down: ``expected/<category>.jsonl``, a finding a line.

A line has the example, the place (the file is named where it is not the main one) and every field of the finding
that is not at its default. ``python -m tests.expected`` writes the files.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from nginxaudit.finding import Edit, Finding, Fix, Span
from tests.rules.examples import Case, cases, found_in, main_name

EXPECTED = Path(__file__).parent / "expected"
_IN_THE_EXAMPLE = ("id", "rule", "category", "span", "reached")
_LONG = 200  # characters of an edit; of a longer one the digest is written down


def expected_file(category: str) -> Path:
    """Where the findings of the rules of ``category`` stand."""
    return EXPECTED / f"{category}.jsonl"


@cache
def expected() -> dict[str, list[str]]:
    """The lines that are written down, by the name of their example."""
    lines: dict[str, list[str]] = {}
    for file in sorted(EXPECTED.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            lines.setdefault(json.loads(line)["example"], []).append(line)
    return lines


def written() -> dict[Path, str]:
    """The files as they would be written now."""
    texts: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for case in sorted(cases(), key=lambda case: case.rule.slug):
            directory, file = Path(scratch, case.name), expected_file(case.rule.category)
            made = lines(case, found_in(case, directory), directory)
            texts[file] = texts.get(file, "") + "".join(f"{line}\n" for line in made)
    return texts


def lines(case: Case, found: Iterable[Finding], directory: Path) -> list[str]:
    """What was found in the example that stands in ``directory``, a finding a line."""
    records = (_record(case, each, directory) for each in found)
    dumped = (json.dumps(record, ensure_ascii=False) for record in records)
    return [line.encode("utf-8", "backslashreplace").decode() for line in dumped]


def _record(case: Case, finding: Finding, directory: Path) -> dict[str, Any]:
    record: dict[str, Any] = {"example": case.name, "at": _place(finding.span, case)}
    for field in msgspec.structs.fields(Finding):
        value = getattr(finding, field.name)
        if field.name not in _IN_THE_EXAMPLE and value != field.default:
            record[field.name] = _plain(field.name, value, case, directory)
    return record


def _plain(name: str, value: Any, case: Case, directory: Path) -> Any:
    if name in ("severity", "confidence"):
        return value.label
    if name == "fingerprint":
        return value[:8]
    if name == "cause":
        return True  # what it is called changes with the text
    if name == "related":
        return [f"{_place(each.span, case)} {each.message}" for each in value]
    if isinstance(value, Fix):
        edits = [_edit(each, case, directory) for each in value.edits]
        return {value.applicability.value: value.title, "edits": edits}
    return msgspec.to_builtins(value)


def _place(span: Span, case: Case) -> str:
    file = "" if span.file == main_name(case.example) else f"{span.file}:"
    return f"{file}{span.line}:{span.column}-{span.end_line}:{span.end_column}"


def _edit(edit: Edit, case: Case, directory: Path) -> list[Any]:
    """Where (an offset), what was there, what is put in its place."""
    before = (directory / edit.file).read_bytes().decode("utf-8", "surrogateescape")[edit.start : edit.end]
    where = [edit.start] if edit.file == main_name(case.example) else [edit.file, edit.start]
    return [*where, _short(before), _short(edit.text)]


def _short(text: str) -> str:
    if len(text) <= _LONG:
        return text
    digest = sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{text[:40]}… ({len(text)} characters, {digest})"


def differences(case: Case, now: list[str]) -> Iterator[str]:
    """What is not as it is written down, for people to read: per finding the fields that differ."""
    then = expected().get(case.name, [])
    old, new = ([json.loads(line) for line in each] for each in (then, now))
    gone = [each for each in old if each not in new]
    come = [each for each in new if each not in old]
    for each in gone:
        other = next((one for one in come if _similar(each, one)), None)
        if other is None:
            yield f"not found any more: {_brief(each)}"
            continue
        come.remove(other)
        yield f"changed: {_brief(each)}"
        for key in dict.fromkeys([*each, *other]):
            if each.get(key) != other.get(key):
                yield f"    {key}: {_shown(each, key)}"
                yield f"    {' ' * len(key)}→ {_shown(other, key)}"
    for each in come:
        yield f"new: {_brief(each)}"
    if then != now and not gone and not [each for each in new if each not in old]:
        yield "the same findings in another order, or another number of times"


def _similar(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one["at"].partition("-")[0] == other["at"].partition("-")[0] or one["message"] == other["message"]


def _brief(record: dict[str, Any]) -> str:
    return f"{record['at']}: {record['severity']}: {record['message']}"


def _shown(record: dict[str, Any], key: str) -> str:
    return json.dumps(record[key], ensure_ascii=False) if key in record else "(nothing)"
