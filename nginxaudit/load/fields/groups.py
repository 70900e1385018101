"""Groups of servers: the directives of upstream blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit.hit import Edits
from nginxaudit.load.base import (
    INVALID,
    LoadState,
    Mistake,
    Use,
    finally_,
    invalid,
    one_of,
    parsed,
    positive,
    reads,
    unknown_parameter,
)
from nginxaudit.load.fields.zones import PAGE, declare, declare_sized, refer
from nginxaudit.load.scripts import script, source_variable
from nginxaudit.model import Model
from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx import parse_number, parse_size, parse_time_ms, parse_time_s
from nginxaudit.nginx.names import BALANCED
from nginxaudit.syntax.tree import Directive, Token

_SECOND_CHOICES = ("least_conn",)


@reads("hash", family="http stream")
def hash_(use: Use) -> Iterator[Mistake]:
    """``hash key [consistent]``."""
    yield from script(use, use.args[0])
    for token in use.args[1:]:
        if token != "consistent":
            yield unknown_parameter(token, "hash", ("consistent",))


@reads("random", family="http stream")
def random_(use: Use) -> Iterator[Mistake]:
    """``random [two [method]]``."""
    if use.args and use.args[0] != "two":
        yield unknown_parameter(use.args[0], "random", ("two",))
    for token in use.args[1:]:
        if token not in _SECOND_CHOICES and not token.startswith("least_time"):
            yield unknown_parameter(token, "random two", ("least_conn", "least_time"))


@reads("keepalive", by_words=True)
def keepalive(use: Use) -> Iterator[Mistake]:
    """``keepalive connections [local]``."""
    yield from parsed(parse_number if use.since(1, 29, 7) else positive, use.args[0])
    for token in use.args[1:]:
        if token != "local":
            yield unknown_parameter(token, "keepalive", ("local",))


@reads("least_time", family="http stream")
def least_time(use: Use) -> Iterator[Mistake]:
    """``least_time header | last_byte [inflight]``; stream has connect and first_byte, too."""
    measures = ("header", "last_byte") if use.family == "http" else ("connect", "first_byte", "last_byte")
    yield from one_of(use.args[0], measures, "least_time parameter", use.args[0].lower())
    for token in use.args[1:]:
        if token != "inflight":
            yield unknown_parameter(token, "least_time", ("inflight",))


@reads("sticky")
def sticky(use: Use) -> Iterator[Mistake]:
    """``sticky cookie name …``, ``sticky route $variable …``, ``sticky learn …``."""
    kind, *rest = use.args
    if kind == "cookie":
        yield from _sticky_cookie(use, rest)
    elif kind == "route":
        for token in rest:
            yield from source_variable(use, token)
    elif kind == "learn":
        yield from _sticky_learn(use, rest)
    else:
        yield unknown_parameter(kind, "sticky", ("cookie", "route", "learn"))


_COOKIE_FLAGS = ("httponly", "secure")
_COOKIE_VALUES = ("domain", "path", "expires", "samesite")


def _sticky_cookie(use: Use, words: list[Token]) -> Iterator[Mistake]:
    if words and not words[0]:
        yield invalid(words[0], "the name of the cookie is empty")
    seen: set[str] = set()
    for token in words[1:]:
        name, equals, value = token.partition("=")
        if name not in (_COOKIE_VALUES if equals else _COOKIE_FLAGS):
            yield unknown_parameter(token, "sticky cookie", _COOKIE_VALUES + _COOKIE_FLAGS)
        elif name in seen:
            yield invalid(token, f'"{name}" is given twice')
        elif equals:
            yield from _cookie_value(use, token, name, value)
        seen.add(name)


def _cookie_value(use: Use, token: Token, name: str, value: str) -> Iterable[Mistake]:
    if name == "expires":
        return () if value == "max" else parsed(parse_time_s, token, value)
    if name == "samesite" and "$" not in value:
        return one_of(token, ("strict", "lax", "none"), "samesite value", value.lower())
    if not value:
        return (invalid(token, f'"{name}" needs a value'),)
    return () if name == "path" else script(use, token, value)


def _sticky_learn(use: Use, words: list[Token]) -> Iterator[Mistake]:
    zoned = False
    for token in words:
        name, _, value = token.partition("=")
        if name == "zone":
            zoned = True
            yield from declare(use, token, "sticky", value)
        elif name == "timeout":
            yield from parsed(parse_time_ms, token, value)
        elif name in ("create", "lookup"):
            yield from source_variable(use, token, value)
        elif token not in ("header", "sync"):
            yield unknown_parameter(token, "sticky learn", ("create", "lookup", "zone", "timeout", "header"))
    if not zoned:
        yield Mistake(INVALID, '"sticky learn" needs the parameter "zone"')


@reads("zone", family="http stream")
def zone(use: Use) -> Iterator[Mistake]:
    """``zone name [size]`` of a group; several groups may share one."""
    name = use.args[0]
    if not name:
        yield invalid(name, "the name of a zone cannot be empty")
        return
    purpose = f"upstream {use.family}"
    if len(use.args) == 1:
        refer(use, name, purpose, name)
        return
    size, number = use.args[1], None
    try:
        number = parse_size(size)
    except ValueError as error:
        yield invalid(size, str(error))
    yield from declare_sized(use, size, purpose, name, number, at_least=8 * PAGE, once=False)


@finally_
def ports(load: LoadState) -> Iterator[Mistake]:
    """Servers of stream groups need a port; there is no default."""
    for upstream in load.model.upstreams("stream"):
        for peer in upstream.peers:
            address = peer.address
            if address is not None and address.port is None and address.kind != "unix" and not peer.service:
                yield Mistake(
                    "stream-upstream-missing-port",
                    f'"{peer.text}" has no port, and stream has no default one',
                    peer.directive.args[0],
                    "Write host:port.",
                    peer.directive,
                )


@finally_
def resolved_servers(load: LoadState) -> Iterator[Mistake]:
    """``resolve`` needs shared memory and a resolver that the group can see; ``service`` needs ``resolve``."""
    for family in BALANCED:
        for upstream in load.model.upstreams(family):
            for peer in upstream.peers:
                if peer.service:
                    yield from _service(peer)
                if peer.resolve and upstream.complete:
                    yield from _resolving(load, upstream, peer)


def _service(peer: Peer) -> Iterator[Mistake]:
    problem = ""
    if not peer.resolve:
        problem = '"service" requires "resolve"'
    elif peer.is_literal:
        problem = '"service" requires a domain name'
    elif peer.address is not None and peer.address.explicit_port:
        problem = '"service" cannot be combined with a port: the SRV record contains the port'
    if problem:
        yield Mistake("invalid-server-parameter", problem, None, "", peer.directive)


def _resolving(load: LoadState, upstream: Upstream, peer: Peer) -> Iterator[Mistake]:
    if peer.address is None or peer.is_literal:
        return
    if upstream.directive.first("zone") is None:
        yield Mistake(
            "resolve-without-zone",
            f'"resolve" requires a "zone" in the upstream "{upstream.name}"',
            None,
            f"Add zone {upstream.name} 64k;",
            peer.directive,
            make_fix=partial(_with_zone, load.model, upstream),
        )
    if not load.model.effective(upstream.directive, "resolver") and not load.model.unread_files(
        upstream.family
    ):
        yield Mistake(
            "resolve-without-resolver",
            f'"resolve" requires a "resolver" in the upstream "{upstream.name}" or directly in {upstream.family}',
            None,
            "Add a resolver; one in a server or location does not apply.",
            peer.directive,
        )


def _with_zone(model: Model, upstream: Upstream, _: Directive) -> Edits:
    from nginxaudit.load.upstream_zone import zone_of

    return zone_of(upstream, model)
