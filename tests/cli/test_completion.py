"""What the shell offers behind a word: commands, rules, upstreams, files."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from nginxaudit.cli.main import main

TEXT = """
events {}
http {
    upstream shop { server 10.0.0.1:80; server 10.0.0.2:80; }
    upstream search { server 10.0.0.3:80; }
    server { listen 8080; location / { proxy_pass http://shop; } }
}
"""


def offered(*words: str) -> list[str]:
    completion = ShellComplete(main, {}, "nginxaudit", "_NGINXAUDIT_COMPLETE")
    return [item.value for item in completion.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    "words",
    [("explain", "missing-lis"), ("rules", "missing-lis"), ("scan", "--select", "missing-lis"), ("explain", "alias-traversal", "missing-lis")],
)  # fmt: skip
def test_names_of_rules(words: tuple[str, ...]) -> None:
    assert offered(*words) == ["missing-listen"]


def test_the_last_name_of_a_list() -> None:
    assert offered("scan", "--ignore", "alias-traversal,missing-lis") == ["alias-traversal,missing-listen"]


def test_categories_and_ids() -> None:
    assert "security" in offered("scan", "--select", "secur")
    assert "NGX3001" in offered("explain", "ngx300")
    assert not any(name.startswith("NGX") for name in offered("explain", ""))


@pytest.mark.parametrize("command", ["upstreams", "drill"])
def test_names_of_upstreams(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nginx.conf").write_text(TEXT)
    assert offered(command, str(tmp_path / "nginx.conf"), "--upstream", "s") == ["shop", "search"]
    assert offered(command, str(tmp_path / "nginx.conf"), "--upstream", "SE") == ["search"]
    monkeypatch.chdir(tmp_path)
    assert offered(command, "--upstream", "sh") == ["shop"]
    assert offered(command, str(tmp_path / "none.conf"), "--upstream", "s") == []


def test_files() -> None:
    completion = ShellComplete(main, {}, "nginxaudit", "_NGINXAUDIT_COMPLETE")
    (item,) = completion.get_completions(["scan"], "ngi")
    assert (item.value, item.type) == ("ngi", "file")
