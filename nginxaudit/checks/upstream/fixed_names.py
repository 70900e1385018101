"""Host names that are looked up once, when nginx starts: those in a text without variables and without ``resolve``.

``ngx_inet_resolve_host`` in src/core/ngx_inet.c asks the system; no ``resolver`` has a part in it, and a name that the
system does not know is a configuration error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from msgspec import Struct

from nginxaudit import edits
from nginxaudit.checks.upstream.common import peer_place, related_peers
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, Place, arg, listed, whole
from nginxaudit.load.upstream_zone import zone_of
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

RESOLVE_SINCE = (1, 27, 3)
_MOVING = (
    "amazonaws.com", "cloudfront.net", "azurewebsites.net", "azure.com", "cloudapp.net", "azurefd.net",
    "googleusercontent.com", "run.app", "appspot.com", "herokuapp.com", "herokudns.com", "fastly.net",
    "akamaiedge.net", "akamai.net", "edgekey.net", "vercel.app", "netlify.app", "onrender.com", "fly.dev",
    "elasticbeanstalk.com", "workers.dev", "pages.dev",
)  # fmt: skip
"""Names below these belong to services whose addresses change all the time."""

_PRIVATE = (
    "internal", "lan", "corp", "local", "home", "intranet", "svc", "consul", "private", "test", "example",
    "invalid", "localdomain", "docker", "nomad",
)  # fmt: skip
LOCAL = re.compile(r"(?:.*\.)?localhost", re.IGNORECASE)
_STAYING = frozenset(
    {
        "host.docker.internal",
        "gateway.docker.internal",
        "kubernetes.docker.internal",
        "host.containers.internal",
    }
)
"""Names of the machine below a container, which stand in the hosts file."""

_PROMISES = r"\b(?:re-?)?resolv|\bdns\b|\bdynamic"
_DENIES = r"\b(?:once|start\w*|reload\w*|static\w*|never|not|no)\b"


def kind_of(host: str) -> str:
    """``moving``, ``public`` or ``private``: how much the addresses of a name can be relied upon."""
    host = host.lower().rstrip(".")
    if any(host == suffix or host.endswith(f".{suffix}") for suffix in _MOVING):
        return "moving"
    private = "." not in host or host.rsplit(".", 1)[-1] in _PRIVATE
    return "private" if private else "public"


def static_dns_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """Servers given by name whose addresses are fixed until the next reload; once per group."""
    for upstream in ctx.model.all_upstreams:
        named = [peer for peer in upstream.peers if _is_fixed(peer)]
        if not named:
            continue
        beside = _beside(ctx.model, upstream)
        promise = _promise(ctx.model, upstream, named)
        by_kind = {kind: [peer for peer in named if kind_of(_host(peer)) == kind] for kind in _ORDER}
        kind = next(kind for kind in _ORDER if by_kind[kind])
        expected = beside.resolver is not None and (not beside.asked or upstream.zone is not None)
        peers = named if expected or promise else by_kind[kind]
        yield Hit(
            peer_place(peers[0]),
            _said([_host(peer) for peer in peers], kind, beside),
            peers[0].directive,
            related=(*related_peers("also here", peers[1:]), *beside.related, *promise),
            severity=Severity.INFO if kind == "private" and not expected and not promise else None,
            confidence=Confidence.HIGH if kind == "moving" or expected else None,
            help=_remedy(ctx, upstream.name),
            make_fix=partial(_resolved, upstream, peers, ctx.model),
        )


def static_dns_proxy_pass(ctx: CheckContext) -> Iterable[Hit]:
    """A pass to a literal host name: looked up once, at start; nginx does not start without DNS."""
    seen: set[tuple[str, str]] = set()
    for each in ctx.model.passes:
        if each.target_kind != "hostname" or each.runtime or _stays(each.host):
            continue
        key = (each.family, each.host)
        if key in seen or ("." not in each.host and ctx.model.unread_files(each.family)):
            continue  # an upstream in another file may be called so
        seen.add(key)
        kind = kind_of(each.host)
        beside = _resolver_at(ctx.model, each.scope)
        expected = beside.resolver is not None and not beside.asked
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            _said([each.host], kind, beside),
            each.directive,
            related=beside.related,
            severity=Severity.INFO if kind == "private" and not expected else None,
            confidence=Confidence.HIGH if kind == "moving" or expected else None,
            help=f"Define an upstream. {_remedy(ctx, '')}",
        )


_ORDER = ("moving", "public", "private")


def _is_fixed(peer: Peer) -> bool:
    if not peer.is_hostname or peer.resolve or peer.service or peer.address is None:
        return False
    return not _stays(peer.address.host)


def _stays(host: str) -> bool:
    return host in _STAYING or LOCAL.fullmatch(host) is not None


def _said(hosts: list[str], kind: str, beside: _Beside) -> str:
    node = beside.resolver
    if node is not None:
        option = next((word for word in node.args if word.startswith("ipv6=") or word == "ipv4=off"), None)
        why = f": {option} of the resolver has no effect" if option else ": the resolver is not used"
    elif kind == "moving":
        why = ", but change often"
    else:
        why = ""
    return f"the addresses of {listed(hosts, 2)} are resolved only when nginx starts{why}"


# -- the resolver beside


class _Beside(Struct, frozen=True):
    """The ``resolver`` in effect where names are fixed; ``asked``: something else asks it."""

    resolver: Directive | None = None
    asked: bool = False

    @property
    def related(self) -> tuple[tuple[str, Place], ...]:
        """The line, for a report."""
        return (("this resolver is not used", whole(self.resolver)),) if self.resolver is not None else ()


def _beside(model: Model, upstream: Upstream) -> _Beside:
    """The resolver of a group, or else of one of those who pass to it."""
    for scope in (upstream.directive, *(each.scope for each in model.passes_to(upstream))):
        found = _resolver_at(model, scope)
        if found.resolver is not None:
            return found
    return _Beside()


def _resolver_at(model: Model, scope: Directive) -> _Beside:
    written = model.effective(scope, "resolver")
    if not written or written[0].args[:1] == ["off"]:
        return _Beside()
    return _Beside(written[0], asked=written[0] in model.once(_asked))


def _asked(model: Model) -> set[Directive]:
    """Resolvers that something asks while nginx serves."""
    if any(model.variables(family).code for family in ("http", "stream")):
        return set(model.config.named("resolver"))
    scopes = [each.scope for each in model.passes if each.runtime and _looks_up(each)]
    scopes += [
        upstream.directive
        for upstream in model.all_upstreams
        if not upstream.complete or any(peer.resolve or peer.service for peer in upstream.peers)
    ]
    for name in ("ssl_stapling", "ssl_ocsp"):
        scopes += [
            node.parent
            for node in model.config.named(name)
            if node.parent is not None and node.args[:1] != ["off"]
        ]
    return {node for scope in scopes for node in _inside(model, scope)}


def _inside(model: Model, scope: Directive) -> Iterator[Directive]:
    """The resolver of a block, and those of the servers in it."""
    yield from model.effective(scope, "resolver")
    if scope.name in ("http", "stream"):
        yield from (node for node in scope.walk() if node.name == "resolver")


def _looks_up(each: Pass) -> bool:
    """Whether a target with variables may be a name of no upstream."""
    return not each.complete or any(target.kind == "hostname" for target in each.targets)


def _promise(model: Model, upstream: Upstream, peers: list[Peer]) -> tuple[tuple[str, Place], ...]:
    """A comment that says that the names are looked up again."""
    comments = model.comments
    nodes = (upstream.directive, *(peer.directive for peer in peers))
    found = [comment for node in nodes for comment in comments.block_above(node)]
    found += [comment for node in nodes if (comment := comments.trailing(node)) is not None]
    for comment in found:
        text = comment.text.lower()
        if compiled(_PROMISES).search(text) and not compiled(_DENIES).search(text):
            return (("the comment says otherwise", Place(comment.source, comment.start, comment.end)),)
    return ()


# -- what to do


def _resolved(upstream: Upstream, peers: list[Peer], model: Model) -> Edits:
    """``resolve``, with a zone, where nginx has it and a resolver is set: which one to ask is not guessed."""
    if not upstream.complete or not model.effective(upstream.directive, "resolver"):
        return None
    if model.target.edition != "plus" and not model.target.since(RESOLVE_SINCE):
        return None
    shared = () if upstream.zone is not None else zone_of(upstream, model)
    if shared is None:
        return None
    return (*shared, *(edits.appended(peer.directive, "resolve") for peer in peers))


def _host(peer: Peer) -> str:
    return peer.address.host if peer.address else peer.text


def _remedy(ctx: CheckContext, group: str) -> str:
    if ctx.target.edition == "plus" or ctx.target.since(RESOLVE_SINCE):
        return f"Add resolve to the server, and zone {group or 'NAME'} 64k; and a resolver to the upstream: nginx refuses one without the others."
    return "Pass to a variable, and set a resolver; or reload nginx when the addresses change."
