"""Formats for CI servers and reviewers: as their readers want them, whatever a configuration holds."""

from __future__ import annotations

import io
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml

from nginxaudit.finding import Severity
from nginxaudit.source.text import SourceText
from tests.report.samples import MISMATCH, finding, full, one, rendered, report, troubled

SCHEMAS = Path(__file__).parent / "schemas"
NASTY = "x ::error::y %0A\r\n::set-output name=a::b ]]><b>&\"'|`\x1b[31m\x00\udce9\ufffe日"
REPORTS = {
    "full": full(),
    "troubled": troubled(),
    "empty": report(),
    "hostile": one(f"a {NASTY};\n", "a", NASTY, path="a b,c:d\n::warning::e\x1b|<i>.conf", help=NASTY),
}
each_report = pytest.mark.parametrize("name", REPORTS)


@each_report
@pytest.mark.parametrize("form", ["gitlab", "rdjson"])
def test_json_is_as_its_readers_want_it(form: str, name: str) -> None:
    text = rendered(form, REPORTS[name])
    assert text.isascii()
    data = json.loads(text)
    schema = json.loads((SCHEMAS / f"{form}.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(data)


def test_gitlab_fingerprints_are_unique() -> None:
    issues = json.loads(rendered("gitlab", troubled()))
    assert len({each["fingerprint"] for each in issues}) == len(issues)
    assert [each["severity"] for each in issues].count(
        "blocker"
    ) == 3  # refused by nginx, not analysed, crashed


def test_rdjson_counts_bytes_and_suggests() -> None:
    diagnostics = json.loads(rendered("rdjson", full()))["diagnostics"]
    (found,) = [each for each in diagnostics if "suggestions" in each]
    start = found["location"]["range"]["start"]
    line = full().sources["nginx.conf"].line(start["line"]).encode()
    assert line[start["column"] - 1 :].startswith("/srv/日本".encode())
    assert found["suggestions"][0]["text"] == "/"


@each_report
def test_junit_is_read(name: str) -> None:
    text = rendered("junit", REPORTS[name])
    read = JUnitXml.fromstring(text.encode())
    suites = list(read)
    assert sum(suite.tests for suite in suites) == read.tests == sum(len(list(suite)) for suite in suites)
    assert (read.failures, read.errors) == (
        len([each for each in REPORTS[name].active if each.severity >= Severity.WARNING]),
        2 if name == "troubled" else 0,
    )


def test_junit_fails_as_the_exit_code_does() -> None:
    assert JUnitXml.fromstring(rendered("junit", full(), fail_on=None).encode()).failures == 0
    assert JUnitXml.fromstring(rendered("junit", full(), fail_on=Severity.INFO).encode()).failures == 3


@each_report
def test_checkstyle_has_every_finding_at_its_place(name: str) -> None:
    top = ElementTree.fromstring(rendered("checkstyle", REPORTS[name]))
    assert top.tag == "checkstyle"
    places = [
        (int(error.get("line", "")), error.get("severity"))
        for error in top.iter("error")
        if error.get("column")
    ]
    assert sorted(places) == sorted((each.span.line, each.severity.label) for each in REPORTS[name].active)
    assert {each.tag for each in top} <= {"file"}


@each_report
def test_github_commands_are_one_line_each_and_nothing_is_injected(name: str) -> None:
    lines = rendered("github", REPORTS[name]).split("\n")
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) >= len(REPORTS[name].active)
    for line in commands:
        assert re.match(r"::(error|warning|notice)( (\w+=[^,:]*)(,\w+=[^,:]*)*)?::", line), line
    assert all(
        line.startswith(("::error", "::warning", "::notice", "nginxaudit: ")) for line in lines if line
    )
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_github_paths_are_those_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/runner/work/x")
    text = rendered("github", one("a b;\n", "a", path="/home/runner/work/x/nginx/a.conf"))
    assert "file=nginx/a.conf," in text


@each_report
def test_markdown_has_a_row_per_finding_and_no_markup_of_strangers(name: str) -> None:
    text = rendered("markdown", REPORTS[name])
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == len(REPORTS[name].active)
    assert all(re.sub(r"\\.", "", row).count("|") == 5 for row in rows)
    assert "<b>" not in text and "<i>" not in text and "\x1b" not in text


def test_markdown_fits_into_a_comment() -> None:
    source = SourceText("a.conf", "a;\n" * 3000)
    many = report(
        *(finding(MISMATCH, "m" * 50, source.span(3 * n, 3 * n + 1)) for n in range(3000)), sources=(source,)
    )
    text = rendered("markdown", many)
    assert len(text) < 65_536
    left = re.search(r"and ([\d,]+) more findings", text)
    assert left is not None
    shown = len(re.findall(r"^\| \d+ \|", text, re.MULTILINE))
    assert shown + int(left[1].replace(",", "")) == 3000


@pytest.mark.parametrize("form", ["github", "gitlab", "junit", "checkstyle", "rdjson", "markdown", "html"])
def test_what_was_not_analysed_is_never_left_out(form: str) -> None:
    text = rendered(form, troubled())
    assert "broken.conf" in text and "crashed" in text
    assert "no findings" not in text.lower().replace('name="no findings"', "")


@pytest.mark.parametrize("form", ["github", "gitlab", "junit", "checkstyle", "rdjson", "markdown", "html"])
def test_any_encoding_of_the_stream_will_do(form: str) -> None:
    from nginxaudit.report import render

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    render(form, REPORTS["hostile"], stream)
    stream.flush()
    assert len(stream.buffer.getvalue().decode()) > 100
    stream.flush()


@pytest.mark.parametrize("name", ["github", "gitlab", "rdjson"])
@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", None])
def test_paths_are_relative_to_the_checkout(name, variable, tmp_path, monkeypatch):
    for each in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(each, raising=False)
    if variable is None:
        monkeypatch.chdir(tmp_path)
    else:
        monkeypatch.setenv(variable, f"{tmp_path}/")
    text = rendered(name, one("a b;", "a", path=f"{tmp_path}/conf/a.conf"))
    assert "conf/a.conf" in text and str(tmp_path) not in text
    assert "/elsewhere/a.conf" in rendered(name, one("a b;", "a", path="/elsewhere/a.conf"))


@pytest.mark.parametrize("name", ["github", "gitlab", "rdjson", "sarif"])
def test_the_working_directory_may_be_gone(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getcwd", lambda: os.stat(tmp_path / "gone") and "")
    path = "/etc/nginx/a.conf"
    assert path in rendered(name, one("a b;", "a", path=path))


@pytest.mark.parametrize(
    "path", ["a.conf", "./a.conf", "../deploy/a.conf", "{}/deploy/a.conf", "{}/deploy/../deploy/a.conf"]
)
@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("name", ["github", "gitlab", "rdjson"])
def test_a_job_may_run_below_its_checkout(name, link, path, tmp_path, monkeypatch):
    """GitHub and GitLab take paths from the root of the checkout, reviewdog from where it runs."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/a.conf").write_text("a b;")
    (tmp_path / "link").symlink_to(".")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path / "link" if link else tmp_path))
    monkeypatch.chdir(tmp_path / "deploy")
    text = rendered(name, one("a b;", "a", path=path.format(tmp_path)))
    expected = {
        "github": "file=deploy/a.conf,",
        "gitlab": '"path": "deploy/a.conf"',
        "rdjson": '"path": "a.conf"',
    }
    assert expected[name] in text
