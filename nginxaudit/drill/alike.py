"""What decides a run: settings that it never meets are made equal, so that runs which cannot differ are one.

A run is a group, a use, a load and a scenario. Names, unmet timeouts and connections that nothing asks for do not count.
"""

from __future__ import annotations

from msgspec.structs import replace

from nginxaudit.drill.behaviour import BLACKHOLE
from nginxaudit.drill.fates import clients_leave_first
from nginxaudit.drill.load import BODIES, NOT_REPEATED, Traffic
from nginxaudit.drill.results import Scenario
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.nginx import NEWEST

_LONG = 3_600_000  # ms; stands for every timeout that nothing meets
_ENDLESS = frozenset({"hang", "blackhole"})
_DEALT = frozenset({"round_robin", "least_conn", "least_time", "random", "random_two"})
"""Methods that do not look at who asks."""

Decisive = tuple[UpstreamSpec, Use, Traffic, Scenario]


def decisive(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> Decisive:
    """The run that stands for all that have its numbers."""
    workers = load.workers or group.workers
    methods = (("POST", 1.0),) if use.protocol == "grpc" else load.methods  # every call is a POST there
    requests = load if methods == load.methods else replace(load, methods=methods)
    pools = _asks_for_connections(group, use, requests, scenario)
    what = replace(scenario, kind="", scope="", target="")
    return _group(group, workers, pools=pools), _use(use, requests, scenario, pools=pools), requests, what


def _asks_for_connections(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> bool:
    """Whether an attempt on a connection that was kept can end otherwise than on a new one.

    It can where the server resets or drops it, or where only a new one has to be made first; but not where clients have left
    before either is given up.
    """
    if group.keepalive == 0 or not use.reuses or group.family != "http":
        return False
    harmless = {"ok", "slow", "status", "cut"}
    if clients_leave_first(BLACKHOLE, use, load.client_timeout, large=load.large_bodies):
        harmless |= _ENDLESS
    elif not use.tls:
        harmless.add("hang")
    faults = (fault.behaviour for fault in scenario.faults)
    return not all(each.kind in harmless or (each.kind == "refuse" and each.graceful) for each in faults)


def _group(group: UpstreamSpec, workers: int, *, pools: bool) -> UpstreamSpec:
    """Names count only where a ring is built of them, or where sessions are bound to them."""
    named = group.method == "consistent" or group.sticky is not None
    servers = tuple(
        replace(each, name=(each.text or each.name) if named else "", host="", text="")
        for each in group.servers
    )
    found = replace(
        group,
        name="",
        servers=servers,
        key="" if group.method in _DEALT or group.method == "ip_hash" else group.key,
        workers=workers,
        version=group.version if any(each.down for each in servers) else NEWEST,  # only tries ask for it
        file="",
        line=0,
        notes=(),
    )
    return found if pools else replace(found, keepalive=0, keepalive_requests=0, keepalive_timeout=0)


def _use(use: Use, load: Traffic, scenario: Scenario, *, pools: bool) -> Use:
    """Timeouts count only where something may take so long, and conditions where something may fail so."""
    kinds = {fault.behaviour.kind for fault in scenario.faults}
    waits = bool(kinds & _ENDLESS)
    slowest = max([load.response_time, *(fault.behaviour.ms for fault in scenario.faults)])
    unmet = _LONG if not waits else None
    connects = "blackhole" in kinds or ("hang" in kinds and use.tls)
    return replace(
        use,
        label="",
        file="",
        line=0,
        prefix="",
        protocol="",
        written=frozenset(),
        conditions=_conditions(use, load, scenario),
        connect=use.connect if connects else _LONG,
        send=use.send if waits and load.large_bodies else _LONG,
        read=unmet if unmet and slowest <= use.read else use.read,
        idle=unmet if unmet and slowest <= use.idle and not use.udp else use.idle,
        buffered=use.buffered or not any(name in BODIES for name, share in load.methods if share > 0),
        reuses=pools,
        tls=use.tls and "hang" in kinds,
    )


def _conditions(use: Use, load: Traffic, scenario: Scenario) -> frozenset[str]:
    if "off" in use.conditions:
        return frozenset({"off"})
    met = {"error", "timeout", *(f"http_{fault.behaviour.status}" for fault in scenario.faults)}
    if any(name in NOT_REPEATED for name, share in load.methods if share > 0):
        met.add("non_idempotent")
    return use.conditions & met
