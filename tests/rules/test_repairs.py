"""Every fix of every rule page: it fixes the finding, it is stable, and nginx still loads the result."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from nginxaudit.engine.fix.fixing import Fixed, fix
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.audit import audit
from nginxaudit.finding import Finding
from nginxaudit.nginx import format_version
from tests.rules.examples import Case, cases, cases_of, clean, found_in, main_name, settings_of, write
from tests.rules.judged import answer, is_refused, is_spoken_of, only_the_machine_lacks_something
from tests.support import nginx

_OF_FIXERS = [case for case in cases() if case.rule.fix != "none" and case.example.kind == "bad"]
FIXED = [case for case in _OF_FIXERS if "no-fix" not in case.example.flags]
NOT_FIXED = [case for case in _OF_FIXERS if "no-fix" in case.example.flags]

_UNTIDY = (
    re.compile(r"\n[ \t]*\r?\n(?=[ \t]*\r?\n)"),  # two empty lines
    re.compile(r"[ \t]+\r?$", re.MULTILINE),
    re.compile(r"\{[ \t]*\r?\n[ \t]*\r?\n"),  # an empty line where a block begins, or ends
    re.compile(r"\n[ \t]*\r?\n[ \t]*\}"),
)
"""What a fix may bring nowhere."""


def _name(case: Case) -> str:
    return case.name


def _fix(main: Path, case: Case) -> Fixed:
    return fix([str(main)], settings_of(case), unsafe=case.rule.check.engine is None)


def test_a_page_with_a_fix_has_a_repair_and_shows_it() -> None:
    for rule in builtin():
        if rule.fix == "none":
            assert not rule.repair, f"{rule.slug}: fix and [repair] do not agree"
            assert not any("no-fix" in case.example.flags for case in cases_of(rule)), f"{rule.slug}: no-fix"
            continue
        assert rule.repair or rule.check.engine, f"{rule.slug}: fix and [repair] do not agree"
        shown = [case.example.fixed for case in cases_of(rule) if case.example.fixed is not None]
        assert shown, f"{rule.slug}: no bad example is followed by a fence with what the fix makes of it"


@pytest.mark.parametrize("case", FIXED, ids=_name)
def test_fix(case: Case, tmp_path: Path) -> None:
    slug = case.rule.slug
    main = write(case.example, tmp_path)
    fixed = _fix(main, case)
    texts = {change.path: change.after for change in fixed.changes}
    assert texts, "nothing is fixed: is it a bad example with no-fix?"
    if case.example.fixed is not None:
        assert texts.get(str(main)) == clean(case.example.fixed)
    assert {finding.rule for finding in fixed.applied} == {slug}
    for change in fixed.changes:
        for untidy in _UNTIDY:
            assert len(untidy.findall(change.after)) <= len(untidy.findall(change.before)), untidy.pattern
    for path, text in texts.items():
        Path(path).write_bytes(text.encode("utf-8", "surrogateescape"))
    again = _fix(main, case)
    assert again.changes == (), "a second fix changes something"
    fixed = {finding.fingerprint for finding in fixed.applied}
    left = [finding for finding in again.report.active if finding.rule == slug and finding.fix is not None]
    assert not fixed & {finding.fingerprint for finding in left}, "what was fixed is found again"


@pytest.mark.parametrize("case", NOT_FIXED, ids=_name)
def test_no_fix(case: Case, tmp_path: Path) -> None:
    """Where a decision is needed no fix is offered."""
    assert case.example.fixed is None
    assert [finding.fix for finding in found_in(case, tmp_path) if finding.fix] == []
    assert _fix(tmp_path / main_name(case.example), case).changes == ()


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("case", FIXED, ids=_name)
def test_fixed_example_on_nginx(case: Case, tmp_path: Path) -> None:
    """A fix for this nginx is accepted by it, unless it refuses the example for something else, too."""
    main = write(case.example, tmp_path)
    settings = settings_of(case)
    alone = settings.with_options(nginx_version=format_version(nginx.version()))
    fixed = fix([str(main)], alone, unsafe=True)
    if not fixed.changes:
        pytest.skip("for this version of nginx nothing is fixed in this example")
    texts = {str(Path(change.path).relative_to(tmp_path)): change.after for change in fixed.changes}
    said = answer(case, tmp_path, texts)
    left = audit([str(main)], replace(alone, select=None)).active  # on the texts as they were before
    outside = is_refused(case) and not is_spoken_of(case)  # with and without the fix
    more = _refused_for_more(left, case.rule) or any(each.rejected_by_nginx for each in fixed.report.active)
    excused = outside or only_the_machine_lacks_something(case, said) or more
    assert said.accepted or excused, said.output


def _refused_for_more(findings: Iterable[Finding], rule: Rule) -> bool:
    return any(finding.rejected_by_nginx and finding.rule != rule.slug for finding in findings)
