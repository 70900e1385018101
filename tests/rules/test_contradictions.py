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
