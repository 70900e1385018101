"""Who passes requests to whom: every ``…_pass`` directive with the targets it can have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.scope import family_of, is_directive
from nginxaudit.model.target import PassTarget, has_variables, parse_target
from nginxaudit.model.variables import Values, references
from nginxaudit.nginx.names import BALANCED, PASS_DIRECTIVES
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.location import Location
    from nginxaudit.model.model import Model
    from nginxaudit.model.server import Server
    from nginxaudit.model.upstream import Upstream

_TUNNEL_DEFAULT = "$host:$request_port"  # ``tunnel_pass`` without an argument
_STARTS_PATH = frozenset({"request_uri", "uri", "document_uri", "is_args"})
"""Variables that begin with ``/`` or ``?``: where one stands, the host has ended."""

_AUTHORITY = r"^((?:[A-Za-z$][A-Za-z0-9+.${}_-]*)?://)?([^/?]*)"


class Candidate(Struct, frozen=True):
    """One value that the variable target of a pass can have, and the group it names."""

    text: str
    upstream: Upstream | None
    target: PassTarget


class Pass(Struct, frozen=True):
    """One pass directive.

    ``scope`` is the block it stands in, ``location`` the nearest location around it. ``protocol``
    is proxy, fastcgi, uwsgi, scgi, grpc, memcached, tunnel or stream. ``runtime`` says that the
    argument contains variables, so that nginx decides at every request (and needs a resolver for
    names). ``target`` is what the text says, with kind ``variable`` when host or port are not
    constant; then ``candidates`` are the values known, and ``complete`` says that there are no others.
    """

    directive: Directive
    scope: Directive
    server: Server | None
    location: Location | None
    family: str
    protocol: str
    text: str
    target: PassTarget
    candidates: tuple[Candidate, ...] = ()
    complete: bool = True
    runtime: bool = False

    @property
    def target_kind(self) -> str:
        """``upstream``, ``address``, ``hostname``, ``unix``, ``variable`` or ``invalid``."""
        return self.target.kind

    @property
    def upstream(self) -> Upstream | None:
        """The group it names, without following variables in the host."""
        return self.target.upstream

    @property
    def scheme(self) -> str:
        """Lower-case scheme; empty without one or when it is variable."""
        return self.target.scheme

    @property
    def host(self) -> str:
        """Host in its normal spelling; empty when variable."""
        return self.target.host

    @property
    def port(self) -> int | None:
        """Port, the default one filled in."""
        return self.target.port

    @property
    def path(self) -> str | None:
        """URI part as written, None without one."""
        return self.target.path

    @property
    def targets(self) -> tuple[PassTarget, ...]:
        """All targets known: the one written, or the candidates."""
        if self.target.kind == "variable":
            return tuple(candidate.target for candidate in self.candidates)
        return (self.target,)

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """All groups it is known to reach, each once."""
        if self.target.kind != "variable":
            return (self.target.upstream,) if self.target.upstream else ()
        return tuple(dict.fromkeys(each.upstream for each in self.candidates if each.upstream))


def find_passes(model: Model) -> Iterator[Pass]:
    """Every pass directive of http and stream, by directive name and then in reading order."""
    for name in PASS_DIRECTIVES:
        for directive in model.config.named(name):
            family = family_of(directive)
            if directive.parent is None or not is_directive(directive) or family not in BALANCED:
                continue
            if family == "stream" and name != "proxy_pass":
                continue
            if directive.args or name == "tunnel_pass":
                yield _pass(model, directive, directive.parent, family)


def _pass(model: Model, directive: Directive, scope: Directive, family: str) -> Pass:
    protocol = "stream" if family == "stream" else directive.name.removesuffix("_pass")
    text = str(directive.args[0]) if directive.args else _TUNNEL_DEFAULT
    groups = model.groups(family)
    runtime = has_variables(text) and protocol != "memcached"  # it takes its target literally
    candidates: tuple[Candidate, ...] = ()
    complete = True
    if runtime:
        target, candidates, complete = _variable(model, protocol, text, scope, family)
    else:
        target = parse_target(protocol, text, groups)
        if target.upstream is None and model.is_filled_in(directive):
            target, complete = PassTarget(text, "variable"), False
    return Pass(
        directive=directive,
        scope=scope,
        server=model.server_of(directive),
        location=model.location_of(directive),
        family=family,
        protocol=protocol,
        text=text,
        target=target,
        candidates=candidates,
        complete=complete,
        runtime=runtime,
    )


def _variable(
    model: Model, protocol: str, text: str, scope: Directive, family: str
) -> tuple[PassTarget, tuple[Candidate, ...], bool]:
    """Target, candidates and completeness of a text with variables."""
    groups = model.groups(family)
    head, path = split_authority(text)
    # A constant head without a scheme, as in "http:/$uri", is completed by the variable behind it.
    if protocol == "proxy" and not has_variables(head) and "://" not in head:
        head, path = text, None
    if not has_variables(head):
        target = parse_target(protocol, head, groups, runtime=True)
        return _with_path(target, text, path), (), True
    values = model.possible_values(head, scope, family)
    candidates = tuple(_candidates(protocol, values, groups, path))
    return PassTarget(text, "variable", path=path), candidates, values.complete


def _with_path(target: PassTarget, text: str, path: str | None) -> PassTarget:
    return PassTarget(
        text, target.kind, target.scheme, target.host, target.port, target.explicit_port, path,
        target.upstream, target.address, target.reason,
    )  # fmt: skip


def _candidates(
    protocol: str, values: Values, groups: Mapping[str, Upstream], path: str | None
) -> Iterable[Candidate]:
    for text in sorted(values.constants):
        target = parse_target(protocol, text, groups, runtime=True)
        if path is not None and target.kind != "invalid":
            target = _with_path(target, target.text, (target.path or "") + path)
        yield Candidate(text, target.upstream, target)


@lru_cache(maxsize=512)
def split_authority(text: str) -> tuple[str, str | None]:
    """Scheme and host of a text with variables, and what follows (None if nothing does).

    A variable such as ``$request_uri`` begins the URI even without a slash before it.
    """
    if "unix:" in text:
        return text, None
    found = compiled(_AUTHORITY).match(text)
    end = found.end() if found else len(text)
    for reference in references(text):
        if reference.start < end and reference.name in _STARTS_PATH:
            end = reference.start
            break
    return text[:end], text[end:] or None
