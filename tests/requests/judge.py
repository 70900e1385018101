"""Runs cases on an nginx, and compares its answers with what the walk says."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from nginxaudit.model import Model
from nginxaudit.nginx import Target
from nginxaudit.request.records import Ask, Outcome, World
from nginxaudit.request.walk import trace
from tests.model.model_support import model_of
from tests.requests.accepted import accepted
from tests.requests.asks import PASSWORD, USER, random_ask, right
from tests.requests.configurations import Case, Generator
from tests.requests.counts import Count
from tests.requests.pools import FILES, FOLDERS
from tests.requests.statements import Backends
from tests.support import certificates, nginx

STATUSES = (200, 404, 503, 0)
"""What the echo servers answer; 0 is the one that speaks FastCGI."""
_HIDDEN = frozenset({"connection", "content-length"})


@dataclass
class Answer:
    """What nginx answered. ``status`` 0: it closed the connection."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name]

    def echo(self) -> dict[str, Any] | None:
        told = self.all("x-echo")
        return json.loads(base64.b64decode(told[0])) if told else None


def write_tree(root: Path) -> World:
    """The small tree of files, each with its own path in it."""
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {name}")
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    files = frozenset(f"{root}/{name}" for name in FILES) | frozenset(f"{root}/{name}/" for name in FOLDERS)
    return World(files=files, complete=True, prefix=str(root.parent))


_TRIES = 4


def judge(
    directory: Path,
    first: int,
    count: int,
    per_case: int,
    seed: int,
    ports: dict[int, int],
    *,
    knowing: bool = True,
) -> Count:
    """Ask one nginx about some cases, started once for all of them.

    Without ``knowing`` the walk is not told which files exist, what backends answer and whether passwords are right.
    """
    for _ in range(_TRIES):
        try:
            return _judged(directory, first, count, per_case, seed, ports, knowing)
        except AssertionError as error:  # a port may be taken by somebody else before nginx has it
            if "could not bind" not in str(error):
                raise
    raise AssertionError("the ports of nginx were taken again and again")


def _judged(
    directory: Path, first: int, count: int, per_case: int, seed: int, ports: dict[int, int], knowing: bool
) -> Count:
    found = Count()
    root = directory / "files"
    world = replace(
        write_tree(root), backends={f"127.0.0.1:{port}": status or 200 for status, port in ports.items()}
    )
    (directory / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    listening = nginx.free_ports(2 * count)
    backends = Backends({status: port for status, port in ports.items() if status}, ports[0])
    certified = bool(certificates.made())
    for name, text in certificates.made().items():
        (directory / name).write_text(text)
    cases = [
        Generator(
            Random(f"{seed}-{number}"), number, port, str(root), backends, tls if certified else None
        ).case()
        for number, port, tls in zip(
            range(first, first + count), listening[:count], listening[count:], strict=True
        )
    ]
    cases, refused = accepted(
        directory,
        cases,
        lambda some: f"events {{}}\nhttp {{ access_log off;\n{_http(directory, some)}\n}}\n",
    )
    found.refused += refused
    names = {f"u{case.number}": 200 for case in cases}
    world = replace(world, backends={**world.backends, **names})
    with nginx.running(directory, _http(directory, cases), main="user root;" if os.geteuid() == 0 else ""):
        model = _model(directory)
        for case in cases:
            random = Random(f"{seed}-{case.number}-asks")
            for _ in range(per_case):
                _one(found, case, model, random_ask(random, case), world, knowing)
    return found


def _one(found: Count, case: Case, model: Model, ask: Ask, world: World, knowing: bool = True) -> None:
    login = next((text for name, text in ask.headers if name == "Authorization"), None)
    told = replace(world, password=login == right()) if knowing else World(prefix=world.prefix)
    answer = send(ask)
    done = trace(model, ask, told, explain=False)
    outcomes = done.outcomes
    found.judged(
        case,
        ask,
        [difference(answer, outcome, told, ask) for outcome in outcomes],
        unknown=any(outcome.unknown for outcome in outcomes),
        more=done.more,
    )


# -- running


def _http(directory: Path, cases: list[Case]) -> str:
    head = (
        f"ssl_certificate {directory}/{certificates.CERTIFICATE};\nssl_certificate_key {directory}/{certificates.KEY};\n"
        if certificates.made()
        else ""
    ) + (
        f"auth_basic_user_file {directory}/users;\nserver_names_hash_bucket_size 128;\nserver_names_hash_max_size 8192;\n"
        "variables_hash_max_size 65536;\nmap_hash_bucket_size 128;\nmap_hash_max_size 8192;\nlog_not_found off;\n"
        "map $host $groups { '~(?<seg>0)(?<ext>1)(?<sub>2)' 1; }\n"
    )
    return head + "\n".join(case.text for case in cases)


def _model(directory: Path) -> Model:
    text = (directory / "nginx.conf").read_text()
    return model_of(text, target=Target(nginx.version()))


def send(ask: Ask) -> Answer:
    """Send a request as it is, and read the answer to its end."""
    lines = [f"{ask.method} {ask.target} HTTP/{ask.version}"]
    if ask.host is not None:
        lines.append(f"Host: {ask.host}")
    lines += [f"{name}: {value}" for name, value in ask.headers]
    if ask.body is not None:
        lines.append(f"Content-Length: {ask.body}")
    data = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + b"x" * (ask.body or 0)
    with _connected(ask) as client:
        client.sendall(data)
        received = b""
        try:
            while part := client.recv(65536):
                received += part
        except ConnectionResetError:
            pass
        except TimeoutError:
            return Answer(-1)
    return _read(received)


def _connected(ask: Ask) -> socket.socket:
    client = socket.create_connection((ask.address or "127.0.0.1", ask.port), timeout=5)
    if ask.proxied:
        client.sendall(f"PROXY TCP4 {ask.proxied} 127.0.0.1 4321 {ask.port}\r\n".encode())
    if not ask.tls:
        return client
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(client, server_hostname=ask.sni)


def _read(data: bytes) -> Answer:
    if not data:
        return Answer()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
    answer = Answer(int(lines[0].split(" ")[1]), headers, "")
    if answer.all("transfer-encoding"):
        body = b"".join(_chunks(body))
    answer.body = body.decode("utf-8", "surrogateescape")
    return answer


def _chunks(data: bytes) -> Iterator[bytes]:
    while data:
        size, _, data = data.partition(b"\r\n")
        yield data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


# -- comparing


def difference(answer: Answer, outcome: Outcome, world: World, ask: Ask) -> str | None:
    """What differs between an answer and an outcome; None if nothing does."""
    if outcome.status is None and outcome.passed is not None and answer.echo() is not None:
        return _passing(answer, outcome)
    if outcome.closed or not answer.status:
        return (
            None
            if outcome.closed == (not answer.status)
            else f"closed: {outcome.closed}, nginx {answer.status}"
        )
    if answer.status != outcome.status:
        return f"status: {outcome.status}, nginx {answer.status}"
    location = answer.all("location")
    if location != ([outcome.redirect.partition("\r\n")[0]] if outcome.redirect is not None else []):
        return f"location: {outcome.redirect}, nginx {location}"
    return _passing(answer, outcome) or _headers(answer, outcome) or _body(answer, outcome, world, ask)


def _passing(answer: Answer, outcome: Outcome) -> str | None:
    echo = answer.echo()
    if (echo is None) != (outcome.passed is None):
        return f"passed: {outcome.passed}, nginx {echo}"
    if echo is None:
        return None
    assert outcome.passed is not None
    target = outcome.passed.rpartition("//")[2]
    if outcome.upstream is None and target != f"127.0.0.1:{echo['port']}":
        return f"target: {target}, nginx {echo['port']}"
    if "params" in echo:
        params = sorted(
            (name, value) for name, value in echo["params"].items() if not name.startswith("HTTP_")
        )
        return (
            None
            if params == sorted(outcome.upstream_headers)
            else f"parameters: {outcome.upstream_headers}, nginx {params}"
        )
    if "\r\n" in str(
        outcome.upstream_uri
    ):  # the request line is two lines then, and the backend reads another request
        return None
    if outcome.upstream_method != echo["method"]:
        return f"method: {outcome.upstream_method}, nginx {echo['method']}"
    if outcome.upstream_uri != echo["uri"]:
        return f"uri: {outcome.upstream_uri}, nginx {echo['uri']}"
    ours = sorted(
        (name.lower(), value.partition("\r\n")[0].strip())
        for name, value in outcome.upstream_headers
        if name.lower() not in _HIDDEN
    )
    theirs = sorted(
        (name.lower(), value.strip()) for name, value in echo["headers"] if name.lower() not in _HIDDEN
    )
    return None if ours == theirs else f"sent headers: {ours}, nginx {theirs}"


def _headers(answer: Answer, outcome: Outcome) -> str | None:
    wanted = ("cache-control", "www-authenticate", *(() if outcome.passed else ("content-type",)))
    unknown = {
        name.lower() for name, text in outcome.headers if outcome.passed and "$" in text
    }  # the backend decides
    ours = sorted(
        (name.lower(), value.partition("\r\n")[0].strip())
        for name, value in outcome.headers
        if name.lower() not in unknown
    )
    theirs = sorted(
        (name.lower(), value.strip())
        for name, value in answer.headers
        if ((name.lower().startswith("x-") and name.lower() != "x-echo") or name.lower() in wanted)
        and name.lower() not in unknown
    )
    return None if ours == theirs else f"headers: {ours}, nginx {theirs}"


def _body(answer: Answer, outcome: Outcome, world: World, ask: Ask) -> str | None:
    if ask.method == "HEAD" or outcome.passed is not None or outcome.status in (204, 304):
        return None
    if outcome.file is not None:
        if outcome.file.endswith("/"):
            return None if "Index of" in answer.body else f"list of {outcome.file}, nginx {answer.body[:80]}"
        path = re.sub("/+", "/", outcome.file)
        name = next((name for name in FILES if path.endswith(f"/files/{name}")), None)
        return None if answer.body == f"file {name}" else f"file {name}, nginx {answer.body[:80]}"
    if outcome.body is not None:
        return (
            None if answer.body == outcome.body else f"body {outcome.body[:80]!r}, nginx {answer.body[:80]!r}"
        )
    return None
