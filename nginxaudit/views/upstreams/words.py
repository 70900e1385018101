"""What an upstream does, in words: how servers are chosen, what counts as a failure, what is tried again, how long a hung server holds a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.probes import probes_of
from nginxaudit.model.retries import Retry, directive_of
from nginxaudit.model.topology import ACTIVE_PASSIVE, Topology, TopologyKind
from nginxaudit.model.upstream import METHODS

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.peer import Peer
    from nginxaudit.model.upstream import Upstream

_ALWAYS = {"http": "a failed connection, a timeout or an invalid answer", "stream": "a failed connection"}
_NO_FAILURES = frozenset({"http_403", "http_404"})  # tried again, but never counted
_DEFAULT_MS = {"read_timeout": 60_000, "timeout": 600_000}
_LUA = "the Lua code decides"


def kind_of(topology: Topology) -> str:
    """What the upstream is; several primaries in front of backups are counted."""
    if topology.kind is TopologyKind.ACTIVE_PASSIVE and topology.primaries > 1:
        return f"{topology.primaries} primaries, {_count(topology.backups, 'backup')}"
    return topology.kind.value


def intent_of(upstream: Upstream, model: Model) -> str:
    """What it is meant to be, and why."""
    intent = model.intent(upstream)
    if intent.kind is None:
        return f"not declared; {intent.evidence[0].text}" if intent.evidence else "not declared"
    reasons = "; ".join(evidence.text for evidence in intent.evidence[:2])
    topology = model.topology(upstream)
    shown = kind_of(topology) if intent.kind == ACTIVE_PASSIVE and not topology.declared else intent.kind
    shown = shown if topology.kind is TopologyKind.ACTIVE_PASSIVE else intent.kind
    return f"{shown}: {reasons}" if reasons else shown


def method_of(upstream: Upstream) -> str:
    """How servers are chosen. An unknown directive is not a method."""
    node = upstream.method_directive
    if node is None:
        chosen = "round robin"
    elif upstream.by_lua:
        chosen = "chosen by Lua" + (f" ({node.args[0]})" if node.name.endswith("_file") and node.args else "")
    else:
        chosen = " ".join([str(node.name), *map(str, node.args)])
        chosen += "" if node.name in METHODS else " (third-party module)"
    sticky = upstream.sticky
    return chosen if sticky is None else f"{chosen}, {' '.join(['sticky', *map(str, sticky.args)])}"


def checks_of(upstream: Upstream, model: Model) -> str:
    """Who probes the servers, how often, and what results do; empty where there are no probes."""
    probes = probes_of(upstream, model)
    if probes is None:
        known = model.topology(upstream).health_checks
        return "active health checks of another module" if known else ""
    first = ", no requests before the first good one" if probes.starts_down else ""
    name = probes.directive.name
    return (
        f"{name}: a probe every {_seconds(probes.interval)}; {_count(probes.fails, 'failure')} in a row: unavailable; "
        f"{_count(probes.passes, 'success')}: used again{first}"
    )


def failures_of(upstream: Upstream, retries: Sequence[Retry]) -> str:
    """What counts as a failure, and what a failure does."""
    if upstream.by_lua:
        return f"{_LUA}: nginx counts none for servers that balancer_by_lua sets"
    if not upstream.peers:
        return "unknown: the servers are not in this text"
    if upstream.is_single_peer:
        return "none: the only server gets every request"
    words = {word for retry in retries for word in retry.conditions if word.startswith("http_")}
    counted = _ALWAYS[upstream.family]
    if words - _NO_FAILURES:
        counted += f", or an answer {_codes(words - _NO_FAILURES)}"
    never = f"; {_codes(words & _NO_FAILURES)} never" if words & _NO_FAILURES else ""
    rules = dict.fromkeys(_rule(peer) for peer in upstream.peers if peer.is_live)
    doubt = (
        " (if its name has several addresses)"
        if upstream.is_single_peer is None and len(upstream.peers) == 1
        else ""
    )
    return f"{counted} counts{never}; {'; '.join(rules)}{doubt}" if rules else "no live server"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(sorted(word[5:] for word in words))


def _rule(peer: Peer) -> str:
    if peer.max_fails == 0:
        return "max_fails=0: never unavailable"
    failures = "one failure" if peer.max_fails == 1 else f"{peer.max_fails} failures"
    return f"{failures} within {peer.fail_timeout}s: unavailable for {peer.fail_timeout}s"


def state_of(upstream: Upstream) -> str:
    """Which workers know of a failure."""
    if upstream.zone is not None:
        return f"shared by all workers (zone {' '.join(upstream.zone.args)})"
    return "each worker counts separately (no zone)"


def retries_of(upstream: Upstream, retries: Iterable[Retry]) -> tuple[str, ...]:
    """What is tried again, each way once."""
    return tuple(dict.fromkeys(_retry(retry, upstream) for retry in retries))


def _retry(retry: Retry, upstream: Upstream) -> str:
    if upstream.by_lua:
        return f"{_LUA} (set_more_tries)"
    if upstream.is_single_peer:
        return "none: there is no other server"
    if retry.off:
        return "none: switched off"
    when = ", ".join(sorted(retry.conditions - {"non_idempotent"}))
    tries = f"at most {_count(retry.tries, 'server')}" if retry.tries else "every server once"
    limit = f" within {_seconds(retry.budget)}" if retry.budget else ""
    writes = " POST too." if "non_idempotent" in retry.conditions and retry.each.protocol != "grpc" else ""
    return f"after {when}: {tries}{limit}; connecting takes up to {_seconds(retry.connect)}.{writes}"


# -- servers that accept connections and never answer


class _Wait(Struct, frozen=True):
    """How long nginx waits for an answer, and which directive says so."""

    ms: int
    words: str


def hangs_of(upstream: Upstream, retries: Iterable[Retry], model: Model) -> tuple[str, ...]:
    """What a request meets at a server that accepts connections and never answers, each way once."""
    if upstream.by_lua:
        return ()
    return tuple(dict.fromkeys(line for retry in retries for line in _hang(retry, upstream, model)))


def _hang(retry: Retry, upstream: Upstream, model: Model) -> Iterator[str]:
    """``ngx_http_upstream_next``: a failure counts, and the limits are looked at, when the timeout is over."""
    each = retry.each
    wait = _wait(retry, model, "timeout" if each.family == "stream" else "read_timeout")
    if wait is None:
        return
    if each.family == "stream":
        if each.server is None or not any(listen.udp for listen in each.server.listens):
            yield f"a session ends after {wait.words}: no other server is tried, and it does not count as a failure"
        return
    counted = not upstream.is_single_peer and any(peer.max_fails for peer in upstream.peers)
    counts = ": only then it counts as a failure" if counted else ""
    start = f"no answer for {wait.words}{counts}"
    servers = min(upstream.live, retry.tries) if retry.tries else upstream.live
    if upstream.is_single_peer or servers < 2 or not retry.after_timeout:
        yield f"{start}; the client gets 504"
        return
    if each.protocol == "grpc":
        yield f"{start}; the call gets 504: once sent it is not repeated, not even with non_idempotent"
        return
    tried = min(servers, -(-retry.budget // wait.ms)) if retry.budget and wait.ms else servers
    over = f"{directive_of(each, 'next_upstream_timeout')} {_seconds(retry.budget)} is over"
    if tried < 2:
        yield f"{start}; then {over}: no other server is tried, the client gets 504"
        return
    posts = "POST as well" if "non_idempotent" in retry.conditions else "a POST gets 504"
    yield f"{start}; then GET is retried on the next server, {posts}"
    why = f", then {over}" if tried < servers else ""
    yield f"{tried} servers that hang: 504 after {_seconds(tried * wait.ms)}{why}"


def _wait(retry: Retry, model: Model, suffix: str) -> _Wait | None:
    name = directive_of(retry.each, suffix)
    value = model.time_ms(retry.each.scope, name, _DEFAULT_MS[suffix])
    if value is None:
        return None
    written = bool(model.effective(retry.each.scope, name))
    return _Wait(value, f"{_seconds(value)} ({name}{'' if written else ', the default'})")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g}s"


def _count(number: int, word: str) -> str:
    many = f"{word}es" if word.endswith("s") else f"{word}s"
    return f"1 {word}" if number == 1 else f"{number} {many}"
