"""Repairs of groups and of the ``server`` lines in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix, Severity
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx import Availability, has_placeholder, parameters, parse_address
from nginxaudit.nginx.patterns import compiled
from nginxaudit.repairs.common import Edits, group_of, lacks_port, member, with_port
from nginxaudit.syntax.tree import Directive, Token

ZONE_SIZE = "64k"
RESOLVE_SINCE = (1, 27, 3)
_PLAIN_NAME = r"[A-Za-z0-9_.-]+"
_ZONE_WORD = r"(?:[a-z_]*zone=|shared:)([^:]+)"
_URL = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_NEAR_ENOUGH = 0.8  # from here on a misspelt parameter can only mean one thing
_ZONES: WeakKeyDictionary[Model, frozenset[str]] = WeakKeyDictionary()


# -- shared memory


def add_zone(hit: Hit, model: Model) -> Edits:
    """A zone called like the group, at its beginning."""
    upstream = group_of(hit.node, model) or _checked(hit, model)
    return zone_of(upstream, model) if upstream else None


def zone_of(upstream: Upstream, model: Model) -> Edits:
    """A zone for ``upstream``; None when no name for it is free."""
    name = upstream.name
    other = "stream" if upstream.family == "http" else "http"
    names = [f"{name}_{upstream.family}"] if upstream.key in model.groups(other) else [name]
    taken = _zones(model)
    free = next((each for each in (*names, f"{name}_upstream") if each not in taken), None)
    if free is None or compiled(_PLAIN_NAME).fullmatch(free) is None:
        return None
    return (edits.first_in(upstream.directive, f"zone {free} {ZONE_SIZE};"),)


def _checked(hit: Hit, model: Model) -> Upstream | None:
    """The group that requests are passed to beside a ``health_check``."""
    block = hit.node.parent if hit.node is not None else None
    passes = model.passes_in(block) if block is not None else ()
    return next((each.upstream for each in passes), None)


def _zones(model: Model) -> frozenset[str]:
    """Names of all zones, of whatever kind: nginx has one name space for them."""
    names = _ZONES.get(model)
    if names is None:
        names = _ZONES[model] = frozenset(_zone_names(model.config.top.walk()))
    return names


def _zone_names(nodes: Iterable[Directive]) -> Iterable[str]:
    for node in nodes:
        if node.args and node.name in ("zone", "lua_shared_dict"):
            yield str(node.args[0])
        for token in node.args:
            found = compiled(_ZONE_WORD).match(token)
            if found:
                yield found[1]


# -- roles and failures


def mark_backup(hit: Hit, model: Model) -> Fix | None:
    """``backup`` on the servers that the evidence calls a standby; of two without evidence on the second one."""
    upstream = group_of(hit.node, model)
    if upstream is None:
        return None
    intent = model.intent(upstream)
    live = [peer for peer in upstream.primaries if peer.is_live]
    standby, title = list(intent.standby), "Mark the standby backup"
    if not standby and len(live) == 2:
        standby, title = live[1:], f"Mark {live[1].address} backup, if it is the one that waits"
    if not intent.missing_backup or all(peer in standby for peer in live) or not standby:
        return None
    return Fix(
        title, Applicability.UNSAFE, tuple(edits.appended(peer.directive, "backup") for peer in standby)
    )


def default_fail_timeout(hit: Hit, model: Model) -> Edits:
    """``fail_timeout=0`` taken out of all servers of the group; not where active checks decide."""
    upstream = group_of(hit.node, model)
    if upstream is None or hit.severity is Severity.INFO:
        return None
    zero = [peer for peer in upstream.peers if peer.fail_timeout == 0 and peer.max_fails and not peer.down]
    return tuple(edit for peer in zero for edit in _without(peer, "fail_timeout"))


def default_max_fails(hit: Hit, model: Model) -> Edits:
    """``max_fails=0`` taken out; not where every server has it, which is a decision."""
    upstream = group_of(hit.node, model)
    if upstream is None or hit.severity is Severity.INFO:
        return None
    zero = [peer for peer in upstream.peers if peer.max_fails == 0 and not peer.down]
    return tuple(edit for peer in zero for edit in _without(peer, "max_fails"))


def drop_ignored(hit: Hit, model: Model) -> Edits:
    """Failure parameters taken out of a server that surely is the only one."""
    found = member(hit, model)
    if found is None or not found[0].is_single_peer:
        return None
    return tuple(_without(found[1], "max_fails", "fail_timeout", "slow_start"))


def keep_lone_server(hit: Hit, model: Model) -> Edits:
    """``max_fails=0`` on the only live server; a name may have several addresses, which need counting."""
    found = member(hit, model)
    if found is None or not found[1].is_literal:
        return None
    written = found[1].parameter("max_fails")
    if written is None:
        return (edits.appended(found[1].directive, "max_fails=0"),)
    return (edits.exchanged(found[1].directive, written.token, "max_fails=0"),)


def _without(peer: Peer, *names: str) -> Iterable[Edit]:
    return (edits.without(peer.directive, each.token) for each in peer.parameters if each.name in names)


def delete_duplicate(hit: Hit, model: Model) -> Edits:
    """The second line of one server, when it says exactly what the first one says."""
    found = member(hit, model)
    if found is None:
        return None
    upstream, peer = found
    first = next(each for each in upstream.peers if each.normal_address == peer.normal_address)
    same = sorted(map(str, first.directive.args[1:])) == sorted(map(str, peer.directive.args[1:]))
    if not same or first.directive.statement is peer.directive.statement:
        return None
    return edits.deletion(peer.directive)


def delete_unused(hit: Hit, model: Model) -> Edits:
    """The whole group, unless there are comments in it."""
    return edits.deletion(hit.node) if hit.node is not None else None


# -- addresses


def strip_url(hit: Hit, model: Model) -> Fix | None:
    """The address alone. Safe where scheme and path say nothing that the address does not say, too."""
    found = member(hit, model)
    if found is None:
        return None
    upstream, peer = found
    token = peer.directive.args[0]
    match = compiled(_URL).match(token)
    scheme = match[1].lower() if match else ""
    rest = token[match.end() :] if match else str(token)
    bare, lost = _address_part(rest)
    if has_placeholder(token) or lost.strip("/").isdigit():  # a network, as in 10.0.0.0/24, is no server
        return None
    try:
        address = parse_address(bare)
    except ValueError:
        return None
    if scheme in ("https", "grpcs") and address.port is None and address.kind != "unix":
        bare = f"{bare}:443"
    plain = "tcp" if upstream.family == "stream" else "http"
    safe = Applicability.SAFE if scheme == plain and lost in ("", "/") else Applicability.UNSAFE
    return Fix("Write the address alone", safe, (edits.exchanged(peer.directive, token, bare),))


def _address_part(rest: str) -> tuple[str, str]:
    """Address and path of what follows the scheme."""
    if rest.lower().startswith("unix:"):
        path, colon, uri = rest[5:].partition(":")
        return rest[:5] + path, uri if colon else ""
    host, slash, path = rest.partition("/")
    return host, slash + path


def tls_port(hit: Hit, model: Model) -> Edits:
    """Port 443 for servers without one, where every pass to the group speaks TLS."""
    upstream = group_of(hit.node, model)
    if upstream is None or not all(each.scheme in ("https", "grpcs") for each in model.passes_to(upstream)):
        return None
    return tuple(with_port(peer, 443) for peer in upstream.peers if lacks_port(peer))


def resolve(hit: Hit, model: Model) -> Edits:
    """``resolve``, with a zone, where nginx has it and a resolver is set: which one to ask is not guessed."""
    upstream = group_of(hit.node, model)
    if upstream is None or not upstream.complete or not model.effective(upstream.directive, "resolver"):
        return None
    if model.target.edition != "plus" and model.target.version < RESOLVE_SINCE:
        return None
    shared = () if upstream.zone is not None else zone_of(upstream, model)
    if shared is None:
        return None
    places = {(hit.place.source, hit.place.start), *((each.source, each.start) for _, each in hit.related)}
    named = [peer for peer in upstream.peers if _place(peer) in places]
    return (*shared, *(edits.appended(peer.directive, "resolve") for peer in named))


def _place(peer: Peer) -> tuple[object, int]:
    return peer.directive.source, peer.directive.start


# -- parameters


def correct_parameter(hit: Hit, model: Model) -> Fix | None:
    """Blanks around ``=`` taken out, or the one parameter that was meant: nginx loads neither as it is."""
    found = member(hit, model)
    if found is None:
        return None
    upstream, peer = found
    token = next((each for each in peer.directive.args[1:] if each.start == hit.place.start), None)
    if token is None:
        return _joined(peer, upstream.family)
    near = _meant(token, peer, upstream.family, model)
    if near is None:
        return None
    edit = edits.exchanged(peer.directive, token, near)
    return Fix(f"Write {near.partition('=')[0]}", Applicability.SAFE, (edit,))


def _joined(peer: Peer, family: str) -> Fix | None:
    """``name = value`` as one word, for parameters that nginx has."""
    node, args = peer.directive, peer.directive.args
    if len(args) < 2 or any(token.quoted for token in args):
        return None
    start, end = args[0].end, args[-1].end
    text = node.source.text[start:end]
    if "#" in text:
        return None
    known = "|".join(fact.name for fact in parameters("server", family) if fact.name and fact.kind != "flag")
    joined = re.sub(rf"(?<!\S)({known})\s*=\s*(?=[^\s=])", r"\1=", text)
    if joined == text:
        return None
    edit = edits.replaced(node.source, start, end, joined)
    return Fix('Delete the blanks around "="', Applicability.SAFE, (edit,))


def _meant(token: Token, peer: Peer, family: str, model: Model) -> str | None:
    """The word with the only parameter that it can be, unless that one is written, too."""
    name, equals, value = token.partition("=")
    known = [
        fact.name
        for fact in parameters("server", family)
        if fact.name
        and fact.available(model.target) is Availability.YES
        and (fact.kind != "flag") == bool(equals)
    ]
    from difflib import get_close_matches

    found = get_close_matches(name.lower().replace("-", "_"), known, n=2, cutoff=_NEAR_ENOUGH)
    if name in known or len(found) != 1 or found[0] in peer.explicit:
        return None
    return f"{found[0]}{equals}{value}"
