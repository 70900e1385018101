"""Variables about servers of a group, where no server is chosen yet.

The request to a backend is made once, before the first server is chosen (``create_request`` in
``ngx_http_upstream_init_request``, src/http/ngx_http_upstream.c).
"""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Directive

_REQUEST = (
    "proxy_set_header", "proxy_set_body", "grpc_set_header", "fastcgi_param", "uwsgi_param", "scgi_param",
)  # fmt: skip
_KNOWN_BEFORE = frozenset(
    {"upstream_cache_status", "upstream_cache_last_modified", "upstream_cache_key", "upstream_cache_age"}
)
_DEPTH = 4  # maps one after the other


def upstream_variable_empty(ctx: CheckContext) -> Iterable[Hit]:
    """``$upstream_…`` in what is sent to a backend."""
    for name in ctx.model.written(_REQUEST):
        for node in ctx.model.config.named(name):
            token = node.args[-1] if node.args else None
            if token is None or "$" not in token or _follows_another(ctx.model, node):
                continue
            found = ctx.model.variables("http").first_behind(token, _is_of_upstream, _DEPTH)
            if found:
                yield Hit(
                    arg(node, token),
                    f"${found} is always empty in {name}",
                    node,
                    help="Delete it. Use the variable in log_format or add_header.",
                )


def _is_of_upstream(name: str) -> bool:
    return name.startswith("upstream_") and name not in _KNOWN_BEFORE


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
