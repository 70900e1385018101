"""Variables that are named after a header, an argument or a cookie of the request: ``$http_NAME`` and others."""

from __future__ import annotations

import re

from nginxaudit.request.flight import Flight, Unknown, Value

_JOINED_SINCE = (1, 23, 0)  # repeated request headers are joined in $http_NAME


def header(flight: Flight, name: str) -> str:
    """A request header by its lower-case name; empty without it."""
    values = [text for each, text in flight.headers if each.lower() == name]
    if name == "cookie":
        return "; ".join(values)
    if len(values) > 1 and name != "x-forwarded-for" and not flight.model.target.target.since(_JOINED_SINCE):
        return values[0]
    return ", ".join(values)


def argument(flight: Flight, name: str) -> str:
    """An argument by its name in any case (``ngx_http_arg``)."""
    if not flight.args:
        return ""
    found = re.search(rf"(?:^|&){re.escape(name)}=([^&]*)", flight.args, re.I | re.A | re.S)
    return found[1] if found else ""


def cookie(flight: Flight, name: str) -> str:
    """A cookie by its name in any case (``ngx_http_parse_multi_header_lines``)."""
    pattern = rf"(?:^|[;,] *){re.escape(name)} *= *([^;]*)"
    for each, text in flight.headers:
        if each.lower() == "cookie":
            found = re.search(pattern, text, re.I | re.A | re.S)
            if found:
                return found[1]
    return ""


_LATER = ("sent_http_", "sent_trailer_", "upstream_http_", "upstream_trailer_", "upstream_cookie_")


def prefixed(flight: Flight, name: str) -> Value:
    """A variable named after a header, an argument or a cookie, or one that is not known."""
    if name.startswith("http_"):
        wanted = name[5:]
        names = [each.lower() for each, _ in flight.headers if each.lower().replace("-", "_") == wanted]
        return header(flight, names[0]) if names else ""
    if name.startswith("arg_"):
        return argument(flight, name[4:])
    if name.startswith("cookie_"):
        return cookie(flight, name[7:])
    if name.startswith(_LATER) or name.startswith(
        ("upstream_", "body_bytes", "bytes_sent", "request_time", "status")
    ):
        return Unknown(f"${name}", "it is known when the answer is there", name=name)
    if name.startswith(
        ("ssl_", "geoip", "proxy_protocol_", "time_", "msec", "request_id", "connection", "pid")
    ):
        return Unknown(f"${name}", "it depends on the connection or the time", name=name)
    return Unknown(f"${name}", "its value is not in the configuration", name=name)
