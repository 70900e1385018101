"""What goes into a walk and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from nginxaudit.syntax.tree import Directive


class Ask(Struct, frozen=True):
    """One request as a client sends it.

    ``target`` is what stands in the request line: path and arguments, as sent. ``host`` is the Host header, None for
    none. ``headers`` are the others, in order. ``address`` and ``port`` are where the client connects to; None for an
    address that is not known. ``protocol`` is http, or tcp, tls or udp for a connection of stream. ``client`` is the client's address, ``unix:`` or None. ``body`` is the length of the
    body; None: there is none. ``alpn`` are the protocols that a TLS client offers, ``proxied`` is the client's address
    in the PROXY protocol header (empty: it sends none); None: not known.
    """

    target: str = "/"
    host: str | None = "localhost"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = False
    sni: str | None = None
    address: str | None = None
    port: int = 80
    client: str | None = None
    body: int | None = None
    version: str = "1.1"
    protocol: str = "http"
    alpn: tuple[str, ...] | None = None
    proxied: str | None = None

    @property
    def scheme(self) -> str:
        """``http`` or ``https``; of a stream its protocol."""
        return self.protocol if self.protocol != "http" else "https" if self.tls else "http"

    @property
    def family(self) -> str:
        """``http`` or ``stream``."""
        return "http" if self.protocol == "http" else "stream"

    @property
    def url(self) -> str:
        """As one would write it."""
        usual = self.protocol == "http" and self.port == (443 if self.tls else 80)
        port = "" if usual else f":{self.port}"
        host = self.host if self.host is not None else self.address or ""
        return f"{self.scheme}://{host.partition(':')[0] if port else host}{port}{self.target}"


class World(Struct, frozen=True):
    """What is known beside the configuration.

    ``files`` exist (directories end with ``/``), ``missing`` do not; with ``complete`` everything else does not, too.
    ``backend_status`` is what every backend answers, but for those in ``backends``: targets as ``host:port`` with their
    status. ``user`` is the one who logs in; ``password`` says whether passwords are right. ``prefix`` is what relative
    paths begin with.
    """

    files: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    complete: bool = False
    backend_status: int | None = None
    user: str | None = None
    password: bool | None = None
    prefix: str = ""
    backends: Mapping[str, int] = {}


NOTHING_KNOWN = World()


class Step(Struct, frozen=True):
    """One thing that nginx does, where it is written, and why it does that.

    ``node`` is None for what no directive says. ``others`` are what was considered and lost, with the reasons. ``branch``
    counts the outcome in which the step first occurs.
    """

    phase: str
    node: Directive | None
    text: str
    why: str = ""
    others: tuple[str, ...] = ()
    branch: int = 0

    @property
    def file(self) -> str | None:
        """Where the directive is written."""
        return self.node.source.path if self.node is not None else None

    @property
    def line(self) -> int | None:
        """Line of the directive."""
        return self.node.source.position(self.node.start)[0] if self.node is not None else None


class Outcome(Struct, frozen=True):
    """What the client gets in the end, and on what that depends.

    ``status`` is None where a backend decides it, where the connection is closed without an answer (``closed``), or
    where the walk had to stop: ``unknown`` says why. ``upstream_headers`` is what the backend receives; for FastCGI
    and its like the parameters.
    """

    when: tuple[str, ...] = ()
    status: int | None = None
    redirect: str | None = None
    server: Directive | None = None
    location: Directive | None = None
    passed: str | None = None
    upstream: str | None = None
    upstream_method: str | None = None
    upstream_uri: str | None = None
    upstream_headers: tuple[tuple[str, str], ...] = ()
    file: str | None = None
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    closed: bool = False
    unknown: str | None = None


class Trace(Struct, frozen=True):
    """One request explained. ``more`` says that there are outcomes beyond the limit."""

    ask: Ask
    steps: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    more: bool = False
