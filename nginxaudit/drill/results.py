"""What a drill tells: frozen records, ready for reports. Times are ms from the begin of the scenario unless said otherwise."""

from __future__ import annotations

from msgspec import Struct

from nginxaudit.drill.behaviour import Behaviour

"""Kinds of scenarios, in the order in which they are run."""


class Fault(Struct, frozen=True):
    """What one server (index in the group) does from ``begin`` until ``end``."""

    server: int
    begin: int
    end: int
    behaviour: Behaviour


class Scenario(Struct, frozen=True):
    """One thing that goes wrong. ``target`` says where in words: a server, a host, ``all primaries``, ``each in turn``.

    ``scope`` is ``server``, ``host``, ``primaries``, ``rolling`` or ``start``. Requests come until ``duration``; faults are on
    between ``begin`` and ``end``. ``starts``: time begins with the start of nginx; else it has run for long.
    """

    kind: str
    scope: str
    target: str
    faults: tuple[Fault, ...]
    begin: int
    end: int
    duration: int
    starts: bool = False

    @property
    def name(self) -> str:
        """``refuse 10.0.0.1:80``, ``rolling``."""
        return self.kind if self.scope in ("rolling", "start") else f"{self.kind} {self.target}"


class Latency(Struct, frozen=True):
    """Time in ms beyond the usual answer that clients waited, of requests that came during the fault.

    Those that failed or were given up count with the time that their clients waited.
    """

    median: int
    p99: int
    worst: int


class ServerLoad(Struct, frozen=True):
    """What one server bore. The shares (0 to 1) are of all attempts in the time before, during and after the fault.

    ``overload`` is its attempts per second during the fault over those before; None for one that had
    none before. ``left`` (ms from the fault's begin until the last worker has taken it out) and ``back`` (ms from the
    fault's end until it has served in every worker again) are None where that does not happen, and for servers that do not fail.
    ``by_check``: an active check took it out before failed requests did.
    """

    server: str
    backup: bool
    target: bool
    attempts: int
    before: float
    during: float
    after: float
    overload: float | None
    left: int | None
    back: int | None
    by_check: bool = False


class Timeline(Struct, frozen=True):
    """Counts per second. ``ok``, ``failed``, ``gave_up`` and ``retried`` are by the second in which a request came,
    ``attempts`` (server name to counts) by that of the attempt.
    """

    ok: tuple[int, ...]
    failed: tuple[int, ...]
    gave_up: tuple[int, ...]
    retried: tuple[int, ...]
    attempts: dict[str, tuple[int, ...]]


class Outcome(Struct, frozen=True):
    """Numbers of one run.

    ``requests`` = ``ok`` + ``failed`` + ``gave_up``. ``by_status`` splits ``failed``; an answer that breaks off
    counts as failed with the status 200 that nginx logs, and in ``broken``. ``lonely`` requests found no
    live server. ``died`` are those of the lost that a server was
    answering when it went away, and that must not be sent twice (POST, sessions of stream) or whose clients gave up meanwhile.
    ``left`` and ``back`` are the longest of the failing
    servers, None if one of them never left or came back. ``moved`` counts sessions that came to another server than theirs. ``survivor_overload`` is the highest of the others.
    """

    requests: int
    ok: int
    failed: int
    gave_up: int
    by_status: dict[int, int]
    retried: int
    lonely: int
    broken: int
    died: int
    latency: Latency
    left: int | None
    back: int | None
    backups_served: bool
    survivor_overload: float | None
    servers: tuple[ServerLoad, ...]
    timeline: Timeline
    moved: int = 0

    @property
    def lost(self) -> int:
        """Requests without the answer that the application would have given: failed or given up."""
        return self.failed + self.gave_up

    @property
    def avoidable(self) -> int:
        """The lost ones without those that ``died``: what a configuration can be blamed for."""
        return self.lost - self.died


class Cause(Struct, frozen=True):
    """A setting that decides. ``setting`` is nginx text as it is in effect, ``text`` the sentence."""

    setting: str
    text: str


class Step(Struct, frozen=True):
    """One line of nginx text (or parameters of servers) and in words the place where it belongs."""

    text: str
    where: str


class Remedy(Struct, frozen=True):
    """A change, or several together, and what it brings: the same scenario again with it.

    ``trade_off`` is what it costs (empty when nothing). ``fixes``: what remains lost is not the
    configuration's fault (`Outcome.avoidable` is 0 in the run with the change).
    """

    steps: tuple[Step, ...]
    lost_before: int
    lost_after: int
    fixes: bool
    trade_off: str = ""

    @property
    def text(self) -> str:
        """All lines of nginx text."""
        return "\n".join(step.text for step in self.steps)

    @property
    def where(self) -> str:
        """All places in words."""
        return " and ".join(dict.fromkeys(step.where for step in self.steps))

    @property
    def sentence(self) -> str:
        """Lines with their places: ``proxy_connect_timeout 2s; in the location``."""
        places = dict.fromkeys(step.where for step in self.steps)
        parts = [" ".join([*(s.text for s in self.steps if s.where == place), place]) for place in places]
        return " and ".join(parts)


class Verdict(Struct, frozen=True):
    """``passed``: nothing is lost but what a server was answering when it went away (`Outcome.died`).

    ``text`` is for people, complete in itself. ``remedies``: the best first; empty when it passed or when nothing helps.
    """

    passed: bool
    text: str
    causes: tuple[Cause, ...] = ()
    remedies: tuple[Remedy, ...] = ()


class Result(Struct, frozen=True):
    """One scenario for one use of a group."""

    upstream: str
    location: str
    file: str
    line: int
    scenario: Scenario
    outcome: Outcome
    verdict: Verdict
