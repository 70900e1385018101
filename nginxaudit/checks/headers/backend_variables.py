"""Headers of requests that go to the wrong side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.syntax.tree import Directive, Token

_FOR_BACKENDS = frozenset(
    {
        "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-server",
        "x-forwarded-scheme", "x-forwarded-ssl", "x-real-ip", "x-client-ip", "x-original-uri", "x-original-url",
        "x-scheme", "forwarded", "host", "authorization",
    }
)  # fmt: skip
"""Headers of requests that a response has no use for."""


def request_header_in_response(ctx: CheckContext) -> Iterable[Hit]:
    """``add_header`` with a header that backends read, where a request is passed on without it."""
    wanted = [
        node
        for node in ctx.model.config.named("add_header")
        if len(node.args) > 1 and node.args[0].lower() in _FOR_BACKENDS and "$" in node.args[1]
    ]
    if not wanted:
        return
    users = ctx.model.once(_passes_by_header)
    for node in wanted:
        passes = [each for each in users.get(node, ()) if not _is_set(ctx.model, each, node.args[0])]
        if passes:
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            header = node.args[0]
            yield Hit(
                whole(node),
                f"add_header sends {header} to the client, not to the backend",
                node,
                related=(("backend", whole(passes[0].directive)),),
                help=f"Write {passes[0].protocol}_set_header {header} {node.args[1]};"
                if passes[0].protocol in ("proxy", "grpc")
                else f"Write {passes[0].protocol}_param HTTP_{header.upper().replace('-', '_')} {node.args[1]};",
                witness=detours.in_response(ctx, passes[0].directive, str(header)),
            )


def _passes_by_header(model: Model) -> dict[Directive, list[Pass]]:
    """Passes by each ``add_header`` in effect for them."""
    found: dict[Directive, list[Pass]] = {}
    for each in model.passes:
        if each.family == "http":
            for node in model.effective(each.scope, "add_header"):
                found.setdefault(node, []).append(each)
    return found


def _is_set(model: Model, each: Pass, header: Token) -> bool:
    """Whether the backend gets the header all the same."""
    name = header.lower()
    if each.protocol in ("proxy", "grpc"):
        lines = model.effective(each.scope, f"{each.protocol}_set_header")
        return any(line.args[:1] and line.args[0].lower() == name for line in lines)
    return name == "host" or any(_params(model, each, name))


def _params(model: Model, each: Pass, name: str) -> Iterator[bool]:
    wanted = f"http_{name.replace('-', '_')}"
    for line in model.effective(each.scope, f"{each.protocol}_param"):
        yield bool(line.args) and line.args[0].lower() == wanted
