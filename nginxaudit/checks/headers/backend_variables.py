"""Headers that go to the wrong side, or are made before their value is known.

The request to a backend is made once, before the first server is chosen (``create_request`` in
``ngx_http_upstream_init_request``, src/http/ngx_http_upstream.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import MAPPING
from nginxaudit.syntax.tree import Directive, Token

_REQUEST = (
    "proxy_set_header", "proxy_set_body", "grpc_set_header", "fastcgi_param", "uwsgi_param", "scgi_param",
)  # fmt: skip
_KNOWN_BEFORE = frozenset(
    {"upstream_cache_status", "upstream_cache_last_modified", "upstream_cache_key", "upstream_cache_age"}
)
_FOR_BACKENDS = frozenset(
    {
        "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-server",
        "x-forwarded-scheme", "x-forwarded-ssl", "x-real-ip", "x-client-ip", "x-original-uri", "x-original-url",
        "x-scheme", "forwarded", "host", "authorization",
    }
)  # fmt: skip
"""Headers of requests that a response has no use for."""
_DEPTH = 4  # maps one after the other


def upstream_variable_empty(ctx: CheckContext) -> Iterable[Hit]:
    """``$upstream_…`` in what is sent to a backend."""
    for name in ctx.model.written(_REQUEST):
        for node in ctx.model.config.named(name):
            token = node.args[-1] if node.args else None
            if token is None or "$" not in token or _follows_another(ctx.model, node):
                continue
            found = _of_upstream(ctx.model, token, _DEPTH)
            if found:
                yield Hit(
                    arg(node, token),
                    f"${found} is empty in {name}: the request is made before a server is chosen",
                    node,
                    help="Delete it; log it, or send it to the client with add_header.",
                )


def _of_upstream(model: Model, text: str, depth: int) -> str:
    """The first variable about servers that ``text`` depends on, through maps; empty if none."""
    for reference in references(text):
        if reference.name.startswith("upstream_") and reference.name not in _KNOWN_BEFORE:
            return reference.name
        for block in model.variable_definitions("http").get(reference.name, ()) if depth else ():
            if block.name in MAPPING and block.args:
                found = _of_upstream(model, block.args[0], depth - 1)
                if found:
                    return found
    return ""


def _follows_another(model: Model, node: Directive) -> bool:
    """Whether requests may come here from a backend: by error_page, X-Accel-Redirect or a subrequest."""
    location = model.location_of(node)
    if location is None:
        return False
    if location.is_named or location.directive.first("internal"):
        return True
    return any(
        words
        and words[-1].startswith("/")
        and location.pattern in ("/", words[-1], words[-1].partition("?")[0])
        for words in (page.args for page in model.config.named("error_page"))
    )


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
            header = node.args[0]
            yield Hit(
                whole(node),
                f"add_header sends {header} to the client; the backend does not get it",
                node,
                related=(("this backend", whole(passes[0].directive)),),
                help=f"Write {passes[0].protocol}_set_header {header} {node.args[1]};"
                if passes[0].protocol in ("proxy", "grpc")
                else f"Write {passes[0].protocol}_param HTTP_{header.upper().replace('-', '_')} {node.args[1]};",
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
