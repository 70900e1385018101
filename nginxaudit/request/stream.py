"""What nginx does with a connection of stream: socket, server, access, TLS, preread, pass.

The phases are those of src/stream/ngx_stream_core_module.c. A socket gives its default server; since 1.25.5 the name in the
TLS handshake chooses another one, but after ``set``, ``allow`` and ``deny`` of the default server have done their work.
"""

from __future__ import annotations

from nginxaudit.model.target import PassTarget, parse_target
from nginxaudit.request.access import addresses
from nginxaudit.request.addresses import real_ip
from nginxaudit.request.evaluate import shown, value
from nginxaudit.request.flight import Closed, Flight, Lost, Unknown, Value
from nginxaudit.request.records import Ask, Outcome
from nginxaudit.request.servers import BadHost, choose_server, find_socket, normal_host, sockets_for
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
_HANDLERS = frozenset({"return", "proxy_pass", "pass"})
"""Each makes itself the handler of its server, so that of several the last one counts."""

_FAMILIES = ("http", "stream", "mail")


def walk(flight: Flight) -> Outcome:
    """One way from the connection to the backend."""
    try:
        return _connected(flight)
    except Closed:
        server = flight.found.directive if flight.found is not None else None
        return Outcome(flight.oracle.assumptions, server=server, closed=True)
    except Lost as lost:
        flight.note("unknown", lost.node, "unknown from here on", lost.reason)
        server = flight.found.directive if flight.found is not None else None
        return Outcome(flight.oracle.assumptions, server=server, unknown=lost.reason)


def _connected(flight: Flight) -> Outcome:
    socket = find_socket(flight)
    flight.connected = socket
    flight.found, flight.block = socket.default, socket.default.directive
    _proxy_protocol(flight)
    real_ip(flight, flight.block)
    _set(flight)
    if addresses(flight, flight.block) == 403:
        raise Closed
    if socket.ssl:
        _handshake(flight)
    else:
        _preread(flight)
    _code(flight)
    return _content(flight)


def _close(flight: Flight, phase: str, node: Directive | None, why: str) -> Closed:
    flight.note(phase, node, "closed", why)
    return Closed()


def _proxy_protocol(flight: Flight) -> None:
    """The header before everything else, where the socket wants one."""
    ask, block = flight.ask, flight.block
    if not flight.socket.proxy_protocol:
        return
    if ask.proxied == "":
        raise _close(flight, "socket", block, "the connection does not begin with a PROXY protocol header")
    sender = f"from {ask.proxied}" if ask.proxied else "the address in it is not known (--proxy-protocol)"
    flight.note("socket", block, "PROXY protocol header", sender)


def _set(flight: Flight) -> None:
    for node in flight.block.named("set"):
        if len(node.args) > 1:
            flight.values[str(node.args[0])[1:].lower()] = value(flight, node.args[1])


# -- the name in the handshake


def _handshake(flight: Flight) -> None:
    """A socket with ``ssl``."""
    model = flight.model
    if not _speaks_tls(flight):
        raise _close(flight, "socket", flight.block, "the socket expects a TLS handshake")
    _choose(flight)
    block = flight.block
    rejecting = model.effective(block, "ssl_reject_handshake")
    if model.flag(block, "ssl_reject_handshake", False):
        raise _close(flight, "server", rejecting[0], "ssl_reject_handshake ends the TLS handshake")
    if node := next(iter(model.effective(block, "ssl_alpn")), None):
        _alpn(flight, node)
    if model.value(block, "ssl_verify_client") == "on":
        verify = model.effective(block, "ssl_verify_client")[0]
        words = "the client has a certificate that is accepted", "the client has no certificate"
        if not flight.yes(("certificate",), *words, verify):
            raise _close(flight, "access", verify, "a certificate is required")
    flight.handshake = flight.ask.sni or ""


def _alpn(flight: Flight, node: Directive) -> None:
    """A client that offers protocols must offer one of ``ssl_alpn``."""
    offered, allowed = flight.ask.alpn, [str(name) for name in node.args]
    if offered is None:
        names = ", ".join(allowed)
        words = (
            f"the client offers {names} by ALPN, or nothing",
            f"the client offers other protocols than {names}",
        )
        fits = flight.yes(("alpn",), *words, node)
    else:
        fits = not offered or bool(set(offered) & set(allowed))
    if not fits:
        raise _close(flight, "server", node, "the client offers no protocol of ssl_alpn")


def _preread(flight: Flight) -> None:
    """``ssl_preread``: the name is read, and the bytes are passed on as they are."""
    if flight.ask.protocol == "udp" or not flight.model.flag(flight.block, "ssl_preread", False):
        _default(flight, "no TLS name is read: ssl_preread is off")
        return
    node = flight.model.effective(flight.block, "ssl_preread")[0]
    if not _speaks_tls(flight):
        _default(flight, "the client does not begin with a TLS handshake")
        flight.note(
            "preread", node, "no TLS handshake", "a client that sends nothing is closed after preread_timeout"
        )
        return
    flight.preread = flight.ask.sni or ""
    name = f"the TLS name is {flight.preread}" if flight.preread else "the handshake has no name"
    flight.note("preread", node, name, "read by ssl_preread; the connection stays encrypted")
    _choose(flight)


def _speaks_tls(flight: Flight) -> bool:
    """The bytes of TLS come where nginx reads them: a PROXY protocol header that it does not expect is in the way."""
    return flight.ask.protocol == "tls" and not (flight.ask.proxied and not flight.socket.proxy_protocol)


def _choose(flight: Flight) -> None:
    """Since 1.25.5: the server with the TLS name; without a valid name it stays the default one."""
    if not flight.ask.sni:
        _default(flight, "the TLS handshake has no name")
        return
    try:
        name = normal_host(flight.ask.sni)
    except BadHost:
        _default(flight, "the TLS name is not valid")
        return
    server = choose_server(flight, flight.socket, name, "the TLS name")
    flight.found, flight.block = server, server.directive


def _default(flight: Flight, why: str) -> None:
    several = len(flight.socket.servers) > 1
    reason = f"{why}: the default server" if several else "the only server of the socket"
    flight.note("server", flight.block, f"server {flight.server.label}", reason)


# -- content


def _code(flight: Flight) -> None:
    for name in flight.model.written(_CODE):
        found = flight.model.effective(flight.block, name)
        if found:
            raise Lost(f"{name} runs: its code decides", found[0])


def _content(flight: Flight) -> Outcome:
    block = flight.block
    node = next((each for each in reversed(block.children) if each.name in _HANDLERS and each.args), None)
    if node is None:
        raise _close(flight, "content", block, "the server passes nothing on")
    if node.name != "return":
        return _passed(flight, node)
    text = shown(_pinned(flight, node))
    flight.note("content", node, f'the text "{text}"')
    return Outcome(flight.oracle.assumptions, server=block, body=text)


def _pinned(flight: Flight, node: Directive) -> Value:
    """The argument's value: one of its candidates, where there are such."""
    found = value(flight, node.args[0])
    return flight.pin(found, node) if isinstance(found, Unknown) and found.candidates else found


def _passed(flight: Flight, node: Directive) -> Outcome:
    found = _pinned(flight, node)
    if isinstance(found, Unknown):
        flight.note("content", node, f"passed to {found.shown}", found.reason)
        return Outcome(flight.oracle.assumptions, server=flight.block, passed=found.shown)
    if not found:
        raise _close(flight, "content", node, "the variable is empty: there is no backend")
    target = parse_target("stream", found, flight.model.groups("stream"), runtime="$" in node.args[0])
    wrong = ""
    if node.name == "pass":
        wrong = _inside(flight, target)
    elif "$" in node.args[0]:
        wrong = _unreachable(flight, target)
    if wrong:
        raise _close(flight, "content", node, wrong)
    upstream = target.upstream.name if target.upstream is not None else None
    flight.note("content", node, f"passed to {found}", f"upstream {upstream}" if upstream else "")
    return Outcome(flight.oracle.assumptions, server=flight.block, passed=found, upstream=upstream)


def _unreachable(flight: Flight, target: PassTarget) -> str:
    """Why the value of a ``proxy_pass`` leads to no backend; empty if it may lead to one (``ngx_stream_proxy_handler``)."""
    if target.kind == "invalid":
        return f'"{target.text}" is not an address: {target.reason}'
    if target.kind in ("address", "hostname") and not target.explicit_port:
        known_group = " and is not the name of an upstream" if target.kind == "hostname" else ""
        return f'"{target.text}" has no port{known_group}'
    if target.kind == "hostname" and not flight.model.effective(flight.block, "resolver"):
        return f'there is no resolver for the name in "{target.text}"'
    return ""


def _inside(flight: Flight, target: PassTarget) -> str:
    """Why ``pass`` finds no socket of this nginx (``ngx_stream_pass_handler``)."""
    if flight.ask.protocol == "udp":
        return "pass is not for UDP"
    if flight.socket.ssl and flight.model.flag(flight.block, "ssl_preread", False):
        return "pass takes no connection of which decrypted bytes were read: ssl_preread on a socket with ssl"
    if target.kind == "unix":
        address, port = f"unix:{target.host}", 0
    elif target.kind == "address" and target.port is not None:
        address, port = target.host, target.port
    else:
        return f'"{target.text}" is not an address with a port'
    if any(sockets_for(flight.model, Ask(address=address, port=port), family) for family in _FAMILIES):
        return ""
    return f"no server of this nginx listens on {target.text}"
