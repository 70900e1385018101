"""Settings files, selection and suppressing comments, through the whole audit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

import nginxaudit
from nginxaudit.engine.settings import Settings, SettingsError, discover, load
from nginxaudit.finding import Severity
from tests.support.command import nginxaudit as command

FLAWED = "events {{}}\nhttp {{\n{}  server {{{}\n    return 204;\n  }}\n}}\n"


def audit(tmp_path: Path, text: str, settings: Settings | None = None) -> nginxaudit.Report:
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    return nginxaudit.audit([str(file)], settings or Settings())


def slugs(report: nginxaudit.Report) -> list[str]:
    return [finding.rule for finding in report.active]


def from_toml(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "nginxaudit.toml"
    file.write_text(text)
    return load(str(file))


def test_the_base_line(tmp_path: Path) -> None:
    assert slugs(audit(tmp_path, FLAWED.format("", ""))) == ["missing-listen"]


@pytest.mark.parametrize(
    "toml",
    ['ignore = ["missing-listen"]', 'ignore = ["routing"]', 'select = ["upstream"]', '[per-file-ignores]\n"*.conf" = ["missing-listen"]'],
)  # fmt: skip
def test_ways_to_switch_a_rule_off(toml: str, tmp_path: Path) -> None:
    assert slugs(audit(tmp_path, FLAWED.format("", ""), from_toml(tmp_path, toml))) == []


def test_a_rule_by_its_id(tmp_path: Path) -> None:
    (finding,) = audit(tmp_path, FLAWED.format("", "")).active
    settings = replace(Settings(), ignore=(finding.id,))
    assert slugs(audit(tmp_path, FLAWED.format("", ""), settings)) == []


def test_severity_of_a_rule(tmp_path: Path) -> None:
    report = audit(
        tmp_path, FLAWED.format("", ""), from_toml(tmp_path, '[rule.missing-listen]\nseverity = "error"')
    )
    assert [finding.severity for finding in report.active] == [Severity.ERROR]


def test_what_was_not_analysed_cannot_be_deselected(tmp_path: Path) -> None:
    settings = replace(Settings(), select=("upstream",), ignore=("unreadable-file",))
    report = nginxaudit.audit([str(tmp_path / "missing.conf")], settings)
    assert slugs(report) == ["unreadable-file"]
    assert report.exit_code() == 3


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('nginx-version = "abc"', "nginx-version"),
        ('edition = "pro"', "edition"),
        ('[upstreams.app]\ntopology = "activ-active"', "active-active"),
        ('[rule.missing-lisen]\nseverity = "error"', "missing-listen"),
        ('[rule.missing-listen]\nseverity = "fatal"', "severity"),
        ('[per-file-ignores]\n"*.conf" = ["missing-lisen"]', "missing-listen"),
    ],
)
def test_settings_that_cannot_be_used_say_where(toml: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        audit(tmp_path, FLAWED.format("", ""), from_toml(tmp_path, toml))
    assert "nginxaudit.toml" in str(raised.value)


def test_names_of_per_file_ignores_are_checked_though_nothing_is_found(tmp_path: Path) -> None:
    settings = from_toml(tmp_path, '[per-file-ignores]\n"other/*.conf" = ["secutiry"]')
    with pytest.raises(SettingsError, match=r'per-file-ignores.*secutiry.*did you mean "security"'):
        audit(tmp_path, FLAWED.format("", "listen 80;"), settings)


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("tool = 3", "tool: a table is expected, not 3"),
        ("[[tool]]\nx = 1", "tool: a table is expected"),
        ("tool = []", "tool: a table is expected, not []"),
        ("[tool]\nnginxaudit = []", "tool.nginxaudit: a table is expected, not []"),
        ('[tool]\nnginxaudit = "x"', "tool.nginxaudit: a table is expected, not 'x'"),
        ("[[tool.nginxaudit]]\na = 1", "tool.nginxaudit: a table is expected"),
        ("[tool.nginxaudit]\nselect = 3", 'select: a list of strings, e.g. ["..."], is expected, not 3'),
        ("[tool.nginxaudit]\nentry = [[]]", "entry: a list of strings"),
        ("[tool.nginxaudit]\nrule = []", "rule: a table is expected, not []"),
        ("[tool.nginxaudit]\nrule.missing-listen = 3", "rule.missing-listen: a table is expected, not 3"),
        ("[tool.nginxaudit]\nlimits = [1]", "limits: a table is expected, not [1]"),
        ("[tool.nginxaudit]\nupstreams.a = []", "upstreams.a: a table is expected, not []"),
        ("[tool.nginxaudit]\nupstreams.a = {}", "upstreams.a: required but missing: topology"),
        ('[tool.nginxaudit]\nupstreams.a.topolgy = ""', 'upstreams.a.topolgy: unknown setting; did you mean "topology"?'),
        ('[tool.nginxaudit]\nper-file-ignores = ["x"]', "per-file-ignores: a table is expected, not ['x']"),
        ('[tool.nginxaudit]\nper-file-ignores."*" = "x"', "per-file-ignores.*: a list of strings"),
        ("[tool.nginxaudit]\nnginx-version = 1.25", "nginx-version: a string is expected, not 1.25"),
        ('[tool.nginxaudit]\nfragments = "yes"', "fragments: true or false is expected, not 'yes'"),
        ('[tool.nginxaudit]\nfail-on = "eror"', "fail-on: 'eror' is not one of info, warning, error, never; did you mean \"error\"?"),
        ("[tool.nginxaudit]\nfail-on = 3", "fail-on: one of info, warning, error, never is expected, not 3"),
        ("[tool.nginxaudit]\nselekt = []", 'selekt: unknown setting; did you mean "select"?'),
        ("[tool.nginxaudit]\nbaseline = 2020-01-01", "baseline: a string is expected, not datetime.date(2020, 1, 1)"),
    ],
)  # fmt: skip
def test_odd_values_are_errors(toml: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(toml)
    (tmp_path / "nginx.conf").write_text("events {}\n")
    done = command("scan", "--settings", "pyproject.toml", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 2
    assert f"pyproject.toml: {where}" in done.stderr


@pytest.mark.parametrize("toml", ["", "[tool.other]\nx = 1", "[tool.nginxaudit]"])
def test_a_project_without_settings_is_fine(toml: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(toml)
    assert load(str(tmp_path / "pyproject.toml")).select is None


def test_what_the_command_line_selects_is_all_that_runs(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(
        FLAWED.format("", "").replace(
            "return 204;", "location /a/ { autoindex on; }\n    location / { return 204; }"
        )
    )
    (tmp_path / "nginxaudit.toml").write_text('extend-select = ["security"]\nignore = ["missing-listen"]\n')

    def found(*options: str) -> set[str]:
        done = command("scan", "-f", "json", *options, "nginx.conf", cwd=tmp_path)
        return {each["rule"] for each in json.loads(done.stdout)["findings"]}

    assert found() == {"autoindex-enabled"}
    assert found("--select", "missing-listen") == {"missing-listen"}
    assert found("--select", "missing-listen", "--extend-select", "autoindex-enabled") == {
        "missing-listen",
        "autoindex-enabled",
    }
    assert found("--select", "missing-listen", "--ignore", "routing") == set()
    for option, where in (("--select", "--select: "), ("--ignore", "--ignore or ")):
        done = command("scan", option, "missing-lisen", "nginx.conf", cwd=tmp_path)
        assert done.returncode == 2
        assert f"Error: {where}" in done.stderr and 'did you mean "missing-listen"' in done.stderr


def test_the_nearest_settings_upward_but_not_above_the_repository(tmp_path: Path) -> None:
    (tmp_path / "nginxaudit.toml").write_text("")
    repository = tmp_path / "repository"
    (repository / "conf").mkdir(parents=True)
    assert discover(str(repository / "conf")) == str(tmp_path / "nginxaudit.toml")
    (repository / ".git").mkdir()
    assert discover(str(repository / "conf")) is None
    (repository / "pyproject.toml").write_text('[tool.nginxaudit]\nignore = ["routing"]\n')
    assert discover(str(repository / "conf")) == str(repository / "pyproject.toml")
    assert load(str(repository / "pyproject.toml")).ignore == ("routing",)


@pytest.mark.parametrize(
    ("above", "behind"),
    [
        ("  # nginxaudit: ignore[missing-listen] the port is opened by systemd\n", ""),
        ("", " # nginxaudit: ignore[missing-listen] the port is opened by systemd"),
        ("  # nginxaudit: ignore-file[missing-listen] generated\n", ""),
    ],
)
def test_a_comment_with_a_reason_silences(above: str, behind: str, tmp_path: Path) -> None:
    report = audit(tmp_path, FLAWED.format(above, behind))
    assert slugs(report) == []
    (finding,) = report.findings
    assert finding.suppressed is not None
    assert finding.suppressed.reason in ("the port is opened by systemd", "generated")
    assert report.exit_code() == 0


@pytest.mark.parametrize(
    ("comment", "expected", "words"),
    [
        ("ignore[missing-listen]", ["invalid-suppression", "missing-listen"], "no reason given"),
        ("ignore[missing-lisen] a reason", ["invalid-suppression", "missing-listen"], 'did you mean "missing-listen"'),
        ("ignroe[missing-listen] a reason", ["invalid-suppression", "missing-listen"], 'did you mean "ignore"'),
        ("ignore a reason", ["invalid-suppression", "missing-listen"], "names no rule"),
        ("ignore[unused-upstream] a reason", ["missing-listen", "unused-suppression"], "suppresses nothing"),
    ],
)  # fmt: skip
def test_a_comment_that_does_not_do_what_was_meant(
    comment: str, expected: list[str], words: str, tmp_path: Path
) -> None:
    report = audit(tmp_path, FLAWED.format(f"  # nginxaudit: {comment}\n", ""))
    assert sorted(slugs(report)) == expected
    assert any(words in finding.message for finding in report.active)


@pytest.mark.parametrize("name", ["routing", "ALL", "NGX6007", "Missing-Listen"])
def test_a_comment_may_name_rules_as_settings_do(name: str, tmp_path: Path) -> None:
    name = name if name != "NGX6007" else audit(tmp_path, FLAWED.format("", "")).active[0].id
    report = audit(tmp_path, FLAWED.format(f"  # nginxaudit: ignore[{name}] opened by systemd\n", ""))
    assert slugs(report) == []
    assert [each.rule for each in report.findings if each.suppressed] == ["missing-listen"]


def test_a_group_silences_no_other_group(tmp_path: Path) -> None:
    report = audit(tmp_path, FLAWED.format("  # nginxaudit: ignore[tls] a reason\n", ""))
    assert slugs(report) == ["missing-listen"]


def test_the_unknown_name_of_a_group(tmp_path: Path) -> None:
    report = audit(tmp_path, FLAWED.format("  # nginxaudit: ignore[routng] a reason\n", ""))
    assert 'unknown rule "routng"; did you mean "routing"?' in [
        each.message.partition(": ")[2] for each in report.active
    ]


def test_a_group_is_idle_only_where_all_its_rules_ran(tmp_path: Path) -> None:
    text = FLAWED.format("  # nginxaudit: ignore[headers] a reason\n", "listen 80;")
    assert slugs(audit(tmp_path, text)) == [], "some rules about headers are opt-in"
    everything = Settings(select=("ALL",), ignore=("drill",))
    found = [each for each in audit(tmp_path, text, everything).active if each.rule == "unused-suppression"]
    assert [each.message for each in found] == ["this comment suppresses nothing: no finding of headers here"]


def test_an_idle_group_is_taken_out_of_the_brackets(tmp_path: Path) -> None:
    text = FLAWED.format("  # nginxaudit: ignore[routing, headers] a reason\n", "")
    settings = Settings(select=("routing", "headers", "unused-suppression"))
    (found,) = audit(tmp_path, text, settings).active
    assert found.message == "no finding of headers here"
    assert found.fix is not None and [edit.text for edit in found.fix.edits] == ["routing"]


def test_a_rule_that_crashes_takes_nothing_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nginxaudit.checks.upstream import references
    from nginxaudit.engine.run import tasks

    def crash(context: object) -> list[object]:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(references, "unused_upstream", crash)
    tasks._python.cache_clear()
    try:
        report = audit(tmp_path, FLAWED.format("", ""))
    finally:
        tasks._python.cache_clear()
    assert slugs(report) == ["missing-listen"]
    assert [crash.rule for crash in report.crashes] == ["unused-upstream"]
    assert report.exit_code() == 4


def test_a_finding_in_a_shared_include_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "shared.conf").write_text("listen 80;\nserver_tokenz off;\n")
    text = "events {}\nhttp {\n" + "  server { include shared.conf; }\n" * 3 + "}\n"
    report = audit(tmp_path, text)
    assert slugs(report).count("unknown-directive") == 1


def test_an_option_widens_a_rule(tmp_path: Path) -> None:
    settings = from_toml(tmp_path, "[rule.server-tokens]\nunset = true")
    assert slugs(audit(tmp_path, FLAWED.format("", ""), settings)) == ["server-tokens", "missing-listen"]
    hidden = FLAWED.format("server_tokens off;", "")
    assert slugs(audit(tmp_path, hidden, settings)) == ["missing-listen"]


def test_a_page_whose_cwe_is_no_number_is_refused(tmp_path: Path) -> None:
    from nginxaudit.engine.rules.catalogue import builtin
    from nginxaudit.engine.rules.pages import parse_page
    from nginxaudit.engine.rules.places import page_of
    from nginxaudit.engine.rules.rule import PageError

    rule = next(each for each in builtin() if each.slug == "alias-traversal")
    page = tmp_path / "mine.md"
    page.write_text(Path(page_of(rule)).read_text().replace("cwe = [22]", 'cwe = ["CWE-22"]'))
    with pytest.raises(PageError, match="cwe: a list of whole numbers"):
        parse_page(page)


def test_a_fix_that_crashes_costs_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nginxaudit.engine.run import tasks

    def crash(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(tasks, "fix_for_all", crash)
    text = "events {}\nhttp { server { listen 80; autoindex on; } server { listen 81; autoindex on; } }\n"
    report = audit(tmp_path, text)
    assert slugs(report).count("autoindex-enabled") == 2
    assert all(finding.fix is None for finding in report.findings)
    (crash_of_rule,) = [each for each in report.crashes if each.rule == "autoindex-enabled"]
    assert crash_of_rule.error.startswith("no fix: ZeroDivisionError: on purpose")
    assert report.exit_code() == 4
