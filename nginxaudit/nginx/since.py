"""Releases that changed what several rules are about."""

from __future__ import annotations

from nginxaudit.nginx.version import Version

KEEPALIVE_BY_DEFAULT: Version = (1, 29, 7)
"""Since then upstreams of http keep 32 idle connections per worker and location, ``keepalive`` may stand before the
balancing method, and backends are asked in HTTP/1.1."""
HTTP2_DIRECTIVE: Version = (1, 25, 1)
"""Since then ``http2`` is a directive, and the parameter of ``listen`` is deprecated."""
PROTOCOLS_COMPARED: Version = (1, 25, 1)
"""Since then nginx warns when the ``listen`` lines of one address have different protocol options."""
STREAM_NAMES: Version = (1, 25, 5)
"""Since then stream has ``server_name`` and ``default_server``."""
TLS13_BY_DEFAULT: Version = (1, 23, 4)
"""Since then TLS 1.3 is among the protocols where ``ssl_protocols`` is not set (https://nginx.org/en/CHANGES-1.24)."""
