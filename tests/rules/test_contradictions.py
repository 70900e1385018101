"""Advice that would contradict other advice of the same run is one finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

_HTTP = "events {{}}\nhttp {{\n    {0}\n    server {{\n        listen 80;\n        location / {{ {1} }}\n    }}\n}}\n"
_ONE = {
    "a misspelt upstream": (
        "upstream orders { server 10.0.0.1; }",
        "proxy_pass http://order;",
        "undefined-upstream",
        "unused-upstream",
    ),
    "one of a variable": (
        "upstream green { server 10.0.0.1; } map $uri $pool { default gren; }",
        "proxy_pass http://$pool;",
        "undefined-upstream-value",
        "unused-upstream",
    ),
    "a misspelt zone of requests": (
        "limit_req_zone $binary_remote_addr zone=logins:1m rate=1r/s;",
        "limit_req zone=login;",
        "limit-zone-undefined",
        "unused-zone",
    ),
    "of connections": (
        "limit_conn_zone $binary_remote_addr zone=peraddress:1m;",
        "limit_conn per_address 3;",
        "limit-zone-undefined",
        "unused-zone",
    ),
    "of a cache": (
        "proxy_cache_path /var/cache/nginx/a keys_zone=static:1m;",
        "proxy_cache statics; proxy_pass http://10.0.0.1;",
        "proxy-cache-zone-undefined",
        "unused-zone",
    ),
}


@pytest.mark.parametrize("kind", _ONE)
def test_what_is_misspelt_is_not_unused_too(kind: str, tmp_path: Path) -> None:
    outer, inner, told, silent = _ONE[kind]
    main = tmp_path / "nginx.conf"
    main.write_text(_HTTP.format(outer, inner))
    rules = [finding.rule for finding in audit([str(main)], Settings(select=(told, silent))).active]
    assert rules == [told]
    main.write_text(_HTTP.format(outer, "return 204;"))
    rules = [finding.rule for finding in audit([str(main)], Settings(select=(told, silent))).active]
    assert rules == [silent]


def test_a_pool_comes_with_what_it_needs(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(_HTTP.format("upstream app { server 10.0.0.1; }", "proxy_pass http://app;"))
    pool = "upstream-keepalive-missing", "upstream-keepalive-ineffective"
    fixed = fix([str(main)], Settings(select=pool), unsafe=True)
    assert [finding.rule for finding in fixed.applied] == [pool[0]]
    assert fixed.report.active == ()


@pytest.mark.parametrize(("own", "offered"), [("", False), ("proxy_set_header Host $host;", True)])
def test_no_header_drops_those_of_a_block_that_is_not_here(own: str, offered: bool, tmp_path: Path) -> None:
    """A header in a location takes the place of all that ``http`` in another file may set."""
    part = tmp_path / "app.conf"
    part.write_text(
        f"upstream app {{ server 10.0.0.1; }}\nserver {{ location / {{ {own} proxy_pass http://app; }} }}\n"
    )
    (found,) = audit([str(part)], Settings(select=("upstream-keepalive-missing",))).active
    assert (found.fix is not None) is offered


def test_a_flag_that_came_with_its_directive_is_not_reported_beside_it(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(
        _HTTP.format(
            "upstream app { server 10.0.0.1; server 10.0.0.2; sticky cookie id; }",
            "proxy_pass http://app;",
        )
    )
    chosen = Settings(select=("sticky-cookie-insecure", "requires-newer-nginx"))
    before = [finding.rule for finding in audit([str(main)], chosen).active]
    fixed = fix([str(main)], chosen, unsafe=True)
    assert [finding.rule for finding in fixed.applied] == ["sticky-cookie-insecure"]
    assert [finding.rule for finding in fixed.report.active] == ["requires-newer-nginx"]
    assert sorted(before) == ["requires-newer-nginx", "sticky-cookie-insecure"]


_SAME = "upstream other { server 10.0.0.1; server 10.0.0.2 max_fails=2; }"


@pytest.mark.parametrize(
    ("other", "offered"), [("upstream other { server 10.0.0.1; server 10.0.0.3; }", False), (_SAME, True)]
)
def test_a_server_stays_like_itself_in_another_upstream(other: str, offered: bool, tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(
        _HTTP.format(
            f"upstream app {{ server 10.0.0.1; server 10.0.0.2 max_fails=2; }} {other}",
            "proxy_pass http://app;",
        )
    )
    chosen = Settings(select=("upstream-settings-mismatch", "upstream-address-settings-mismatch"))
    found = audit([str(main)], chosen).active
    assert {finding.fix is not None for finding in found} == {offered}
    assert "upstream-address-settings-mismatch" not in {
        finding.rule for finding in fix([str(main)], chosen, unsafe=True).report.active
    }


def test_what_browsers_remember_need_not_be_repeated(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(
        "events {}\nhttp { server { listen 443 ssl; listen 443 quic; ssl_certificate a; ssl_certificate_key b;\n"
        "location / { add_header X-A b; return 200 a; } } }\n"
    )
    chosen = Settings(select=("http3-alt-svc-missing", "add-header-inheritance"))
    fixed = fix([str(main)], chosen, unsafe=True)
    assert [finding.rule for finding in fixed.applied] == ["http3-alt-svc-missing"]
    assert fixed.report.active == ()


_TLS = (
    "events {{}}\nhttp {{\n    {0}\n    server {{\n        listen 443 ssl;\n        ssl_certificate a;\n"
    "        ssl_certificate_key b;\n    }}\n}}\n"
)


@pytest.mark.parametrize(
    ("line", "version", "written"),
    [
        ("ssl_protocols TLSv1 TLSv1.1;", "1.26.2", "ssl_protocols TLSv1.2;"),
        ("ssl_protocols TLSv1 TLSv1.1;", None, "ssl_protocols TLSv1.2 TLSv1.3;"),
        ("ssl_protocols TLSv1.2; ssl_session_cache builtin;", "1.26.2", "ssl_session_cache builtin;"),
        ("ssl_protocols TLSv1.2; ssl_session_cache builtin;", "1.22.1", "ssl_session_cache shared:SSL:10m;"),
    ],
)
def test_a_fix_brings_in_no_flaw_of_the_version(
    line: str, version: str | None, written: str, tmp_path: Path
) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(_TLS.format(line))
    chosen = Settings(
        select=("deprecated-tls-protocol", "session-cache-missing", "vulnerable-nginx-version"),
        nginx_version=version,
    )
    fixed = fix([str(main)], chosen, unsafe=True)
    text = fixed.changes[0].after if fixed.changes else main.read_text()
    assert written in text
    if version is not None:
        assert "vulnerable-nginx-version" not in {finding.rule for finding in fixed.report.active}
