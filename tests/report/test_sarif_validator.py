"""The SARIF report judged by Microsoft's validator, with its rules for GitHub."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest
from msgspec.structs import replace

from nginxaudit.finding import Related
from nginxaudit.source.text import SourceText
from tests.expected import ROOT
from tests.report.samples import MISMATCH, finding, full, one, rendered, report, troubled
from tests.support.clock import HANG

# What remains: it fetches helpUri and $schema over the network.
ALLOWED = {"SARIF2006"}
REPORTS = {
    "findings": full(),
    "empty": report(),
    "troubled": troubled(),
    "hostile": one(
        "a\tb 日 {0} [x](y);\r\n\x1b\udce9", "日", "[a](b) {0} \x1b \udce9", path="my conf/日#%.conf"
    ),
    "end-of-file": report(
        finding(MISMATCH, "m", SourceText("a.conf", "a {\n").span(4, 4)),
        sources=(SourceText("a.conf", "a {\n"),),
    ),
}


def multitool():
    found = os.environ.get("SARIF_MULTITOOL") or shutil.which("sarif-multitool")
    if not found and os.environ.get("CI") == "true":
        pytest.fail("sarif-multitool is needed in CI: npm install @microsoft/sarif-multitool")
    if not found:
        pytest.skip("no sarif-multitool: set SARIF_MULTITOOL or put it on PATH")
    return found


def command(*arguments):
    """The npm package hands its arguments to a shell, so they are quoted for it."""
    executable = multitool()
    with open(executable, "rb") as file:
        by_npm = b"node" in file.read(100).split(b"\n", 1)[0]
    return [executable, *(map(shlex.quote, arguments) if by_npm else arguments)]


def _repository(directory):
    """A working tree with an origin, as code scanning has it."""
    git = directory / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs" / "heads" / "main").write_text("0123456789abcdef0123456789abcdef01234567\n")
    (git / "config").write_text('[remote "origin"]\n\turl = git@github.com:example/nginx.git\n')
    return directory


@pytest.mark.parametrize("name", REPORTS)
def test_validator_has_nothing_to_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(_repository(tmp_path / "work"))
    log, verdict = tmp_path / "report.sarif", tmp_path / "verdict.sarif"
    log.write_text(rendered("sarif", REPORTS[name]), encoding="utf-8")
    arguments = ["validate", str(log), "--output", str(verdict), "--rule-kind", "Sarif;Gh"]
    arguments += ["--level", "Error;Warning;Note", "--kind", "Fail;Review;Open", "--log", "ForceOverwrite"]
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=HANG, check=False)
    assert verdict.exists(), done.stdout + done.stderr
    run = json.loads(verdict.read_text(encoding="utf-8-sig"))["runs"][0]
    assert run["invocations"][0]["executionSuccessful"], done.stdout
    assert run.get("results") is not None, done.stdout
    raised = {result["ruleId"].split("/")[0] for result in run["results"]}
    assert raised <= ALLOWED, done.stdout


def test_validator_is_awake(tmp_path):
    """A log with a fault must be reported, or the test above proves nothing."""
    log, verdict = tmp_path / "report.sarif", tmp_path / "verdict.sarif"
    broken = json.loads(rendered("sarif", full()))
    broken["runs"][0]["results"][0]["ruleIndex"] = 99
    log.write_text(json.dumps(broken), encoding="utf-8")
    arguments = ["validate", str(log), "--output", str(verdict), "--rule-kind", "Sarif;Gh"]
    subprocess.run(command(*arguments), capture_output=True, timeout=HANG, check=False)
    results = json.loads(verdict.read_text(encoding="utf-8-sig"))["runs"][0]["results"]
    assert "SARIF1009" in {result["ruleId"].split("/")[0] for result in results}


@pytest.mark.slow
def test_validator_has_nothing_to_say_about_the_fixtures(tmp_path, monkeypatch):
    """The whole way: the command on the fixtures, with fixes, suppressions and a baseline, in a repository of its own."""
    work = _repository(tmp_path / "work")
    shutil.copytree(ROOT / "fixtures", work / "fixtures", symlinks=True)
    reports = work / "fixtures" / "etc-nginx" / "sites-enabled" / "reports.conf"
    reports.write_text("# nginxaudit: ignore[missing-listen] opened by systemd\n" + reports.read_text())

    def run(*args):
        subprocess.run([sys.executable, "-m", "nginxaudit", *args], cwd=work, check=True, timeout=HANG)

    run("baseline", "write", "fixtures/etc-nginx", "fixtures/deployments")
    # Known and new ones in one log: what changes is in none of the known files.
    shutil.copy(work / "fixtures/deployments/active-active.conf", work / "fixtures/deployments/new.conf")
    log, verdict = tmp_path / "report.sarif", tmp_path / "verdict.sarif"
    scan = ["--baseline", "nginxaudit-baseline.json", "-f", "sarif", "-o", str(log), "--fail-on", "never"]
    run("scan", *scan, "fixtures")
    found = json.loads(log.read_text(encoding="utf-8"))["runs"][0]["results"]
    assert {each["baselineState"] for each in found} == {"new", "unchanged"}
    assert {each["suppressions"][0]["kind"] for each in found if "suppressions" in each} == {
        "inSource",
        "external",
    }
    assert any("fixes" in each for each in found)
    arguments = ["validate", str(log), "--output", str(verdict), "--rule-kind", "Sarif;Gh"]
    arguments += ["--level", "Error;Warning;Note", "--kind", "Fail;Review;Open", "--log", "ForceOverwrite"]
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=HANG, check=False)
    results = json.loads(verdict.read_text(encoding="utf-8-sig"))["runs"][0]["results"]
    assert {result["ruleId"].split("/")[0] for result in results} <= ALLOWED, done.stdout


@pytest.mark.slow
def test_limits_of_uploads_are_kept_and_said():
    import gzip

    from nginxaudit.finding import Severity
    from nginxaudit.report.sarif_log import MOST_LOCATIONS, MOST_RESULTS

    source = SourceText("a.conf", "server_tokens on; # a line as long as lines are\n" * 26_000)
    width = len(source.text) // 26_000
    base = finding(MISMATCH, "server_tokens sends the nginx version with every response", source.span(0, 16))
    spans = [source.span(width * n, width * n + 16) for n in range(26_000)]
    many = [
        replace(base, span=span, severity=Severity.INFO if n % 2 else Severity.WARNING)
        for n, span in enumerate(spans)
    ]
    many[0] = replace(many[0], related=tuple(Related("also here", span) for span in spans[:2000]))
    text = rendered("sarif", report(*many, sources=(source,)))
    run = json.loads(text)["runs"][0]
    assert len(run["results"]) == MOST_RESULTS
    assert (
        sum(each.get("level") == "warning" for each in run["results"]) == 13_000
    )  # the least severe ones are left out
    assert max(len(each.get("relatedLocations", ())) for each in run["results"]) == MOST_LOCATIONS
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "1,000 findings are not in this log" in note["message"]["text"]
    assert len(gzip.compress(text.encode(), 6)) < 10_000_000  # GitHub takes 10 MB, compressed
    assert (
        max(len(rule.get("properties", {}).get("tags", ())) for rule in run["tool"]["driver"]["rules"]) <= 10
    )
