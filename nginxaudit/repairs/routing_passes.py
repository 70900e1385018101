"""Repairs of passes: where their paths end, and what backends need to be told."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from nginxaudit import edits
from nginxaudit.checks.inherited import added, level_of, put
from nginxaudit.checks.routing.proxying import speaks_10
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass
from nginxaudit.repairs.common import pass_of
from nginxaudit.repairs.routing import DIRECTORY, suffixed
from nginxaudit.syntax.tree import Directive

Edits = tuple[Edit, ...] | None

_HTTP2_SINCE = (1, 25, 1)  # since then http2 is a directive
_SET = "proxy_set_header"
_COMPRESSED: WeakKeyDictionary[Model, dict[Directive, list[Pass]]] = WeakKeyDictionary()


# -- paths


def match_slashes(hit: Hit, model: Model) -> Fix | None:
    """The slash that is missing, at the end of the location or of the URI that is sent."""
    each = pass_of(hit, model)
    location = each.location if each is not None else None
    if each is None or location is None or each.path is None:
        return None
    if not each.path.endswith("/"):
        if model.is_filled_in(each.directive) or not DIRECTORY.fullmatch(each.path):
            return None
        edit = suffixed(each.directive, each.directive.args[0], "/")
        return Fix("End the URI with a slash", Applicability.UNSAFE, (edit,))
    node = location.directive
    if not DIRECTORY.fullmatch(location.pattern) or _is_named_elsewhere(location):
        return None
    return Fix("End the location with a slash", Applicability.UNSAFE, (suffixed(node, node.args[-1], "/"),))


def _is_named_elsewhere(location: Location) -> bool:
    """Whether requests are sent to the very path of the location, or one below is looked for in it."""
    server, path = location.server, location.pattern
    if (
        server is None
        or location.children
        or any(each.pattern == f"{path}/" for each in server.all_locations())
    ):
        return True
    return any(
        token.partition("?")[0] == path
        for node in server.directive.walk()
        if node is not location.directive
        for token in node.args
    )


# -- what backends and clients speak


def speak_http2(hit: Hit, model: Model) -> Fix | None:
    """``http2 on``; before nginx had that, the parameter of ``listen``, on the one socket for which it can be meant."""
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None or model.effective(server.directive, "http2"):
        return None  # somebody has switched it off
    lines = [
        each.directive for each in server.listens if each.directive is not None and each.transport == "tcp"
    ]
    secure = [each.directive for each in server.listens if each.directive is not None and each.ssl]
    if not lines:
        return None
    if model.target.version >= _HTTP2_SINCE:
        edit = put(server.directive, "http2", "http2 on;", beside=server.directive.named("listen")[-1])
        return Fix("Write http2 on", Applicability.UNSAFE, (edit,))
    chosen = list(dict.fromkeys(secure or lines))
    if len(chosen) > 1 and not secure:
        return None  # clients that speak HTTP/1.1 without TLS would be shut out
    made = tuple(edits.appended(node, "http2") for node in chosen)
    return Fix("Add http2", Applicability.UNSAFE, made)


def complete_upgrade(hit: Hit, model: Model) -> Edits:
    """What a WebSocket lacks: the other header, beside the one that is there, and HTTP/1.1."""
    each = pass_of(hit, model)
    if each is None or each.location is None:
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


def ask_for_plain(hit: Hit, model: Model) -> Edits:
    """No Accept-Encoding for backends whose responses the filter changes.

    It is put where the headers in effect are, or to the filter if those stand outside of its block.
    """
    block = hit.node.parent if hit.node is not None else None
    if hit.node is None or block is None:
        return None
    homes: dict[Directive, Directive | None] = {}
    for each in _compressed(model).get(hit.node, ()):
        level = level_of(each.scope, model, _SET)
        inside = level is not None and (level is block or block in level.ancestors())
        home = level if inside and level is not None else block
        homes.setdefault(home, each.directive if each.scope is home else None)
    made = [added(home, model, f'{_SET} Accept-Encoding "";', beside) for home, beside in homes.items()]
    return tuple(edit for edit in made if edit is not None)


def _compressed(model: Model) -> dict[Directive, list[Pass]]:
    """Passes that ask for compressed responses, by the first filter that is in effect for them."""
    found = _COMPRESSED.get(model)
    if found is None:
        found = _COMPRESSED[model] = {}
        for each in model.passes:
            filters = model.effective(each.scope, "sub_filter") if each.protocol == "proxy" else []
            if filters and not model.flag(each.scope, "gunzip", False) and not _sets_encoding(each, model):
                found.setdefault(filters[0], []).append(each)
    return found


def _sets_encoding(each: Pass, model: Model) -> bool:
    headers = model.effective(each.scope, _SET)
    return any(node.args and node.args[0].lower() == "accept-encoding" for node in headers)
