"""Headers of the answer: ``add_header``, ``expires``, the type, an absolute Location.

src/http/modules/ngx_http_headers_filter_module.c and src/http/ngx_http_header_filter_module.c.
"""

from __future__ import annotations

from nginxaudit.model import Model
from nginxaudit.nginx.values import parse_time_s
from nginxaudit.request.evaluate import shown, value, variable
from nginxaudit.request.flight import Flight, Unknown, Value
from nginxaudit.request.uri import extension, lower
from nginxaudit.syntax.tree import Directive

_SAFE = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
"""Statuses with which ``add_header`` is sent without ``always``."""
_TYPES = {"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}


def added(flight: Flight, block: Directive, status: int | None) -> list[tuple[str, str]]:
    """Headers that ``expires`` and ``add_header`` add. A status that is not known counts as one of success."""
    safe = status is None or status in _SAFE
    found = _expires(flight, block) if safe else []
    for node in flight.model.effective(block, "add_header"):
        if len(node.args) < 2 or not (safe or "always" in node.args[2:]):
            continue
        name, text = str(node.args[0]), shown(value(flight, node.args[1]))
        if name.lower() == "last-modified":
            continue
        if text:
            found.append((name, text))
    return found


def _expires(flight: Flight, block: Directive) -> list[tuple[str, str]]:
    nodes = flight.model.effective(block, "expires")
    if not nodes or not nodes[0].args:
        return []
    words = [str(word) for word in nodes[0].args]
    text = words[-1]
    found = value(flight, text)
    if isinstance(found, Unknown):
        return [("Cache-Control", f"by {found.shown}")]
    if found in ("off", ""):
        return []
    return [("Cache-Control", control)] if (control := _control(found, words)) else []


def _control(text: str, words: list[str]) -> str:
    if text == "epoch":
        return "no-cache"
    if text == "max":
        return "max-age=315360000"
    if text.startswith("@"):
        return "max-age=…"
    negative = text.startswith("-")
    seconds = _seconds(text.removeprefix("-").removeprefix("+"))
    if seconds is None:
        return ""
    if negative and seconds:
        return "no-cache"
    return "max-age=…" if "modified" in words and seconds else f"max-age={seconds}"


def _seconds(text: str) -> int | None:
    try:
        return parse_time_s(text)
    except ValueError:
        return None


def content_type(flight: Flight, block: Directive) -> str:
    """The type by the extension of the URI, else ``default_type``."""
    end = lower(extension(flight.uri))
    model = flight.model
    if end:
        found = _types(model, block).get(end)
        if found is not None:
            return found
    return str(model.value(block, "default_type") or "text/plain")


def _types(model: Model, block: Directive) -> dict[str, str]:
    blocks = model.effective(block, "types")
    if not blocks:
        return _TYPES
    tables: dict[tuple[Directive, ...], dict[str, str]] = model.once(_tables)
    key = tuple(blocks)
    table = tables.get(key)
    if table is None:
        table = tables[key] = {
            str(word).lower(): str(line.name)
            for each in blocks
            for line in each.children
            for word in line.args
            if line.name != "include"
        }
    return table


def _tables(model: object) -> dict[tuple[Directive, ...], dict[str, str]]:
    return {}


_CHARSET_TYPES = frozenset(
    {
        "text/html",
        "text/xml",
        "text/plain",
        "text/vnd.wap.wml",
        "application/javascript",
        "application/rss+xml",
    }
)


def with_charset(flight: Flight, block: Directive, kind: str, status: int | None) -> str:
    """A type with the ``charset`` in effect; redirects have none (``ngx_http_set_charset``)."""
    text = flight.model.value(block, "charset")
    if text is None or text == "off" or status in (301, 302):
        return kind
    types = {str(word) for node in flight.model.effective(block, "charset_types") for word in node.args}
    if kind not in (types | {"text/html"} if types else _CHARSET_TYPES) and "*" not in types:
        return kind
    charset = shown(value(flight, text))
    return f"{kind}; charset={charset}" if charset else kind


def absolute(flight: Flight, block: Directive, location: Value) -> Value:
    """A Location that begins with a slash gets scheme and host."""
    text = shown(location)
    model = flight.model
    if not text.startswith("/") or model.flag(block, "absolute_redirect", True) is False:
        return location
    host = _redirect_host(flight, block)
    port = flight.ask.port
    default = 443 if flight.ask.tls else 80
    shown_port = f":{port}" if port != default and model.flag(block, "port_in_redirect", True) else ""
    return f"{flight.ask.scheme}://{host}{shown_port}{text}"


def _redirect_host(flight: Flight, block: Directive) -> str:
    if flight.model.flag(block, "server_name_in_redirect", False):
        return shown(variable(flight, "server_name"))
    return flight.host or flight.ask.address or "$server_addr"
