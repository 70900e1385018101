"""Marks of rule pages and the expected findings: what they hold, and how a difference is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from nginxaudit.finding import Finding, Severity
from tests.rules import snapshot
from tests.rules.examples import Case, cases, found_in
from tests.rules.marks import Mark, MarkError, marks, part_of, refilled

_LISTEN = "server {{\n    listen 8080; {}\n}}\n"


def _case(name: str) -> Case:
    return next(case for case in cases() if case.name == name)


@pytest.fixture
def found(tmp_path: Path) -> list[Finding]:
    return found_in(_case("zero-weight-bad-1"), tmp_path)


def _marked(text: str) -> Case:
    case = _case("zero-weight-bad-1")
    return case._replace(example=replace(case.example, text=text))


def test_a_line_with_several_findings_has_several_marks() -> None:
    case = _marked(_LISTEN.format('# finding: error "a \\"b\\"" # finding: info "c\\\\d"'))
    assert marks(case) == {("nginx.conf", 2): [Mark("error", 'a "b"'), Mark("info", "c\\d")]}


@pytest.mark.parametrize(
    "mark", ['# finding: fatal "x"', "# finding: error", '# finding: error "x', "# finding here"]
)
def test_a_mark_that_is_not_understood_is_an_error(mark: str) -> None:
    with pytest.raises(MarkError, match=r"nginx[.]conf:2"):
        marks(_marked(_LISTEN.format(mark)))


def test_a_mark_holds_severity_and_words(found: list[Finding]) -> None:
    message = found[0].message
    assert Mark("error", message[3:20]).fits(found[0])
    assert not Mark("warning", message[3:20]).fits(found[0])
    assert not Mark("error", "other words").fits(found[0])
    assert not Mark("", "").fits(found[0]), "a mark that was never filled in"


def test_words_are_filled_in_where_the_author_marked(found: list[Finding]) -> None:
    line, message = found[0].span.line, found[0].message
    text = "\n" * (line - 1) + "x; # finding\n"
    filled = refilled(_marked(text), found, [message])["nginx.conf"]
    assert filled == text.replace("# finding", f'# finding: error "{part_of(message, [message])}"')
    assert refilled(_marked(filled), found, [message])["nginx.conf"] == filled
    with pytest.raises(MarkError, match=r"marked is .*found is"):
        refilled(_marked(f"\n{text}"), found, [message])


def test_a_part_is_short_and_known_among_the_others() -> None:
    said = [
        "the server has no address: nginx refuses such servers",
        "the server has no address: it is not used",
    ]
    assert part_of(said[0], said) == "nginx refuses such servers"
    assert part_of(said[0], said[:1]) == "the server has no address"
    assert part_of('"x" is "y"', ["x"]) == '"x" is "y"', "where nothing shorter will do"


def test_every_field_of_a_finding_is_held(found: list[Finding], tmp_path: Path) -> None:
    """Whatever is changed in a finding is a difference that names what changed."""
    case = _case("zero-weight-bad-1")
    span = found[0].span
    assert list(snapshot.differences(case, snapshot.lines(case, found, tmp_path))) == []
    changes = {
        "severity": Severity.INFO,
        "message": "other words",
        "help": "other help",
        "span": replace(span, end_column=span.end_column + 1),
        "fingerprint": "0" * 32,
        "rejected_by_nginx": False,
    }
    for field, value in changes.items():
        changed = replace(found[0], **{field: value})
        told = "\n".join(snapshot.differences(case, snapshot.lines(case, [changed, *found[1:]], tmp_path)))
        assert "changed: " in told and f"    {'at' if field == 'span' else field}: " in told
    gone = list(snapshot.differences(case, []))
    assert len(gone) == len(found) and gone[0].startswith("not found any more: ")
    twice = list(snapshot.differences(case, snapshot.lines(case, [*found, found[0]], tmp_path)))
    assert twice == ["the same findings in another order, or another number of times"]


def test_a_line_of_expected_findings_is_for_people() -> None:
    lines = [json.loads(line) for each in snapshot.expected().values() for line in each]
    assert all(list(line)[:4] == ["example", "at", "severity", "confidence"] for line in lines)
    assert not [line for line in lines if "/tmp/" in line["message"]], "names of scratch directories"
