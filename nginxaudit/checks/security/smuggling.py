"""Headers with which clients bypass the proxy."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.headers.forwarding import PARAMETERS, set_headers
from nginxaudit.checks.security.access import GUARDS
from nginxaudit.hit import CheckContext, Edits, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Directive


def h2c_smuggling(ctx: CheckContext) -> Iterable[Hit]:
    """Any upgrade that a client asks for, through a location that restricts access."""
    if not any(node.args[0].lower() == "upgrade" for node in set_headers(ctx)):
        return
    for each in ctx.model.passes:
        if each.protocol != "proxy" or each.family != "http":
            continue
        headers = {
            node.args[0].lower(): node
            for node in ctx.model.effective(each.scope, "proxy_set_header")
            if len(node.args) > 1
        }
        upgrade, connection = headers.get("upgrade"), headers.get("connection")
        if upgrade is None or connection is None or "$http_upgrade" not in upgrade.args[1].lower():
            continue
        if connection.args[1].lower() not in ("upgrade", "$http_connection"):
            continue
        guards = [node for name in GUARDS for node in ctx.model.effective(each.scope, name)]
        if guards:
            from nginxaudit.checks.security import lures  # only who has such a finding pays for it

            yield Hit(
                whole(upgrade),
                "h2c smuggling: any Upgrade is passed on, so clients can bypass the access rules if the backend accepts h2c",
                upgrade,
                related=(("h2c requests bypass this rule", whole(guards[0])),),
                help="Pass Upgrade only for websocket: map $http_upgrade to websocket or an empty value.",
                witness=lures.upgraded(ctx, each.directive),
            )


def httpoxy(ctx: CheckContext) -> Iterable[Hit]:
    """The Proxy header of clients gets to CGI programs as HTTP_PROXY; asked for only."""
    for each in ctx.model.passes:
        name = PARAMETERS.get(each.protocol)
        if name is None or ctx.model.unread_around(each.scope):
            continue
        if not any(
            node.args and node.args[0] == "HTTP_PROXY" for node in ctx.model.effective(each.scope, name)
        ):
            from nginxaudit.checks.security import lures  # only who has such a finding pays for it

            hit = Hit(
                whole(each.directive),
                "httpoxy: the client's Proxy header reaches the application as HTTP_PROXY",
                each.directive,
                help=f'Add {name} HTTP_PROXY "";',
                make_fix=partial(_emptied, each.directive, name, ctx.model),
                witness=lures.proxied(ctx, each.directive),
            )
            yield unless(ctx.model.may_be_set(each.scope, name), "an enclosing block clears it", hit)


def _emptied(node: Directive, name: str, model: Model) -> Edits:
    """An empty HTTP_PROXY next to the other parameters, so that none of them is lost."""
    block = node.parent
    if block is None or block.inner not in ("server", "location"):
        return None
    line = f'{name} HTTP_PROXY "";'
    present = model.effective(block, name)
    if not present:
        return (edits.before(node, line),)
    level = present[-1].parent
    last = edits.standing_in(level, present[-1]) if level is not None else None
    return (edits.after(last, line),) if last is not None else None
