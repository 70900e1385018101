"""nginx warns in the words of the findings, and only where there is a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.nginx import Target
from tests.support import nginx
from tests.support.targets import settings_for


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize(
    "text",
    [
        "server_name a/b;", "server_name ~a/b;", "server_name a.b;",
        "allow 10.0.0.1/8;", "allow 10.0.0.0/8;", "deny 2001:db8::1/32;", "deny 2001:db8::/32;", "allow 10.0.0.1/32;", "allow 10.0.0.1/0;",
        "set_real_ip_from 10.0.0.1/8;",
        "fastcgi_cache f;", "fastcgi_cache off;", "fastcgi_cache f; fastcgi_cache_key $uri;", "location / { fastcgi_cache f; }",
        "types { text/plain a; } types_hash_max_size 0; ", "location / { types_hash_bucket_size 0; }",
        "location / { types_hash_bucket_size 0; types { a/b c; } }",
    ],
)  # fmt: skip
def test_warnings_of_servers(tmp_path: Path, text: str) -> None:
    (port,) = nginx.free_ports(1)
    _agree(tmp_path, f"fastcgi_cache_path {tmp_path}/c keys_zone=f:1m; server {{ listen {port}; {text} }}")


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize(
    "lines",
    [
        "10.0.0.0/8 1; 10.0.0.0/8 2;", "10.0.0.0/8 1; 10.0.0.0/8 1;", "10.0.0.0/8 1; 10.0.0.0/16 2;", "10.0.0.1/8 1;", "10.0.0.1 1; 10.0.0.1 2;",
        "10.0.0.1 1; 10.0.0.1/32 2;", "2001:db8::/32 1; 2001:db8::/32 2;", "2001:db8::1/32 1;", "10.0.0.1/8 1; 10.0.0.2/8 2;",
    ],
)  # fmt: skip
def test_warnings_of_geo(tmp_path: Path, lines: str) -> None:
    _agree(tmp_path, f"geo $g {{ {lines} }}")


def _agree(directory: Path, text: str) -> None:
    answer = nginx.check(directory, f"events {{}}\nhttp {{ access_log off; {text} }}\n")
    report = audit([str(directory / "nginx.conf")], settings_for(Target(nginx.version())))
    refused = [each.message for each in report.findings if each.rejected_by_nginx]
    assert answer.accepted == (not refused), (answer.output, refused)
    found = [each.message for each in report.findings if each.rule == "nginx-warning"]
    assert answer.output.count("[warn]") == len(found) or refused, (answer.output, found)
    assert all(message in answer.output for message in found), (answer.output, found)
