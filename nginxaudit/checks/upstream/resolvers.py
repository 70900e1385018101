"""Host names that nginx would have to look up while it serves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nginxaudit.checks.upstream.dns import endpoint, names_at_run_time
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Hit, arg, listed
from nginxaudit.model import Model
from nginxaudit.model.filled import is_computed
from nginxaudit.model.passes import Pass
from nginxaudit.model.scope import enclosing, family_of
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import MAPPING
from nginxaudit.syntax.tree import Directive

_ADDRESSES = frozenset(
    {"server_addr", "remote_addr", "realip_remote_addr", "proxy_protocol_addr", "proxy_protocol_server_addr"}
)
"""Variables that hold an address, never a name."""


def missing_resolver(ctx: CheckContext) -> Iterable[Hit]:
    """A name that only a resolver can look up at run time, and none in effect."""
    static = {
        endpoint(each) for each in ctx.model.passes if not each.runtime and each.target_kind == "hostname"
    }
    for each in ctx.model.passes:
        if not each.runtime or ctx.model.effective(each.scope, "resolver"):
            continue
        if ctx.model.unread_files(each.family) or ctx.model.variables(each.family).code:
            continue
        names = names_at_run_time(each) - static
        if names:
            yield _no_resolver(each, listed(sorted(host for _, host, _ in names), 2), None)
        elif (
            each.target_kind == "variable"
            and not each.complete
            and not each.candidates
            and _may_be_name(each)
            and _may_be_named(ctx.model, _host_text(each), each.scope)
        ):
            yield _no_resolver(each, f'a host name in "{each.text}"', Confidence.MEDIUM)


def _no_resolver(each: Pass, names: str, confidence: Confidence | None) -> Hit:
    token = each.directive.args[0] if each.directive.args else each.directive.word
    result = "requests get 502" if each.family == "http" else "connections are closed"
    return Hit(
        arg(each.directive, token),
        f"{names} cannot be resolved at run time without a resolver: {result}",
        each.directive,
        severity=Severity.WARNING if confidence else None,
        confidence=confidence,
        help="Set a resolver in http, server or location.",
    )


def _may_be_name(each: Pass) -> bool:
    """Whether the target with variables is one that nginx reads as a host."""
    _, separator, _ = each.text.rpartition("://")
    return bool(separator) or each.text.startswith("$") or each.protocol not in ("proxy", "grpc")


def _host_text(each: Pass) -> str:
    return each.text.rpartition("://")[2]


def _may_be_named(model: Model, text: str, scope: Directive, depth: int = 4) -> bool:
    """Whether the host in ``text`` may be a name: not if it is an address, a socket, or what code makes."""
    host = text.partition("://")[2] or text
    if host.lower().startswith(("[", "unix:")):
        return False
    host = host.partition("/")[0]
    host = host.rpartition(":")[0] or host
    if not host or re.fullmatch(r"[0-9.]+", host) or host.strip("${}") in _ADDRESSES:
        return False
    first = next(iter(references(host)), None)
    if first is None or first.start > 0 or depth == 0:
        return True
    if is_computed(model, first.name, scope):
        return False
    texts = [value + host[first.end :] for value in _written_values(model, first.name, scope)]
    return not texts or any(_may_be_named(model, value, scope, depth - 1) for value in texts)


def _written_values(model: Model, name: str, scope: Directive) -> Iterator[str]:
    """What ``set`` and ``map`` give a variable, as it is written; what other servers set left out."""
    server = enclosing(scope, "server")
    for definition in model.variable_definitions(family_of(scope)).get(name, ()):
        if definition.name == "set" and enclosing(definition, "server") is server:
            yield from map(str, definition.args[1:2])  # a value may be missing
        elif definition.name in MAPPING:
            yield from (str(line.args[0]) for line in definition.children if line.args)
