"""`auth_basic`: where its users are, and who can read their passwords on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.checks.security.access import unread
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.access import access_of, is_local, listening
from nginxaudit.syntax.tree import Directive


def auth_basic_without_user_file(ctx: CheckContext) -> Iterable[Hit]:
    """``auth_basic`` without a file of users, or a file of users without ``auth_basic``."""
    named = ctx.model.config.named
    asking = [node for node in named("auth_basic") if _is_on(node) and "$" not in node.args[0]]
    yield from _alone(ctx, asking, "auth_basic_user_file", "Add auth_basic_user_file.")
    yield from _alone(ctx, named("auth_basic_user_file"), "auth_basic", 'Add auth_basic "realm";')


def _is_on(node: Directive) -> bool:
    return bool(node.args) and node.args[0].lower() != "off"


def _alone(ctx: CheckContext, nodes: Iterable[Directive], other: str, remedy: str) -> Iterator[Hit]:
    """Those of ``nodes`` that have no effect because ``other`` is missing."""
    for node in nodes:
        block = node.parent
        if block is None or ctx.model.effective(block, other) or unread(ctx.model, block):
            continue
        if not any(inner.name == other for inner in block.walk()):
            hit = Hit(
                whole(node),
                f"{node.name} has no effect without {other}: no password is required",
                node,
                help=remedy,
                witness=_served(ctx, block),
            )
            yield unless(ctx.model.is_enclosed, "an enclosing block sets it", hit)


def auth_basic_over_http(ctx: CheckContext) -> Iterable[Hit]:
    """Passwords that are sent in plain text; once per server."""
    if ctx.model.config.named("set_real_ip_from"):
        return  # something before this nginx may speak TLS
    reported: set[object] = set()
    for node in ctx.model.config.named("auth_basic"):
        if not _is_on(node) or node.parent is None:
            continue
        server = ctx.model.server_of(node)
        if server is None or server in reported or server.listen_unknown or is_local(server):
            continue
        if not _is_asked(ctx.model, node):
            continue
        plain = [
            listen for listen in server.listens if not (listen.ssl or listen.quic or listen.proxy_protocol)
        ]
        sockets = ctx.model.sockets("http")
        plain = [listen for listen in plain if not sockets[listen.key].ssl and listen.kind != "unix"]
        if not plain or any(child.name == "if" for child in server.directive.children):
            continue
        reported.add(server)
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        yield Hit(
            whole(node),
            f"auth_basic on {plain[0].key} without TLS: credentials are sent unencrypted",
            node,
            related=(("listens without TLS", whole(plain[0].directive)),)
            if plain[0].directive is not None
            else (),
            help="Use auth_basic only in the TLS server, and redirect this server to it.",
            witness=openings.asked_in_plain(ctx, node),
        )


def _served(ctx: CheckContext, block: Directive) -> Witness | None:
    from nginxaudit.checks.security.openings import file_of  # only who has such a finding pays for it

    return file_of(ctx, block)


def _is_asked(model: Model, node: Directive) -> bool:
    """Whether the password of an ``auth_basic`` is asked for anywhere: not switched off below, nor unneeded by every address."""
    server, block = model.server_of(node), node.parent
    if server is None or block is None:
        return True
    if block is server.directive and not model.unknown_inside(block):
        takes_all = any(each.is_prefix and each.pattern == "/" for each in server.locations)
        blocks = [] if takes_all else [block]
        blocks += [
            each.directive
            for each in server.all_locations()
            if node in model.effective(each.directive, "auth_basic")
        ]
    else:
        blocks = [block]
    families = listening(server)
    return any(access_of(model, each).never_asked(family) is None for each in blocks for family in families)
