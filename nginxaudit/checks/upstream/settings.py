"""Do the instances of one application have the same settings?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place, parameter_place, peer_place, related_peers
from nginxaudit.finding import Edit, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, listed
from nginxaudit.model import Model
from nginxaudit.model.peer import HTTP_PORT, Peer
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.names import BALANCED

_FAILURE = ("max_fails", "fail_timeout")
_REPEATED = ("max_fails", "fail_timeout", "max_conns", "slow_start", "resolve")
_SHARED = (*_FAILURE, "max_conns", "slow_start")
_LIMITS = (
    "Each upstream counts its connections separately: together they can open more than either limit allows."
)
_JUDGEMENTS = "A server that one upstream has marked unavailable still gets the requests of the other one."


def upstream_settings_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """Servers of one group and role whose settings differ without a visible reason."""
    for upstream in ctx.model.all_upstreams:
        for peers in (upstream.primaries, upstream.backups):
            live = [peer for peer in peers if not peer.down and not peer.invalid]
            if len(live) > 1:
                for hit in _differing(upstream, live):
                    yield replace(hit, make_fix=partial(_alike_elsewhere, hit, upstream, ctx.model))


def _alike_elsewhere(hit: Hit, upstream: Upstream, model: Model) -> Edits | Fix:
    """The fix of ``hit``, unless a server would then differ from what another upstream says of it."""
    others = model.once(_by_address)
    own = _settings(upstream)
    addresses = [peer.normal_address for peer in upstream.peers if peer.directive is hit.node]
    for address in addresses:
        for other in others[upstream.family, address]:
            if other is not upstream and _settings(other) != own:
                return None
    return hit.make_fix() if hit.make_fix is not None else None


def _by_address(model: Model) -> dict[tuple[str, str], list[Upstream]]:
    """The upstreams in which an address stands, by family."""
    found: dict[tuple[str, str], list[Upstream]] = {}
    for upstream in model.all_upstreams:
        for peer in upstream.peers:
            found.setdefault((upstream.family, peer.normal_address), []).append(upstream)
    return found


def _settings(upstream: Upstream) -> set[tuple[object, ...]]:
    """Its servers with what other upstreams may say otherwise."""
    return {
        (peer.normal_address, peer.backup, *(getattr(peer, name) for name in _SHARED))
        for peer in upstream.peers
    }


def _differing(upstream: Upstream, peers: list[Peer]) -> Iterator[Hit]:
    yield from _port(upstream, peers) if _are_alike(peers) else _unlike(upstream, peers)


def _are_alike(peers: list[Peer]) -> bool:
    """All have the same settings: so it is in most groups."""
    settings = {
        (peer.max_fails, peer.fail_timeout, peer.max_conns, peer.slow_start, peer.resolve, peer.route)
        for peer in peers
    }
    return len(settings) == 1 and peers[0].route is None and len({peer.weight for peer in peers}) == 1


def _unlike(upstream: Upstream, peers: list[Peer]) -> Iterator[Hit]:
    for name in _FAILURE:
        yield from _odd(upstream, peers, name, [getattr(peer, name) for peer in peers])
    yield from _odd(upstream, peers, "max_conns", [peer.max_conns > 0 for peer in peers])
    yield from _odd(upstream, peers, "slow_start", [peer.slow_start > 0 for peer in peers])
    names = [peer for peer in peers if peer.is_hostname]
    yield from _odd(upstream, names, "resolve", [peer.resolve for peer in names])
    yield from _routes(upstream, peers)
    yield from _weight(upstream, peers)
    yield from _port(upstream, peers)


def _odd(upstream: Upstream, peers: list[Peer], name: str, values: Sequence[object]) -> Iterator[Hit]:
    """Peers whose effective value differs from the most common one (of two: from the written one)."""
    if len(set(values)) < 2:
        return
    ranked = Counter(values).most_common()
    if len(peers) > 2 and ranked[0][1] == ranked[1][1] and not _only_missing(peers, name):
        return  # two camps of equal size are tiers, not an oversight
    if len(peers) == 2 or ranked[0][1] == ranked[1][1]:
        written = [value for peer, value in zip(peers, values, strict=True) if name in peer.explicit]
        common = written[0] if written else ranked[0][0]
    else:
        common = ranked[0][0]
    odd = [peer for peer, value in zip(peers, values, strict=True) if value != common]
    usual = [peer for peer, value in zip(peers, values, strict=True) if value == common]
    if not odd or not usual:
        return
    yield Hit(
        parameter_place(odd[0], name),
        f"{name} of {listed([peer.text for peer in odd], 1)} is {_said(odd[0], name)}, "
        f'but {_said(usual[0], name)} on other servers of "{upstream.name}"',
        odd[0].directive,
        related=(*related_peers("also differs", odd[1:]), *related_peers("for comparison", usual[:1])),
        help=f"Use the same {name} on all servers, or explain the difference in a comment.",
        make_fix=partial(_as_the_others, upstream, odd[0], name),
    )


def _only_missing(peers: list[Peer], name: str) -> bool:
    """Some say it and the others leave it out: that is an oversight even half and half."""
    return any(name not in peer.explicit for peer in peers)


_DEFAULTS = {"max_fails": "1", "fail_timeout": "10s"}


def _said(peer: Peer, name: str) -> str:
    """The value of a parameter: as it is written, or the default."""
    parameter = peer.parameter(name)
    if parameter is not None:
        return str(parameter.token).partition("=")[2] or "set"
    return f"{_DEFAULTS[name]} (default)" if name in _DEFAULTS else "not set"


def _routes(upstream: Upstream, peers: list[Peer]) -> Iterator[Hit]:
    routed = [peer for peer in peers if peer.route is not None]
    if not routed:
        return
    for peer in peers:
        if peer.route is None:
            yield Hit(
                peer_place(peer),
                f'{peer.text} has no route, but other servers of "{upstream.name}" have one',
                peer.directive,
                help="Add a route that no other server has.",
                why="Session persistence finds a server by its route: it cannot name the one without a route.",
                related=related_peers("has a route", routed[:1]),
            )
            return
    seen: dict[str, Peer] = {}
    for peer in routed:
        first = seen.setdefault(str(peer.route), peer)
        if first is not peer:
            yield Hit(
                parameter_place(peer, "route"),
                f'two servers of "{upstream.name}" have the same route={peer.route}',
                peer.directive,
                help="Give every server a different route.",
                why="nginx cannot distinguish the sessions of the two servers: clients reach one that does not know their session.",
                related=related_peers("first used here", [first]),
            )


def _weight(upstream: Upstream, peers: list[Peer]) -> Iterator[Hit]:
    """One server without a weight while all the others carry the same one."""
    if len(peers) < 3:
        return
    bare = [peer for peer in peers if "weight" not in peer.explicit]
    weights = {peer.weight for peer in peers if "weight" in peer.explicit}
    if len(bare) == 1 and len(weights) == 1 and weights != {1}:
        yield Hit(
            peer_place(bare[0]),
            f'{bare[0].text} has no weight (default 1) while every other server of "{upstream.name}" '
            f"has weight={weights.pop()}",
            bare[0].directive,
            make_fix=partial(_as_the_others, upstream, bare[0]),
        )


def _port(upstream: Upstream, peers: list[Peer]) -> Iterator[Hit]:
    """A port left out (80) beside written ones, or one that deviates from a clear majority of hosts."""
    missing = [
        peer
        for peer in peers
        if peer.address
        and not peer.address.explicit_port
        and not peer.service
        and peer.address.kind != "unix"
    ]
    if not missing or upstream.family == "stream":
        return
    located = [peer for peer in peers if peer.address is not None and peer.address.kind != "unix"]
    written = [peer for peer in located if peer.address and peer.address.explicit_port]
    if written and all(peer.address and peer.address.port != HTTP_PORT for peer in written):
        yield Hit(
            peer_place(missing[0]),
            f"{listed([peer.text for peer in missing])} has no port and uses port 80; the other servers of "
            f'"{upstream.name}" use {listed(sorted({str(p.address.port) for p in written if p.address}))}',
            missing[0].directive,
            related=related_peers("for comparison", written[:1]),
            why="If the application does not listen on port 80 there, every request to this server fails or reaches another service.",
            make_fix=partial(_as_the_others, upstream, missing[0]),
        )


def upstream_address_settings_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """The same server in several groups with different failure settings: each group judges it alone."""
    for family in BALANCED:
        first: dict[str, tuple[Upstream, Peer]] = {}
        shared: dict[str, list[tuple[Upstream, Peer]]] = {}
        for upstream in ctx.model.groups(family).values():
            for peer in upstream.peers:
                if peer.address is not None and not peer.invalid:
                    use = (upstream, peer)
                    known = first.setdefault(peer.normal_address, use)
                    if known is not use:
                        shared.setdefault(peer.normal_address, [known]).append(use)
        for address in first if shared else ():
            uses = shared.get(address, [])
            if len({upstream for upstream, _ in uses}) > 1:
                yield from _between_groups(address, uses)


def _between_groups(address: str, uses: list[tuple[Upstream, Peer]]) -> Iterator[Hit]:
    first_group, first = uses[0]
    live = [peer for _, peer in uses if not peer.down]
    down = [(group, peer) for group, peer in uses if peer.down]
    if live and down:
        group, peer = down[0]
        yield Hit(
            parameter_place(peer, "down"),
            f'{address} is marked down in "{group.name}" and in use in another upstream',
            peer.directive,
            related=related_peers("in use here", live),
        )
        return
    for name in _SHARED:
        for group, peer in uses[1:]:
            if getattr(peer, name) != getattr(first, name) and not (peer.down or first.down):
                yield Hit(
                    parameter_place(peer, name),
                    f'{name} of {address} is {_said(peer, name)} in "{group.name}", but {_said(first, name)} in '
                    f'"{first_group.name}": '
                    + ("the limits add up" if name == "max_conns" else "failures are counted per upstream"),
                    peer.directive,
                    why=_LIMITS if name == "max_conns" else _JUDGEMENTS,
                    related=(
                        ("the other upstream", group_place(first_group)),
                        *related_peers("for comparison", [first]),
                    ),
                    severity=Severity.INFO,
                )
                return


# -- the fix: the settings of the other servers


def _as_the_others(upstream: Upstream, peer: Peer, name: str = "") -> Edits:
    """What all the others say alike, said by the servers that leave it out; or the one odd value corrected."""
    alike = upstream.backups if peer.backup else upstream.primaries
    peers = [each for each in alike if not each.down and not each.invalid]
    if peer.parameter(name) is not None:
        return _corrected(peer, name, peers)
    made = [edit for each in peers for edit in _completed(each, peers, upstream)]
    begin, end = peer.directive.start, peer.directive.statement.end
    fixed = any(begin <= edit.start < end and edit.file == peer.directive.source.path for edit in made)
    return tuple(made) if fixed else None


def _corrected(peer: Peer, name: str, peers: list[Peer]) -> Edits:
    """The value that two or more others share, in place of the one that differs."""
    others = [each for each in peers if each is not peer]
    texts = {_value(each, name) for each in others}
    written = peer.parameter(name)
    if name not in _REPEATED or written is None or len(others) < 2 or len(texts) != 1 or None in texts:
        return None
    usual = others[0].parameter(name)
    return (edits.exchanged(peer.directive, written.token, str(usual.token)),) if usual is not None else None


def _completed(peer: Peer, peers: list[Peer], upstream: Upstream) -> Iterator[Edit]:
    """Everything that ``peer`` leaves out and the others write alike."""
    port = _usual_port(peers) if upstream.family == "http" and peer.lacks_port else None
    if port is not None:
        yield edits.behind_text(peer.directive, peer.directive.args[0], f":{port}")
    missing = [text for name in _REPEATED if (text := _usual(peer, name, peers)) is not None]
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
