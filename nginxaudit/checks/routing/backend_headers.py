"""Headers without which a backend does not do what the location is for: WebSockets, responses that can be filtered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.inherited import added, level_of, put
from nginxaudit.checks.routing.proxying import proxied, set_headers, speaks_10
from nginxaudit.finding import Confidence, Edit, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

_SET = "proxy_set_header"


def websocket_headers_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Half of what a WebSocket needs; or nothing of it, in a location that is called after it."""
    for each in proxied(ctx):
        if ctx.model.value(each.scope, "proxy_http_version") == "2":
            continue  # connection_header_over_http2 speaks of these
        headers = set_headers(ctx.model, each.scope)
        asks, wants = asks_upgrade(ctx.model, each)
        if asks and "connection" not in headers:
            lacking = "Upgrade is sent without Connection: upgrade, so the backend ignores it"
        elif wants and "upgrade" not in headers:
            lacking = "Connection: upgrade is sent without the Upgrade header"
        elif asks and wants and speaks_10(ctx.model, each.scope):
            lacking = "requests are sent in HTTP/1.0, which does not support Upgrade"
        elif _is_named_so(each) and not {"upgrade", "connection"} & headers.keys():
            yield _by_name(ctx, each)
            continue
        else:
            continue
        from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

        yield Hit(
            whole(each.directive),
            f"WebSocket handshake fails: {lacking}",
            each.directive,
            help='Set proxy_http_version 1.1, Upgrade $http_upgrade and Connection "upgrade" (or a map).',
            make_fix=partial(_upgraded, each, ctx.model),
            witness=shortfalls.not_upgraded(ctx, each.directive),
        )


def asks_upgrade(model: Model, each: Pass) -> tuple[bool, bool]:
    """Whether the Upgrade header of clients is passed on, and whether Connection says so, as far as is known."""
    headers = set_headers(model, each.scope)
    upgrade, connection = headers.get("upgrade", ""), headers.get("connection", "")
    asks = "$http_upgrade" in upgrade.lower() or _may_say(model, each, upgrade, "websocket")
    return asks, _may_say(model, each, connection, "upgrade")


def _may_say(model: Model, each: Pass, value: str, word: str) -> bool:
    if word in value.lower():
        return True
    values = model.possible_values(value, each.scope).constants if "$" in value else frozenset[str]()
    return any(word in each.lower() for each in values)


_WEBSOCKET_NAMES = r"[/(](?:wss?|websockets?|socket\.io|sockjs|sockjs-node|signalr|cable)(?=/?(?:[$)\s]|$))"


def _is_named_so(each: Pass) -> bool:
    location = each.location
    text = "" if location is None else " ".join(location.directive.args).replace("\\", "")
    return compiled(_WEBSOCKET_NAMES).search(text.lower()) is not None


def _by_name(ctx: CheckContext, each: Pass) -> Hit:
    from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

    location = each.location
    named = (
        (("named like a WebSocket endpoint", name_of(location.directive)),) if location is not None else ()
    )
    hit = Hit(
        whole(each.directive),
        "WebSocket handshake fails: proxy_pass does not send the headers Upgrade and Connection",
        each.directive,
        related=named,
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        help='Set proxy_http_version 1.1, Upgrade $http_upgrade and Connection "upgrade" (or a map).',
        witness=shortfalls.not_upgraded(ctx, each.directive),
    )
    return unless(ctx.model.may_be_set(each.scope, _SET), "an enclosing block sets them", hit)


_IDLE_MS = 60_000


def websocket_read_timeout(ctx: CheckContext) -> Iterable[Hit]:
    """WebSockets that are cut when the backend is silent for as long as the default says."""
    for each in proxied(ctx):
        if not all(asks_upgrade(ctx.model, each)):
            continue
        timeout = ctx.model.time_ms(each.scope, "proxy_read_timeout", _IDLE_MS)
        if timeout is None or not 0 < timeout <= _IDLE_MS:
            continue
        written = ctx.model.effective(each.scope, "proxy_read_timeout")
        default = "" if written else ", the default"
        hit = Hit(
            whole(each.directive),
            f"WebSocket connections are closed if the backend sends nothing for {timeout / 1000:g}s (proxy_read_timeout{default})",
            each.directive,
            related=tuple(("timeout set here", whole(node)) for node in written),
            help="Set proxy_read_timeout to an hour or more here, or send pings from the application more often.",
        )
        yield unless(
            ctx.model.may_be_set(each.scope, "proxy_read_timeout"),
            "an enclosing block sets another value",
            hit,
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
    reported: set[Directive] = set()
    for each in proxied(ctx):
        filters = ctx.model.effective(each.scope, "sub_filter")
        if not filters or filters[0] in reported:
            continue
        headers = set_headers(ctx.model, each.scope)
        if "accept-encoding" in headers or ctx.model.flag(each.scope, "gunzip", False):
            continue
        reported.add(filters[0])
        hit = Hit(
            whole(filters[0]),
            "sub_filter does not change compressed responses: Accept-Encoding is passed on",
            filters[0],
            related=(("the backend", whole(each.directive)),),
            help='Add proxy_set_header Accept-Encoding ""; and repeat the inherited headers.',
            make_fix=partial(_uncompressed, filters[0], ctx.model),
        )
        assumed = ctx.model.may_be_set(each.scope, "proxy_set_header")
        yield unless(assumed, "an enclosing block clears it", hit)


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
