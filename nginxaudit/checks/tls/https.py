"""Sites that are also served without TLS, and TLS without forward secrecy."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nginxaudit.checks.routing.serving import never_serves
from nginxaudit.checks.tls.sites import public_names
from nginxaudit.hit import CheckContext, Hit, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.access import is_loopback
from nginxaudit.model.listen import Listen
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import PASS_DIRECTIVES

_TO_HTTPS = re.compile(r"https:|\$redirect|\$scheme_|\$ssl_redirect", re.IGNORECASE)
_SERVING = frozenset({*PASS_DIRECTIVES, "root", "alias", "try_files", "index"})


def https_redirect_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Servers on port 80 that serve what another server, or they themselves, serve over TLS."""
    model = ctx.model
    servers = [server for server in model.servers("http") if not model.unknown_inside(server.directive)]
    secure: dict[str, Listen] = {}
    for server in servers:
        for listen in server.listens:
            if listen.ssl:
                for name in public_names(server):
                    secure.setdefault(name, listen)
    for server in servers:
        plain = next((each for each in server.listens if _is_plain(each)), None)
        shared = [name for name in public_names(server) if name in secure]
        if plain is None or not shared or not _serves(server, model):
            continue
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        listen = secure[shared[0]]
        yield Hit(
            name_of(server.directive) if plain.directive is None else whole(plain.directive),
            f"{shared[0]} is served over plain HTTP as well: nothing redirects to https",
            plain.directive or server.directive,
            related=() if listen.directive is None else (("served over TLS here", whole(listen.directive)),),
            help="Write a separate server for port 80 with return 301 https://$host$request_uri;",
            witness=detours.in_plain(ctx, server.directive, shared[0]),
        )


def _is_plain(listen: Listen) -> bool:
    return (
        listen.port == 80
        and not (listen.ssl or listen.quic or listen.udp or listen.proxy_protocol)
        and not is_loopback(listen)
    )


def _serves(server: Server, model: Model) -> bool:
    """Whether requests get content, and no line of the server can lead them to https."""
    if server.directive.first("return") is not None or never_serves(model, server.directive):
        return False
    serving = False
    for node in server.directive.walk():
        if "_by_lua" in node.name or node.name.startswith(("js_", "error_page")) or model.is_filled_in(node):
            return False
        if node.name in ("return", "rewrite") and any(_TO_HTTPS.search(token) for token in node.args):
            return False
        serving = serving or node.name in _SERVING
    return serving
