"""Runs cases of stream on an nginx, and compares what connections get with what the walk says."""

from __future__ import annotations

from pathlib import Path
from random import Random

from nginxaudit.nginx import Target
from nginxaudit.request.records import Outcome
from nginxaudit.request.walk import trace
from tests.model.model_support import model_of
from tests.requests.accepted import accepted
from tests.requests.counts import Count
from tests.requests.stream.backends import Ports
from tests.requests.stream.configurations import Case, Generator
from tests.requests.stream.connections import random_connection, received
from tests.support import certificates, nginx

_SOCKETS = 4  # of each case
_TRIES = 4


def judge(directory: Path, first: int, count: int, per_case: int, seed: int, backends: Ports) -> Count:
    """Ask one nginx about some cases, started once for all of them."""
    for _ in range(_TRIES):
        try:
            return _judged(directory, first, count, per_case, seed, backends)
        except AssertionError as error:  # a port may be taken by somebody else before nginx has it
            if "could not bind" not in str(error):
                raise
    raise AssertionError("the ports of nginx were taken again and again")


def _judged(directory: Path, first: int, count: int, per_case: int, seed: int, backends: Ports) -> Count:
    found = Count()
    ports = nginx.free_ports(_SOCKETS * count)
    for name, text in certificates.made().items():
        (directory / name).write_text(text)
    cases = [
        Generator(
            Random(f"{seed}-stream-{number}"),
            number,
            ports[_SOCKETS * at : _SOCKETS * (at + 1)],
            backends,
            nginx.version(),
        ).case()
        for at, number in enumerate(range(first, first + count))
    ]
    cases, refused = accepted(directory, cases, lambda some: f"events {{}}\n{_stream(directory, some)}")
    found.refused += refused
    with nginx.running(directory, "", main=_stream(directory, cases)):
        model = model_of((directory / "nginx.conf").read_text(), target=Target(nginx.version()))
        for case in cases:
            random = Random(f"{seed}-stream-{case.number}-asks")
            for _ in range(per_case):
                to, ask = random_connection(random, case)
                done = trace(model, ask, explain=False)
                said = [_said(case, outcome) for outcome in done.outcomes]
                answer = received(to, ask, answered=any(said))
                found.judged(
                    case,
                    ask,
                    [_difference(answer, each) for each in said],
                    unknown=any(outcome.unknown for outcome in done.outcomes),
                    more=done.more,
                )
    return found


def _difference(answer: str, said: str) -> str | None:
    """What differs between an answer and what the walk says; None if nothing does."""
    kind = said.partition(" ")[0] or "closed"
    return None if said == answer else f"{kind}: {said!r}, nginx {answer!r}"


def _said(case: Case, outcome: Outcome) -> str:
    """What a client gets in an outcome."""
    if outcome.closed:
        return ""
    if outcome.passed is None:
        return outcome.body or ""
    if outcome.upstream is not None:
        return f"backend {case.groups[outcome.upstream]}"
    if outcome.passed.startswith("unix:"):  # nothing is there
        return ""
    port = outcome.passed.rpartition(":")[2]
    return f"backend {port}" if port in map(str, case.groups.values()) else f"inner {port}"


def _stream(directory: Path, cases: list[Case]) -> str:
    secured = (
        f"ssl_certificate {directory}/{certificates.CERTIFICATE};\nssl_certificate_key {directory}/{certificates.KEY};\n"
        if certificates.made()
        else ""
    )
    head = (
        "variables_hash_max_size 65536;\nmap_hash_bucket_size 128;\nmap_hash_max_size 8192;\nproxy_responses 1;\n"
        "map $remote_addr $groups { '~(?<sub>0)' 1; }\npreread_timeout 2s;\n"
    )
    if nginx.version() >= (1, 25, 5):
        head += "server_names_hash_bucket_size 128;\nserver_names_hash_max_size 8192;\n"
    return f"stream {{\n{head}{secured}" + "\n".join(case.text for case in cases) + "\n}\n"
