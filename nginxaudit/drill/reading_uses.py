"""Reads how one place uses a group: retries, timeouts and connections in effect there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nginxaudit.drill.spec import Use
from nginxaudit.model.retries import directive_of
from nginxaudit.nginx.since import KEEPALIVE_BY_DEFAULT

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.passes import Pass

_DEFAULT_MS = 60_000
_SESSION_MS = 600_000  # proxy_timeout of stream
_TIMES = {"send_timeout": _DEFAULT_MS, "read_timeout": _DEFAULT_MS}
_SETTINGS = (
    "next_upstream", "next_upstream_tries", "next_upstream_timeout", "connect_timeout", "send_timeout",
    "read_timeout", "timeout", "request_buffering",
)  # fmt: skip


def label_of(each: Pass) -> str:
    """Server and location of a pass in words."""
    server = each.server.label if each.server else ""
    location = each.location.label if each.location else ""
    return " ".join(word for word in (server, location) if word) or each.directive.name


def unknown_of(each: Pass, model: Model) -> str | None:
    """A setting of a pass whose value cannot be known, as a sentence."""
    if model.retry(each) is None:
        return "a retry setting or the connect timeout in effect cannot be known"
    names = ("timeout",) if each.family == "stream" else tuple(_TIMES)
    for name in names:
        directive = directive_of(each, name)
        if model.time_ms(each.scope, directive, _DEFAULT_MS) is None:
            return f"the value of {directive} in effect cannot be known"
    return None


def use_of(each: Pass, model: Model) -> Use | None:
    """The use that a pass makes of its group; None where a setting cannot be known (see `unknown_of`)."""
    retry = model.retry(each)
    if retry is None:
        return None
    source, scope, http = each.directive.source, each.scope, each.family == "http"
    written = frozenset(
        directive_of(each, name) for name in _SETTINGS if model.effective(scope, directive_of(each, name))
    )
    return Use(
        label=label_of(each),
        file=source.path,
        line=source.position(each.directive.start)[0],
        protocol=each.protocol,
        prefix=directive_of(each, "").rstrip("_"),
        conditions=retry.conditions,
        tries=retry.tries,
        budget=retry.budget,
        connect=retry.connect,
        send=_time(each, model, "send_timeout") if http else _DEFAULT_MS,
        read=_time(each, model, "read_timeout") if http else _SESSION_MS,
        idle=_DEFAULT_MS if http else _time(each, model, "timeout", _SESSION_MS),
        buffered=_buffered(each, model),
        ignores_abort=http
        and model.flag(scope, directive_of(each, "ignore_client_abort"), default=False) is True,
        reuses=http and _reuses(each, model),
        tls=_tls(each, model),
        responses=_responses(each, model) if not http else -1,
        udp=not http and each.server is not None and any(listen.udp for listen in each.server.listens),
        written=written,
    )


def _time(each: Pass, model: Model, name: str, default: int = _DEFAULT_MS) -> int:
    found = model.time_ms(each.scope, directive_of(each, name), default)
    return default if found is None else found


def _responses(each: Pass, model: Model) -> int:
    """``proxy_responses``; -1 where it is not set: then no response is missed."""
    text = model.value(each.scope, "proxy_responses") or ""
    return int(text) if text.isascii() and text.isdigit() else -1


def _buffered(each: Pass, model: Model) -> bool:
    """Whether bodies are read before they are sent; gRPC never waits (``ngx_http_grpc_handler``)."""
    if each.protocol == "grpc":
        return False
    return model.flag(each.scope, directive_of(each, "request_buffering"), default=True) is not False


def _tls(each: Pass, model: Model) -> bool:
    if each.family == "stream":
        return model.flag(each.scope, "proxy_ssl", default=False) is True
    return any(target.tls for target in each.targets)


def _reuses(each: Pass, model: Model) -> bool:
    """Whether the connection stays open after an answer, so that ``keepalive`` can keep it."""
    if each.protocol in ("grpc", "memcached"):
        return True
    if each.protocol == "fastcgi":
        return model.flag(each.scope, "fastcgi_keep_conn", default=False) is True
    if each.protocol != "proxy":
        return False
    modern = model.target.since(KEEPALIVE_BY_DEFAULT)
    version = model.value(each.scope, "proxy_http_version") or ("1.1" if modern else "1.0")
    headers = [
        str(node.args[1]).lower()
        for node in model.effective(each.scope, "proxy_set_header")
        if len(node.args) > 1 and node.args[0].lower() == "connection"
    ]
    connection = headers[-1] if headers else ("" if modern else "close")
    return version != "1.0" and connection in ("", "keep-alive")
