"""Every advisory of late 2026: a configuration and a version for which it is told, and two for which it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.nginx import OLDEST, Target, parse_version, shipped
from nginxaudit.nginx.advisories import parse_advisories
from nginxaudit.nginx.releases import NEWEST_RELEASE, doubt_about
from tests.support.command import nginxaudit

_TLS = "ssl_certificate a.pem; ssl_certificate_key a.key;"


def _server(text: str) -> str:
    return f"events {{}}\nhttp {{ server {{ {text} }} }}\n"


def _location(text: str) -> str:
    return _server(f"listen 80; location /files/ {{ {text} }}")


def _stream(text: str) -> str:
    return f"events {{}}\nstream {{ server {{ {text} proxy_pass 127.0.0.1:9000; }} }}\n"


_H1 = _server(f"listen 443 ssl; ssl_protocols TLSv1.2; {_TLS}")
_H2 = _server(f"listen 443 ssl; http2 on; ssl_protocols TLSv1.2; {_TLS}")
_H3 = _server(f"listen 443 quic; {_TLS}")
_MAIL = "events {}\nmail { auth_http 127.0.0.1:9000/a; server { listen 25; protocol smtp; } }\n"
_CAPTURES = "events {}\nhttp { map $arg_a $kind { ~^(.)b $1; default c; } server { listen 80; location ~ ^/x/(.*)$ { %s } } }\n"
_VERIFIED = f"listen 443 ssl; {_TLS} ssl_client_certificate ca.pem; ssl_verify_client on;"
_DYNAMIC = "listen 443 ssl; ssl_certificate $ssl_server_name.pem; ssl_certificate_key $ssl_server_name.key; proxy_protocol %s;"

# CVE: a configuration, the versions that have the flaw, those that do not; a configuration that does not use it.
_CASES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], str]] = {
    "CVE-2026-90439": (_H3, ("1.29.2", "1.30.4", "1.31.5"), ("1.29.1", "1.30.5", "1.31.6"), _H2),
    "CVE-2026-15176": (
        _location("alias /srv/; if ($arg_a) { rewrite ^ /b; }"),
        ("1.22.1", "1.30.5", "1.31.6"),
        ("1.30.6", "1.31.7"),
        _server("listen 80; location /a/ { alias /srv/; } location /b/ { rewrite ^ /c; }"),
    ),
    "CVE-2026-93479": (
        _CAPTURES % "root /srv/$1/$kind;",
        ("1.30.4", "1.30.5", "1.31.3", "1.31.6"),
        ("1.30.6", "1.31.7"),
        _CAPTURES % "root /srv/$kind/$1;",
    ),
    "CVE-2026-95101": (_H3, ("1.25.0", "1.30.5", "1.31.6"), ("1.24.0", "1.30.6", "1.31.7"), _H2),
    "CVE-2026-97629": (
        _server(f"listen 443 ssl; ssl_protocols TLSv1.2; {_TLS} ssl_session_cache shared:s:1m;"),
        ("1.23.3", "1.30.5", "1.31.6"),
        ("1.23.2", "1.30.6", "1.31.7"),
        _server(f"listen 443 ssl; {_TLS} ssl_session_cache shared:s:1m; ssl_session_tickets off;"),
    ),
    "CVE-2026-97205": (
        _location("ssi on; aio threads;"),
        ("1.26.3", "1.30.5", "1.31.6"),
        ("1.30.6", "1.31.7"),
        _location("ssi on; aio off;"),
    ),
    "CVE-2026-123007": (_H2, ("1.25.1", "1.30.6", "1.31.8"), ("1.30.7", "1.31.9"), _H1),
    "CVE-2026-123633": (_H2, ("1.25.1", "1.30.6", "1.31.8"), ("1.30.7", "1.31.9"), _H1),
    "CVE-2026-123634": (
        _server("listen 80; resolver 127.0.0.1;"),
        ("1.18.0", "1.30.6", "1.31.8"),
        ("1.30.7", "1.31.9"),
        _server("listen 80;"),
    ),
    "CVE-2026-121810": (_H3, ("1.25.0", "1.30.6", "1.31.8"), ("1.30.7", "1.31.9"), _H2),
    "CVE-2026-113425": (_MAIL, ("1.22.1", "1.30.6", "1.31.8"), ("1.30.7", "1.31.9"), "events {}\nmail { }\n"),
    "CVE-2026-118899": (
        _server(f"listen 443 ssl; {_TLS}"),
        ("1.23.4", "1.30.6", "1.31.8"),
        ("1.22.1", "1.30.7", "1.31.9"),
        _H1,
    ),
    "CVE-2026-120967": (
        _stream(_VERIFIED),
        ("1.25.5", "1.30.6", "1.31.8"),
        ("1.25.4", "1.30.7", "1.31.9"),
        _server(_VERIFIED),
    ),
    "CVE-2026-120993": (
        _stream(_DYNAMIC % "v2"),
        ("1.31.4", "1.31.8"),
        ("1.30.6", "1.31.3", "1.31.9"),
        _stream(_DYNAMIC % "on"),
    ),
    "CVE-2026-123640": (
        _stream("listen 443; ssl_preread on;"),
        ("1.15.2", "1.30.6", "1.31.8"),
        ("1.15.1", "1.30.7", "1.31.9"),
        _stream("listen 443; ssl_preread off;"),
    ),
    "CVE-2026-125283": (
        _location("alias /srv/; try_files $uri =404;"),
        ("1.18.0", "1.30.6", "1.31.8"),
        ("1.30.7", "1.31.9"),
        _server("listen 80; location /a/ { alias /srv/; } location /b/ { try_files $uri =404; }"),
    ),
}


def _told(text: str, version: str | None, directory: Path, **options: object) -> set[str]:
    """The advisories that are told of a configuration."""
    path = directory / "nginx.conf"
    path.write_text(text)
    select = ("vulnerable-nginx-version", "map-regex-capture-overflow")
    report = audit([str(path)], Settings().with_options(nginx_version=version, select=select, **options))
    assert not report.crashes
    return {each.cve for each in shipped().entries for found in report.findings if each.cve in found.message}


@pytest.mark.parametrize("cve", _CASES)
def test_it_is_told_of_the_versions_that_have_it_where_the_feature_is_used(cve: str, tmp_path: Path) -> None:
    text, having, fixed, without = _CASES[cve]
    advisory = next(each for each in shipped().entries if each.cve == cve)
    for version in having:
        assert advisory.affects(Target(parse_version(version))), version
    for version in fixed:
        assert cve not in _told(text, version, tmp_path), version
    newest = having[-1]
    assert cve in _told(text, newest, tmp_path)
    assert cve not in _told(without, newest, tmp_path)


def test_what_is_fixed_in_the_newest_releases_is_not_told_of_them(tmp_path: Path) -> None:
    for version in ("1.30.7", "1.31.9"):
        assert not {cve for text, *_ in _CASES.values() for cve in _told(text, version, tmp_path)}


def test_an_unknown_version_is_told_as_some_versions(tmp_path: Path) -> None:
    assert shipped().date >= "2026-11-18"
    assert any(each.affects(Target(OLDEST)) for each in shipped().entries)
    assert "CVE-2026-123634" in _told(_CASES["CVE-2026-123634"][0], None, tmp_path)


# -- releases


def test_releases_whose_directives_are_not_known_are_said_to_be_so() -> None:
    assert NEWEST_RELEASE == (1, 31, 9)
    assert "directives are known up to nginx 1.31.4" in doubt_about((1, 31, 9))
    assert doubt_about((1, 30, 7)) == "" == doubt_about((1, 31, 4))
    assert "newer than the newest version that is known, 1.31.9" in doubt_about((1, 31, 10))
    assert "the last version of 1.30 that is known, 1.30.7" in doubt_about((1, 30, 8))


# -- a file of one's own


def _file(directory: Path, date: str = "2027-01-05", **changes: object) -> Path:
    record = {
        "id": "CVE-2027-1",
        "summary": "a flaw",
        "affected": [
            {
                "package": {"ecosystem": "nginx", "name": "nginx"},
                "ranges": [
                    {"type": "SEMVER", "events": [{"introduced": "1.29.0"}, {"last_affected": "1.33.1"}]}
                ],
                "ecosystem_specific": {"needs": ["gzip"]},
            }
        ],
        "database_specific": {"severity": "major"},
        **changes,
    }
    path = directory / "advisories.json"
    path.write_text(json.dumps({"format": 1, "date": date, "advisories": [record]}))
    return path


def test_a_newer_file_takes_the_place_of_the_list(tmp_path: Path) -> None:
    newer = _file(tmp_path)
    path = tmp_path / "nginx.conf"
    path.write_text("events {}\nhttp { gzip on; resolver 127.0.0.1; server { listen 80; } }\n")
    for version, found in (("1.31.8", True), ("1.33.1", True), ("1.33.2", False), ("1.28.0", False)):
        report = audit([str(path)], Settings().with_options(nginx_version=version, advisories=str(newer)))
        messages = [each.message for each in report.findings if each.rule == "vulnerable-nginx-version"]
        assert messages == ([f"nginx {version} is vulnerable to CVE-2027-1 through gzip"] if found else [])
        assert report.facts.advisories == "2027-01-05"


def test_an_older_file_is_said_to_be_older(tmp_path: Path) -> None:
    older = _file(tmp_path, "2025-01-05")
    (tmp_path / "nginx.conf").write_text("events {}\n")
    report = audit([str(tmp_path / "nginx.conf")], Settings().with_options(advisories=str(older)))
    assert any("its advisories are those of 2025-01-05" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "no file of advisories"),
        ('{"format": 2, "date": "2027-01-01"}', "format 2"),
        (
            '{"format": 1, "date": "d", "advisories": [{"id": "CVE-2027-2", "affected": [{"package": {"name": "nginx"},'
            ' "ranges": [{"events": [{"introduced": "1.31.0"}, {"fixed": "1.30.0"}]}]}]}]}',
            "CVE-2027-2: 1.30.0 does not come after 1.31.0",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "advisories.json").write_text(content)
    with pytest.raises(ValueError, match=reason):
        parse_advisories(content)
    with pytest.raises(SettingsError, match=reason):
        audit([str(tmp_path)], Settings().with_options(advisories=str(tmp_path / "advisories.json")))


def test_withdrawn_advisories_are_left_out(tmp_path: Path) -> None:
    assert not parse_advisories(_file(tmp_path, withdrawn="2027-02-01T00:00:00Z").read_bytes()).entries


# -- the command


def test_the_command_lists_those_of_a_version(tmp_path: Path) -> None:
    run = nginxaudit("advisories", "--no-settings", "--nginx-version", "1.31.8", "--format", "json")
    assert run.returncode == 0
    listed = json.loads(run.stdout)
    ids = {each["id"] for each in listed["advisories"]}
    assert listed["nginx_version"] == "1.31.8"
    assert {"CVE-2026-123007", "CVE-2026-120993"} <= ids
    assert not ids & {"CVE-2026-97205", "CVE-2026-90439"}
    everything = json.loads(nginxaudit("advisories", "--no-settings", "-f", "json").stdout)["advisories"]
    assert len(everything) == len(shipped().entries)
    text = nginxaudit("advisories", "--no-settings", "cve-2026-97629").stdout
    assert "1.23.3 to before 1.30.6, 1.31.0 to before 1.31.7" in text
    own = nginxaudit("advisories", "--no-settings", "--advisories", str(_file(tmp_path)))
    assert own.stdout.startswith("CVE-2027-1") and own.stdout.endswith("1 advisory, known up to 2027-01-05\n")


def test_the_command_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    run = nginxaudit("advisories", "--no-settings", "CVE-2026-12363")
    assert run.returncode == 2 and "is known" in run.stderr
    run = nginxaudit("advisories", "--no-settings", "--advisories", str(tmp_path / "none.json"))
    assert run.returncode == 2 and "none.json" in run.stderr and "Traceback" not in run.stderr


# -- every report says how new the facts are


def test_every_format_says_how_new_the_facts_are(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("events {}\n")
    said = f"irectives known up to nginx 1.31.4 (2026-08-11), advisories up to {shipped().date}"
    for name in ("text", "sarif", "html"):
        output = nginxaudit("scan", "--no-settings", "--format", name, str(path)).stdout
        assert said in " ".join(output.split()), name  # the text is wrapped
    facts = json.loads(nginxaudit("scan", "--no-settings", "--format", "json", str(path)).stdout)["facts"]
    assert facts == {
        "directives": {"nginx": "1.31.4", "date": "2026-08-11"},
        "advisories": {"date": shipped().date},
    }
