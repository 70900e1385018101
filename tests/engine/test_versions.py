"""A configuration is judged for a range of versions: what holds for some of them says for which."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run import tasks
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding, Severity, Versions
from nginxaudit.hit import Hit
from nginxaudit.nginx import NEWEST, OLDEST, Asked, Stretch, Target, format_version, parse_version
from tests.engine.own_rule import own_rule
from tests.support.command import nginxaudit

_BACKENDS = """
upstream shop { server 10.0.0.1:8080; server 10.0.0.2:8080; zone shop 64k; keepalive 16; }
server { listen 80; server_name shop.example.com; location / { proxy_pass http://shop; } }
"""


def _http(text: str) -> str:
    return f"events {{}}\nhttp {{\n{text}\n}}\n"


def _report(text: str, directory: Path, **settings: object) -> Report:
    path = directory / "nginx.conf"
    path.write_text(text)
    report = audit([str(path)], Settings().with_options(**settings))
    assert not report.crashes
    return report


def _found(text: str, rule: str, directory: Path, **settings: object) -> list[Finding]:
    return [each for each in _report(text, directory, **settings).findings if each.rule == rule]


# -- what is asked


def test_what_asks_for_no_version_is_judged_once() -> None:
    asked, calls = Asked(Target(oldest=OLDEST)), []
    parts = asked.parts(lambda: calls.append(1))
    assert len(calls) == 1
    assert [stretch for stretch, _ in parts] == [asked.target.stretch]


def test_every_answer_says_for_which_versions_it_is() -> None:
    asked = Asked(Target((1, 31, 4), oldest=(1, 18, 0)))
    parts = asked.parts(lambda: (asked.since((1, 25, 1)), asked.since((1, 29, 7)), asked.since((1, 10, 0))))
    assert parts == [
        (Stretch((1, 29, 7), (1, 31, 5)), (True, True, True)),
        (Stretch((1, 25, 1), (1, 29, 7)), (True, False, True)),
        (Stretch((1, 18, 0), (1, 25, 1)), (False, False, True)),
    ]


def test_what_is_computed_once_is_computed_again_for_versions_with_another_answer() -> None:
    asked, known, made = Asked(Target(oldest=OLDEST)), [], []  # type: ignore[var-annotated]

    def make() -> str:
        made.append(1)
        return "new" if asked.since((1, 25, 1)) else "old"

    def twice() -> tuple[str, str]:
        return asked.once(known, make), asked.once(known, make)

    for _ in range(2):
        assert [answers for _, answers in asked.parts(twice)] == [("new", "new"), ("old", "old")]
    assert len(made) == 2


def test_what_one_judge_asks_does_not_change_what_the_next_one_is_answered() -> None:
    asked, known = Asked(Target(oldest=OLDEST)), []  # type: ignore[var-annotated]
    asked.parts(lambda: asked.once(known, lambda: asked.since((1, 25, 1))))
    assert len(asked.parts(lambda: 1)) == 1
    # It was computed for two versions, and the question between them is asked again by whoever uses the answer.
    assert len(asked.parts(lambda: asked.once(known, lambda: False))) == 2


# -- findings


def test_without_a_version_the_report_says_what_was_assumed(tmp_path: Path) -> None:
    report = _report(_http(_BACKENDS), tmp_path)
    assert report.nginx_version is None
    assert report.nginx_versions == (format_version(OLDEST), format_version(NEWEST))
    assert report.target == f"nginx {format_version(OLDEST)} to {format_version(NEWEST)}"


def test_a_finding_says_for_which_versions_it_holds(tmp_path: Path) -> None:
    (found,) = _found(_http(_BACKENDS), "upstream-keepalive-ineffective", tmp_path)
    assert found.versions == Versions(None, "1.29.7")
    assert found.claim.endswith("(before nginx 1.29.7)")


@pytest.mark.parametrize(("version", "count"), [("1.26", 1), ("1.29.6", 1), ("1.29.7", 0), ("1.31.4", 0)])
def test_a_version_that_is_named_counts_alone(version: str, count: int, tmp_path: Path) -> None:
    found = _found(_http(_BACKENDS), "upstream-keepalive-ineffective", tmp_path, nginx_version=version)
    assert len(found) == count
    assert not any(each.versions for each in found)


def test_what_holds_for_all_versions_names_none(tmp_path: Path) -> None:
    report = _report(_http("server { listen 80; server_name a; unknown_thing on; }"), tmp_path)
    (found,) = [each for each in report.findings if each.rule == "unknown-directive"]
    assert found.versions is None
    assert found.rejected_by_nginx


# -- refusals


def test_what_only_old_versions_refuse_is_advice(tmp_path: Path) -> None:
    servers = "".join(
        f"server {{ listen {port} ssl; server_name a; http2 on; }}\n" for port in (443, 444, 445)
    )
    found = _found(_http(servers), "requires-newer-nginx", tmp_path)
    assert [each.message for each in found] == ['"http2" needs nginx 1.25.1 or newer']  # said once
    assert found[0].severity is Severity.INFO
    assert not found[0].rejected_by_nginx
    assert found[0].versions == Versions(None, "1.25.1")
    assert found[0].claim == found[0].message


def test_what_only_new_versions_refuse_is_no_refusal_but_a_problem(tmp_path: Path) -> None:
    text = _http("server { listen 80; server_name a; location / { aio sendfile; } }")
    (found,) = _found(text, "invalid-value", tmp_path)
    assert found.severity is Severity.WARNING
    assert not found.rejected_by_nginx
    assert found.versions == Versions("1.21.5", None)


def test_a_range_in_which_all_refuse_is_refused(tmp_path: Path) -> None:
    text = _http("server { listen 443 ssl; server_name a; http2 perhaps; ssl_reject_handshake on on; }")
    for rule in ("invalid-value", "wrong-argument-count"):  # older ones do not know the directive at all
        (found,) = _found(text, rule, tmp_path)
        assert found.rejected_by_nginx
        assert found.versions is None


def test_a_version_that_is_named_refuses(tmp_path: Path) -> None:
    text = _http("server { listen 443 ssl; server_name a; http2 on; }")
    (found,) = _found(text, "requires-newer-nginx", tmp_path, nginx_version="1.24")
    assert found.rejected_by_nginx
    assert found.severity is Severity.ERROR
    assert "the target is nginx 1.24.0" in found.message


def test_a_variable_of_newer_versions_is_advice(tmp_path: Path) -> None:
    text = _http("server { listen 80; server_name a; add_header X $ssl_curve$proxy_protocol_tlv_alpn; }")
    found = _found(text, "undefined-variable", tmp_path)
    assert {(each.versions.before, each.rejected_by_nginx) for each in found if each.versions} == {
        ("1.21.5", False),
        ("1.23.2", False),
    }


# -- known vulnerabilities


def test_vulnerabilities_of_some_versions_are_a_word_on_what_to_run(tmp_path: Path) -> None:
    text = _http("server { listen 443 quic; server_name a; ssl_certificate a; ssl_certificate_key b; }")
    (found,) = _found(text, "vulnerable-nginx-version", tmp_path)
    assert found.severity is Severity.INFO
    assert found.versions is not None
    assert found.versions.since == "1.25.0"
    assert found.versions.before is None, "the newest release whose directives are known has some of them"
    assert found.versions.gaps == (("1.30.7", "1.31.0"),)
    assert found.why.partition(". ")[2].startswith("Fixed: CVE-")
    (known,) = _found(text, "vulnerable-nginx-version", tmp_path, nginx_version="1.26.0")
    assert known.message.startswith("nginx 1.26.0 is vulnerable to CVE-")
    assert known.severity > Severity.INFO


def test_a_branch_that_is_fixed_is_a_gap(tmp_path: Path) -> None:
    text = _http("server { listen 80; server_name a; location / { rewrite ^/(a(b))$ /$1$2 redirect; } }")
    (found,) = _found(text, "rewrite-overlapping-captures", tmp_path)
    assert found.versions is not None
    assert found.versions.gaps == (("1.30.2", "1.31.0"),)
    assert "except 1.30.2 and later 1.30" in found.claim
    for version, count in (("1.30.1", 1), ("1.30.2", 0), ("1.31.0", 1), ("1.31.1", 0)):
        assert len(_found(text, "rewrite-overlapping-captures", tmp_path, nginx_version=version)) == count


# -- fixes


def test_a_fix_that_needs_a_version_is_offered_when_it_is_known(tmp_path: Path) -> None:
    text = _http("server { listen 443 ssl http2; server_name a; }")
    (unknown,) = _found(text, "listen-http2-deprecated", tmp_path)
    assert unknown.fix is None
    assert unknown.versions == Versions("1.25.1", None)
    (known,) = _found(text, "listen-http2-deprecated", tmp_path, nginx_version="1.26")
    assert known.fix is not None
    assert known.fix.title == "Add http2 on (nginx 1.25.1 or newer)"


_WRITTEN = {
    "a directive": ("root", 'insert = "max_headers 100;"\nwhere = "after"', "1.29.8"),
    "one in a block": (
        "root",
        'insert = "location /x/ {\\n    early_hints 1;\\n}"\nwhere = "after"',
        "1.29.0",
    ),
    "a parameter": ("listen", 'append = "quic"', "1.25.0"),
    "one with a value": ("listen", 'append = "multipath=on"', "1.29.7"),
    "a variable": ("root", 'replace = "root /srv/$request_port"', "1.29.3"),
    "a value": ("proxy_http_version", 'replace = "proxy_http_version 2"', "1.29.4"),
    "of stream": ("proxy_connect_timeout", 'insert = "server_name a.example;"\nwhere = "after"', "1.25.5"),
    "of any version": ("root", 'insert = "gzip on;"\nwhere = "after"', None),
    "what stands there": ("early_hints", 'replace = "early_hints 1"', None),
}
_TEXT = """events {}
stream { server { listen 9000; proxy_pass 127.0.0.1:1; proxy_connect_timeout 3s; } }
http { server { listen 80; root /srv/www; location / { proxy_pass http://127.0.0.1:1; proxy_http_version 1.1; early_hints $arg_a; } } }
"""


@pytest.mark.parametrize("kind", _WRITTEN)
def test_a_fix_is_offered_where_all_versions_understand_what_it_writes(kind: str, tmp_path: Path) -> None:
    directive, repair, since = _WRITTEN[kind]
    own = own_rule(tmp_path, title="Do it", repair=repair, directive=directive, fix="unsafe")

    def title(version: str | None) -> str | None:
        found = _found(_TEXT, "own", tmp_path, select=own.select, rules=own.rules, nginx_version=version)
        return found[-1].fix.title if found[-1].fix else None

    if since is None:
        assert title(None) == title(format_version(OLDEST)) == "Do it"
        return
    before = parse_version(since)[:2]
    assert title(None) is None
    assert title(f"{before[0]}.{before[1] - 1}.0") is None
    assert title(since) == title(format_version(NEWEST)) == f"Do it (nginx {since} or newer)"


def test_a_fix_that_all_versions_understand_is_offered(tmp_path: Path) -> None:
    (found,) = _found(_http(_BACKENDS), "upstream-keepalive-ineffective", tmp_path)
    assert found.fix is not None
    assert "proxy_http_version 1.1;" in found.fix.edits[0].text


# -- rule pages


def test_a_page_for_some_versions_is_asked_for_those(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "no-tokens.md").write_text(
        '+++\nid = "ACME1"\nseverity = "warning"\nconfidence = "high"\nnginx-since = "1.23.0"\nnginx-until = "1.27.4"\n'
        '[check]\ndirective = "server_tokens"\nmessage = "no"\n+++\n# No tokens\n\n## What it does\nX.\n\n## Why it matters\nY.\n\n## How to fix\nZ.\n'
    )
    text = _http("server_tokens on;")
    (found,) = _found(text, "no-tokens", tmp_path, rules=(str(rules),))
    assert found.versions == Versions("1.23.0", "1.27.5")
    assert not _found(text, "no-tokens", tmp_path, rules=(str(rules),), nginx_version="1.27.5")


# -- every part of the range is what its versions alone are


_RICH = """
map $http_upgrade $connection { default upgrade; '' close; }
upstream a { server 10.0.0.1:80; server b.example.com:80 max_fails=0; keepalive 0; }
upstream c { least_time header; server 10.0.0.1:80; }
server {
    listen 443 ssl http2; listen 444 quic reuseport; http2_push /x; ssl on; http2 on;
    ssl_certificate $ssl_server_name.pem; ssl_certificate_key a.key; ssl_verify_client on; ssl_reject_handshake on;
    server_name a.example.com; limit_rate $limit; ssl_trusted_certificate x; keepalive_time 1h;
    location / {
        proxy_pass http://a; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection;
        proxy_set_header Host a; proxy_set_header Host b; aio sendfile; resolver 10.0.0.3 ipv4=maybe;
    }
    location /c { proxy_pass http://c; rewrite ^/(.*)$ /x?y=1; set $z $1; proxy_cookie_flags one secure; }
}
"""


@pytest.mark.parametrize(
    "version", ["1.18.0", "1.21.6", "1.25.1", "1.26.3", "1.28.2", "1.29.6", "1.29.7", "1.31.4"]
)
def test_each_version_has_the_findings_that_it_has_alone(
    version: str, of_all_versions: list[Finding], tmp_path: Path
) -> None:
    asked = parse_version(version)
    whole = {_place(each) for each in of_all_versions if _holds(each, asked)}
    alone = {_place(each) for each in _everything(tmp_path, version)}
    assert whole == alone


@pytest.fixture(scope="module")
def of_all_versions(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    return _everything(tmp_path_factory.mktemp("all"), None)


def _everything(directory: Path, version: str | None) -> list[Finding]:
    text = f"stream {{ server {{ listen 9; }} }}\n{_http(_RICH)}"
    report = _report(text, directory, select=("ALL",), nginx_version=version)
    return [each for each in report.findings if each.rule != "requires-newer-nginx"]  # said once, above


def _place(finding: Finding) -> tuple[str, int, int]:
    return finding.rule, finding.span.start, finding.span.end


def _holds(finding: Finding, version: tuple[int, int, int]) -> bool:
    versions = finding.versions
    if versions is None:
        return True
    within = (versions.since is None or version >= parse_version(versions.since)) and (
        versions.before is None or version < parse_version(versions.before)
    )
    return within and not any(
        parse_version(since) <= version < parse_version(before) for since, before in versions.gaps
    )


# -- cost


def test_what_does_not_depend_on_the_version_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: Counter[str] = Counter()
    found = tasks._found

    def counted(task: tasks.Task, *rest: Any) -> list[Hit]:
        ran[task.rule.slug] += 1
        return found(task, *rest)

    monkeypatch.setattr(tasks, "_found", counted)
    _report(f"stream {{ server {{ listen 9; }} }}\n{_http(_RICH)}", tmp_path)
    again = {slug for slug, times in ran.items() if times > 1}
    assert "listen-http2-deprecated" in again
    assert ran.total() < 1.3 * len(ran)
    assert max(ran.values()) < 6


# -- reports


def test_every_format_says_for_which_versions(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(_http(_BACKENDS))
    for form in (
        "text",
        "concise",
        "github",
        "gitlab",
        "junit",
        "checkstyle",
        "rdjson",
        "markdown",
        "html",
        "sarif",
    ):
        run = nginxaudit("scan", "--no-settings", "--format", form, "nginx.conf", cwd=tmp_path)
        assert "before nginx 1.29.7" in " ".join(run.stdout.split()), form


def test_json(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(_http(_BACKENDS))
    run = nginxaudit("scan", "--no-settings", "--format", "json", "nginx.conf", cwd=tmp_path)
    data = json.loads(run.stdout)
    assert data["tool"]["nginx_version"] is None
    assert data["tool"]["nginx_versions"] == [format_version(OLDEST), format_version(NEWEST)]
    versions = {each["rule"]: each.get("versions") for each in data["findings"]}
    assert versions["upstream-keepalive-ineffective"] == {"since": None, "before": "1.29.7"}
    named = nginxaudit(
        "scan", "--no-settings", "--nginx-version", "1.24", "--format", "json", "nginx.conf", cwd=tmp_path
    )
    tool = json.loads(named.stdout)["tool"]
    assert tool["nginx_version"] == "1.24.0"
    assert "nginx_versions" not in tool


def test_sarif(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(_http(_BACKENDS))
    run = nginxaudit("scan", "--no-settings", "--format", "sarif", "nginx.conf", cwd=tmp_path)
    log = json.loads(run.stdout)["runs"][0]
    assert log["properties"]["nginxVersions"] == [format_version(OLDEST), format_version(NEWEST)]
    found = [each.get("properties", {}).get("versions") for each in log["results"]]
    assert {"before": "1.29.7"} in found
    assert None in found


def test_versions_as_people_write_them() -> None:
    assert Versions("1.25.1", None).label == "since nginx 1.25.1"
    assert Versions("1.25.1", "1.29.7").label == "since nginx 1.25.1 and before 1.29.7"
    assert (
        Versions(None, "1.31.2", (("1.30.1", "1.31.0"),)).label
        == "before nginx 1.31.2, except 1.30.1 and later 1.30"
    )
    assert (
        Versions(None, "1.9.2", (("1.8.1", "1.8.4"),)).label
        == "before nginx 1.9.2, except 1.8.1 to before 1.8.4"
    )
