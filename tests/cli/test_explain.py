"""``explain`` shows one page or several, as text, Markdown or JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

ROOT = Path(__file__).parent.parent.parent


def test_a_page_has_its_slug_and_labelled_examples() -> None:
    text = nginxaudit("explain", "NGX3001").stdout
    assert "\nmissing-listen · NGX3001 (routing) · severity: " in text
    for label in ("Bad", "Fixed", "Good"):
        assert f"\n**{label}**\n\n```nginx\n" in text
    assert "```nginx bad" not in text and "```nginx good" not in text


def test_several_pages_come_one_after_the_other_and_once() -> None:
    one, other = (nginxaudit("explain", name).stdout for name in ("missing-listen", "alias-traversal"))
    both = nginxaudit("explain", "missing-listen", "alias-traversal", "NGX3001").stdout
    assert both == f"{one}\n---\n\n{other}"
    assert nginxaudit("explain", "--format", "markdown", "missing-listen").stdout == one


def test_json() -> None:
    document = json.loads(nginxaudit("explain", "-f", "json", "missing-listen", "alias-traversal").stdout)
    listed = json.loads(nginxaudit("rules", "--format", "json", "missing-listen").stdout)["rules"]
    first, second = document["rules"]
    assert document["schema_version"] == 1
    assert (first["rule"], second["rule"]) == ("missing-listen", "alias-traversal")
    assert listed[0].items() <= first.items()
    assert first["why"] and first["remedy"] and first["url"].endswith("/missing-listen/")
    assert {each["kind"] for each in first["examples"]} == {"bad", "good"}
    assert any(each["fixed"] for each in first["examples"])
    assert "## How to fix" in first["page"]


def test_the_controls_of_standards_are_shown() -> None:
    text = nginxaudit("explain", "deprecated-tls-protocol").stdout
    assert "\n## Standards\n\n- CIS NGINX Benchmark 2.1.0, 4.1.4: " in text
    assert "\n- CWE-" in nginxaudit("explain", "alias-traversal").stdout
    assert "## Standards" not in nginxaudit("explain", "trailing-whitespace").stdout
    (rule,) = json.loads(nginxaudit("explain", "-f", "json", "deprecated-tls-protocol").stdout)["rules"]
    assert {each["standard"] for each in rule["controls"]} == rule["standards"].keys()
    assert {"standard", "title", "version", "control", "description"} == rule["controls"][0].keys()


@pytest.mark.parametrize(
    "command", ["explain missing-listen", "upstreams fixtures/etc-nginx", "graph fixtures/etc-nginx"]
)
def test_signs_are_typed_where_the_encoding_lacks_them(command: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "nginxaudit", *command.split()],
        cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True,
    )  # fmt: skip
    text = run.stdout.decode("ascii")
    assert " - " in text and "\\x" not in text and "\\u" not in text
    assert run.stderr == b""


def test_an_unknown_rule_shows_the_nearest_and_no_usage() -> None:
    run = nginxaudit("explain", "missing-listen", "alias-traversl")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        'Error: there is no rule "alias-traversl"; did you mean "alias-traversal"? (nginxaudit rules lists them all)\n'
    )
