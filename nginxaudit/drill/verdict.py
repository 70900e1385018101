"""In words what a scenario cost, why, and what would fix it: every remedy is simulated, none is only believed.

First every change alone, those without a price first; the first that fixes is the answer. If none does, all are put
together, and those that turn out to be needless are taken away again. Sending requests twice is proposed last, beside what
helps without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec.structs import replace

from nginxaudit.drill.certain import loses_nothing
from nginxaudit.drill.changes import NO_BACKUPS, Change, changes, seconds
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.results import Cause, Outcome, Remedy, Scenario, Step, Verdict
from nginxaudit.drill.running import Losses, losses
from nginxaudit.drill.scenarios import settings_of
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.drill.tally import ExceededError

_SEEDS = 3  # with which a remedy must lose nothing: it shall not fix by luck
_NOTICED = 1_000  # ms that people notice
_OVERLOADED = 1.2
_REPEATING = 3  # rank of what may do damage


def judge(
    group: UpstreamSpec,
    use: Use,
    load: Traffic,
    scenario: Scenario,
    outcome: Outcome,
    *,
    remedies: bool = True,
    known: Known | None = None,
    best: bool = False,
) -> Verdict:
    """The verdict on ``outcome``; with ``remedies`` what helps is looked for by simulating again.

    ``known`` is what helped in scenarios that were judged before, for the same group and use: it is tried first.
    With ``best`` nothing is looked for beside the first remedy.
    """
    if outcome.avoidable == 0:
        return Verdict(True, _passed(outcome))
    candidates = changes(group, use, load, scenario, outcome)
    if not remedies:
        causes = tuple(dict.fromkeys(Cause(each.setting, each.why) for each in candidates))
        return Verdict(False, _failed(outcome, causes, (), load, searched=False), causes)
    search = _Search(group, use, load, scenario, outcome)
    alike = (scenario.kind, scenario.scope, settings_of(group, (fault.server for fault in scenario.faults)))
    known = {} if known is None else known
    found = search.again(candidates, known[alike]) if alike in known else ()
    if not found:
        found = search.remedies(candidates, best_only=best)
        known.setdefault(alike, search.helped)
    causes = tuple(dict.fromkeys(Cause(each.setting, each.why) for each in search.decisive))
    if not any(remedy.fixes for remedy in found):
        causes = (*causes, *_hopeless(group, use, scenario))
    return Verdict(False, _failed(outcome, causes, found, load), causes, found)


Known = dict[object, tuple[tuple[str, ...], ...]]
"""What helped where servers with the same settings failed in the same way: the keys of changes, per remedy."""


class _Search:
    """Looks for the smallest change that fixes one scenario; remembers what it has simulated."""

    def __init__(
        self, group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, outcome: Outcome
    ) -> None:
        self._group = group
        self._use = use
        self._load = load
        self._scenario = scenario
        self._outcome = outcome
        self._seeds = _SEEDS
        self._first = {(group, use): Losses(outcome.lost, outcome.avoidable)}
        self._known = dict(self._first)
        self.decisive: list[Change] = []
        self.helped: tuple[tuple[str, ...], ...] = ()

    def _changed(self, chosen: Sequence[Change]) -> tuple[UpstreamSpec, Use]:
        group, use = self._group, self._use
        for change in chosen:
            group, use = change.apply(group, use)
        return group, use

    def _losses_of(self, group: UpstreamSpec, use: Use, limit: int | None = None) -> Losses:
        """The losses with the seed of the drill; where that loses nothing the first that does of some others."""
        known = self._known.get((group, use))
        if known is None:
            for more in range(self._seeds):
                if more and loses_nothing(group, use, self._load, self._scenario):
                    break
                load = replace(self._load, seed=self._load.seed + more)
                found = losses(group, use, load, self._scenario, limit)
                known = found if known is None or found.avoidable else known
                if known.avoidable:
                    break
            assert known is not None
            self._known[group, use] = known
        return known

    def _left(self, chosen: Sequence[Change]) -> int:
        return self._losses_of(*self._changed(chosen)).avoidable

    def _within(self, chosen: Sequence[Change], limit: int) -> bool:
        """Whether no more than ``limit`` are lost; found out without running to the end where they are."""
        try:
            return self._losses_of(*self._changed(chosen), limit).avoidable <= limit
        except ExceededError:
            return False

    def remedies(self, candidates: Sequence[Change], *, best_only: bool = False) -> tuple[Remedy, ...]:
        """Remedies, the best first; sets `decisive`."""
        now = self._outcome.avoidable
        gentle = [change for change in candidates if change.rank < _REPEATING]
        limit = 0 if len(gentle) > 1 else now - 1  # of one alone it is asked next how much it helps
        for change in gentle:
            if self._within([change], limit) and self._left([change]) == 0:
                self.decisive = [change]
                return self._told([[change]])
        best = self._smallest(gentle)
        found = [best] if best else []
        if not best or (not best_only and self._left(best)):
            everything = self._smallest(candidates)
            if everything and self._left(everything) < (self._left(best) if best else now):
                found.append(everything)
                best = [*best, *(change for change in everything if change not in best)]
        self.decisive = best
        return self._told(found)

    def _told(self, found: Sequence[Sequence[Change]]) -> tuple[Remedy, ...]:
        self.helped = tuple(tuple(change.key for change in chosen) for chosen in found)
        return tuple(map(self._remedy, found))

    def again(self, candidates: Sequence[Change], helped: tuple[tuple[str, ...], ...]) -> tuple[Remedy, ...]:
        """What helped elsewhere, if it helps as much here: seeds and needless changes were tried there."""
        self._seeds = 1
        chosen = [[each for each in candidates if each.key in keys] for keys in helped]
        left = [self._left(each) for each in chosen]
        lost = [self._outcome.avoidable, *left]
        same = all(len(some) == len(keys) for some, keys in zip(chosen, helped, strict=True))
        if same and all(after < before for before, after in pairwise(lost)):
            self.decisive = list(dict.fromkeys(change for each in chosen for change in each))
            return tuple(map(self._remedy, chosen))
        self._seeds = _SEEDS
        self._known = dict(self._first)
        return ()

    def _smallest(self, candidates: Sequence[Change]) -> list[Change]:
        """As few of ``candidates`` as lose as little as all of them; none when they do not help."""
        chosen = list(candidates)
        if not self._within(chosen, self._outcome.avoidable - 1):
            return []
        least = self._left(chosen)
        for change in reversed(candidates):
            rest = [each for each in chosen if each is not change]
            if self._within(rest, least):
                chosen = rest
        return chosen

    def _remedy(self, chosen: Sequence[Change]) -> Remedy:
        group, use = self._changed(chosen)
        left = self._losses_of(group, use)
        steps = dict.fromkeys(Step(change.render(group, use), change.where) for change in chosen)
        prices = dict.fromkeys(change.trade_off for change in chosen if change.trade_off)
        return Remedy(
            steps=tuple(steps),
            lost_before=self._outcome.lost,
            lost_after=left.lost,
            fixes=left.avoidable == 0,
            trade_off="; ".join(prices),
        )


def _hopeless(group: UpstreamSpec, use: Use, scenario: Scenario) -> Iterator[Cause]:
    """Why no setting helps."""
    if use.udp:
        why = "a datagram is not sent to another server, and a failure counts only when its session ends"
        yield Cause("udp", why)
    elif group.family == "stream":
        why = "once a session is connected it is neither moved to another server nor counted as a failure"
        yield Cause("stream", why)
    elif use.protocol == "grpc":
        why = "every call is a POST whose body is passed on while it comes: once sent it is not tried again"
        yield Cause("grpc_pass", why)
    failing = {fault.server for fault in scenario.faults}
    alone = all(server.down or index in failing for index, server in enumerate(group.servers))
    if alone and scenario.scope != "rolling" and group.method in NO_BACKUPS:
        method = {"consistent": "hash", "random_two": "random"}.get(group.method, group.method)
        yield Cause(method, "all servers fail together, and this method has no backup servers")


def _passed(outcome: Outcome) -> str:
    if outcome.died:
        text = (
            f"loses nothing but {_count(outcome.died, 'request')} that a server was processing when it failed"
        )
    else:
        text = "loses nothing"
    if outcome.retried:
        answered = f"{outcome.retried} were" if outcome.retried > 1 else "1 was"
        text += f"; {answered} tried at another server"
    if outcome.latency.worst >= _NOTICED:
        text += f"; the slowest waited {outcome.latency.worst / 1000:.1f}s longer than usual"
    if outcome.moved:
        text += f"; {_count(outcome.moved, 'session')} moved to another server"
    if outcome.survivor_overload is not None and outcome.survivor_overload >= _OVERLOADED:
        text += f"; the others bear up to {outcome.survivor_overload:.1f} times their usual traffic"
    return text


def _failed(
    outcome: Outcome,
    causes: Sequence[Cause],
    found: Sequence[Remedy],
    load: Traffic,
    *,
    searched: bool = True,
) -> str:
    """All of it in sentences: the numbers, the settings that decide, and what was tried."""
    parts = [f"{status} for {count}" for status, count in outcome.by_status.items() if status != 200]
    if outcome.broken:
        parts.append(f"{outcome.broken} cut off")
    if outcome.gave_up:
        parts.append(f"{outcome.gave_up} given up by clients after {seconds(load.client_timeout)}")
    text = f"loses {outcome.lost} of {_count(outcome.requests, 'request')} ({', '.join(parts)})"
    for index, cause in enumerate(causes):
        text += f"{': ' if index == 0 else '; '}{cause.setting}: {cause.text}"
    for index, remedy in enumerate(found):
        text += f". {'Or with' if index else 'With'} {remedy.sentence} it loses "
        left = remedy.lost_after
        text += (
            "nothing"
            if left == 0
            else f"{left}{' that a server was processing when it failed' if remedy.fixes else ''}"
        )
        text += f" (trade-off: {remedy.trade_off})" if remedy.trade_off else ""
    if found and not any(remedy.fixes for remedy in found):
        text += ". Nothing that was tried fixes it completely"
    elif not found and searched:
        text += ". No setting fixes it"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
