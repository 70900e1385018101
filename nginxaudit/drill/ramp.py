"""``slow_start`` of NGINX Plus: a server that comes back recovers its weight "from zero to a nominal value" over that time.

https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server. How weights below one are handled is not documented. Angie, whose slow start is
open source, counts weights in percent (``ngx_http_upstream_throttle_peer`` in its src/http/ngx_http_upstream_round_robin.h), and begins with the first success
after ``max_fails`` failures; so it is here. One that is only beginning is never quite 0.
"""

from __future__ import annotations

WITHOUT = frozenset({"hash", "consistent", "ip_hash", "random", "random_two"})
"""Methods that do not support ``slow_start``."""
SCALE = 100
"""What a weight of 1 is in a group with ``slow_start``."""


def weight_at(nominal: int, elapsed: int, slow_start: int) -> int:
    """The weight, times `SCALE`, after ``elapsed`` ms of ``slow_start``."""
    if elapsed >= slow_start:
        return nominal * SCALE
    return max(1, nominal * (elapsed * SCALE // slow_start))


def next_step(elapsed: int, slow_start: int) -> int:
    """Ms of ``slow_start`` at which the weight is one percent higher than after ``elapsed``."""
    percent = elapsed * SCALE // slow_start + 1
    return -(-percent * slow_start // SCALE)
