"""Requests with which two configurations are told apart: what either of them distinguishes.

For every server and location a path, the edges beside it, and the hosts, arguments, headers and methods that conditions and
maps read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from nginxaudit.model import Model
from nginxaudit.nginx.names import REGEX_OPERATORS
from nginxaudit.pcre.sample import samples
from nginxaudit.request.candidates import candidates, entrances, hosts_of, sendable
from nginxaudit.request.connections import connections
from nginxaudit.request.records import Ask
from nginxaudit.request.uri import encoded
from nginxaudit.syntax.tree import Directive

MOST = 50_000
_READ = re.compile(r"\$\{?(arg|cookie|http)_([a-z0-9_]+)\}?", re.I)
_EACH = 12  # changes that each request is tried with
_OF_HOSTS = 10_000  # requests with what maps read, at all hosts together
_MEMBERS = 32  # alternatives of one regular expression

_ANY = "x"
"""A value for what a map says by default."""

_Change = Callable[[Ask], Ask]


def probes(models: Iterable[Model]) -> list[Ask]:
    """Different requests, at most `MOST`: first one for each location, then the variants of each."""
    found: dict[Ask, None] = {}
    for ask in _all(list(models)):
        found.setdefault(ask)
        if len(found) >= MOST:
            break
    return list(found)


def _all(models: list[Model]) -> Iterator[Ask]:
    yield from connections(models)
    for model in models:
        yield from entrances(model)
        yield from candidates(model, every_host=True, members=True)
    plain = list(dict.fromkeys([ask for model in models for ask in candidates(model, every_host=True)]))
    for ask in plain:
        yield from _edges(ask)
    hosts = {(ask.host, ask.port, ask.address): replace(ask, target="/") for ask in plain}.values()
    changes = [_Changes(model) for model in models]
    for each in changes:
        for ask in hosts:
            yield from each.of(ask, _OF_HOSTS // len(hosts))
    for each in changes:
        for ask in plain:
            yield from each.of(ask, 0)


def _edges(ask: Ask) -> Iterator[Ask]:
    """Paths beside one."""
    path = ask.target
    for target in (f"{path}x", f"{path.rstrip('/')}/x.php", path.rstrip("/") or "/"):
        yield replace(ask, target=target)


class _Changes:
    """What the conditions of one configuration read, as changes of a request: those of a server by its hosts, and others."""

    def __init__(self, model: Model) -> None:
        post = _change("$request_method", "POST")
        self._others = [post] if post is not None and model.written(("limit_except",)) else []
        self._of_host: dict[str, list[_Change]] = {}
        for node, name, value in _conditions(model):
            change = _change(name.lower(), value)
            if change is None:
                continue
            server = model.server_of(node)
            if server is None:
                self._others.append(change)
            for host in hosts_of(server) if server is not None else ():
                self._of_host.setdefault(host, []).append(change)

    def of(self, ask: Ask, most: int) -> Iterator[Ask]:
        """Requests like ``ask`` that differ in one thing; ``most``: how many things at least, if there are so many."""
        for changes in (self._of_host.get(ask.host or "", ()), self._others):
            yield from (change(ask) for change in changes[: max(most, _EACH)])


def _change(name: str, value: str) -> _Change | None:
    """How a request gets a value that a condition reads."""
    read = _READ.fullmatch(name)
    if name in ("$uri", "$document_uri", "$request_uri"):
        target = value if name == "$request_uri" else encoded(value)
        return (lambda ask: replace(ask, target=target)) if value.startswith("/") else None
    if name in ("$host", "$http_host", "$ssl_server_name"):
        host = sendable(value)
        return (lambda ask: replace(ask, host=host, sni=host if ask.tls else None)) if host else None
    if name == "$request_method":
        return lambda ask: replace(ask, method=value.upper())
    if read is None or not value:  # without the header or argument it is the request itself
        return None
    kind, what = read[1].lower(), read[2]
    if kind == "arg":
        return lambda ask: replace(ask, target=f"{ask.target}?{what}={value}")
    header = "Cookie" if kind == "cookie" else what.replace("_", "-").title()
    text = f"{what}={value}" if kind == "cookie" else value
    return lambda ask: replace(ask, headers=((header, text),))


def _conditions(model: Model) -> Iterator[tuple[Directive, str, str]]:
    """Variables that ``map``, ``if`` and ``rewrite`` read, with each value that is asked for."""
    for node in model.config.named("map"):
        if node.args:
            yield node, str(node.args[0]), _ANY
            for line in node.children:
                if line.args and line.name not in ("default", "include"):
                    yield from ((node, str(node.args[0]), each) for each in _values(str(line.name)))
    for node in model.config.named("if"):
        words = [str(word) for word in node.args]
        if words:
            words[0], words[-1] = words[0].removeprefix("("), words[-1].removesuffix(")")
            words = [word for word in words if word]
        if len(words) == 3:
            is_regex = words[1] in REGEX_OPERATORS
            values = samples(words[2], _MEMBERS) if is_regex else [words[2]]
            yield from ((node, words[0], each) for each in values)
        elif len(words) == 1:
            yield node, words[0], "1"
    for node in model.config.named("rewrite"):
        if node.args:
            yield from ((node, "$uri", each) for each in samples(str(node.args[0]), _MEMBERS))


def _values(key: str) -> list[str]:
    if key.startswith("~"):
        return samples(key.removeprefix("~").removeprefix("*"), _MEMBERS)
    return [key.removeprefix("\\")]
