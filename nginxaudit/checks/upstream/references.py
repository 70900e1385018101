"""Names of groups: used without being defined, defined without being used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import AUTHORITY, group_place
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, whole
from nginxaudit.model.passes import Pass
from nginxaudit.model.scope import family_of
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.names import BALANCED
from nginxaudit.nginx.patterns import compiled
from nginxaudit.suggest import Suggestions

_NEEDS_PORT = frozenset({"grpc", "tunnel", "fastcgi", "uwsgi", "scgi", "memcached", "stream"})
_DNS_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_ALWAYS_THERE = frozenset({"localhost"})


def undefined_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """A pass to a single-label name that is no group of its family."""
    names: dict[str, _Names] = {}
    for each in ctx.model.passes:
        if each.target_kind != "hostname" or "." in each.host or each.host in _ALWAYS_THERE:
            continue
        if ctx.model.is_part(each.family) or each.runtime:
            continue  # the group may be defined elsewhere; a variable target is resolved at run time
        if each.family not in names:
            names[each.family] = _Names(ctx.model.groups(each.family))
        hit = _judge(ctx, each, names[each.family])
        if hit is not None:
            yield hit


def _judge(ctx: CheckContext, each: Pass, names: _Names) -> Hit | None:
    groups = ctx.model.groups(each.family)
    other = "stream" if each.family == "http" else "http"
    near = names.nearest(each.host)
    unread = bool(ctx.model.config.incomplete_includes)
    hint = f'; did you mean "{groups[near].name}"?' if near else ""
    token = each.directive.args[0]
    place = arg(each.directive, token)
    related = (("defined here", group_place(groups[near])),) if near else ()
    make_fix = partial(_named, each, groups[near]) if near else None
    if each.host in ctx.model.groups(other):
        return None  # told by upstream-in-other-module
    if each.protocol in _NEEDS_PORT and not each.target.explicit_port:
        return Hit(
            place,
            f'there is no upstream "{each.host}", and a host name needs a port here: nginx refuses to start{hint}',
            each.directive,
            related=related,
            severity=Severity.ERROR,
            confidence=Confidence.LOW if unread else Confidence.HIGH,
            rejected=not unread,
            make_fix=make_fix,
        )
    surely_a_group = compiled(_DNS_LABEL, re.IGNORECASE).fullmatch(each.host) is None
    if not near and not surely_a_group:
        if each.target.explicit_port:
            return None  # name:port is how containers are addressed
        return Hit(
            place,
            f'there is no upstream "{each.host}": nginx resolves it as a host name at start',
            each.directive,
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            help="Define the upstream; a Docker or Kubernetes service name that resolves is fine.",
        )
    return Hit(
        place,
        f'there is no upstream "{each.host}": nginx resolves it as a host name at start{hint}',
        each.directive,
        related=related,
        confidence=Confidence.LOW if unread else None,
        make_fix=make_fix,
    )


def _named(each: Pass, meant: Upstream) -> Edits:
    """The name of the group that was probably meant; a port beside the name speaks for a host."""
    found = compiled(AUTHORITY).match(edits.written(each.directive, each.directive.args[0]))
    if each.target.explicit_port or found is None:
        return None
    token = each.directive.args[0]
    start, end = token.start + found.start("host"), token.start + found.end("host")
    return (edits.replaced(each.directive.source, start, end, meant.name),)


def upstream_in_other_module(ctx: CheckContext) -> Iterable[Hit]:
    """A pass to a name that is a group of the other family: groups of http and of stream do not mix."""
    for each in ctx.model.passes:
        if each.target_kind != "hostname" or each.runtime or ctx.model.is_part(each.family):
            continue
        other = "stream" if each.family == "http" else "http"
        group = ctx.model.groups(other).get(each.host)
        if group is None:
            continue
        refused = each.protocol in _NEEDS_PORT and not each.target.explicit_port
        result = "nginx refuses to start" if refused else "nginx resolves the name as a host name"
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            f'"{each.host}" is an upstream in {other}, not in {each.family}: {result}',
            each.directive,
            related=((f"the upstream in {other}", group_place(group)),),
            rejected=refused and not ctx.model.config.incomplete_includes,
            help=f"Define an upstream of this name in {each.family} as well.",
        )


class _Names:
    """The groups of a family, to find the one that a name is meant to be."""

    def __init__(self, known: Iterable[str]) -> None:
        self._folded = {_folded(each): each for each in known}
        self._suggestions = Suggestions(known, 0.8)

    def nearest(self, name: str) -> str | None:
        """The group that is called like ``name``, or nearly so."""
        return self._folded.get(_folded(name)) or self._suggestions.nearest(name)


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").rstrip("s")


def unused_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """A group that no pass directive of its family can reach."""
    if not ctx.model.config.is_whole:
        return
    # What these include, and which upstreams it uses, is not in this copy.
    barren = {family_of(node) for node in ctx.model.config.barren_includes}
    later = ctx.model.takes_more_files
    for family in BALANCED:
        if ctx.model.may_reach_any_upstream(family) or family in barren:
            continue
        mentioned = {*_mentioned(ctx, family), *_meant(ctx, family)}
        for upstream in ctx.model.upstreams(family):
            if not ctx.model.passes_to(upstream) and upstream.key not in mentioned:
                yield Hit(
                    whole(upstream.directive),
                    f'no pass directive uses the upstream "{upstream.name}"',
                    upstream.directive,
                    make_fix=partial(edits.deletion, upstream.directive) if not later else None,
                )


def _meant(ctx: CheckContext, family: str) -> Iterator[str]:
    """Upstreams that passes mean and spell otherwise: the misspelt name is the finding, and nothing is to be deleted."""
    groups = ctx.model.groups(family)
    names = _Names(groups)
    for each in ctx.model.passes:
        if each.family == family:
            targets = (each.target, *(candidate.target for candidate in each.candidates))
            for host in {target.host for target in targets if target.kind == "hostname"}:
                if host not in groups and (near := names.nearest(host)):
                    yield near


def _mentioned(ctx: CheckContext, family: str) -> Iterator[str]:
    """Names that directives of other modules use groups by."""
    for name in ("api", "zone_sync_server", "health_check"):
        for node in ctx.model.config.named(name):
            yield from (argument.lower() for argument in node.args)
    if family == "http":
        for name in ("auth_http", "js_fetch_proxy", "otel_exporter", "memcached_pass"):
            for node in ctx.model.config.named(name):
                yield from (argument.lower() for argument in node.args)
