"""Reads out of a configuration what can be drilled: every group with everybody who passes requests to it.

What the text does not decide is not guessed: such a subject has a reason instead of a group. A host name
counts as one server, because only DNS knows how many addresses it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nginxaudit.drill.reading_checks import checks_of
from nginxaudit.drill.reading_sessions import queue_of, slow_starts_of, sticky_of
from nginxaudit.drill.reading_uses import label_of, unknown_of, use_of
from nginxaudit.drill.spec import (
    DOWN_NOT_TRIED,
    LEAST_TIME_SINCE,
    MORE_REQUESTS,
    ServerSpec,
    Subject,
    UpstreamSpec,
)
from nginxaudit.nginx import format_version, parse_time_ms
from nginxaudit.nginx.since import KEEPALIVE_BY_DEFAULT

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.peer import Peer
    from nginxaudit.model.upstream import Upstream

AUTO_WORKERS = 4
"""Workers that are taken where the text does not say how many: ``auto`` depends on the machine, and most have several."""

MOST_ON_RING = 10_000
"""Weights of a group with ``hash … consistent``, all together: nginx and we have 160 points in memory for each."""

_BY_OPTION = "(--workers)"
_DEFAULT_POOL = 32
_DEFAULT_IDLE = 60_000


def subjects(model: Model) -> tuple[Subject, ...]:
    """Every use of every group of http and stream, in reading order; with a reason where it cannot be drilled.

    Passes to addresses without an ``upstream`` block are left out: their only server is asked whatever happens.
    """
    return tuple(subject for upstream in model.all_upstreams for subject in _subjects(upstream, model))


def _subjects(upstream: Upstream, model: Model) -> Iterator[Subject]:
    block = upstream.directive
    why_not = why_not_of(upstream, model)
    group = None if why_not else group_of(upstream, model)
    passes = model.passes_to(upstream)
    if not passes:
        line = block.source.position(block.start)[0]
        reason = why_not or "nothing that was read passes requests to it"
        yield Subject(upstream.name, "", block.source.path, line, why_not=reason)
    for each in passes:
        source = each.directive.source
        line = source.position(each.directive.start)[0]
        unknown = why_not or unknown_of(each, model)
        use = None if unknown else use_of(each, model)
        known = group if use is not None else None
        yield Subject(upstream.name, label_of(each), source.path, line, known, use, unknown)


def why_not_of(upstream: Upstream, model: Model) -> str | None:
    """Why nobody can say what a group does; None when it is known."""
    if upstream.external:
        return "its servers come from somewhere else (a state file, SRV records or code)"
    if not upstream.complete:
        return "a part of it could not be read or is filled in by something else"
    if not upstream.primaries:
        return "it has no server that is not a backup: nginx refuses it"
    refused = next((peer for peer in upstream.peers if peer.invalid or peer.address is None), None)
    if refused is not None:
        return f"nginx refuses its server {refused.text}"
    if not upstream.live_primaries and not upstream.live_backups:
        return "all its servers are down"
    return _method_unknown(upstream, model)


def _method_unknown(upstream: Upstream, model: Model) -> str | None:
    node = upstream.method_directive
    if upstream.method == "unknown" and node is not None:
        return f'what its method "{node.name}" does is not known'
    old = model.target.edition == "oss" and not model.target.since(LEAST_TIME_SINCE)
    if upstream.method == "least_time" and old:
        where = f"before nginx {format_version(LEAST_TIME_SINCE)}"
        return f"least_time does not exist {where if model.target.is_range else f'in {model.target.label}'}"
    if upstream.method == "hash" and (node is None or not node.args or not node.args[0]):
        return "its hash has no key"
    if _method(upstream) == "consistent" and sum(peer.weight for peer in upstream.peers) > MOST_ON_RING:
        return f"its weights add up to more than {MOST_ON_RING:,}: the ring of hash consistent gets too large"
    return None


def group_of(upstream: Upstream, model: Model) -> UpstreamSpec:
    """The group as the simulator sees it; only for one without `why_not_of`."""
    block, target = upstream.directive, model.target
    target.since(DOWN_NOT_TRIED)  # asked by the simulator, which has the version only
    workers, on_workers = workers_of(model)
    node, method = upstream.method_directive, _method(upstream)
    checks, on_checks = checks_of(upstream, model, method)
    sticky, on_sticky = sticky_of(upstream)
    queue, on_queue = queue_of(upstream)
    slow = slow_starts_of(upstream, method)
    return UpstreamSpec(
        name=upstream.name,
        servers=tuple(map(_server, upstream.peers, slow)),
        family=upstream.family,
        method=method,
        key=str(node.args[0]) if node is not None and upstream.method == "hash" else "$remote_addr",
        zone=upstream.zone is not None,
        keepalive=_pool(upstream, model),
        keepalive_requests=_number(
            upstream, "keepalive_requests", 1000 if target.since(MORE_REQUESTS) else 100
        ),
        keepalive_timeout=_idle(upstream),
        version=target.example,
        workers=workers,
        checks=checks,
        sticky=sticky,
        queue=queue,
        file=block.source.path,
        line=block.source.position(block.start)[0],
        notes=(
            *filter(None, [on_workers]),
            *_notes(upstream),
            *on_checks,
            *on_sticky,
            *on_queue,
            *_on_slow_start(slow, model),
        ),
    )


def _server(peer: Peer, slow_start: int) -> ServerSpec:
    address = peer.address
    return ServerSpec(
        name=peer.normal_address,
        host=address.host if address is not None else "",
        weight=peer.weight,
        max_fails=peer.max_fails,
        fail_timeout_s=peer.fail_timeout,
        max_conns=peer.max_conns,
        backup=peer.backup,
        down=not peer.is_live,
        slow_start=slow_start,
        text=peer.text,
    )


def _method(upstream: Upstream) -> str:
    node = upstream.method_directive
    words = [str(word) for word in node.args] if node is not None else []
    if upstream.method == "hash" and "consistent" in words[1:]:
        return "consistent"
    if upstream.method == "random" and words[:1] == ["two"]:
        return "random_two"
    return upstream.method


def _pool(upstream: Upstream, model: Model) -> int:
    """Idle connections that are kept: 32 by default since 1.29.7."""
    if upstream.family != "http":
        return 0
    default = _DEFAULT_POOL if model.target.since(KEEPALIVE_BY_DEFAULT) else 0
    return _number(upstream, "keepalive", default)


def _number(upstream: Upstream, name: str, default: int) -> int:
    node = upstream.directive.first(name)
    text = str(node.args[0]) if node is not None and node.args else ""
    return int(text) if text.isascii() and text.isdigit() else default


def _idle(upstream: Upstream) -> int:
    node = upstream.directive.first("keepalive_timeout")
    try:
        return parse_time_ms(node.args[0]) if node is not None and node.args else _DEFAULT_IDLE
    except ValueError:
        return _DEFAULT_IDLE


def workers_of(model: Model) -> tuple[int, str]:
    """``worker_processes``, and why `AUTO_WORKERS` stands for it where the text does not say a number."""
    node = next(iter(model.config.named("worker_processes")), None)
    if node is not None:
        text = str(node.args[0]) if node.args else ""
        if text.isascii() and text.isdigit():
            return max(1, int(text)), ""
        why = (
            "worker_processes auto is what the machine decides"
            if text == "auto"
            else "worker_processes cannot be known"
        )
    elif model.config.fragment:
        why = "nginx.conf is not there"
    elif model.unknown_inside(model.config.top, direct=True):
        why = "worker_processes may stand in a file that could not be read"
    else:
        return 1, ""
    return AUTO_WORKERS, f"{why}: {AUTO_WORKERS} workers are taken {_BY_OPTION}"


def with_workers(subject: Subject, workers: int | None) -> Subject:
    """``subject`` with as many workers as somebody says it has; None takes the configuration's."""
    group = subject.group
    if workers is None or group is None:
        return subject
    notes = tuple(note for note in group.notes if not note.endswith(_BY_OPTION))
    return replace(subject, group=replace(group, workers=workers, notes=notes))


def _notes(upstream: Upstream) -> Iterator[str]:
    names = [peer.text for peer in upstream.peers if peer.is_hostname]
    if names:
        yield f"{', '.join(names)}: a host name is taken for one server, however many addresses it has"


def _on_slow_start(slow: Iterable[int], model: Model) -> Iterator[str]:
    if any(slow) and model.target.edition != "angie":
        yield "slow_start is simulated as NGINX Plus documents it; it was compared with Angie, not with a running NGINX Plus"
