"""Sockets that nginx cannot open."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.nginx.names import FAMILIES


def listen_hostname(ctx: CheckContext) -> Iterable[Hit]:
    """A ``listen`` that needs DNS when nginx starts."""
    for family in FAMILIES:
        for server in ctx.model.servers(family):
            for listen in server.listens:
                if listen.kind == "name" and listen.host != "localhost" and listen.directive is not None:
                    yield Hit(
                        arg(listen.directive, listen.directive.args[0]),
                        f"nginx does not start if {listen.host} cannot be resolved or is not a local address",
                        listen.directive,
                        help="Write the address.",
                    )
