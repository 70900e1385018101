"""Changes that may fix a scenario: each with the setting that it replaces and what speaks against it.

They are only candidates. Whether one helps is found out by simulating again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.drill.load import BODIES, NOT_REPEATED, Traffic
from nginxaudit.drill.probing import longest_back, longest_start
from nginxaudit.drill.results import Outcome, Scenario
from nginxaudit.drill.spec import ActiveCheck, ServerSpec, UpstreamSpec, Use
from nginxaudit.model.retries import CONNECT_LIMIT_MS

CONNECT = 2_000
READ = 5_000
_POISONABLE = 3  # max_fails that a single bad request does not reach
NO_BACKUPS = frozenset({"hash", "consistent", "ip_hash", "random", "random_two"})
"""Methods that nginx does not let have ``backup`` servers."""
NEWCOMER = "ANOTHER-HOST:PORT"
"""Stands in nginx text for a server that has to be added."""

Apply = Callable[[UpstreamSpec, Use], tuple[UpstreamSpec, Use]]


class Change(Struct, frozen=True):
    """One change. ``setting`` is what is in effect, ``why`` the sentence that makes it a cause.

    ``apply`` changes group and use; ``render`` gives the nginx text for what they then are. ``rank`` orders:
    0 costs nothing, 1 has a ``trade_off``, 2 needs another server, 3 may do damage.
    """

    setting: str
    why: str
    where: str
    apply: Apply
    render: Callable[[UpstreamSpec, Use], str]
    rank: int = 0
    trade_off: str = ""

    @property
    def key(self) -> str:
        """Distinguishes it from the others of one scenario."""
        return f"{self.setting} {self.why} {self.where}"


def changes(
    group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, outcome: Outcome
) -> tuple[Change, ...]:
    """Candidates for a scenario that lost requests, cheap ones first."""
    if scenario.starts:
        return tuple(_starting(group))
    found = [
        *_conditions(group, use, load, scenario),
        *_limits(group, use, scenario),
        *_timeouts(group, use, load, scenario),
        *_accounting(group, load, scenario, outcome),
        *_more_servers(group, use, scenario),
        *_repeating(use, load, scenario),
    ]
    return tuple(sorted(found, key=lambda change: change.rank))


def seconds(ms: int) -> str:
    """A time as nginx writes it: ``5s``, ``500ms``."""
    return f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"


def conditions_text(use: Use) -> str:
    """The words of ``…_next_upstream`` in their usual order."""
    if use.protocol == "stream":
        return "off" if "off" in use.conditions else "on"
    first = ("off", "error", "timeout", "invalid_header")
    words = [word for word in first if word in use.conditions]
    words += sorted(use.conditions - {*first, "non_idempotent"})
    return " ".join([*words, *(["non_idempotent"] if "non_idempotent" in use.conditions else [])])


def setting_of(use: Use, name: str, value: str) -> str:
    """A setting in effect, with a word when nobody wrote it."""
    directive = f"{use.prefix}_{name}"
    return f"{directive} {value}" + ("" if directive in use.written else " (the default)")


def _in_use(name: str, value: object) -> Apply:
    return lambda group, use: (group, replace(use, **{name: value}))


def _place(use: Use) -> str:
    return "in the server" if use.protocol == "stream" else "in the location"


def _conditions(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> Iterator[Change]:
    """Failures that are not tried again."""
    current = setting_of(use, "next_upstream", conditions_text(use))
    if "off" in use.conditions or not {"error", "timeout"} <= use.conditions:
        wanted = use.conditions - {"off"} | {"error", "timeout"}
        why = "a request that fails at one server is not retried on another server"
        yield Change(current, why, _place(use), _in_use("conditions", wanted), _next_upstream)
    code = f"http_{load.error_status}"
    if scenario.kind == "5xx" and code not in use.conditions:
        why = f"a {load.error_status} response is passed on to the client and does not count as a failure"

        def apply(group: UpstreamSpec, use: Use) -> tuple[UpstreamSpec, Use]:
            return group, replace(use, conditions=use.conditions - {"off"} | {"error", "timeout", code})

        yield Change(current, why, _place(use), apply, _next_upstream)


def _next_upstream(group: UpstreamSpec, use: Use) -> str:
    return f"{use.prefix}_next_upstream {conditions_text(use)};"


def _limits(group: UpstreamSpec, use: Use, scenario: Scenario) -> Iterator[Change]:
    """Retries that end too early."""
    live = sum(not server.down for server in group.servers)
    if 0 < use.tries < live:
        yield Change(
            setting_of(use, "next_upstream_tries", str(use.tries)),
            f"a request is tried on only {use.tries} of {live} servers",
            _place(use),
            _in_use("tries", live),
            lambda _, use: f"{use.prefix}_next_upstream_tries {use.tries};",
        )
    slowest = {"hang": use.read, "slow": use.read, "blackhole": min(use.connect, CONNECT_LIMIT_MS)}.get(
        scenario.kind, 0
    )
    if 0 < use.budget <= slowest:
        yield Change(
            setting_of(use, "next_upstream_timeout", seconds(use.budget)),
            f"the time for retries is over before the first attempt times out ({seconds(slowest)})",
            _place(use),
            _in_use("budget", 0),
            lambda _, use: f"{use.prefix}_next_upstream_timeout 0;",
        )


def _timeouts(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> Iterator[Change]:
    """Timeouts that are longer than the patience of clients, or long enough to pile requests up."""
    handshakes = scenario.kind == "blackhole" or (scenario.kind == "hang" and use.tls)
    if handshakes and use.connect > CONNECT:
        yield Change(
            setting_of(use, "connect_timeout", seconds(use.connect)),
            _patience("connecting", use.connect, load),
            _place(use),
            _in_use("connect", CONNECT),
            lambda _, use: f"{use.prefix}_connect_timeout {seconds(use.connect)};",
        )
    short = max(READ, -(-load.response_time * 10 // 1000) * 1000)
    silent = scenario.kind in ("hang", "blackhole", "slow")
    # Into a black hole only reused connections wait for an answer: new ones do not get that far.
    reused = scenario.kind == "blackhole"
    waits = silent and not (reused and not (group.keepalive and use.reuses))
    if waits and group.family == "http" and use.read > short:
        doing = "waiting for an answer" + (" on a reused connection" if reused else "")
        yield Change(
            setting_of(use, "read_timeout", seconds(use.read)),
            _patience(doing, use.read, load),
            _place(use),
            _in_use("read", short),
            lambda _, use: f"{use.prefix}_read_timeout {seconds(use.read)};",
            1,
            f"valid responses that take longer than {seconds(short)} fail",
        )
    if silent and load.large_bodies and group.family == "http" and use.send > short:
        yield Change(
            setting_of(use, "send_timeout", seconds(use.send)),
            _patience("sending a body", use.send, load),
            _place(use),
            _in_use("send", short),
            lambda _, use: f"{use.prefix}_send_timeout {seconds(use.send)};",
        )


def _patience(doing: str, timeout: int, load: Traffic) -> str:
    if timeout > load.client_timeout:
        return (
            f"{doing} takes longer than clients wait ({seconds(load.client_timeout)}): they give up first, which does "
            "not count as a failure, so the server stays in use"
        )
    return f"{doing} holds a request for {seconds(timeout)}"


def _accounting(group: UpstreamSpec, load: Traffic, scenario: Scenario, outcome: Outcome) -> Iterator[Change]:
    """When servers are taken out, and for how long."""
    where = f'in upstream "{group.name}"'
    failing = [group.servers[index] for index in {fault.server for fault in scenario.faults}]
    if any(server.max_fails == 0 for server in failing):
        why = "a failing server is never marked unavailable"
        yield _servers("max_fails=0", why, where, max_fails=1)
    if outcome.lonely and any(server.max_conns for server in group.servers):
        change = _servers("max_conns", "the servers that are left are full", where, max_conns=0)
        yield replace(change, rank=1, trade_off="nothing keeps a server from being overloaded")
    if outcome.lonely and scenario.kind in ("5xx", "flap", "rolling"):
        yield from _recovery(failing, load, scenario, where)
    if outcome.lonely and scenario.kind == "rolling":
        yield from _probes(group, load.pause, where)
    workers = load.workers or group.workers
    if not group.zone and workers > 1:
        yield Change(
            "no zone",
            f"each of {workers} workers detects a failed server separately",
            where,
            lambda group, use: (replace(group, zone=True), use),
            lambda group, _: f"zone {group.name} 64k;",
        )


def _probes(group: UpstreamSpec, pause: int, where: str) -> Iterator[Change]:
    """Active checks that find a server well only after the next one is restarted."""
    for check in group.checks:
        back = longest_back(check)
        if back < pause:
            continue
        intervals = (replace(check, interval=each * 1000) for each in range(check.interval // 1000, 0, -1))
        quick = next((each for each in intervals if longest_back(each) < pause), None)
        if quick is None:
            quick = replace(check, interval=min(1000, check.interval), passes=1)
        yield Change(
            check_text(check),
            f"a server has no requests for up to {back / 1000:.3g}s after it recovers, and the next one is restarted after {seconds(pause)}",
            where if check.name == "check" else "in the location",
            _in_checks(check, quick),
            lambda *_, quick=quick: f"{check_text(quick)};",
            1,
            "servers are probed more often",
        )


def _starting(group: UpstreamSpec) -> Iterator[Change]:
    """Active checks that keep servers without requests after a start."""
    for check in group.checks:
        if not check.starts_down:
            continue
        module = check.name == "check"
        yield Change(
            f"{check_text(check)} default_down=true" if module else f"{check_text(check)} mandatory",
            f"after a start no server has requests before it has passed {check.passes} good "
            f"probe{'' if check.passes == 1 else 's'}, for up to {longest_start(check) / 1000:.3g}s",
            f'in upstream "{group.name}"' if module else "without mandatory, in the location",
            _in_checks(check, replace(check, starts_down=False)),
            lambda *_, check=check, module=module: (
                f"{check_text(check)}{' default_down=false' if module else ''};"
            ),
            1,
            "a server that is not well has requests until probes have failed",
        )


def check_text(check: ActiveCheck) -> str:
    """What decides when a check finds a server well, as nginx text."""
    if check.name == "check":
        return f"check interval={check.interval} rise={check.passes}"
    return f"health_check interval={seconds(check.interval)} passes={check.passes}"


def _in_checks(old: ActiveCheck, new: ActiveCheck) -> Apply:
    return lambda group, use: (
        replace(group, checks=tuple(new if each == old else each for each in group.checks)),
        use,
    )


def _recovery(
    failing: Iterable[ServerSpec], load: Traffic, scenario: Scenario, where: str
) -> Iterator[Change]:
    longest = max(server.fail_timeout_s for server in failing)
    gap = {"rolling": load.pause, "flap": load.flap_up}.get(scenario.kind, 0) // 1000
    wanted = max(1, gap - 2)  # out for a second more than it says, and no probe is exact
    if gap and longest > wanted:
        when = "the next one is restarted" if scenario.kind == "rolling" else "it fails again"
        why = f"a server stays out for up to {longest + 1}s after its last failure, which is when {when}"
        yield _servers(f"fail_timeout={longest}s", why, where, fail_timeout_s=wanted)
    if any(server.max_fails == 1 for server in failing) and scenario.kind == "5xx":
        why = "one failure marks a server unavailable; an error common to all servers marks all of them unavailable"
        yield _servers("max_fails=1", why, where, max_fails=_POISONABLE)


def _servers(setting: str, why: str, where: str, **fields: int) -> Change:
    """The same parameters for every server."""

    def apply(group: UpstreamSpec, use: Use) -> tuple[UpstreamSpec, Use]:
        servers = tuple(replace(server, **fields) for server in group.servers)
        return replace(group, servers=servers), use

    words = {"max_conns": "max_conns={}", "max_fails": "max_fails={}", "fail_timeout_s": "fail_timeout={}s"}
    text = " ".join(words[name].format(value) for name, value in fields.items())
    return Change(setting, why, f"on every server {where}", apply, lambda *_: text)


def _more_servers(group: UpstreamSpec, use: Use, scenario: Scenario) -> Iterator[Change]:
    """A server that takes over: only where everything that is live fails together."""
    if scenario.scope == "rolling":
        alone = sum(not server.down for server in group.servers) == 1
    else:
        failing = {fault.server for fault in scenario.faults}
        alone = all(server.down or index in failing for index, server in enumerate(group.servers))
    if not alone or (scenario.scope == "primaries" and group.method in NO_BACKUPS):
        return
    first = next(server for server in group.servers if not server.down)
    backup = group.method not in NO_BACKUPS
    newcomer = ServerSpec(NEWCOMER, "another-host", 1, first.max_fails, first.fail_timeout_s, backup=backup)
    yield Change(
        "a single server" if len(group.servers) == 1 else "no other live server",
        "no server can take over",
        f'in upstream "{group.name}"',
        lambda group, use: (replace(group, servers=(*group.servers, newcomer)), use),
        lambda *_: f"server {NEWCOMER}{' backup' if backup else ''};",
        2,
        "it takes another server",
    )


def _repeating(use: Use, load: Traffic, scenario: Scenario) -> Iterator[Change]:
    """Requests that nginx does not send twice."""
    sent = {name for name, share in load.methods if share > 0}
    if use.protocol in ("stream", "grpc"):
        return
    if sent & BODIES and not use.buffered:
        yield Change(
            setting_of(use, "request_buffering", "off"),
            "a body that was passed on while it came cannot be sent again",
            _place(use),
            _in_use("buffered", value=True),
            lambda _, use: f"{use.prefix}_request_buffering on;",
            1,
            "bodies are stored before they are sent",
        )
    methods = sorted(sent & NOT_REPEATED)
    if methods and "non_idempotent" not in use.conditions:

        def apply(group: UpstreamSpec, use: Use) -> tuple[UpstreamSpec, Use]:
            wanted = use.conditions - {"off"} | {"error", "timeout", "non_idempotent"}
            return group, replace(use, conditions=wanted)

        yield Change(
            f"{use.prefix}_next_upstream without non_idempotent",
            f"{' and '.join(methods)} requests are not retried once they were sent",
            _place(use),
            apply,
            _next_upstream,
            3,
            "an order may be placed twice: only where repeating a request does no harm",
        )
