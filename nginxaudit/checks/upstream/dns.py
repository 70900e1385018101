"""Host names: resolved at every request, by no one, or other ones than meant. Those that are resolved at start: fixed_names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import AUTHORITY, group_place, peer_place, related_peers
from nginxaudit.checks.upstream.fixed_names import LOCAL, RESOLVE_SINCE, kind_of
from nginxaudit.finding import Confidence, Edit, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.filled import is_filled
from nginxaudit.model.passes import Pass, split_authority
from nginxaudit.model.target import PassTarget
from nginxaudit.model.upstream import Upstream
from nginxaudit.model.variables import references
from nginxaudit.nginx import parse_inet4
from nginxaudit.nginx.patterns import compiled
from nginxaudit.suggest import Suggestions, near
from nginxaudit.syntax.tree import Directive, Token

_TWO_ADDRESSES = "localhost usually resolves to both 127.0.0.1 and ::1, which nginx treats as two servers"


def endpoint(each: Pass) -> tuple[str, str, int | None]:
    """What is looked up: family, host and port."""
    return each.family, each.host, each.port


def names_at_run_time(each: Pass) -> set[tuple[str, str, int | None]]:
    """Host names that nginx would have to look up while it serves."""
    if each.target.kind not in ("hostname", "variable"):
        return set()
    return {
        (each.family, target.host, target.port)
        for target in each.targets
        if target.kind == "hostname" and not LOCAL.fullmatch(target.host)
    }


def implicit_upstream_reuse(ctx: CheckContext) -> Iterable[Hit]:
    """A variable pass to a host that a static pass has resolved at start already."""
    static = {
        endpoint(each): each
        for each in ctx.model.passes
        if not each.runtime and each.target_kind == "hostname"
    }
    for each in ctx.model.passes:
        if not each.runtime or each.target_kind != "variable":
            continue  # with variables in the path only no look-up at run time is meant
        for name in sorted(names_at_run_time(each), key=str):
            other = static.get(name)
            if other is not None:
                yield Hit(
                    arg(each.directive, each.directive.args[0]),
                    f"{name[1]} is not resolved at run time: another pass names it, so its addresses at start are used",
                    each.directive,
                    related=(("named here", whole(other.directive)),),
                    help="Use a variable in both places, or an upstream with resolve.",
                )
                break


def variable_target_bypasses_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """A name in a variable: looked up per request, without memory of failures; since 1.27.3 there is a better way."""
    if not ctx.target.since(RESOLVE_SINCE):
        return
    uses: dict[tuple[str, str, int | None], list[Pass]] = {}
    for each in ctx.model.passes:
        if each.runtime and each.complete and ctx.model.effective(each.scope, "resolver"):
            for name in names_at_run_time(each):
                uses.setdefault(name, []).append(each)
    for (_, host, _), passes in uses.items():
        if len(passes) > 1:
            yield Hit(
                arg(passes[0].directive, passes[0].directive.args[0]),
                f"{host} bypasses the upstream features: no failure counters, keepalive, weights or backup",
                passes[0].directive,
                related=tuple(("and here", whole(each.directive)) for each in passes[1:]),
                help="Define an upstream with zone, resolver and resolve (nginx 1.27.3 or newer).",
            )


def localhost_dual_stack(ctx: CheckContext) -> Iterable[Hit]:
    """``localhost`` has two addresses on most machines: two peers for one server."""
    for upstream in ctx.model.all_upstreams:
        peers = [
            peer
            for peer in upstream.peers
            if peer.address and peer.address.host == "localhost" and not peer.resolve
        ]
        if peers:
            yield Hit(
                peer_place(peers[0]),
                _TWO_ADDRESSES,
                peers[0].directive,
                related=related_peers("also here", peers[1:]),
                help="Write 127.0.0.1 or [::1].",
                make_fix=partial(_one_family, [peer.directive for peer in peers]),
            )
    first: dict[tuple[str, int | None], Pass] = {}
    for each in ctx.model.passes:
        if each.target_kind == "hostname" and each.host == "localhost" and not each.runtime:
            first.setdefault((each.family, each.port), each)
    for each in first.values():
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            _TWO_ADDRESSES,
            each.directive,
            help="Write 127.0.0.1 or [::1].",
            make_fix=partial(_one_family, [each.directive]),
        )


def _one_family(lines: list[Directive]) -> Edits:
    """``127.0.0.1`` for ``localhost``: in all servers of an upstream, or in one pass."""
    return tuple(edit for line in lines for edit in _loopback(line))


def _loopback(node: Directive) -> Iterator[Edit]:
    token = node.args[0]
    found = compiled(AUTHORITY).match(edits.written(node, token))
    if found is not None and found["host"].lower() == "localhost":
        start, end = token.start + found.start("host"), token.start + found.end("host")
        yield edits.replaced(node.source, start, end, "127.0.0.1")


def undefined_upstream_value(ctx: CheckContext) -> Iterable[Hit]:
    """A value that a variable target can have and that leads nowhere."""
    groups: dict[str, Suggestions] = {}
    for each in ctx.model.passes:
        if each.target_kind != "variable" or ctx.model.unread_files(each.family):
            continue
        resolver = bool(ctx.model.effective(each.scope, "resolver"))
        if each.family not in groups:
            groups[each.family] = Suggestions(ctx.model.groups(each.family), 0.8)
        if any(
            is_filled(ctx.model, reference.name, each.scope)
            for reference in references(split_authority(each.text)[0])
        ):
            continue
        for candidate in each.candidates:
            problem = _leads_nowhere(each, candidate.text, candidate.target, resolver, groups[each.family])
            if problem:
                yield Hit(
                    arg(each.directive, each.directive.args[0]),
                    f'"{each.text}" can be "{candidate.text}", {problem}',
                    each.directive,
                    help="Correct the value, or define the upstream.",
                    make_fix=partial(_corrected, each, candidate.target.host, ctx.model)
                    if "did you mean" in problem
                    else None,
                )


def _corrected(each: Pass, host: str, model: Model) -> Edits:
    """The one group of a similar name, where the variable gets its value."""
    if not host:
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


def _leads_nowhere(each: Pass, text: str, target: PassTarget, resolver: bool, groups: Suggestions) -> str:
    host = target.host
    if target.kind == "hostname" and "." not in host and host != "localhost":
        near = groups.nearest(host)
        if near:
            return f'which is not an upstream; did you mean "{near}"?'
        return "" if resolver else "which is not an upstream, and there is no resolver: 502"
    if target.kind == "invalid" and text.split("://")[-1] == "":
        return "an empty target: such " + (
            "requests end with 500" if each.family == "http" else "connections are closed"
        )
    return ""


def upstream_shadows_hostname(ctx: CheckContext) -> Iterable[Hit]:
    """A group that is called like a host takes all requests meant for that host."""
    for upstream in ctx.model.all_upstreams:
        name = upstream.key
        if name == "localhost" or _is_address(name):
            yield Hit(
                group_place(upstream),
                f'the upstream is named "{upstream.name}": every pass to that address goes to the upstream instead',
                upstream.directive,
                severity=Severity.WARNING,
                confidence=Confidence.HIGH,
                help="Use a name that is not an address.",
            )
        elif "." in name and kind_of(name) != "private" and _points_elsewhere(upstream):
            yield Hit(
                group_place(upstream),
                f"the upstream has the name of the host {upstream.name}, but other servers",
                upstream.directive,
                related=related_peers("requests go here", upstream.peers[:1]),
                help="Use a name that is not a host name, unless this is intended.",
            )


def _is_address(name: str) -> bool:
    try:
        parse_inet4(name)
    except ValueError:
        return False
    return True


def _points_elsewhere(upstream: Upstream) -> bool:
    """Every server is a name of another registered domain."""
    domain = ".".join(upstream.key.split(".")[-2:])
    hosts = list(_hosts(upstream))
    return (
        bool(hosts) and all(not host.endswith(domain) for host in hosts) and len(hosts) == len(upstream.peers)
    )


def _hosts(upstream: Upstream) -> Iterator[str]:
    for peer in upstream.peers:
        if peer.is_hostname and peer.address:
            yield peer.address.host
