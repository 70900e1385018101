"""``$invalid_referer`` (src/http/modules/ngx_http_referer_module.c)."""

from __future__ import annotations

from nginxaudit.request.flight import Flight, Unknown, Value
from nginxaudit.request.named import header

_SHORTEST = len("http://i.ru")


def invalid_referer(flight: Flight) -> Value:
    """``1`` where the Referer header is none of ``valid_referers``, else empty."""
    words = [
        str(word) for node in flight.model.effective(flight.block, "valid_referers") for word in node.args
    ]
    if not words:
        return ""
    if not any(name.lower() == "referer" for name, _ in flight.headers):
        return "" if "none" in words else "1"
    sent = header(flight, "referer")
    scheme = next((each for each in ("http://", "https://") if sent.lower().startswith(each)), "")
    if not scheme or len(sent) < _SHORTEST:
        return "" if "blocked" in words else "1"
    if any(word.startswith("~") or "/" in word for word in words):
        return Unknown(
            "$invalid_referer",
            "its regular expressions and paths are not followed",
            ("", "1"),
            "invalid_referer",
        )
    host = sent[len(scheme) :].partition("/")[0].partition(":")[0].lower()
    names = [word.lower() for word in words if word not in ("none", "blocked", "server_names")]
    if "server_names" in words and flight.server is not None:
        names += [name.name for name in flight.server.names]
    return "" if any(_fits(name, host) for name in names) else "1"


def _fits(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    if name.startswith("."):
        return host == name[1:] or host.endswith(name)
    if name.endswith(".*"):
        return host.startswith(name[:-1])
    return host == name
