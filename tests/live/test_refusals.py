"""Parameters of single directives, value by value: ``nginx -t`` and nginxaudit told that nginx's version."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import format_version
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]


def _agree(directory: Path, text: str) -> None:
    answer = nginx.check(directory, text)
    report = audit([str(directory / "nginx.conf")], Settings(nginx_version=format_version(nginx.version())))
    refusals = [finding.message for finding in report.findings if finding.rejected_by_nginx]
    assert answer.accepted == (not refusals), (answer.output, refusals)


@pytest.mark.parametrize(
    "words",
    [
        "httponly", "secure", "HttpOnly", "httponly=1", "secure=on", "httponly httponly", "nonsense",
        "domain=a.example", "domain=$host", "domain=", "domain=a domain=b", "domain",
        "path=/a", "path=$nothing", "path=", "path",
        "expires=1h", "expires=max", "expires=0", "expires=1d1h", "expires=", "expires=-1", "expires=epoch", "expires=1ms",
        "samesite=lax", "samesite=NONE", "samesite=$arg_s", "samesite=a$arg_s", "samesite=", "samesite=laxx", "samesite",
        "samesite=$nothing",
    ],
)  # fmt: skip
def test_parameters_of_sticky_cookie(words: str, tmp_path: Path) -> None:
    """Open source nginx has it since 1.29.6; others do not know the directive at all."""
    group = f"upstream u {{ server 127.0.0.1:1; server 127.0.0.1:2; sticky cookie srv {words}; }}"
    server = f"server {{ listen unix:{tmp_path}/s; location / {{ proxy_pass http://u; }} }}"
    _agree(tmp_path, f"events {{}}\nhttp {{ {group} {server} }}\n")


@pytest.mark.parametrize(
    "words",
    [
        "example.com", "*.example.com", "http://example.com", "https://*.example.com/a", "://x", "example.com/a",
        "none", "none blocked", "none server_names", "''", "a..b", "~x", "~(", "~", "example.com example.com", "/a",
    ],
)  # fmt: skip
def test_referers(words: str, tmp_path: Path) -> None:
    server = f"server {{ listen unix:{tmp_path}/s; location / {{ valid_referers {words}; return 204; }} }}"
    _agree(tmp_path, f"events {{}}\nhttp {{ {server} }}\n")


@pytest.mark.parametrize(
    "rate",
    ["10r/s", "10", "0r/s", "r/s", "9223372036854775807r/m", "9223372036854775808r/s", "99999999999999999999r/s", "1.5r/s"],
)  # fmt: skip
def test_rates(rate: str, tmp_path: Path) -> None:
    _agree(tmp_path, f"events {{}}\nhttp {{ limit_req_zone $uri zone=z:1m rate={rate}; }}\n")


def test_value_of_set_is_missing(tmp_path: Path) -> None:
    """Refused, and no rule that follows the variable stumbles over it."""
    server = "server { set $name; location / { set $name; proxy_pass http://$name; } }"
    _agree(tmp_path, f"events {{}}\nhttp {{ {server} }}\n")
    report = audit([str(tmp_path / "nginx.conf")], Settings())
    assert not report.crashes
