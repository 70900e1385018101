"""The table of what other tools see names rules that exist, and leaves no check out."""

from __future__ import annotations

import json

from click.testing import CliRunner

from nginxaudit.cli.main import main
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.coverage import coverage


def test_every_check_has_rules_and_every_rule_exists() -> None:
    catalogue = builtin()
    tools = coverage()
    assert {tool.name: len(tool.checks) for tool in tools} == {
        "gixy-ng": 36, "gixy-next": 38, "nginx-lint": 33, "nginx-linter": 6
    }  # fmt: skip
    for tool in tools:
        for check, rules in tool.checks.items():
            assert rules, f"{tool.name}: {check} has no rule here"
            for rule in rules:
                found = catalogue.get(rule)
                assert found is not None, f"{tool.name}: {check}: no rule is called {rule}"
                assert found.slug == rule


def test_it_is_printed() -> None:
    runner = CliRunner()
    text = runner.invoke(main, ["rules", "--coverage"])
    assert text.exit_code == 0
    assert "gixy-next 0.9.0" in text.output
    data = json.loads(runner.invoke(main, ["rules", "--coverage", "-f", "json"]).output)
    assert {"tool": "gixy-ng", "version": "0.2.59"}.items() <= data["tools"][0].items()
    assert runner.invoke(main, ["rules", "tls", "--coverage"]).exit_code == 2
