"""Repairs of the directives that pass requests to groups: their targets, and kept connections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import HTTP_PORT
from nginxaudit.model.upstream import Upstream
from nginxaudit.model.variables import references
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.repairs.common import Edits, group_of, lacks_port, pass_of, with_port
from nginxaudit.suggest import near
from nginxaudit.syntax.tree import Directive, Token

_HTTP11_BY_DEFAULT = (1, 29, 7)
_TLS_PORT = 443
_LOCALHOST = "localhost"
_AUTHORITY = r"[\"']?(?:[A-Za-z]+://)?(?P<host>[^:/?\"'$]+)(?P<port>:\d+)?"


# -- targets


def move_port(hit: Hit, model: Model) -> Edits:
    """The port taken from behind the name of a group, and written in its servers if none of them has one."""
    each = pass_of(hit, model)
    upstream = each.upstream if each is not None else None
    if each is None or upstream is None or each.port is None:
        return None
    token = each.directive.args[0]
    found = compiled(_AUTHORITY).match(edits.written(each.directive, token))
    if found is None or not found["port"]:
        return None
    start, end = token.start + found.start("port"), token.start + found.end("port")
    dropped = edits.replaced(each.directive.source, start, end, "")
    bare = [peer for peer in upstream.peers if lacks_port(peer)]
    if not bare or each.port == HTTP_PORT:
        return (dropped,)
    agreed = {(other.target.explicit_port, other.port) for other in model.passes_to(upstream)}
    if len(bare) < len(upstream.peers) or len(agreed) > 1:
        return None  # which port is meant, cannot be told
    return (dropped, *(with_port(peer, each.port) for peer in bare))


def name_group(hit: Hit, model: Model) -> Edits:
    """The name of the group that was probably meant; a port beside the name speaks for a host."""
    each = pass_of(hit, model)
    if each is None or each.target.explicit_port or not hit.related:
        return None
    place = hit.related[0][1]
    groups = model.groups(each.family).values()
    meant = next((group for group in groups if _stands_at(group.directive, place.start, place.source)), None)
    token = each.directive.args[0]
    found = compiled(_AUTHORITY).match(edits.written(each.directive, token))
    if meant is None or found is None:
        return None
    start, end = token.start + found.start("host"), token.start + found.end("host")
    return (edits.replaced(each.directive.source, start, end, meant.name),)


def _stands_at(node: Directive, start: int, source: object) -> bool:
    return node.start == start and node.source is source


def correct_value(hit: Hit, model: Model) -> Edits:
    """The one group of a similar name, where the variable gets its value."""
    each = pass_of(hit, model)
    told = (
        (candidate.target.host for candidate in each.candidates if f'"{candidate.text}"' in hit.message)
        if each is not None
        else iter(())
    )
    host = next(told, "")
    if each is None or not host or "did you mean" not in hit.message:
        return None
    groups = model.groups(each.family)
    found = near(host, groups, 2, 0.8)
    if len(found) != 1:
        return None
    name = groups[found[0]].name
    return tuple(edits.exchanged(line, token, name) for line, token in _values(each, host, model)) or None


def _values(each: Pass, host: str, model: Model) -> Iterator[tuple[Directive, Token]]:
    """Words that give a variable of the target the value ``host``."""
    defined = model.variable_definitions(each.family)
    for reference in references(each.text):
        for definition in defined.get(reference.name, ()):
            for line in definition.children if definition.is_block else (definition,):
                if line.args and line.args[-1].lower() == host and line.name != "include":
                    yield line, line.args[-1]


def speak_tls(hit: Hit, model: Model) -> Edits:
    """``https://`` to servers on port 443. The other way round TLS would be given up: that is not proposed."""
    each = pass_of(hit, model)
    if each is None or each.scheme != "http":
        return None
    ports = {each.port} if each.upstream is None else _ports(each.upstream)
    if ports != {_TLS_PORT}:
        return None
    token = each.directive.args[0]
    text = edits.written(each.directive, token)
    return (edits.exchanged(each.directive, token, re.sub("http://", "https://", text, count=1, flags=re.I)),)


def _ports(upstream: Upstream) -> set[int | None]:
    return {peer.address.port if peer.address is not None else None for peer in upstream.peers}


def one_family(hit: Hit, model: Model) -> Edits:
    """``127.0.0.1`` for ``localhost``: in all servers of a group, or in one pass."""
    upstream = group_of(hit.node, model)
    each = pass_of(hit, model)
    if upstream is not None:
        lines = [peer.directive for peer in upstream.peers if peer.address and not peer.resolve]
    else:
        lines = [each.directive] if each is not None else []
    return tuple(edit for line in lines for edit in _loopback(line))


def _loopback(node: Directive) -> Iterator[Edit]:
    token = node.args[0]
    found = compiled(_AUTHORITY).match(edits.written(node, token))
    if found is not None and compiled(_LOCALHOST, re.IGNORECASE).fullmatch(found["host"]):
        start, end = token.start + found.start("host"), token.start + found.end("host")
        yield edits.replaced(node.source, start, end, "127.0.0.1")


# -- kept connections


def keep_connections(hit: Hit, model: Model) -> Fix | None:
    """What the pass lacks to use the pool of its group."""
    each = pass_of(hit, model)
    upstream = each.upstream if each is not None else None
    if each is None or upstream is None:
        return None
    if each.protocol in ("uwsgi", "scgi"):
        return _without_pool(upstream, model)
    if each.scope.inner != "location":
        return None  # the lines are not allowed in "if" and limit_except
    if each.protocol == "fastcgi":
        made = _set(each, model, "fastcgi_keep_conn", "on")
        return Fix("Write fastcgi_keep_conn on", Applicability.UNSAFE, made)
    return _http11(each, upstream, model)


def _without_pool(upstream: Upstream, model: Model) -> Fix | None:
    """``keepalive`` taken out where nobody can use it."""
    pool = upstream.keepalive
    able = any(each.protocol not in ("uwsgi", "scgi") for each in model.passes_to(upstream))
    made = None if pool is None or able else edits.deletion(pool)
    return Fix("Delete keepalive", Applicability.UNSAFE, made) if made else None


def _set(each: Pass, model: Model, name: str, value: str) -> tuple[Edit, ...]:
    """``name value`` where the pass stands; what stands there already is corrected."""
    own = [node for node in model.effective(each.scope, name) if node.parent is each.scope and node.args]
    if own:
        return (edits.exchanged(own[0], own[0].args[0], value),)
    return (edits.after(each.directive, f"{name} {value};"),)


class _Change(Struct):
    """Words exchanged, lines put in, and whether both leave alone what somebody wrote."""

    edits: list[Edit]
    lines: list[str]
    safe: bool = True


def _http11(each: Pass, upstream: Upstream, model: Model) -> Fix | None:
    """HTTP/1.1 and an empty Connection header.

    Safe where nobody wrote another version or inherits the header lines, and nothing below or beside
    the location gets them, too.
    """
    change = _Change([], [])
    shared = _is_shared(each, upstream, model)
    _version(each, model, change)
    if not _connection(each, model, change, shared=shared):
        return None
    text = "\n".join(change.lines)
    if mask_secrets(text) != text:
        return None  # no secret is written a second time
    if change.lines:
        change.edits.append(edits.after(each.directive, text))
    safe = change.safe and not shared and not any(child.is_block for child in each.scope.children)
    made = tuple(sorted(change.edits, key=lambda edit: (edit.file, edit.start)))
    applicability = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix("Keep connections open", applicability, made) if made else None


def _version(each: Pass, model: Model, change: _Change) -> None:
    """Version 1.1, unless it is in effect."""
    written = model.effective(each.scope, "proxy_http_version")
    if written and written[0].args[:1] == ["1.0"]:
        change.safe = False
        if written[0].parent is each.scope:
            change.edits.append(edits.exchanged(written[0], written[0].args[0], "1.1"))
        else:
            change.lines.append("proxy_http_version 1.1;")
    elif not written and model.target.version < _HTTP11_BY_DEFAULT:
        change.lines.append("proxy_http_version 1.1;")


def _connection(each: Pass, model: Model, change: _Change, *, shared: bool) -> bool:
    """No Connection header, inherited headers repeated beside it. False: leave it to its author."""
    headers = [node for node in model.effective(each.scope, "proxy_set_header") if len(node.args) > 1]
    named = {node.args[0].lower(): node for node in headers}
    inherited = [node for node in headers if node.parent is not each.scope]
    change.safe = change.safe and not inherited
    if shared and inherited:
        return False  # in another place it inherits others
    own = named.get("connection")
    if own is None:
        if "upgrade" in named:
            return False  # WebSockets need one
        if model.target.version < _HTTP11_BY_DEFAULT:
            change.lines += [*map(_line, inherited), 'proxy_set_header Connection "";']
        return True
    if own.args[1] == "close" and not inherited:
        change.safe = False
        change.edits.append(edits.exchanged(own, own.args[1], '""'))
        return True
    return not own.args[1]


def _line(node: Directive) -> str:
    return f"{node.source.text[node.start : node.args[-1].end]};"


def _is_shared(each: Pass, upstream: Upstream, model: Model) -> bool:
    """Whether the line of the pass stands in a file that is included in several places."""
    line = each.directive.statement
    return sum(other.directive.statement is line for other in model.passes_to(upstream)) > 1
