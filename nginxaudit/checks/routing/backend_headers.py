"""Headers without which a backend does not do what the location is for: WebSockets, responses that can be filtered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.inherited import added, level_of, put
from nginxaudit.checks.routing.proxying import proxied, set_headers, speaks_10
from nginxaudit.finding import Edit
from nginxaudit.hit import CheckContext, Edits, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.syntax.tree import Directive

_SET = "proxy_set_header"


def websocket_headers_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Half of what a WebSocket needs."""
    written = ctx.model.config.named("proxy_set_header")
    if not any(node.args and node.args[0].lower() in ("upgrade", "connection") for node in written):
        return
    for each in proxied(ctx):
        headers = set_headers(ctx.model, each.scope)
        upgrade, connection = headers.get("upgrade", ""), headers.get("connection", "")
        asks = "$http_upgrade" in upgrade.lower() or upgrade.lower() == "websocket"
        wants = "upgrade" in connection.lower()
        if asks and not connection:
            lacking = "Upgrade is sent without Connection, and the backend ignores it"
        elif wants and not upgrade:
            lacking = "Connection asks for an upgrade, and no Upgrade says to what"
        elif asks and wants and speaks_10(ctx.model, each.scope):
            lacking = "the backend is spoken to in HTTP/1.0, which knows no Upgrade"
        else:
            continue
        yield Hit(
            whole(each.directive),
            f"WebSockets do not get through: {lacking}",
            each.directive,
            help='Write proxy_http_version 1.1; and set both: Upgrade $http_upgrade and Connection "upgrade" (or a map).',
            make_fix=partial(_upgraded, each, ctx.model),
        )


def _upgraded(each: Pass, model: Model) -> Edits:
    """What a WebSocket lacks: the other header, beside the one that is there, and HTTP/1.1."""
    if each.location is None:
        return None
    headers = {node.args[0].lower(): node for node in model.effective(each.scope, _SET) if len(node.args) > 1}
    upgrade, connection = headers.get("upgrade"), headers.get("connection")
    made: list[Edit] = []
    if upgrade is None or connection is None:
        partner = upgrade or connection
        other = "Connection" if connection is None else "Upgrade"
        if partner is None or not _lack(model.copies(partner), other, model):
            return None
        value = _upgrade_value(model) if connection is None else "$http_upgrade"
        made.append(edits.after(partner, f"{_SET} {other} {value};"))
    if speaks_10(model, each.scope):
        made.append(_version(each, each.location.directive))
    return tuple(made)


def _lack(lines: list[Directive], header: str, model: Model) -> bool:
    """Whether the header surely is missing beside each of ``lines``."""
    blocks = [node.parent for node in lines if node.parent is not None]
    return not any(
        model.unknown_inside(block, direct=True)
        or any(node.args and node.args[0].lower() == header.lower() for node in block.named(_SET))
        for block in blocks
    )


def _upgrade_value(model: Model) -> str:
    """The variable of a map of ``$http_upgrade`` to ``upgrade``, if there is one."""
    for block in model.config.named("map"):
        asked = len(block.args) == 2 and block.args[0].lower() == "$http_upgrade"
        if asked and any(line.name == "default" and line.args[:1] == ["upgrade"] for line in block.children):
            return str(block.args[1])
    return '"upgrade"'


def _version(each: Pass, location: Directive) -> Edit:
    own = location.first("proxy_http_version")
    if own is not None and own.args:
        return edits.exchanged(own, own.args[0], "1.1")
    beside = each.directive if each.scope is location else None
    return put(location, "proxy_http_version", "proxy_http_version 1.1;", beside)


def sub_filter_compressed_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """Text that is to be replaced in responses that arrive compressed."""
    told: set[Directive] = set()
    for each in proxied(ctx):
        filters = ctx.model.effective(each.scope, "sub_filter")
        if not filters or filters[0] in told:
            continue
        headers = set_headers(ctx.model, each.scope)
        if "accept-encoding" in headers or ctx.model.flag(each.scope, "gunzip", False):
            continue
        told.add(filters[0])
        hit = Hit(
            whole(filters[0]),
            "nothing is replaced in compressed responses, and the backend is asked for them as the client asks",
            filters[0],
            related=(("the backend", whole(each.directive)),),
            help='Add proxy_set_header Accept-Encoding ""; (and the other headers of the outer block).',
            make_fix=partial(_uncompressed, filters[0], ctx.model),
        )
        assumed = ctx.model.may_be_set(each.scope, "proxy_set_header")
        yield unless(assumed, "a block around it empties Accept-Encoding", hit)


def _uncompressed(first: Directive, model: Model) -> Edits:
    """No Accept-Encoding for backends whose responses the filter changes.

    It is put where the headers in effect are, or to the filter if those stand outside of its block.
    """
    block = first.parent
    if block is None:
        return None
    homes: dict[Directive, Directive | None] = {}
    for each in model.once(_compressed).get(first, ()):
        level = level_of(each.scope, model, _SET)
        inside = level is not None and (level is block or block in level.ancestors())
        home = level if inside and level is not None else block
        homes.setdefault(home, each.directive if each.scope is home else None)
    made = [added(home, model, f'{_SET} Accept-Encoding "";', beside) for home, beside in homes.items()]
    return tuple(edit for edit in made if edit is not None)


def _compressed(model: Model) -> dict[Directive, list[Pass]]:
    """Passes that ask for compressed responses, by the first filter that is in effect for them."""
    found: dict[Directive, list[Pass]] = {}
    for each in model.passes:
        filters = model.effective(each.scope, "sub_filter") if each.protocol == "proxy" else []
        if filters and not model.flag(each.scope, "gunzip", False) and not _sets_encoding(each, model):
            found.setdefault(filters[0], []).append(each)
    return found


def _sets_encoding(each: Pass, model: Model) -> bool:
    headers = model.effective(each.scope, _SET)
    return any(node.args and node.args[0].lower() == "accept-encoding" for node in headers)
