"""What nginx does with a connection of stream: socket, server, access, preread, pass.

The order is that of src/stream/ngx_stream_core_module.c: a server is found by its socket, since 1.25.5 among several by the name
in the TLS handshake.
"""

from __future__ import annotations

from nginxaudit.model.target import parse_target
from nginxaudit.request.access import addresses
from nginxaudit.request.evaluate import shown, value
from nginxaudit.request.flight import Closed, Flight, Lost, Unknown
from nginxaudit.request.records import Outcome
from nginxaudit.request.servers import choose_server, find_socket
from nginxaudit.syntax.tree import Directive

_CODE = (
    "preread_by_lua_block",
    "preread_by_lua_file",
    "content_by_lua_block",
    "content_by_lua_file",
    "js_preread",
    "js_access",
    "js_filter",
)


def walk(flight: Flight) -> Outcome:
    """One way from the connection to the backend."""
    try:
        return _connected(flight)
    except Closed:
        return Outcome(flight.oracle.assumptions, closed=True)
    except Lost as lost:
        flight.note("unknown", lost.node, "unknown from here on", lost.reason)
        server = flight.found.directive if flight.found is not None else None
        return Outcome(flight.oracle.assumptions, server=server, unknown=lost.reason)


def _connected(flight: Flight) -> Outcome:
    socket = find_socket(flight)
    flight.connected = socket
    server = choose_server(flight, socket, (flight.ask.sni or "").lower(), "the TLS name")
    flight.found, flight.block = server, server.directive
    block = server.directive
    if addresses(flight, block) == 403:
        return _closed(flight, block)
    for name in flight.model.written(_CODE):
        found = flight.model.effective(block, name)
        if found:
            raise Lost(f"{name} runs: its code decides", found[0])
    node = block.first("return")
    if node is not None and node.args:
        text = shown(value(flight, node.args[0]))
        flight.note("content", node, f'the text "{text}"')
        return Outcome(flight.oracle.assumptions, server=block, body=text)
    return _passed(flight, block)


def _passed(flight: Flight, block: Directive) -> Outcome:
    node = block.first("proxy_pass") or block.first("pass")
    if node is None or not node.args:
        flight.note("content", block, "closed", "the server passes nothing on")
        return _closed(flight, block)
    found = value(flight, node.args[0])
    if isinstance(found, Unknown) and found.candidates:
        found = flight.pin(found, node)
    if isinstance(found, Unknown):
        flight.note("content", node, f"passed to {found.shown}", found.reason)
        return Outcome(flight.oracle.assumptions, server=block, passed=found.shown)
    if not found:
        flight.note("content", node, "closed", "the variable is empty: there is no backend")
        return _closed(flight, block)
    target = parse_target("stream", found, flight.model.groups("stream"), runtime="$" in node.args[0])
    upstream = target.upstream.name if target.upstream is not None else None
    flight.note("content", node, f"passed to {found}", f"upstream {upstream}" if upstream else "")
    return Outcome(flight.oracle.assumptions, server=block, passed=found, upstream=upstream)


def _closed(flight: Flight, block: Directive) -> Outcome:
    return Outcome(flight.oracle.assumptions, server=block, closed=True)
