"""What a drill is about: a group of servers, and one place that passes requests to it.

Times are milliseconds unless a name says otherwise. Both records are plain values: the reader fills them from
a configuration, and a remedy is a changed copy of them.
"""

from __future__ import annotations

from msgspec import Struct

from nginxaudit.nginx import NEWEST, Version

DOWN_NOT_TRIED: Version = (1, 19, 6)
"""Since then servers that are ``down`` do not add to the tries of a request (``ngx_http_upstream_tries``)."""
LEAST_TIME_SINCE: Version = (1, 31, 0)
"""First open source release with ``least_time``."""
MORE_REQUESTS: Version = (1, 19, 10)
"""Since then an idle connection is closed after 1000 requests, 100 before (``keepalive_requests``)."""


class ActiveCheck(Struct, frozen=True):
    """One active health check of all servers of a group: ``health_check`` of NGINX Plus, or ``check`` of
    nginx_upstream_check_module (``name`` says which).

    ``fails`` failed probes in a row take a server out, ``passes`` good ones bring it back. ``looks_at``: ``connect`` (a
    connection is enough), ``answer`` (any answer), ``status`` (an answer with a status in ``alive``) or ``icmp`` (only an error of
    ICMP is bad). ``connect`` and ``answer`` are the times that a probe waits for them. ``starts_down``: after a start no server has
    requests before its good probes.
    """

    name: str
    interval: int
    fails: int
    passes: int
    connect: int
    answer: int
    jitter: int = 0
    looks_at: str = "status"
    alive: tuple[tuple[int, int], ...] = ((200, 399),)
    starts_down: bool = False


class Sticky(Struct, frozen=True):
    """Session affinity: ``kind`` is ``cookie``, ``route`` or ``learn``; ``lasts`` is the time after which an unused session is
    forgotten, 0 for never.
    """

    kind: str
    lasts: int = 0


class Queue(Struct, frozen=True):
    """``queue``: at most ``size`` requests wait at the same time, each no longer than ``timeout``."""

    size: int
    timeout: int = 60_000


class ServerSpec(Struct, frozen=True):
    """One server of a group. ``fail_timeout_s`` is whole seconds, as nginx counts; ``max_conns`` 0 is no limit.

    ``down`` stands for ``drain``, too. ``host`` is the machine: what fails together.
    """

    name: str
    host: str = ""
    weight: int = 1
    max_fails: int = 1
    fail_timeout_s: int = 10
    max_conns: int = 0
    backup: bool = False
    down: bool = False
    slow_start: int = 0
    text: str = ""
    """The address as it is configured: ``hash … consistent`` builds its ring of it."""


class UpstreamSpec(Struct, frozen=True):
    """A group of servers. ``family`` is ``http`` or ``stream``.

    ``method``: ``round_robin``, ``least_conn``, ``least_time``, ``ip_hash``, ``hash``, ``consistent``, ``random``
    or ``random_two``. ``key`` is the expression of ``hash``. ``zone``: all workers share one state.
    ``keepalive`` idle connections are kept per worker (0: none). ``notes`` are sentences on what the
    simulation leaves out.
    """

    name: str
    servers: tuple[ServerSpec, ...]
    family: str = "http"
    method: str = "round_robin"
    key: str = "$remote_addr"
    zone: bool = False
    keepalive: int = 0
    keepalive_requests: int = 1000
    keepalive_timeout: int = 60_000
    version: Version = NEWEST
    workers: int = 1
    checks: tuple[ActiveCheck, ...] = ()
    sticky: Sticky | None = None
    queue: Queue | None = None
    file: str = ""
    line: int = 0
    notes: tuple[str, ...] = ()

    @property
    def extended(self) -> bool:
        """Whether it has what open source nginx was long without: active checks, slow start, sessions, a queue."""
        return bool(self.checks or self.sticky or self.queue or any(each.slow_start for each in self.servers))

    @property
    def primaries(self) -> tuple[ServerSpec, ...]:
        """Servers without ``backup``."""
        return tuple(server for server in self.servers if not server.backup)

    @property
    def backups(self) -> tuple[ServerSpec, ...]:
        """Servers with ``backup``."""
        return tuple(server for server in self.servers if server.backup)


class Use(Struct, frozen=True):
    """How one location (or stream server) passes requests to a group, with what is in effect there.

    ``conditions`` are the words of ``…_next_upstream`` (``off`` for none); ``tries`` and ``budget`` (of
    ``…_next_upstream_tries`` and ``…_timeout``) 0 mean no limit. ``idle`` is ``proxy_timeout`` of stream.
    ``responses`` is ``proxy_responses`` of UDP, -1 where it is not set.
    ``buffered``: request bodies are read before they are sent. ``reuses``: the connection is left open after an
    answer, so that ``keepalive`` has something to keep. ``tls``: the handshake with the server
    belongs to connecting. ``prefix`` is that of the directives: ``proxy``, ``fastcgi`` …
    """

    label: str
    file: str = ""
    line: int = 0
    protocol: str = "proxy"
    prefix: str = "proxy"
    conditions: frozenset[str] = frozenset({"error", "timeout"})
    tries: int = 0
    budget: int = 0
    connect: int = 60_000
    send: int = 60_000
    read: int = 60_000
    idle: int = 600_000
    buffered: bool = True
    ignores_abort: bool = False
    reuses: bool = False
    tls: bool = False
    udp: bool = False
    responses: int = -1
    written: frozenset[str] = frozenset()
    """Directives of this protocol that are written somewhere in effect; the others have their defaults."""

    @property
    def retries(self) -> bool:
        """Whether any failure is tried again."""
        return "off" not in self.conditions and self.tries != 1


class Subject(Struct, frozen=True):
    """A group and one of its uses; ``why_not`` says why it cannot be drilled, instead of a guess.

    ``group`` and ``use`` are None only where ``why_not`` is a sentence.
    """

    upstream: str
    location: str
    file: str
    line: int
    group: UpstreamSpec | None = None
    use: Use | None = None
    why_not: str | None = None
