"""What a server does, and when: the backends of a drill.

A `Behaviour` is a value; a schedule is a list of ``(start in ms, behaviour)``; a `Backend` is a schedule
that is asked at ever later moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

FOREVER = 1 << 60  # ms; later than everything

OK, REFUSE, HANG, BLACKHOLE, STATUS, RESET, DROP_REUSED, CUT = range(8)
_CODES = {
    "ok": OK, "slow": OK, "refuse": REFUSE, "hang": HANG, "blackhole": BLACKHOLE, "status": STATUS,
    "reset": RESET, "drop-reused": DROP_REUSED, "cut": CUT,
}  # fmt: skip


class Behaviour(Struct, frozen=True):
    """What a server does with a request.

    ``kind``: ``ok``, ``slow``, ``refuse`` (nothing listens), ``hang`` (accepts, never answers),
    ``blackhole`` (packets are lost), ``status`` (answers with ``status``), ``reset`` (closes in the middle
    of the header), ``drop-reused`` (closes a connection that is used a second time), ``cut`` (closes in the
    body, after a good header) or ``flap`` (refuses for ``down`` ms, then is fine for ``up`` ms, and so on).
    ``ms`` is the time until the answer; -1 stands for the usual one. ``graceful``: requests that it
    has accepted are answered before it goes away.
    """

    kind: str
    ms: int = -1
    status: int = 200
    graceful: bool = False
    down: int = 0
    up: int = 0


Schedule = Sequence[tuple[int, Behaviour]]
"""Behaviours with the ms at which each begins, in order. Before the first a server is fine."""


def ok(ms: int = -1) -> Behaviour:
    """Answers with 200 after ``ms``."""
    return Behaviour("ok", ms)


def slow(ms: int) -> Behaviour:
    """Answers with 200, but late."""
    return Behaviour("slow", ms)


def refuse(*, graceful: bool = False) -> Behaviour:
    """The process is gone: connections are refused; those that were open are reset, unless ``graceful``."""
    return Behaviour("refuse", graceful=graceful)


def hang() -> Behaviour:
    """Accepts connections and never answers, also later."""
    return Behaviour("hang")


def blackhole() -> Behaviour:
    """Packets are lost: connecting takes until the timeout."""
    return Behaviour("blackhole")


def status(code: int, ms: int = -1) -> Behaviour:
    """Answers with ``code`` (500, 503, 429, 404 …)."""
    return Behaviour("status", ms, code)


def reset(ms: int = -1) -> Behaviour:
    """Closes the connection before the header is complete."""
    return Behaviour("reset", ms)


def drop_reused(ms: int = -1) -> Behaviour:
    """Answers the first request of a connection and drops the second."""
    return Behaviour("drop-reused", ms)


def cut(ms: int = -1) -> Behaviour:
    """Sends a good header and half a body."""
    return Behaviour("cut", ms)


def flap(down: int, up: int) -> Behaviour:
    """Refuses for ``down`` ms, is fine for ``up`` ms, and so on."""
    return Behaviour("flap", down=down, up=up)


class Backend:
    """A schedule that is asked at ever later moments; the current phase lies ready in fields.

    ``kind``, ``ms`` and ``status`` hold until ``until``. ``epoch`` counts how often its connections were closed.
    """

    __slots__ = ("_at", "_last_bad", "_phases", "epoch", "graceful", "kind", "ms", "status", "until")

    def __init__(self, schedule: Schedule, response: int, horizon: int) -> None:
        self._phases: list[tuple[int, int, int, int, bool]] = [(-FOREVER, OK, response, 200, False)]
        for start, each in _expanded(schedule, horizon):
            ms = response if each.ms < 0 else each.ms
            self._phases.append((start, _CODES[each.kind], ms, each.status, each.graceful))
        self._last_bad = max((at for at, each in enumerate(self._phases) if each[1] != OK), default=-1)
        self.epoch = 0
        self._at = -1
        self._enter()

    def _enter(self) -> None:
        self._at += 1
        _, self.kind, self.ms, self.status, self.graceful = self._phases[self._at]
        more = self._at + 1 < len(self._phases)
        self.until = self._phases[self._at + 1][0] if more else FOREVER
        self.epoch += self.kind == REFUSE

    @property
    def never_changes(self) -> bool:
        """Whether it is well all the time."""
        return len(self._phases) == 1

    @property
    def fails_later(self) -> bool:
        """Whether a phase is to come in which it is not well."""
        return self._at < self._last_bad

    @property
    def settles(self) -> int:
        """The ms from which on it is well for good; `FOREVER` where it never is."""
        start, kind, ms, _, _ = self._phases[-1]
        return start if kind == OK and ms == self._phases[0][2] else FOREVER

    def advance(self, t: int) -> None:
        """Go to the phase of the moment ``t`` (ms)."""
        while t >= self.until:
            self._enter()

    def later(self, end: int) -> Iterator[tuple[int, int, bool]]:
        """Phases that begin before ``end``: start, kind, graceful."""
        for start, kind, _, _, graceful in self._phases[self._at + 1 :]:
            if start >= end:
                return
            yield start, kind, graceful


def _expanded(schedule: Schedule, horizon: int) -> Iterator[tuple[int, Behaviour]]:
    """The schedule with every ``flap`` written out, up to ``horizon`` ms."""
    for index, (start, each) in enumerate(schedule):
        if each.kind != "flap":
            yield start, each
            continue
        end = schedule[index + 1][0] if index + 1 < len(schedule) else horizon
        at, down = start, True
        while at < end:
            yield at, refuse() if down else ok(each.ms)
            at += max(1, each.down if down else each.up)
            down = not down
