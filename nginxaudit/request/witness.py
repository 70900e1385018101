"""A request as a command to try."""

from __future__ import annotations

import shlex

from nginxaudit.request.records import Ask


def curl(ask: Ask) -> str | None:
    """The request for curl, sent as it is; None for a connection of stream."""
    if ask.protocol != "http":
        return None
    words = ["curl", "-i", "--path-as-is"]
    if ask.method == "HEAD":
        words.append("-I")
    elif ask.method != ("GET" if ask.body is None else "POST"):
        words += ["-X", ask.method]
    host = ask.host or ""
    name = (ask.sni if ask.tls else None) or host.partition(":")[0] or "localhost"
    if ask.address is not None and ask.address != name and not ask.address.startswith("unix:"):
        words += ["--connect-to", f"::{_literal(ask.address)}:"]
    port = "" if ask.port == (443 if ask.tls else 80) else f":{ask.port}"
    if host != f"{name}{port}":
        words += ["-H", f"Host: {host}" if ask.host is not None else "Host;"]
    for header, value in ask.headers:
        words += ["-H", f"{header}: {value}" if value else f"{header};"]
    if ask.body is not None:
        words += ["-d", "x" * min(ask.body, 20)]
    return shlex.join([*words, f"{ask.scheme}://{_literal(name)}{port}{ask.target}"])


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
