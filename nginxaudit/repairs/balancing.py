"""Repairs of how the servers of a group are chosen, of retries, and of settings that they should share."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.peer import HTTP_PORT, Peer
from nginxaudit.model.retries import directive_of
from nginxaudit.model.upstream import METHODS, Upstream
from nginxaudit.nginx import parse_time_ms
from nginxaudit.repairs.common import Edits, group_of, lacks_port, member, with_port
from nginxaudit.syntax.tree import Directive

CONNECT_TIMEOUT = "5s"
"""The longest that makes sense inside one network."""

_SHARED = ("max_fails", "fail_timeout", "max_conns", "slow_start", "resolve")
_WRAPPERS = frozenset({"keepalive", "sticky", "ntlm", "queue"})


def keep_last_method(hit: Hit, model: Model) -> Edits:
    """The methods that the last one replaces taken out."""
    upstream = group_of(hit.node, model)
    if upstream is None:
        return None
    made: list[Edit] = []
    for node in [each for each in upstream.methods if each.name in METHODS][:-1]:
        deleted = edits.deletion(node)
        if deleted is None:
            return None
        made.extend(deleted)
    return tuple(made)


def move_behind_method(hit: Hit, model: Model) -> Fix | None:
    """What wraps the method put behind it, within one file.

    Kept connections are the same to clients and servers; sessions, queues and what stands behind
    the method already are matters to look at.
    """
    node, upstream = hit.node, group_of(hit.node, model)
    method = upstream.method_directive if upstream is not None else None
    if node is None or upstream is None or method is None:
        return None
    taken = edits.deletion(node)
    if taken is None or node.source is not method.source or node.via is not method.via:
        return None
    last = node.args[-1].end if node.args else node.name_end
    moved = edits.after(method, f"{node.source.text[node.start : last]};")
    behind = upstream.directive.children[upstream.directive.children.index(method) :]
    safe = node.name == "keepalive" and not any(each.name in _WRAPPERS for each in behind)
    applicability = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix(f"Put {node.name} behind {method.name}", applicability, (*taken, moved))


def without_plus(hit: Hit, model: Model) -> Edits:
    """The feature taken out: one word of a directive, or all of it."""
    node = hit.node
    if node is None or node.is_block or node.name == "state":  # without its state the group has no server
        return None
    token = next((each for each in node.args if each.start == hit.place.start), None)
    if token is None or len(node.args) == 1:
        return edits.deletion(node)
    return (edits.without(node, token),)


# -- the settings of the other servers


def as_the_others(hit: Hit, model: Model) -> Edits:
    """What all the others say alike, said by the servers that leave it out; or the one odd value corrected."""
    found = member(hit, model)
    if found is None or any(word == "has a route" for word, _ in hit.related):
        return None  # nobody else's route is right
    upstream, peer = found
    alike = upstream.backups if peer.backup else upstream.primaries
    peers = [each for each in alike if not each.down and not each.invalid]
    odd = next((each for each in peer.parameters if each.token.start == hit.place.start), None)
    if odd is not None:
        return _corrected(peer, odd.name, peers)
    made = [edit for each in peers for edit in _completed(each, peers, upstream)]
    begin, end = peer.directive.start, peer.directive.statement.end
    mended = any(begin <= edit.start < end and edit.file == peer.directive.source.path for edit in made)
    return tuple(made) if mended else None


def _corrected(peer: Peer, name: str, peers: list[Peer]) -> Edits:
    """The value that two or more others share, in place of the one that differs."""
    others = [each for each in peers if each is not peer]
    texts = {_value(each, name) for each in others}
    written = peer.parameter(name)
    if name not in _SHARED or written is None or len(others) < 2 or len(texts) != 1 or None in texts:
        return None
    usual = others[0].parameter(name)
    return (edits.exchanged(peer.directive, written.token, str(usual.token)),) if usual is not None else None


def _completed(peer: Peer, peers: list[Peer], upstream: Upstream) -> Iterator[Edit]:
    """Everything that ``peer`` leaves out and the others write alike."""
    port = _usual_port(peers) if upstream.family == "http" and lacks_port(peer) else None
    if port is not None:
        yield with_port(peer, port)
    missing = [text for name in _SHARED if (text := _usual(peer, name, peers)) is not None]
    weight = _usual(peer, "weight", peers)
    if weight is not None and len(peers) > 2 and sum("weight" not in each.explicit for each in peers) == 1:
        missing.append(weight)
    if missing:
        yield edits.appended(peer.directive, " ".join(missing))


def _usual(peer: Peer, name: str, peers: list[Peer]) -> str | None:
    """The parameter as those write it who do: half of the servers at least, and all of them alike."""
    if name == "resolve":
        peers = [each for each in peers if each.is_hostname]
    writers = [each for each in peers if name in each.explicit]
    values = {_value(each, name) for each in writers}
    if peer not in peers or name in peer.explicit or len(values) != 1 or 2 * len(writers) < len(peers):
        return None
    written = writers[0].parameter(name)
    return str(written.token) if written is not None and values != {_value(peer, name)} else None


def _value(peer: Peer, name: str) -> object:
    """The value in effect, so that 60 and 1m are the same."""
    return getattr(peer, name)


def _usual_port(peers: list[Peer]) -> int | None:
    located = [each for each in peers if each.address is not None and each.address.kind != "unix"]
    ports = [each.address.port for each in located if each.address and each.address.explicit_port]
    if len(set(ports)) != 1 or 2 * len(ports) < len(located) or ports[0] == HTTP_PORT:
        return None
    return ports[0]


# -- retries


def allow_tries(hit: Hit, model: Model) -> Edits:
    """One try more than there are primaries, where a limit alone keeps requests from the backup."""
    upstream = group_of(hit.node, model)
    if (
        upstream is None
        or not upstream.live_backups
        or not all(peer.is_literal for peer in upstream.live_primaries)
    ):
        return None
    primaries = len(upstream.live_primaries)
    made: dict[Directive, Edit] = {}
    for each in model.passes_to(upstream):
        retry = model.retry(each)
        if retry is None or retry.off or not 0 < retry.tries <= primaries:
            return None
        for node in model.effective(each.scope, directive_of(each, "next_upstream_tries")):
            made[node] = edits.exchanged(node, node.args[0], str(primaries + 1))
    return tuple(made.values())


def connect_soon(hit: Hit, model: Model) -> Edits:
    """A connect timeout of some seconds: in the line that is too long, or for all where none is written."""
    node, upstream = hit.node, group_of(hit.node, model)
    limit = parse_time_ms(CONNECT_TIMEOUT)
    if node is None:
        return None
    if upstream is None:
        too_long = len(node.args) == 1 and parse_time_ms(node.args[0]) > limit
        return (edits.exchanged(node, node.args[0], CONNECT_TIMEOUT),) if too_long else None
    family = model.enclosing(node, upstream.family)
    names = {
        name
        for each in model.passes_to(upstream)
        if not model.effective(each.scope, name := directive_of(each, "connect_timeout"))
    }
    if family is None or len(names) != 1:
        return None
    return (edits.first_in(family, f"{names.pop()} {CONNECT_TIMEOUT};"),)
