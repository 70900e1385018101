"""Limits that clients can evade, or that are not set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.expressions import map_expression
from nginxaudit.model.passes import Pass
from nginxaudit.model.variables import references
from nginxaudit.nginx import parse_size
from nginxaudit.pcre.sample import sample
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.request.flight import Value

_MOST_LINES = 50
_FLAGS = frozenset({"1", "true", "yes", "on", "y"})
_PUBLIC = frozenset(
    {"http_user_agent", "http_referer", "http_origin", "http_x_forwarded_for", "http_x_real_ip"}
)
"""What a client can set without knowing a secret."""
_KEYS = ("api_key", "apikey", "authorization", "x_api", "token")


def rate_limit_key_spoofable(ctx: CheckContext) -> Iterable[Hit]:
    """A limit per something that clients make up anew for every request."""
    for name in ("limit_req_zone", "limit_conn_zone"):
        for node in ctx.model.config.named(name):
            if not node.args or ctx.model.family_of(node) != "http":
                continue
            key = node.args[0]
            origin = next(
                (
                    each
                    for each in ctx.model.taint.origins(key, node)
                    if each.kind == "free" and not any(word in each.variable for word in _KEYS)
                ),
                None,
            )
            if origin is not None:
                yield Hit(
                    arg(node, key),
                    f"clients control {origin.variable}: a new value in each request bypasses the limit",
                    node,
                    help="Use $binary_remote_addr, with set_real_ip_from if nginx is behind a proxy.",
                )
                continue
            sent = _exempting(ctx.model, str(key))
            if sent is not None:
                yield Hit(
                    arg(node, key),
                    f"a request with {sent} has an empty key and is not limited",
                    node,
                    help="Exempt addresses with geo, or serve logged-in users in a separate location.",
                    why="nginx does not count requests with an empty key, and any client can send this one.",
                )


def _exempting(model: Model, key: str) -> str | None:
    """What any client can send to get an empty key, where the key is not empty without it."""
    for name, block in _sources(model, key, 3):
        kind, _, rest = name.partition("_")
        if any(word in name for word in _KEYS):
            continue
        plain = _key_of(model, key, kind, rest, None)
        for value in _tried(block, name) if plain != "" else ():
            if _key_of(model, key, kind, rest, value) == "":
                sent = {"http": f"{_header(rest)}: {value}", "arg": f"?{rest}={value}"}
                return sent.get(kind, f"Cookie: {rest}={value}")
    return None


def _sources(model: Model, text: str, depth: int) -> Iterator[tuple[str, Directive]]:
    """Headers, arguments and cookies that maps look up for a text, with the map."""
    for reference in references(text):
        for block in model.variable_definitions("http").get(reference.name, ()):
            if block.name != "map" or not block.args or not depth:
                continue
            found = references(block.args[0])
            if len(found) == 1 and found[0].name.startswith(("http_", "arg_", "cookie_")):
                yield found[0].name, block
            yield from _sources(model, block.args[0], depth - 1)


def _tried(block: Directive, name: str) -> Iterator[str]:
    """Values that a client may think of: any text, what an expression matches, what is public."""
    yield "x"
    for line in block.children[:_MOST_LINES]:
        text = str(line.name)
        if text.startswith("~"):
            yield sample(map_expression(text)[1])
        elif text.lower() in _FLAGS or name in _PUBLIC:
            yield text


def _key_of(model: Model, key: str, kind: str, name: str, sent: str | None) -> Value:
    from nginxaudit.request.branches import Oracle
    from nginxaudit.request.builtin import BUILTIN
    from nginxaudit.request.evaluate import value
    from nginxaudit.request.flight import Flight
    from nginxaudit.request.records import NOTHING_KNOWN, Ask

    flight = Flight(model, Ask(), NOTHING_KNOWN, Oracle(), BUILTIN, explain=False)
    if sent is not None:
        if kind == "arg":
            flight.args = f"{name}={sent}"
        else:
            flight.headers = [(_header(name), sent) if kind == "http" else ("Cookie", f"{name}={sent}")]
    return value(flight, key)


def _header(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("_"))


def client_max_body_size_unlimited(ctx: CheckContext) -> Iterable[Hit]:
    """Uploads without a limit."""
    for node in ctx.model.config.named("client_max_body_size"):
        if not node.args or node.context not in ("http", "server", "location"):
            continue
        try:
            size = parse_size(node.args[0])
        except ValueError:
            continue
        if size:
            continue
        passes = ctx.once(_passes_by_limit).get(node, ())
        streamed = bool(passes) and all(_passes_on(ctx.model, each) for each in passes)
        kept = node.context != "location" and any(_surely_keeps(ctx.model, each) for each in passes)
        where = (
            "the backend receives request bodies as they arrive"
            if streamed
            else "nginx stores request bodies on disk until the backend has read them"
        )
        yield Hit(
            whole(node),
            f"client_max_body_size sets no limit: {where}",
            node,
            severity=Severity.WARNING if kept else None,
            help="Set a limit, unless the backend has one."
            if streamed
            else "Set a limit, and raise it only in locations for uploads.",
            why="Unless the backend has a limit, one client can fill its memory or disk." if streamed else "",
        )


def _passes_by_limit(model: Model) -> dict[Directive, list[Pass]]:
    """Passes of http by the ``client_max_body_size`` in effect for them."""
    found: dict[Directive, list[Pass]] = {}
    for each in model.passes:
        for node in model.effective(each.scope, "client_max_body_size")[:1]:
            found.setdefault(node, []).append(each)
    return found


def _surely_keeps(model: Model, each: Pass) -> bool:
    """Whether nginx keeps the request until it has all of it, whatever is written elsewhere."""
    return not _passes_on(model, each) and not model.may_be_set(
        each.scope, f"{each.protocol}_request_buffering"
    )


def _passes_on(model: Model, each: Pass) -> bool:
    """Whether nginx sends a request on while it arrives; grpc and tunnels always do."""
    return (
        each.protocol in ("grpc", "tunnel")
        or model.flag(each.scope, f"{each.protocol}_request_buffering", True) is False
    )
