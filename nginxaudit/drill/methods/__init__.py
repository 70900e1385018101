"""Balancing methods: how a peer is picked.

A method is a function ``(request, now) -> peer or None``; None means "no live upstreams". It has already accounted
the pick. ``now`` is whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from nginxaudit.drill.methods import hashing, least, randomly
from nginxaudit.drill.methods.round_robin import pick as round_robin
from nginxaudit.drill.peers import Peers, Request, SimulatedPeer
from nginxaudit.drill.spec import UpstreamSpec

Pick = Callable[[Request, int], SimulatedPeer | None]

METHODS = frozenset(
    {"round_robin", "least_conn", "least_time", "ip_hash", "hash", "consistent", "random", "random_two"}
)


def pick_of(group: UpstreamSpec, peers: Peers, random: Random) -> Pick:
    """The method of ``group`` over one state of it."""
    plain: dict[str, Pick] = {
        "round_robin": round_robin,
        "least_conn": least.pick_connections,
        "least_time": least.pick_time,
        "ip_hash": hashing.pick_address,
        "hash": hashing.pick_key,
    }
    if group.method in plain:
        return plain[group.method]
    if group.method == "consistent":
        return hashing.Ring(peers).pick
    two = group.method == "random_two"
    drawn = randomly.Draw(peers, random)
    return drawn.pick_two if two else drawn.pick
