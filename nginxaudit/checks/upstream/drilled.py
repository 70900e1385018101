"""What a rolling restart or a dead server costs, by simulation. Off unless selected: it takes time.

One finding per group, for the use and the scenario that lose most. What is equal is simulated once; the number of
simulations, of requests and of servers is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.checks.upstream.common import group_place
from nginxaudit.drill.certain import loses_nothing
from nginxaudit.drill.changes import seconds
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.reading import group_of, why_not_of
from nginxaudit.drill.reading_uses import label_of, unknown_of, use_of
from nginxaudit.drill.results import Outcome, Scenario, Verdict
from nginxaudit.drill.running import run
from nginxaudit.drill.scenarios import scenarios
from nginxaudit.drill.verdict import judge
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.nginx import parse_time_ms

if TYPE_CHECKING:
    from nginxaudit.drill.spec import ServerSpec, UpstreamSpec, Use
    from nginxaudit.model.passes import Pass
    from nginxaudit.model.upstream import Upstream

_MOST_USES = 30  # simulated in one configuration
_MOST_SERVERS = 50  # of a group
_MOST_REQUESTS = 20_000  # of one scenario
_WHAT = {
    "refuse": "when the process of {} is gone",
    "blackhole": "when the host of {} is gone",
    "hang": "when {} hangs",
}


class _Loss(Struct, frozen=True):
    """The scenario of one use that loses most."""

    group: UpstreamSpec
    use: Use
    load: Traffic
    scenario: Scenario
    outcome: Outcome

    @property
    def share(self) -> float:
        """Part of the requests that was lost: 0 to 1."""
        return self.outcome.avoidable / max(1, self.outcome.requests)

    def verdict(self) -> Verdict:
        """Why, and what would help most."""
        return judge(self.group, self.use, self.load, self.scenario, self.outcome, best=True)


def rolling_restart_loses_requests(ctx: CheckContext) -> Iterable[Hit]:
    """Restarting the servers of a group one after the other loses requests."""
    load = replace(_load(ctx), restart=max(1000, _time(ctx, "restart")), pause=_time(ctx, "pause"))
    for upstream, each, loss in _losses(ctx, ("rolling",), load):
        if loss is None:
            yield _not_simulated(upstream)
            continue
        how = f"; each server is gone for {seconds(load.restart)}, the next one stops {seconds(load.pause)} later"
        yield _hit(upstream, each, loss, f'a rolling restart of "{upstream.name}"', how=how)


def failover_loses_requests(ctx: CheckContext) -> Iterable[Hit]:
    """A server that is gone costs requests although others could have answered them."""
    kinds = ("refuse", "blackhole", *(("hang",) if ctx.options["hang"] else ()))
    for upstream, each, loss in _losses(ctx, kinds, _load(ctx)):
        if loss is None:
            yield _not_simulated(upstream)
            continue
        what = _WHAT[loss.scenario.kind].format(loss.scenario.target)
        yield _hit(upstream, each, loss, f'"{upstream.name}"', f" {what}")


def _load(ctx: CheckContext) -> Traffic:
    rate = min(1000, max(1, int(ctx.options["rate"])))
    return Traffic(rate=float(rate), client_timeout=max(1, _time(ctx, "client-timeout")))


def _time(ctx: CheckContext, name: str) -> int:
    return parse_time_ms(str(ctx.options[name]))


def _losses(
    ctx: CheckContext, kinds: tuple[str, ...], load: Traffic
) -> Iterator[tuple[Upstream, Pass, _Loss | None]]:
    """Groups with the use that loses most; None instead of the loss for the first that was too much."""
    known: dict[tuple[UpstreamSpec, Use], _Loss | None] = {}
    tolerated = float(ctx.options["tolerate"]) / 100
    for upstream in ctx.model.all_upstreams:
        found: list[tuple[_Loss, Pass]] = []
        for each, group, use in _uses(upstream, ctx):
            alike = replace(group, file="", line=0, notes=()), replace(use, label="", file="", line=0)
            if alike not in known:
                if len(known) == _MOST_USES:
                    yield upstream, each, None
                    return
                known[alike] = _worst(group, use, kinds, load)
            loss = known[alike]
            if loss is not None and loss.share > tolerated:
                found.append((loss, each))
        if found:
            loss, each = max(found, key=lambda one: one[0].share)
            yield upstream, each, loss


def _uses(upstream: Upstream, ctx: CheckContext) -> Iterator[tuple[Pass, UpstreamSpec, Use]]:
    """Uses of a group in which a server can stand in for another one."""
    if len(upstream.peers) > _MOST_SERVERS or len({peer.text for peer in upstream.peers if peer.is_live}) < 2:
        return
    if why_not_of(upstream, ctx.model) is not None:
        return
    group = group_of(upstream, ctx.model)
    for each in ctx.model.passes_to(upstream):
        use = None if unknown_of(each, ctx.model) else use_of(each, ctx.model)
        if use is not None:
            yield each, group, use


def _worst(group: UpstreamSpec, use: Use, kinds: tuple[str, ...], load: Traffic) -> _Loss | None:
    """The scenario in which most is lost that a server which is left could have answered."""
    losses = []
    seen: set[object] = set()
    for scenario in scenarios(group, use, load, kinds):
        failing = {fault.server for fault in scenario.faults}
        left = any(not server.down and index not in failing for index, server in enumerate(group.servers))
        alike = scenario.kind, scenario.scope, tuple(_settings(group.servers[each]) for each in failing)
        if alike in seen or (not left and scenario.scope != "rolling"):
            continue
        if loses_nothing(group, use, load, scenario):
            continue
        seen.add(alike)
        rate = min(load.rate, _MOST_REQUESTS * 1000 / scenario.duration)
        slower = replace(load, rate=rate)
        outcome = run(group, use, slower, scenario, losses_only=True)
        losses.append(_Loss(group, use, slower, scenario, outcome))
    return max(losses, key=lambda loss: loss.share, default=None)


def _settings(server: ServerSpec) -> ServerSpec:
    """What distinguishes a server besides its address: what happens to servers that are alike is the same."""
    return replace(server, name="", host="", text="")


def _hit(upstream: Upstream, each: Pass, loss: _Loss, what: str, when: str = "", how: str = "") -> Hit:
    outcome, verdict = loss.outcome, loss.verdict()
    numbers = f"loses {outcome.lost} of {outcome.requests} requests"
    cause = next(iter(verdict.causes), None)
    advice = ""
    if verdict.remedies:
        best = verdict.remedies[0]
        left = "no requests" if best.lost_after == 0 else f"{best.lost_after} requests"
        advice = f"Write {best.sentence.replace(';', '')}: it then loses {left}."
        advice += f" Trade-off: {best.trade_off}." if best.trade_off else ""
    return Hit(
        group_place(upstream),
        f"{what} {numbers}{when}" + (f": {cause.setting}" if cause else ""),
        upstream.directive,
        related=((f"used here by {label_of(each)}", whole(each.directive)),),
        help=advice,
        why=_sentence(cause.text) + f" Simulated with {loss.load.rate:.3g} requests a second{how}."
        if cause
        else "",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _not_simulated(upstream: Upstream) -> Hit:
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" and the following uses are not simulated: {_MOST_USES} different uses of upstreams come first',
        upstream.directive,
        severity=Severity.INFO,
        help="nginxaudit drill simulates all of them.",
        why="How they behave when a server fails is not known.",
    )
