"""Idle connections that a worker keeps (``src/http/modules/ngx_http_upstream_keepalive_module.c``)."""

from __future__ import annotations

from nginxaudit.drill.peers import SimulatedPeer


class Pool:
    """Idle connections of one worker, at most ``size``; the one used last is taken first.

    Per server a stack of ``(number, expiry in ms, requests so far)``. A server that goes away closes its
    connections: its epoch changes, and they are forgotten when they are next looked at.
    """

    __slots__ = ("_count", "_epochs", "_number", "_requests", "_size", "_stacks", "_timeout")

    def __init__(self, servers: int, size: int, requests: int, timeout: int) -> None:
        self._stacks: list[list[tuple[int, int, int]]] = [[] for _ in range(servers)]
        self._epochs = [0] * servers
        self._size = size
        self._requests = requests
        self._timeout = timeout
        self._count = 0
        self._number = 0

    def _fresh(self, index: int, epoch: int, t: int) -> list[tuple[int, int, int]]:
        """The stack of a server without what was closed meanwhile."""
        stack = self._stacks[index]
        if stack and (self._epochs[index] != epoch or stack[-1][1] <= t):  # the last one expires last
            self._count -= len(stack)
            stack.clear()
        self._epochs[index] = epoch
        return stack

    def take(self, peer: SimulatedPeer, t: int) -> int:
        """Take a connection to ``peer``: the number of requests it has had, 0 when there is none."""
        stack = self._fresh(peer.index, peer.backend.epoch, t)
        if not stack:
            return 0
        self._count -= 1
        return stack.pop()[2]

    def put(self, peer: SimulatedPeer, uses: int, t: int) -> None:
        """Keep a connection after ``uses`` requests."""
        if uses >= self._requests:
            return
        stack = self._fresh(peer.index, peer.backend.epoch, t)
        if self._count >= self._size:
            oldest = min((each for each in self._stacks if each), key=lambda each: each[0][0])
            del oldest[0]
            self._count -= 1
        self._number += 1
        stack.append((self._number, t + self._timeout, uses))
        self._count += 1
