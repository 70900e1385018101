"""nginx warns in the words of the findings, and only where there is a finding."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.nginx import Availability, Target, directives, known_names
from nginxaudit.nginx.since import STREAM_NAMES
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


@pytest.mark.live
@nginx.live
def test_warnings_of_geo_ranges(tmp_path: Path) -> None:
    blocks = [
        "10.0.0.0-10.0.0.9 1; 10.0.0.0-10.0.0.9 2;", "default 1; default 2; 10.0.0.0-10.0.0.9 1;",
        "10.0.0.0-10.0.0.9 1; 10.0.0.3-10.0.0.4 2; 10.0.0.3-10.0.0.4 3;", "10.0.0.0-10.0.0.9 1; 10.0.0.0-10.0.0.4 2; 10.0.0.5-10.0.0.9 3;",
        "10.0.0.0-10.0.0.9 1; 10.0.0.9-10.0.0.9 2; 10.0.0.0-10.0.0.8 3;", "10.0.0.0-10.0.0.9 1; delete 10.0.0.0-10.0.0.9;",
        "10.0.0.0-10.0.0.9 1; delete 10.0.0.0-10.0.0.8;", "10.0.0.0-10.0.0.9 1; delete 10.1.0.0-10.1.0.8; 10.1.0.0-10.1.0.8 1;",
        "10.0.0.0-10.1.255.255 1; 10.1.0.0-10.2.255.255 2;", "10.0.0.0-10.0.0.9 1; 10.0.0.20-10.0.0.29 1; 10.0.0.10-10.0.0.19 1;",
    ]  # fmt: skip
    geo = " ".join(f"geo $g{number} {{ ranges; {lines} }}" for number, lines in enumerate(blocks))
    _agree(tmp_path, geo)
    for lines in (
        "0.9 1; 10.0.0.5-10.0.0.15 2;",
        "0.9 1; 10.0.0.0-10.0.1.15 2;",
        "0.9 1; 10.0.0.0-10.1.0.0 2;",
    ):
        _agree(tmp_path, f"geo $g {{ ranges; 10.0.0.0-10.0.{lines} }}")


@pytest.mark.live
@nginx.live
def test_warnings_of_repeated_values(tmp_path: Path) -> None:
    target = Target(nginx.version())
    facts = [
        fact
        for name in sorted(known_names())
        for fact in directives(name)
        if fact.type == "bitmask" and fact.available(target) is Availability.YES and not fact.configure
    ]
    lines = [
        f"{fact.name} {value} {value.upper()}; {fact.name} {value};"
        for fact in facts
        if "location" in fact.contexts and not fact.third_party and not fact.plus_only
        for value in fact.values[-1:]
    ]
    assert len(lines) > 10
    _agree(tmp_path, " ".join(lines) + " server { proxy_next_upstream error timeout; }")


@pytest.mark.live
@nginx.live
def test_warnings_of_protocol_options(tmp_path: Path) -> None:
    """Three lines of one socket in every order of options, on a socket each."""
    options = ("", "proxy_protocol", "backlog=9", "proxy_protocol backlog=9", "ssl")
    rows = [
        row
        for row in product(options, repeat=3)
        if sum("backlog" in each for each in row) < 2 and len(set(row)) > 1
    ]
    for family, body in (("http", ""), ("stream", "return x;")):
        if family == "stream" and nginx.version() < STREAM_NAMES:
            continue
        servers = [
            f"server {{ listen 127.0.0.1:{20000 + number} {each}; ssl_reject_handshake on; server_name s{at}; {body} }}"
            for number, row in enumerate(rows)
            for at, each in enumerate(row)
        ]
        _agree(tmp_path, "\n".join(servers), family)


def _agree(directory: Path, text: str, family: str = "http") -> None:
    logs = "access_log off;" if family == "http" else ""
    events = "events { worker_connections 1024; }"
    answer = nginx.check(directory, f"{events}\n{family} {{ {logs} {text} }}\n")
    report = audit([str(directory / "nginx.conf")], settings_for(Target(nginx.version())))
    refused = [each.message for each in report.findings if each.rejected_by_nginx]
    assert answer.accepted == (not refused), (answer.output, refused)
    found = [each.message for each in report.findings if each.rule == "nginx-warning"]
    assert answer.output.count("[warn]") == len(found) or refused, (answer.output, found)
    assert all(message in answer.output for message in found), (answer.output, found)
