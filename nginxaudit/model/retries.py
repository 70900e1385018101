"""What becomes of a request whose server failed: ``*_next_upstream*`` and the connect timeout in effect.

``ngx_http_upstream_next`` in src/http/ngx_http_upstream.c, ``ngx_stream_proxy_next_upstream`` in
src/stream/ngx_stream_proxy_module.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.passes import Pass
from nginxaudit.nginx.names import PROTOCOLS
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.model import Model

CONNECT_LIMIT_MS = 134_000
"""Linux gives up connecting about then: seven packets, 1, 2, 4, … s apart (tcp_syn_retries 6), with four more at first."""

DEFAULT_CONNECT_MS = 60_000
"""Default of every ``…_connect_timeout`` of http and stream, in milliseconds."""

_DEFAULT = frozenset({"error", "timeout"})
_PREFIXES = {"stream": "proxy", "tunnel": "tunnel"}


def directive_of(each: Pass, suffix: str) -> str:
    """Name of a protocol's own directive: ``connect_timeout`` -> ``fastcgi_connect_timeout``."""
    return f"{_PREFIXES.get(each.protocol, each.protocol)}_{suffix}"


def is_written(model: Model, suffix: str) -> bool:
    """Whether some protocol's ``…_suffix`` stands anywhere: most have no say in most configurations."""
    return bool(model.written(tuple(f"{protocol}_{suffix}" for protocol in PROTOCOLS)))


class Retry(Struct, frozen=True):
    """How one pass treats failures. Times are milliseconds; ``tries`` and ``budget`` 0 mean no limit."""

    each: Pass
    conditions: frozenset[str]
    directive: Directive | None
    tries: int
    budget: int
    connect: int
    connect_directive: Directive | None

    @property
    def connect_written(self) -> bool:
        """The connect timeout is not the default one."""
        return self.connect_directive is not None

    @property
    def off(self) -> bool:
        """A failed request is not tried again."""
        return "off" in self.conditions

    @property
    def after_error(self) -> bool:
        """A refused or broken connection lets the request go to another server."""
        return not self.off and "error" in self.conditions

    @property
    def after_timeout(self) -> bool:
        """A server that does not connect or answer in time lets the request go to another one."""
        return not self.off and "timeout" in self.conditions

    def worst_connect(self, servers: int) -> int:
        """Longest time in ms that a request spends on dead servers before it may reach a live one."""
        tries = min(servers, self.tries) if self.tries else servers
        connect = min(self.connect, CONNECT_LIMIT_MS)
        spent = max(tries - 1, 0) * connect
        return min(spent, self.budget + connect) if self.budget else spent


def retry_of(model: Model, each: Pass) -> Retry | None:
    """The settings in effect for ``each``; None when a value cannot be known."""
    scope = each.scope
    written = model.effective(scope, directive_of(each, "next_upstream"))
    tries = model.number(scope, directive_of(each, "next_upstream_tries"), 0)
    budget = model.time_ms(scope, directive_of(each, "next_upstream_timeout"), 0)
    name = directive_of(each, "connect_timeout")
    connect = model.time_ms(scope, name, DEFAULT_CONNECT_MS)
    if tries is None or budget is None or connect is None:
        return None
    words = frozenset([word.lower() for node in written for word in node.args]) or _DEFAULT
    connecting = model.effective(scope, name)
    if each.family == "stream":
        words = frozenset({"off"}) if "off" in words else _DEFAULT
    return Retry(
        each,
        words,
        written[0] if written else None,
        tries,
        budget,
        connect,
        connecting[0] if connecting else None,
    )
