"""What users of other linters expect of a command line: aliases, formats by extension, short errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

TEXT = "events {}\nhttp {\n    server {\n        listen 8080;\n        allow 10.0.0.1;\n    }\n}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "nginx.conf").write_text(TEXT)
    return tmp_path


def test_without_a_command_the_help_is_shown() -> None:
    run = nginxaudit()
    assert run.returncode == 0
    assert run.stdout.startswith("Usage: nginxaudit") and "\\n" not in run.stdout and not run.stderr


@pytest.mark.parametrize("alias", ["check", "lint"])
def test_aliases_scan(alias: str, tree: Path) -> None:
    assert (
        nginxaudit(alias, "nginx.conf", cwd=tree).stdout == nginxaudit("scan", "nginx.conf", cwd=tree).stdout
    )


def test_a_misspelt_command_is_suggested() -> None:
    run = nginxaudit("scna", "x")
    assert run.returncode == 2
    assert run.stderr.endswith("Error: No such command 'scna'; did you mean \"scan\"?\n")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("scan --ouput x", "--output"),
        ("scan --severity error", "--min-severity"),
        ("scan --disable x", "--ignore"),
        ("scan --dry-run", "--diff"),
        ("scan --json", "--format json"),
        ("scan --list-rules", "nginxaudit rules"),
        ("scan --format jsno", "json"),
        ("scan --fail-on eror", "error"),
        ("drill --scenaro x", "--scenario"),
        ("--verson", "--version"),
    ],
)
def test_a_wrong_option_or_value_is_suggested(arguments: str, meant: str) -> None:
    run = nginxaudit(*arguments.split())
    assert run.returncode == 2
    assert run.stderr.endswith(f'; did you mean "{meant}"?\n')


def test_what_is_like_nothing_is_not_suggested() -> None:
    assert nginxaudit("upstreams", "--json", "x").stderr.endswith('; did you mean "--format json"?\n')
    assert nginxaudit("rules", "--severty", "error").stderr.endswith('; did you mean "--severity"?\n')
    assert nginxaudit("scan", "--qqqq").stderr.endswith("Error: No such option '--qqqq'.\n")
    assert nginxaudit("rules", "--disable").stderr.endswith("Error: No such option '--disable'.\n")


@pytest.mark.parametrize(
    ("command", "name", "begin"),
    [
        ("scan", "report.html", "<!doctype html>"),
        ("scan", "report.HTML", "<!doctype html>"),
        ("scan", "report.json", '{\n  "schema_version"'),
        ("scan", "report.sarif", '{\n "$schema"'),
        ("scan", "report.xml", '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites'),
        ("scan", "report.md", "### nginxaudit"),
        ("scan", "report.txt", "nginxaudit "),
        ("scan", "report.svg", "nginxaudit "),  # no format of reports
        ("scan", "report", "nginxaudit "),
        ("graph", "graph.svg", "<svg"),
        ("graph", "graph.dot", "digraph"),
        ("graph", "graph.mmd", "flowchart"),
        ("graph", "graph.html", "<!doctype html>"),
        ("graph", "graph.txt", "nginx.conf"),
        ("drill", "drill.json", "{"),
        ("upstreams", "upstreams.json", "{"),
    ],
)  # fmt: skip
def test_the_format_follows_the_extension(command: str, name: str, begin: str, tree: Path) -> None:
    run = nginxaudit(command, "--output", name, "nginx.conf", cwd=tree)
    assert run.stdout == ""
    assert (tree / name).read_text().startswith(begin)


def test_a_format_that_is_given_wins(tree: Path) -> None:
    nginxaudit("scan", "-f", "json", "-o", "a.html", "nginx.conf", cwd=tree)
    nginxaudit("scan", "-o", "concise:b.html", "nginx.conf", cwd=tree)
    nginxaudit("graph", "--output-format", "dot", "-o", "c.svg", "nginx.conf", cwd=tree)
    assert (tree / "a.html").read_text().startswith("{")
    assert (tree / "b.html").read_text().startswith("nginx.conf:5:9:")
    assert (tree / "c.svg").read_text().startswith("digraph")


def test_findings_may_be_no_failure(tree: Path) -> None:
    assert nginxaudit("scan", "nginx.conf", cwd=tree).returncode == 1
    assert nginxaudit("scan", "--exit-zero", "nginx.conf", cwd=tree).returncode == 0
    assert nginxaudit("scan", "--exit-zero", "missing.conf", cwd=tree).returncode == 3


def test_quiet_prints_findings_only(tree: Path) -> None:
    run = nginxaudit("scan", "-q", "nginx.conf", cwd=tree)
    assert run.returncode == 1
    assert run.stdout.startswith("nginx.conf (") and "analysed" not in run.stdout
    assert len(
        nginxaudit("scan", "-qf", "concise", "nginx.conf", cwd=tree).stdout.splitlines()
    ) == run.stdout.count("nginx.conf:")
    missing = nginxaudit("scan", "-q", "missing.conf", cwd=tree)
    assert missing.returncode == 3 and "Not analysed:" in missing.stdout


def test_silent_prints_nothing(tree: Path) -> None:
    for name, code in (("nginx.conf", 1), ("missing.conf", 3)):
        run = nginxaudit("scan", "--silent", name, cwd=tree)
        assert (run.returncode, run.stdout, run.stderr) == (code, "", "")
    nginxaudit("scan", "-s", "-o", "report.json", "nginx.conf", cwd=tree)
    assert (tree / "report.json").read_text().startswith("{")


def test_errors_come_last_unless_files_are_wanted(tree: Path) -> None:
    (tree / "nginx.conf").write_text(f"usre www;\n{TEXT}")
    usual = nginxaudit("scan", "nginx.conf", cwd=tree).stdout
    by_file = nginxaudit("scan", "--sort", "file", "nginx.conf", cwd=tree).stdout
    assert usual.index("warning[") < usual.index("error[unknown-directive]")
    assert by_file.index("error[unknown-directive]") < by_file.index("warning[")


def test_colours_can_be_switched_off(tree: Path) -> None:
    colours = {**os.environ, "FORCE_COLOR": "1"}
    assert "\x1b[" in nginxaudit("scan", "nginx.conf", cwd=tree, env=colours).stdout
    assert "\x1b[" not in nginxaudit("scan", "--no-color", "nginx.conf", cwd=tree, env=colours).stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("scan", "--config", "none.toml"), "Error: none.toml: cannot be read: there is no such file\n"),
        (("scan", "--settings", "none.toml"), "Error: none.toml: cannot be read: there is no such file\n"),
        (("scan", "-o", "none/x.json", "nginx.conf"), "Error: --output none/x.json: cannot be written: "),
        (("scan", "-o", "/dev/full", "nginx.conf"), "Error: --output /dev/full: cannot be written: No space left on device\n"),
        (("graph", "--upstream", "none", "nginx.conf"), 'Error: there is no upstream or server named "none"'),
        (("trace", "nginx.conf", "@none"), "Error: none: cannot be read: No such file or directory\n"),
        (("upstreams", "--upstream", "none", "nginx.conf"), 'Error: there is no upstream named "none"'),
    ],
)  # fmt: skip
def test_errors_of_the_surroundings_show_no_usage(arguments: tuple[str, ...], error: str, tree: Path) -> None:
    run = nginxaudit(*arguments, cwd=tree)
    assert run.returncode == 2
    assert run.stderr.startswith(error)


def test_only_fixing_says_what_it_fixed_and_nothing_else(tree: Path) -> None:
    (tree / "nginx.conf").write_text(TEXT.replace("listen 8080;", "listen 8080 default;"))
    run = nginxaudit("scan", "--fix-only", "nginx.conf", cwd=tree)
    assert (run.returncode, run.stdout) == (0, "")
    first, last = run.stderr.splitlines()
    assert first.startswith("fixed nginx.conf:4: listen-default-parameter: ")
    assert last == "fixed 1 finding in 1 file"
    assert "listen 8080 default_server;" in (tree / "nginx.conf").read_text()
    again = nginxaudit("scan", "--fix-only", "nginx.conf", cwd=tree)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert nginxaudit("scan", "--fix-only", "-f", "json", "nginx.conf", cwd=tree).returncode == 2
    (tree / "broken.conf").write_text("events {}\nhttp {\n")
    for name, why in (("none.conf", "there is no such file"), ("broken.conf", "is never closed")):
        run = nginxaudit("scan", "--fix-only", name, cwd=tree)
        assert run.returncode == 3
        assert run.stderr.startswith(f"not analysed: {name}: ")
        assert why in run.stderr
