"""Parameters of the servers of a group: those nginx refuses, and those the target does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, partial

from msgspec.structs import replace

from nginxaudit import edits
from nginxaudit.checks.upstream.ports import has_url
from nginxaudit.finding import Applicability, Fix
from nginxaudit.hit import CheckContext, Edits, Hit, arg, whole
from nginxaudit.model.peer import Peer
from nginxaudit.nginx import (
    Availability,
    Nginx,
    ParameterFact,
    Target,
    directives,
    facts_for,
    parameters,
    parameters_of,
)
from nginxaudit.nginx.names import BALANCED, PROTOCOLS
from nginxaudit.syntax.tree import Directive, Token

_SURE = 0.8  # of difflib: from here on a misspelt parameter can only mean one thing
_THIRD_PARTY = ("id", "srun_id", "slow_time", "srun")  # Tengine, upstream_jvm_route
NEXT_UPSTREAM = tuple(f"{protocol}_next_upstream" for protocol in PROTOCOLS)
JUDGED = ("server", "random", "zone", "sticky", "hash", "least_time", "keepalive", "queue", *NEXT_UPSTREAM)


def invalid_server_parameter(ctx: CheckContext) -> Iterable[Hit]:
    """What nginx refuses in a ``server`` line, with the reason."""
    for upstream in ctx.model.all_upstreams:
        for peer in upstream.peers:
            if peer.invalid:
                yield from _refused(peer, upstream.family, ctx.target)


def zero_weight(ctx: CheckContext) -> Iterable[Hit]:
    """``weight=0``, which other balancers take for "no traffic"."""
    for upstream in ctx.model.all_upstreams:
        for peer in upstream.peers:
            for token, _ in peer.invalid:
                if _is_zero_weight(token):
                    yield Hit(
                        arg(peer.directive, token),
                        f'invalid parameter "{token}": it does not remove the server',
                        peer.directive,
                        help='Write "down" to remove the server from load balancing.',
                    )


def _refused(peer: Peer, family: str, target: Nginx) -> Iterator[Hit]:
    words = {token: number for number, (token, _) in enumerate(peer.invalid)}
    blanks = [token for token in words if token == "=" or token.endswith("=") or token.startswith("=")]
    if blanks:
        yield Hit(
            whole(peer.directive),
            f'spaces around "=" in the parameters of {peer.text}: nginx reads separate parameters',
            peer.directive,
            help="Write name=value without spaces.",
            make_fix=partial(_joined, peer, family),
        )
        return
    for token, reason in peer.invalid:
        if (
            _is_zero_weight(token)
            or "filled in" in reason
            or (has_url(peer) and token is peer.directive.args[0])
        ):
            continue  # told by zero-weight, unrendered-template, upstream-server-has-scheme
        if token.partition("=")[0] in _THIRD_PARTY and _has_foreign(peer):
            continue
        near = _nearest(token, family)
        yield Hit(
            arg(peer.directive, token) if token else whole(peer.directive),
            reason,
            peer.directive,
            help=f'Did you mean "{near}"?' if near else "",
            make_fix=partial(_corrected, peer, token, family, target),
        )


def _joined(peer: Peer, family: str) -> Fix | None:
    """``name = value`` as one word, for parameters that nginx has: as it is, nginx does not load it."""
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
    return Fix('Delete the spaces around "="', Applicability.SAFE, (edit,))


def _corrected(peer: Peer, token: Token, family: str, target: Nginx) -> Fix | None:
    """The one parameter that is spelt almost like it: what was meant is a guess."""
    name, equals, value = token.partition("=")
    known = [
        fact.name
        for fact in parameters_of("server", family, target)
        if fact.name and fact.available(target) is Availability.YES and (fact.kind != "flag") == bool(equals)
    ]
    from difflib import get_close_matches

    found = get_close_matches(name.lower().replace("-", "_"), known, n=2, cutoff=_SURE)
    if name in known or len(found) != 1 or found[0] in peer.explicit or token is peer.directive.args[0]:
        return None
    edit = edits.exchanged(peer.directive, token, f"{found[0]}{equals}{value}")
    return Fix(f"Write {found[0]}", Applicability.UNSAFE, (edit,))


def _has_foreign(peer: Peer) -> bool:
    """Whether the group uses directives of a third-party module, which may add parameters too."""
    group = peer.directive.parent
    return group is not None and any(
        not directives(line.name) or directives(line.name)[0].third_party for line in group.children
    )


def _is_zero_weight(token: Token) -> bool:
    name, _, value = token.partition("=")
    return name == "weight" and value.isdigit() and int(value) == 0


def _nearest(token: Token, family: str) -> str | None:
    from difflib import get_close_matches

    name, equals, value = token.partition("=")
    known = [fact.name for fact in parameters("server", family) if fact.name]
    if name in known:
        return None
    found = get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.7)
    return f"{found[0]}{equals}{value}" if found else None


def plus_only_upstream_feature(ctx: CheckContext) -> Iterable[Hit]:
    """Parameters of groups that only NGINX Plus has."""
    for node, token, fact in lacking(ctx, JUDGED, Availability.PLUS_ONLY):
        yield Hit(
            arg(node, token),
            f'the parameter "{fact.name}" of "{node.name}" exists in NGINX Plus only; '
            "open source nginx refuses to start",
            node,
            help="Delete it, or set --edition plus if the target is NGINX Plus.",
            make_fix=partial(_without, node, token),
            cause=ctx.rule,
        )


def _without(node: Directive, token: Token) -> Edits:
    """The parameter taken out, and the directive with its only one."""
    return edits.deletion(node) if len(node.args) == 1 else (edits.without(node, token),)


def lacking(
    ctx: CheckContext, names: Iterable[str], why: Availability
) -> Iterator[tuple[Directive, Token, ParameterFact]]:
    """Parameters that are written and that the target lacks for the reason ``why``."""
    for name in names:
        words = _sometimes_absent(name, ctx.target.target)
        written = [(node, tokens) for node in ctx.model.config.named(name) if (tokens := _in(words, node))]
        if not written:
            continue
        lacking = cache(partial(_absent, name, ctx.target, why))
        for node, tokens in written:
            family = ctx.model.family_of(node)
            for token in tokens:
                fact = lacking(family, token.partition("=")[0])
                if (
                    fact is not None
                    and is_written(fact, token)
                    and not _goes_with(node, fact, ctx.target, why)
                ):
                    yield node, token, fact


def _goes_with(node: Directive, fact: ParameterFact, target: Nginx, why: Availability) -> bool:
    """Whether the target lacks the directive itself for the same reason: a report of that is enough."""
    whole = facts_for(node.name, node.context)
    return bool(whole) and all(each.available(target) is why and each.since == fact.since for each in whole)


def _in(words: frozenset[str], node: Directive) -> list[Token]:
    if not words or node.is_block:
        return []
    return [token for token in node.args if token.partition("=")[0] in words]


@cache
def _sometimes_absent(name: str, target: Target) -> frozenset[str]:
    """Parameters that not every version of the target has: only where one is written the version matters."""
    ends = [replace(target, version=version, oldest=None) for version in (target.first, target.version)]
    return frozenset(
        fact.name
        for family in BALANCED
        for fact in parameters_of(name, family, target)
        if fact.name and any(fact.available(end) is not Availability.YES for end in ends)
    )


def _absent(name: str, target: Nginx, why: Availability, family: str, word: str) -> ParameterFact | None:
    """The parameter ``word`` if the target lacks it, wherever in the family the directive stands."""
    facts = [fact for fact in parameters_of(name, family, target) if fact.name == word]
    if any(fact.available(target) is Availability.YES for fact in facts):
        return None
    return next((fact for fact in facts if fact.available(target) is why), None)


def is_written(fact: ParameterFact, token: Token) -> bool:
    """Whether the word is the parameter itself, not a value that happens to look like it."""
    return token == fact.name if fact.kind == "flag" else token.startswith(f"{fact.name}=")
