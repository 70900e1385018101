"""Every fix of every rule page: it mends the finding, it is stable, and nginx still loads the result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from nginxaudit.engine.fix.fixing import Fixed, fix
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.pages import Example, read_page
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.audit import audit
from nginxaudit.finding import Finding
from tests.rules.test_examples import cases, clean, example_settings, needs_newer, write_example
from tests.support import certificates, nginx

REPAIRED = [case for case in cases() if case[0].fix != "none" and case[2].kind == "bad"]


def _ids(case: tuple[Rule, int, Example]) -> str:
    return f"{case[0].slug}-{case[1]}"


def _fix(main: Path, example: Example, rule: Rule) -> Fixed:
    settings = example_settings(example, rule).with_options(select=(rule.slug,), extend_select=())
    return fix([str(main)], settings, unsafe=True)


def test_a_page_with_a_fix_has_a_repair_and_shows_it() -> None:
    for rule in builtin():
        if "engine" in rule.check:  # told, and mended, by the engine itself
            continue
        assert (rule.fix == "none") == (not rule.repair), f"{rule.slug}: fix and [repair] do not agree"
        if rule.repair:
            shown = [example.fixed for example in read_page(rule).examples if example.fixed is not None]
            assert shown, f"{rule.slug}: no bad example is followed by a fence with what the fix makes of it"


@pytest.mark.parametrize("case", REPAIRED, ids=map(_ids, REPAIRED))
def test_fix(case: tuple[Rule, int, Example], tmp_path: Path) -> None:
    rule, _, example = case
    main = write_example(example, tmp_path)
    fixed = _fix(main, example, rule)
    texts = {change.path: change.after for change in fixed.changes}
    if example.fixed is not None:
        assert texts.get(str(main)) == clean(example.fixed)
    if not fixed.changes:
        return  # nothing that could be mended without a decision
    assert {finding.rule for finding in fixed.applied} == {rule.slug}
    for change in fixed.changes:
        Path(change.path).write_bytes(change.after.encode("utf-8", "surrogateescape"))
    again = _fix(main, example, rule)
    assert again.changes == (), "a second fix changes something"
    left = [finding for finding in again.report.active if finding.rule == rule.slug]
    assert len(left) < len(fixed.applied) + len(left)
    assert not any(
        finding.fix is not None and finding.fingerprint in {each.fingerprint for each in fixed.applied}
        for finding in left
    ), "what was mended is found again"


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("case", REPAIRED, ids=map(_ids, REPAIRED))
def test_fixed_example_on_nginx(case: tuple[Rule, int, Example], tmp_path: Path) -> None:
    rule, _, example = case
    if example.options.get("edition") == "plus" or "needs-dns" in example.flags:
        pytest.skip("this nginx cannot judge it")
    if "nginx-version" in example.options or needs_newer(example, nginx.version()):
        pytest.skip("speaks of another nginx")
    main = write_example(example, tmp_path)
    settings = example_settings(example, rule)
    target = replace(settings.target, version=nginx.release())
    alone = settings.with_options(select=(rule.slug,), extend_select=(), target=target)
    fixed = fix([str(main)], alone, unsafe=True)
    if not fixed.changes:
        pytest.skip("nothing is mended in this example")
    texts = {str(Path(change.path).relative_to(tmp_path)): change.after for change in fixed.changes}
    files = {name: clean(content) for name, content in example.files.items()} | texts
    text = files.pop(main.name, clean(example.text))
    text = text if text.startswith("\ufeff") else nginx.load_modules() + text
    if "ssl_certificate" in text:
        files = {**certificates.made(), **files}
    answer = nginx.check(tmp_path, text, files)
    left = audit([str(main)], replace(alone, select=None)).active  # on the texts as they were before
    assert answer.accepted or _refused_for_more(left, rule), answer.output


def _refused_for_more(findings: Iterable[Finding], rule: Rule) -> bool:
    return any(finding.rejected_by_nginx and finding.rule != rule.slug for finding in findings)
