"""Sessions of UDP: nginx beside the simulator. All cases share one nginx and run at the same time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from nginxaudit.drill.behaviour import Behaviour, hang, ok, refuse
from nginxaudit.drill.load import Call
from nginxaudit.drill.reading import subjects
from nginxaudit.drill.replay import replay, shown
from nginxaudit.drill.tally import Traced
from nginxaudit.nginx import Target
from tests.live.drill_backends import now_ms, until
from tests.model.model_support import model_of
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_TIMEOUT_MS = 300
_APART_MS = 600
_CALLS = 5


class Case(Struct, frozen=True):
    """What the first of two servers does, the settings, and the sessions as ``server status``, one per datagram."""

    name: str
    does: Behaviour
    settings: str
    sessions: str


CASES = (
    Case("closed port", refuse(), "", "A 200, B 200, B 200, B 200, B 200"),
    Case("closed port, one response wanted", refuse(), "proxy_responses 1;", "A 200, B 200, B 200, B 200, B 200"),
    Case("no response, one wanted", hang(), "proxy_responses 1;", "A 502, B 200, B 200, B 200, B 200"),
    Case("no response, any number wanted", hang(), "", "A 200, B 200, A 200, B 200, A 200"),
    Case("no response, none wanted", hang(), "proxy_responses 0;", "A 200, B 200, A 200, B 200, A 200"),
    Case("closed port, no response wanted", refuse(), "proxy_responses 0;", "A 200, B 200, A 200, B 200, A 200"),
    Case("all is well", ok(), "proxy_responses 1;", "A 200, B 200, A 200, B 200, A 200"),
)  # fmt: skip


def _echo(server: socket.socket) -> None:
    data, client = server.recvfrom(100)
    server.sendto(data, client)


def _bound() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setblocking(False)
    found.bind(("127.0.0.1", 0))
    return found


def _port_of(open_socket: socket.socket) -> int:
    return int(open_socket.getsockname()[1])


def _block(case: Case, number: int, listen: int, ports: tuple[int, int]) -> str:
    long = "fail_timeout=1000s"
    return (
        f"upstream case{number} {{ server 127.0.0.1:{ports[0]} {long}; server 127.0.0.1:{ports[1]} {long}; }}\n"
        f"server {{ listen 127.0.0.1:{listen} udp; proxy_pass case{number}; proxy_timeout {_TIMEOUT_MS}ms; {case.settings} }}\n"
    )


async def _measured(listens: list[int], log: Path) -> list[str]:
    """The log once all datagrams were sent, one socket for each, and their sessions have ended."""
    origin = now_ms()
    clients = []
    for call in range(_CALLS):
        await until(origin + call * _APART_MS)
        for port in listens:
            client = _bound()
            client.sendto(b"hello", ("127.0.0.1", port))
            clients.append(client)
    for _ in range(100):
        lines = log.read_text().splitlines()
        if len(lines) == len(clients):
            break
        await asyncio.sleep(0.02)
    for client in clients:
        client.close()
    return lines


async def _run(directory: Path) -> tuple[list[str], list[tuple[int, tuple[int, int]]]]:
    """Lines of the log, and per case the port that listens and those of the servers."""
    loop = asyncio.get_running_loop()
    held = [(_bound(), _bound(), _bound()) for _ in CASES]
    places = [(_port_of(listen), (_port_of(first), _port_of(second))) for listen, first, second in held]
    for case, (listen, first, second) in zip(CASES, held, strict=True):
        listen.close()  # all ports are known: nobody is given one of them twice
        loop.add_reader(second, _echo, second)
        if case.does.kind == "refuse":
            first.close()
        elif case.does.kind == "ok":
            loop.add_reader(first, _echo, first)
    blocks = "".join(_block(case, number, *places[number]) for number, case in enumerate(CASES))
    form = "log_format udp '$server_port|$upstream_addr|$status|$msec|$session_time';"
    stream = f"stream {{ {form} access_log {directory}/udp.log udp;\n{blocks} }}"
    try:
        with nginx.running(directory, "", main=stream):
            return await _measured([listen for listen, _ in places], directory / "udp.log"), places
    finally:
        for each in (one for row in held for one in row if one.fileno() >= 0):
            loop.remove_reader(each)
            each.close()


def _lasts(case: Case, traced: Traced) -> int:
    """Time until the session ends: that of a client ends with its response, nginx keeps it where no number is wanted."""
    endless = "proxy_responses" not in case.settings
    return max(traced.end - traced.at, _TIMEOUT_MS if endless else 0)


class Compared(Struct, frozen=True):
    """Both sides of one case: sessions as ``server status``, and how long (ms) each lasted."""

    case: Case
    measured: tuple[str, ...]
    predicted: tuple[str, ...]
    lasted: tuple[float, ...]
    lasts: tuple[int, ...]


def compared(directory: Path) -> Iterator[Compared]:
    """All cases, measured together on one nginx."""
    lines, places = asyncio.run(_run(directory))
    text = (directory / "nginx.conf").read_text()
    found = {each.upstream: each for each in subjects(model_of(text, target=Target(nginx.version())))}
    for number, case in enumerate(CASES):
        listen, (first, second) = places[number]
        names = {f"127.0.0.1:{first}": "A", f"127.0.0.1:{second}": "B"}
        own = sorted(
            (line.split("|") for line in lines if line.startswith(f"{listen}|")), key=lambda each: each[3]
        )
        group, use = found[f"case{number}"].group, found[f"case{number}"].use
        assert group is not None and use is not None
        calls = [Call(at * _APART_MS) for at in range(_CALLS)]
        traced = replay(group, use, calls, {f"127.0.0.1:{first}": [(0, case.does)]})
        predicted = []
        for each in traced:
            address, _, status = shown(group, each).partition(" => ")[0].partition(" ")
            predicted.append(f"{names[address]} {status}")
        yield Compared(
            case,
            tuple(f"{names[addr]} {status}" for _, addr, status, *_ in own),
            tuple(predicted),
            tuple(float(each[4]) * 1000 for each in own),
            tuple(_lasts(case, each) for each in traced),
        )


def test_sessions_are_as_predicted(tmp_path: Path) -> None:
    for each in compared(tmp_path):
        assert (each.case.name, ", ".join(each.measured)) == (each.case.name, each.case.sessions)
        assert (each.case.name, each.predicted) == (each.case.name, each.measured)
        assert each.lasted == pytest.approx(each.lasts, abs=120)
