"""Connections of stream that a configuration distinguishes: its sockets, TLS names, protocols and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nginxaudit.model import Model
from nginxaudit.model.listen import Listen, SocketKey
from nginxaudit.pcre.sample import samples
from nginxaudit.request.candidates import host_of, sendable
from nginxaudit.request.records import Ask

_MEMBERS = 32
_VARIABLE = re.compile(r"\$\{?([a-z_]+)\}?", re.I)
_NAMES = frozenset({"ssl_preread_server_name", "ssl_server_name", "server_name"})
_OTHER = "other.example"


def connections(models: Iterable[Model]) -> Iterator[Ask]:
    """To each socket one with plain bytes, and one with each TLS name and each protocol that some map reads."""
    models = list(models)
    names = list(dict.fromkeys([name for model in models for name in _names(model)])) or [_OTHER]
    protocols = list(dict.fromkeys([each for model in models for each in _protocols(model)]))
    for listen, named in _sockets(models).values():
        if listen.kind in ("inet", "inet6") and listen.port:
            yield from _to(listen, names if named else [], protocols if named else [])


def _sockets(models: Iterable[Model]) -> dict[SocketKey, tuple[Listen, bool]]:
    """Sockets, and whether some server on them reads what a TLS client says."""
    found: dict[SocketKey, tuple[Listen, bool]] = {}
    for model in models:
        for server in model.servers("stream"):
            preread = bool(model.flag(server.directive, "ssl_preread", False))
            for listen in server.listens:
                before = found.get(listen.key, (listen, False))[1]
                found[listen.key] = (listen, before or preread or listen.ssl)
    return found


def _to(listen: Listen, names: list[str], protocols: list[tuple[str, ...]]) -> Iterator[Ask]:
    def ask(protocol: str, name: str | None = None, alpn: tuple[str, ...] = ()) -> Ask:
        return Ask(
            target="",
            host=name or "localhost",
            method=protocol.upper(),
            tls=protocol == "tls",
            sni=name,
            address=None if listen.is_wildcard else listen.host,
            port=listen.port or 0,
            protocol=protocol,
            alpn=alpn,
        )

    if listen.udp:
        yield ask("udp")
        return
    yield ask("tcp")
    yield from (ask("tls", name) for name in ((None, *names) if names else ()))
    yield from (ask("tls", names[0], alpn) for alpn in protocols)


def _names(model: Model) -> Iterator[str]:
    for server in model.servers("stream"):
        yield from (host for name in server.names if (host := host_of(name)) is not None)
    for source, key in _keys(model):
        if source in _NAMES:
            texts = samples(key.lstrip("~*"), _MEMBERS) if key.startswith("~") else [key]
            yield from (host for text in texts if (host := sendable(text)))


def _protocols(model: Model) -> Iterator[tuple[str, ...]]:
    for source, key in _keys(model):
        if source == "ssl_preread_alpn_protocols":
            for text in samples(key.lstrip("~*"), _MEMBERS) if key.startswith("~") else [key]:
                yield tuple(filter(None, text.split(",")))


def _keys(model: Model) -> Iterator[tuple[str, str]]:
    """Variables that maps of stream read, with their keys."""
    for node in model.config.named("map"):
        if node.args and model.family_of(node) == "stream":
            read = [each[1].lower() for each in _VARIABLE.finditer(node.args[0])]
            for line in node.children:
                if line.args and line.name not in ("default", "include"):
                    yield from ((name, str(line.name)) for name in read)
