"""Reasons why a group without ``backup`` is all right although it looks like active-passive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nginxaudit.model.upstream import WITHOUT_BACKUP
from nginxaudit.model.words import FLOATING, host_words
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.model import Model
    from nginxaudit.model.passes import Pass
    from nginxaudit.model.upstream import Upstream

_FAILURES = frozenset({"500", "502", "503", "504"})
_DNS_PORTS = frozenset({53, 853, 5353})


def suppressors(upstream: Upstream, model: Model) -> Iterator[str]:
    """One sentence per reason."""
    if len(upstream.peers) < 2:
        yield "the group has only one server"
    if upstream.external:
        yield "its servers come from a state file, SRV records or code"
    elif not upstream.complete:
        yield "a file included in the group could not be read"
    elif upstream.zone is not None and _has_write_api(model):
        yield "its servers can be changed through the API"
    if upstream.method in WITHOUT_BACKUP:
        yield f'the balancing method "{upstream.method}" has no backup servers'
    elif upstream.method == "unknown":
        yield "its balancing method is not known"
    if any(not FLOATING.isdisjoint(host_words(peer)) for peer in upstream.peers):
        yield "a virtual address moves between its servers"
    passes = model.passes_to(upstream)
    if _serves_dns(upstream, passes):
        yield "DNS servers all answer, the secondary ones too"
    if any(_selects_group(each) for each in passes):
        yield "a variable selects between this group and others"
    if any(_falls_back(each, upstream, model) for each in passes):
        yield "error_page sends failed requests somewhere else"


def _has_write_api(model: Model) -> bool:
    return any("write=on" in directive.args for directive in model.config.named("api"))


def _serves_dns(upstream: Upstream, passes: tuple[Pass, ...]) -> bool:
    if any(peer.address is not None and peer.address.port in _DNS_PORTS for peer in upstream.peers):
        return True
    listens = (listen for each in passes if each.server for listen in each.server.listens)
    return any(listen.udp and listen.port in _DNS_PORTS for listen in listens)


def _selects_group(each: Pass) -> bool:
    return each.target_kind == "variable" and len(each.upstreams) > 1


def _falls_back(each: Pass, upstream: Upstream, model: Model) -> bool:
    """Whether an error page for a dead group leads to a location that passes to someone else."""
    if each.server is None or each.family != "http":
        return False
    for page in model.effective(each.scope, "error_page"):
        block = _handler(page, each, model)
        if block is not None and any(other.upstreams != (upstream,) for other in model.passes_in(block)):
            return True
    return False


def _handler(page: Directive, each: Pass, model: Model) -> Directive | None:
    """Block of the location that an ``error_page`` for failures of the group leads to."""
    if each.server is None or len(page.args) < 2 or _FAILURES.isdisjoint(page.args[:-1]):
        return None
    target = page.args[-1]
    if target.startswith("@"):
        location = each.server.named_locations.get(target)
    elif target.startswith("/") and "$" not in target:
        location = each.server.match(target.partition("?")[0]).location
    else:
        location = None
    return location.directive if location else None
