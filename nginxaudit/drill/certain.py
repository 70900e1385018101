"""What is known without a simulation: scenarios in which nothing is lost that a configuration could be blamed for.

Every failure has to be seen in time, to be tried again, and to find a server that is well and in use. False means only
that it is not certain.
"""

from __future__ import annotations

from nginxaudit.drill.load import Traffic
from nginxaudit.drill.results import Scenario
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.model.retries import CONNECT_LIMIT_MS


def loses_nothing(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> bool:
    """Whether no seed loses anything but what a server was answering when it went away."""
    bounded = use.tries or use.budget or any(server.max_conns for server in group.servers)
    plain = group.family == "http" and not group.extended and use.retries and not bounded
    faults = {(fault.behaviour.kind, fault.behaviour.graceful) for fault in scenario.faults}
    if not plain or len(faults) != 1 or "error" not in use.conditions:
        return False
    kind, graceful = faults.pop()
    if load.response_time > use.read or 2 * load.response_time > load.client_timeout:
        return False  # not even one that is begun anew gets its answer
    if kind == "refuse":
        return _is_left(group, scenario) or (graceful and _in_turn(group, scenario))
    if kind == "blackhole":
        return _is_left(group, scenario) and _in_time(group, use, load, scenario)
    return False


def _is_left(group: UpstreamSpec, scenario: Scenario) -> bool:
    """Whether some server never fails."""
    failing = {fault.server for fault in scenario.faults}
    return any(not server.down and index not in failing for index, server in enumerate(group.servers))


def _in_turn(group: UpstreamSpec, scenario: Scenario) -> bool:
    """Whether at every moment one server is well and, as far as it failed before, in use again."""
    begins = [fault.begin for fault in scenario.faults]
    used_again = [
        fault.end + (group.servers[fault.server].fail_timeout_s + 1) * 1000 for fault in scenario.faults
    ]
    return len({fault.server for fault in scenario.faults}) == len(begins) and max(begins) >= min(used_again)


def _in_time(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> bool:
    """Whether clients still wait when connecting to all servers that are gone has failed.

    A connection that is kept leads to a server that is gone, and what is sent there may be lost.
    """
    if group.keepalive and use.reuses:
        return False
    gone = {fault.server for fault in scenario.faults}
    connecting = len(gone) * min(use.connect, CONNECT_LIMIT_MS)
    caught = (
        use.read + connecting + load.response_time
    )  # one that was being answered when the server went away
    given_up = use.read > load.client_timeout and not load.large_bodies
    return (
        "timeout" in use.conditions
        and connecting + load.response_time <= load.client_timeout
        and (given_up or caught <= load.client_timeout)
    )
