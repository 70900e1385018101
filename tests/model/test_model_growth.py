"""Time grows with the configuration, not with its square."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from model_support import http

from nginxaudit.model import Model


def _ask_everything(model: Model) -> None:
    for server in model.servers():
        assert server.listens
        assert server.names
        server.match("/a/b/c")
    for socket in model.sockets().values():
        socket.choose("nothing.example.com")
    for location in model.locations:
        for name in ("add_header", "proxy_set_header", "root", "allow", "proxy_read_timeout"):
            model.effective(location.directive, name)
    for upstream in model.all_upstreams:
        model.topology(upstream)
        model.intent(upstream)
        model.users(upstream)
    model.may_reach_any_upstream()


def _servers(count: int) -> str:
    return "\n".join(
        f"upstream u{n} {{ server 10.0.0.1; server h{n}-standby; }} server {{ server_name s{n}.com;"
        f" set $b u{n}; location / {{ proxy_pass http://$b; error_page 502 @x; }} location ~ x{n} {{ root /x; }} }}"
        for n in range(count)
    )


def _locations(count: int) -> str:
    return (
        "server {"
        + "".join(f"location /a{n} {{ proxy_pass http://u; }}" for n in range(count))
        + "} upstream u { server a; }"
    )


def _map(count: int) -> str:
    lines = "".join(f"k{n} u{n % 40};" for n in range(count))
    groups = "".join(f"upstream u{n} {{ server a{n}; server b{n} backup; }}" for n in range(40))
    uses = "".join(f"location /l{n} {{ proxy_pass http://$m; }}" for n in range(count // 10))
    return f"map $host $m {{ default u0; {lines} }} {groups} server {{ {uses} }}"


def _one_address(count: int) -> str:
    return "".join(
        f"upstream g{n} {{ server 10.0.0.1; server 10.0.0.2{' backup' * (n % 2)}; }}" for n in range(count)
    )


def _seconds(text: str, **kw: object) -> float:
    model = http(text, **kw)
    best = float("inf")
    for _ in range(3):
        fresh = Model(model.config, model.target.target)
        start = time.process_time()
        _ask_everything(fresh)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.slow
@pytest.mark.parametrize(
    "build", [_servers, _locations, _map, _one_address], ids=lambda build: build.__name__[1:]
)
def test_twice_the_size_takes_about_twice_the_time(build: Callable[[int], str]):
    # A square would take 16 times as long, every time; a busy machine disturbs one measurement.
    pairs = ((_seconds(build(250)), _seconds(build(1000))) for _ in range(3))
    assert any(large < 4 * small * 2 + 0.05 for small, large in pairs)


@pytest.mark.slow
def test_one_snippet_included_many_times():
    files = {"s.conf": "location /s { proxy_set_header A 1; proxy_pass http://u; # standby\n }"}

    def text(count: int) -> str:
        return "upstream u { server a; } " + "server { include s.conf; }" * count

    small, large = _seconds(text(500), files=files), _seconds(text(2000), files=files)
    assert large < 4 * small * 2 + 0.05
