"""Requests whose answer lacks a header, or of which the backend gets other headers than it should."""

from __future__ import annotations

from collections.abc import Sequence

from nginxaudit.checks.witnesses import PLAIN, Try, shown
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext
from nginxaudit.request.records import Outcome
from nginxaudit.syntax.tree import Directive

_TOKEN = "test"
_WEBSOCKET = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
_FORGED = "192.0.2.1"


def _names(headers: Sequence[tuple[str, str]]) -> set[str]:
    return {name.lower() for name, _ in headers}


def _header(node: Directive) -> str:
    """Name of the header that a directive sets; empty where it is not written."""
    return str(node.args[0]).lower() if node.args else ""


def not_added(ctx: CheckContext, block: Directive, own: Directive, dropped: Directive) -> Witness | None:
    """A request whose answer has a header of the block, and not one of those around it."""
    if own.name != "add_header":
        return None

    def ends(end: Outcome) -> bool:
        names = _names(end.headers)
        return _header(own) in names and _header(dropped) not in names

    return shown(ctx, block, ends, (*PLAIN, Try(tail="x")))


def not_sent(
    ctx: CheckContext, block: Directive, own: Directive, dropped: Sequence[Directive]
) -> Witness | None:
    """A request that gets to the backend without one of the headers that are set around the block."""
    mine = _header(own)
    lost = {_header(node) for node in dropped}
    tries = (*PLAIN, Try(headers=(("Authorization", _TOKEN),))) if "authorization" in lost else PLAIN

    def ends(end: Outcome) -> bool:
        names = _names(end.upstream_headers)
        if end.passed is None or (own.args[1:2] != [""] and mine not in names):
            return False
        target = end.upstream or end.passed.partition("://")[2]
        return (
            ("Authorization", _TOKEN) in end.upstream_headers
            or ("host" in lost and ("Host", target) in end.upstream_headers)
            or not lost - {"host", "authorization"} <= names
        )

    return shown(ctx, block, ends, tries)


def only_with_success(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that nginx answers with an error, without the header."""
    name = _header(node)

    def ends(end: Outcome) -> bool:
        failed = end.status is not None and end.status >= 400
        return failed and end.passed is None and name not in _names(end.headers)

    return shown(ctx, node, ends, (Try(tail="x"), Try(tail="/x"), *PLAIN))


def passed_on(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request with a header for its own connection that the backend gets."""
    name = str(node.args[0]) if node.args else ""
    value = "close, X-Real-IP" if name.lower() == "connection" else "x"
    return shown(
        ctx, node, lambda end: (name, value) in end.upstream_headers, (Try(headers=((name, value),)),)
    )


def not_upgraded(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request for a WebSocket that the backend gets as another one."""

    def ends(end: Outcome) -> bool:
        got = {name.lower(): value.lower() for name, value in end.upstream_headers}
        asks = got.get("upgrade") == "websocket" and "upgrade" in got.get("connection", "")
        return end.passed is not None and not asks

    return shown(ctx, node, ends, (Try(headers=_WEBSOCKET),))


def without_hsts(ctx: CheckContext, server: Directive) -> Witness | None:
    """A request over TLS whose answer has no Strict-Transport-Security."""

    def ends(end: Outcome) -> bool:
        return (
            end.unknown is None and not end.closed and "strict-transport-security" not in _names(end.headers)
        )

    return shown(ctx, server, ends, (Try(tls=True),))


def forged_address(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request whose sender the backend takes for somebody else."""
    block = node.parent
    header = str((ctx.model.value(block, "real_ip_header") if block is not None else None) or "X-Real-IP")

    def ends(end: Outcome) -> bool:
        return any(
            value == _FORGED and name.lower() != header.lower() for name, value in end.upstream_headers
        ) or any(value.endswith(f", {_FORGED}") for _, value in end.upstream_headers)

    return shown(ctx, node, ends, (Try(headers=((header, _FORGED),)),))


def without_parameter(ctx: CheckContext, node: Directive, name: str) -> Witness | None:
    """A request that is passed on without a parameter or a header."""
    wanted = name.lower()
    return shown(ctx, node, lambda end: end.passed is not None and wanted not in _names(end.upstream_headers))


def not_told(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that is passed on with nothing about the client."""

    def ends(end: Outcome) -> bool:
        return end.passed is not None and not any(
            name.startswith("x-forwarded") or name in ("x-real-ip", "forwarded")
            for name in _names(end.upstream_headers)
        )

    return shown(ctx, node, ends)


def any_answer(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that is answered."""
    return shown(ctx, node, lambda end: end.unknown is None and not end.closed and end.passed is None)
