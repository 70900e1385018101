"""What rules make of directives of third-party modules, which the nginx that judges the pages may lack."""

from io import BytesIO

import pytest

from nginxaudit import audit
from nginxaudit.engine.settings import Settings

_PASS = "server { listen 80; location / { %s proxy_pass http://127.0.0.1:8081; } }"


@pytest.mark.parametrize(
    ("rule", "http", "expected"),
    [
        (
            "csp-unsafe-inline",
            "more_set_headers -s 200 'X-A: b' \"Content-Security-Policy : default-src 'unsafe-inline'\";",
            ["Content-Security-Policy allows inline scripts ('unsafe-inline'): injected scripts can run"],
        ),
        ("csp-unsafe-inline", "more_set_headers \"Content-Security-Policy: default-src 'self'\" X-A;", []),
        (
            "security-header-invalid",
            "more_set_headers 'X-Frame-Options: ALLOWALL';",
            ['X-Frame-Options: browsers ignore the value "ALLOWALL": the header has no effect'],
        ),
        ("backend-powered-by", _PASS % "more_clear_headers 'X-Powered-*';", []),
        ("backend-powered-by", _PASS % "more_set_headers 'X-Powered-By: site';", []),
        (
            "backend-powered-by",
            _PASS % "more_clear_headers Server X-Powered;",
            ["clients receive the header X-Powered-By of the backend, which names its software"],
        ),
    ],
)
def test_headers_more(rule: str, http: str, expected: list[str]) -> None:
    assert _found(rule, f"events {{}} http {{ {http} }}") == expected


@pytest.mark.parametrize(
    ("module", "http", "unused"),
    [
        ("ngx_http_headers_more_filter_module", "more_clear_headers Server;", False),
        ("ngx_http_headers_more_filter_module", "proxy_hide_header Server;", True),
        ("ngx_http_geoip2_module", "geoip2 /a.mmdb { $country country iso_code; }", False),
        ("ngx_stream_geoip2_module", "geoip2 /a.mmdb { $country country iso_code; }", True),
        ("ngx_http_geoip_module", 'log_format a "$geoip_country_code";', False),
        ("ngx_http_lua_module", "init_by_lua_block { a = 1 }", False),
        ("ngx_http_js_module", "js_import a.js;", False),
        ("ngx_http_cache_purge_module", "server { location / { proxy_cache_purge a b; } }", False),
        ("ngx_http_site_module", "", False),  # nothing is known of it
        ("ndk_http_module", "", False),  # others need it
        ("ngx_mail_module", "", True),
    ],
)
def test_modules_that_are_used_or_not(module: str, http: str, unused: bool) -> None:
    text = f"load_module modules/{module}.so; events {{}} http {{ {http} }}"
    message = f"{module} is loaded, but the configuration uses none of its directives or variables"
    assert _found("unused-module", text) == ([message] if unused else [])


def test_stream_is_needed_by_its_modules() -> None:
    text = "load_module ngx_stream_module.so; load_module ngx_stream_js_module.so; events {} http {}"
    assert _found("unused-module", text) == [
        "ngx_stream_js_module is loaded, but the configuration uses none of its directives or variables"
    ]


def _found(rule: str, text: str) -> list[str]:
    report = audit(["-"], Settings(select=(rule,)), stdin=BytesIO(text.encode()))
    assert not report.crashes
    return [each.message for each in report.findings if each.rule == rule]
