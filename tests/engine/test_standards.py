"""The table of standards names rules that exist, and standards are selected like categories."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from nginxaudit.cli.main import main
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.selection import slugs
from nginxaudit.engine.rules.standards import cited, controls_of, names, standards
from nginxaudit.engine.settings import SettingsError


def test_every_rule_of_a_control_exists() -> None:
    known = {rule.slug for rule in builtin()}
    for name, standard in standards().items():
        for number, control in standard.controls.items():
            assert set(control.rules) <= known, (name, number)
            assert list(control.rules) == sorted(set(control.rules)), f"{name} {number}: in order, once"
            assert control.title


def test_rules_are_where_their_cwe_is_mapped() -> None:
    """What OWASP lists decides, and the few rules that a category describes in words."""
    controls = standards()["owasp"].controls
    counts = [len(control.cwe) for control in controls.values()]
    assert counts == [34, 29, 33, 40, 20, 3, 22, 10, 4, 1]  # as the categories say themselves
    for number, control in controls.items():
        mapped = {rule.slug for rule in builtin() if not set(rule.cwe).isdisjoint(control.cwe)}
        assert mapped.isdisjoint(control.described)
        assert set(control.rules) == mapped | set(control.described), number


def test_no_name_of_a_standard_is_taken() -> None:
    assert not names().keys() & {*builtin().names, *builtin().groups}


def test_a_standard_is_selected_by_name_and_alias() -> None:
    by_name = slugs(builtin(), ["cis-nginx"], "select")
    assert by_name == slugs(builtin(), ["cis"], "select")
    assert {"server-tokens", "weak-tls-ciphers"} <= by_name
    assert "missing-listen" not in by_name
    with pytest.raises(SettingsError, match="cis-nginx"):
        slugs(builtin(), ["cis-ngnix"], "select")


def test_a_rule_knows_its_controls() -> None:
    assert controls_of("server-tokens")["cis-nginx"] == ["2.5.1"]
    assert "CIS NGINX Benchmark 2.5.1" in cited("server-tokens")
    assert controls_of("missing-listen") == {}


def test_they_are_printed() -> None:
    runner = CliRunner()
    text = runner.invoke(main, ["rules", "--standards"])
    assert text.exit_code == 0
    assert "  2.5.1   server_tokens is off: server-tokens\n" in text.output
    assert "the service account is locked: not checked" in text.output
    data = json.loads(runner.invoke(main, ["rules", "--standards", "-f", "json"]).output)
    assert [each["standard"] for each in data["standards"]] == list(standards())
    assert runner.invoke(main, ["rules", "tls", "--standards"]).exit_code == 2
