"""The walk: one request through the phases of nginx, once for every way that it can take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nginxaudit.model import Model
from nginxaudit.request import access, content, errors, rewrite, stream
from nginxaudit.request.addresses import real_ip
from nginxaudit.request.branches import MOST, Oracle, explore, results
from nginxaudit.request.builtin import BUILTIN, STREAM
from nginxaudit.request.evaluate import shown
from nginxaudit.request.flight import Closed, Finish, Flight, Goto, Lost, Reply, Result, Unknown
from nginxaudit.request.foreign import changed_headers, foreign
from nginxaudit.request.headers import absolute, added, content_type, with_charset
from nginxaudit.request.locations import enter, find_location
from nginxaudit.request.records import NOTHING_KNOWN, Ask, Outcome, Step, Trace, World
from nginxaudit.request.servers import BadHost, choose_server, find_socket, normal_host
from nginxaudit.request.uri import BadTarget, parse_target
from nginxaudit.syntax.tree import Directive

_METHOD = re.compile(r"[A-Z_-]+")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_NAME_UNDERSCORE = re.compile(r"[A-Za-z0-9_-]+")

_WITH_PAGE = frozenset(
    {301, 302, 303, 307, 308, *range(400, 417), 421, 429, 494, 495, 496, 497, 498, *range(500, 506), 507}
)
"""Statuses for which nginx has a text of its own."""


def trace(
    model: Model, ask: Ask, world: World = NOTHING_KNOWN, *, explain: bool = True, most: int = MOST
) -> Trace:
    """Everything that can happen to a request. ``explain`` adds the steps."""
    found, more = explore(_once(model, ask, world, explain), most)
    steps: list[Step] = []
    outcomes: list[Outcome] = []
    for number, ((outcome, taken), oracle, script) in enumerate(found):
        outcomes.append(outcome)
        first = oracle.choices[len(script) - 1].steps if script else 0
        steps += [_numbered(step, number) for step in taken[first:]] if number else taken
    return Trace(ask, tuple(steps), tuple(outcomes), more)


def ends(
    model: Model, ask: Ask, world: World = NOTHING_KNOWN, *, explain: bool = True, most: int = MOST
) -> Iterator[tuple[Outcome, list[Step]]]:
    """Each outcome of a request with all steps to it, found when it is asked for."""
    return results(_once(model, ask, world, explain), most)


def _once(
    model: Model, ask: Ask, world: World, explain: bool
) -> Callable[[Oracle], tuple[Outcome, list[Step]]]:
    builtin = BUILTIN if ask.protocol == "http" else STREAM

    def once(oracle: Oracle) -> tuple[Outcome, list[Step]]:
        flight = Flight(model, ask, world, oracle, builtin, explain)
        outcome = _walk(flight) if ask.protocol == "http" else stream.walk(flight)
        return outcome, flight.steps

    return once


def _numbered(step: Step, branch: int) -> Step:
    return Step(step.phase, step.node, step.text, step.why, step.others, branch)


def _walk(flight: Flight) -> Outcome:
    """One way from the connection to the answer."""
    try:
        return _outcome(flight, _settle(flight, _begin(flight)))
    except Closed:
        return _outcome(flight, Reply(444))
    except Lost as lost:
        flight.note("unknown", lost.node, "unknown from here on", lost.reason)
        return _outcome(flight, None, lost.reason)


def _settle(flight: Flight, result: Result) -> Reply:
    """Follow internal redirects and error pages until there is an answer."""
    while not isinstance(result, Reply):
        if isinstance(result, Finish):
            result = errors.special(flight, result.status) if result.status != 444 else Reply(444)
        elif result.named:
            result = _go_named(flight, result.uri)
        else:
            result = _go(flight, result)
    return result


# -- before the phases


def _begin(flight: Flight) -> Result:
    """Connection, request line and Host header."""
    ask = flight.ask
    socket = find_socket(flight)
    flight.connected = socket
    default = socket.default
    flight.found, flight.block = default, default.directive
    if socket.proxy_protocol and ask.proxied == "":
        flight.note("socket", default.directive, "closed", "the connection has no PROXY protocol header")
        return Reply(444)
    if ask.tls and not socket.ssl:
        flight.note("socket", default.directive, "closed", "the socket does not speak TLS")
        return Reply(444)
    if ask.tls and ask.sni:
        _enter_server(flight, choose_server(flight, socket, ask.sni, "the TLS name", capture=False))
        assert flight.block is not None
        if flight.model.flag(flight.block, "ssl_reject_handshake", False):
            node = flight.model.effective(flight.block, "ssl_reject_handshake")[0]
            flight.note("server", node, "closed", "ssl_reject_handshake ends the TLS handshake")
            return Reply(444)
    return _request_line(flight) or _host(flight) or _secured(flight) or _phases(flight)


def _request_line(flight: Flight) -> Result | None:
    block = flight.block
    try:
        if not _METHOD.fullmatch(flight.ask.method):
            raise BadTarget("the method has other characters than capital letters, - and _", early=True)
        merge = flight.model.flag(block, "merge_slashes", True) is not False
        target = parse_target(flight.ask.target, merge_slashes=merge)
    except BadTarget as bad:
        flight.raw, flight.host_header = "", None
        if bad.early:
            flight.method = flight.protocol = ""
        flight.note("request line", block, "400", str(bad))
        return Finish(400)
    flight.uri, flight.args, flight.raw = target.uri, target.args, target.raw
    flight.quoted, flight.plus, flight.valid_raw = target.quoted, target.plus, target.valid_raw
    flight.named_host = target.host
    if flight.explain and target.uri != target.raw.partition("?")[0]:
        flight.note("request line", None, f"the URI is {target.uri}", "decoded and normalised")
    return None


def _headers(flight: Flight, block: Directive) -> list[tuple[str, str]]:
    """The request's headers without those that nginx ignores, and without Host."""
    model = flight.model
    headers = [each for each in flight.ask.headers if each[0].lower() != "host"]
    if model.flag(block, "ignore_invalid_headers", True) is False:
        return headers
    valid = _NAME_UNDERSCORE if model.flag(block, "underscores_in_headers", False) else _NAME
    kept = [each for each in headers if valid.fullmatch(each[0])]
    for name, _ in headers:
        if not valid.fullmatch(name):
            flight.note(
                "request line",
                None,
                f"the header {name} is ignored",
                "its name is invalid, or has an underscore",
            )
    return kept


def _host(flight: Flight) -> Result | None:
    ask, socket = flight.ask, flight.socket
    try:
        for name in (flight.named_host, ask.host):
            if name is not None:
                found = normal_host(name)
                flight.host = flight.host or found
    except BadHost as bad:
        if flight.host:
            _enter_server(flight, choose_server(flight, socket, flight.host, "the host"))
        flight.note("server", flight.block, "400", str(bad))
        return Finish(400)
    before = flight.server
    server = choose_server(flight, socket, flight.host, "the host")
    _enter_server(flight, server)
    moved = ask.tls and ask.sni and flight.host != ask.sni and server is not before
    if moved and _verifies(flight, server.directive):
        flight.note("server", server.directive, "421", "the TLS name leads to another server")
        return Finish(421)
    flight.headers = _headers(flight, flight.block)
    flight.body, flight.length = ask.body, "" if ask.body is None else str(ask.body)
    if ask.host is None and ask.version != "1.0":
        flight.note("server", flight.block, "400", "HTTP/1.1 needs a Host header")
        return Finish(400)
    if flight.method in ("TRACE", "CONNECT"):
        flight.note("server", flight.block, "405", f"nginx refuses {flight.method}")
        return Finish(405)
    return None


def _enter_server(flight: Flight, server: object) -> None:
    from nginxaudit.model.server import Server

    assert isinstance(server, Server)
    flight.found, flight.block = server, server.directive


def _verifies(flight: Flight, block: Directive) -> bool:
    return (flight.model.value(block, "ssl_verify_client") or "off") != "off"


def _secured(flight: Flight) -> Result | None:
    """What TLS asks for before the phases begin."""
    socket, block = flight.socket, flight.block
    if not flight.ask.tls and socket.ssl:
        flight.note("server", block, "497", "a plain request on a TLS socket")
        return Finish(497)
    if flight.ask.tls and flight.model.value(block, "ssl_verify_client") == "on":
        node = flight.model.effective(block, "ssl_verify_client")[0]
        words = "the client has a certificate that is accepted", "the client has no certificate"
        if not flight.yes(("certificate",), *words, node):
            return Finish(496)
    return None


# -- internal redirects


def _go(flight: Flight, to: Goto) -> Result:
    """``ngx_http_internal_redirect``."""
    flight.changes_left -= 1
    if not flight.changes_left:
        return _cycle(flight)
    flight.uri, flight.args = to.uri, to.args
    flight.internal = True
    flight.valid_raw = False
    flight.add_uri_to_alias = False
    flight.sent, flight.proxy_host = None, ""
    return _phases(flight)


def _go_named(flight: Flight, name: str) -> Result:
    """``ngx_http_named_location``."""
    flight.changes_left -= 1
    if not flight.changes_left:
        return _cycle(flight)
    location = flight.server.named_locations.get(name)
    if location is None or not flight.uri:
        flight.note(
            "location",
            None,
            "500",
            f"there is no location {name}" if location is None else "the URI is empty",
        )
        return Finish(500)
    flight.internal = True
    flight.handler = flight.sent = None
    flight.proxy_host = ""
    flight.uri_changed = False
    flight.location = location
    flight.note("location", location.directive, location.label, "by its name")
    enter(flight, location.directive)
    return _location_phases(flight)


def _cycle(flight: Flight) -> Result:
    flight.note("location", None, "500", "more than ten internal redirects: a cycle")
    return Finish(500)


# -- the phases


def _phases(flight: Flight) -> Result:
    """From the server's rewrite phase on."""
    server = flight.server
    flight.block = server.directive
    flight.location = None
    flight.handler = None
    flight.valid_location = True
    if not flight.internal:
        real_ip(flight, server.directive)
    result = rewrite.run(flight, server.directive, of_server=True)
    if result is not None:
        return result
    return find_location(flight) or _location_phases(flight)


def _location_phases(flight: Flight) -> Result:
    """From the location's rewrite phase on."""
    server = flight.server
    while True:
        block = flight.block
        assert block is not None
        if block is not server.directive:
            result = rewrite.run(flight, block, of_server=False)
            if result is not None:
                return result
        if not flight.uri_changed:
            return _after_rewrite(flight)
        flight.changes_left -= 1
        if not flight.changes_left:
            return _cycle(flight)
        flight.block = server.directive
        found = find_location(flight)
        if found is not None:
            return found


def _after_rewrite(flight: Flight) -> Result:
    block = flight.block
    real_ip(flight, block)
    foreign(flight, block)
    access.preaccess(flight, block)
    if flight.is_main:
        refused = access.access(flight, block, _subrequest)
        if refused is not None:
            return refused
    result = content.try_files(flight, block)
    return result if result is not None else content.content(flight, block)


def _subrequest(flight: Flight, uri: str, node: Directive) -> int | None:
    """The status of a subrequest; None where a backend decides it."""
    sub = Flight(flight.model, flight.ask, flight.world, flight.oracle, flight.builtin, flight.explain)
    sub.steps, sub.values, sub.headers = flight.steps, flight.values, flight.headers
    sub.connected, sub.found, sub.host, sub.host_header = (
        flight.socket,
        flight.server,
        flight.host,
        flight.host_header,
    )
    sub.body, sub.length = flight.body, flight.length
    sub.client, sub.real_ip_done = flight.client, flight.real_ip_done
    sub.main, sub.internal, sub.valid_raw, sub.raw = flight.main, True, False, flight.raw
    sub.method, sub.uri = "GET", uri
    try:
        reply = _settle(sub, _phases(sub))
    except Lost as lost:
        flight.note("unknown", lost.node or node, "the subrequest's status is unknown", lost.reason)
        return None
    if reply.status == 444:
        flight.note("access", node, "closed", "the subrequest's 444 closes the whole connection")
        raise Closed
    return sub.err_status or reply.status


# -- the answer


def _outcome(flight: Flight, reply: Reply | None, unknown: str | None = None) -> Outcome:
    server, location, block = flight.found, flight.location, flight.block
    when = flight.oracle.assumptions
    place = server.directive if server is not None else None
    inside = location.directive if location is not None else None
    if reply is None or reply.status == 444:
        return Outcome(when, None, server=place, location=inside, closed=reply is not None, unknown=unknown)
    status = flight.err_status or reply.status
    redirect = shown(absolute(flight, block, flight.redirect)) if flight.redirect is not None else None
    sent = flight.sent if reply.passed is not None else None
    return Outcome(
        when,
        status,
        redirect,
        place,
        inside,
        sent.target if sent else None,
        sent.upstream if sent else None,
        sent.method if sent else None,
        sent.uri if sent else None,
        sent.headers if sent else (),
        reply.file,
        reply.body,
        _client_headers(flight, reply, block, status),
    )


def _client_headers(
    flight: Flight, reply: Reply, block: Directive, status: int | None
) -> tuple[tuple[str, str], ...]:
    changed_headers(flight, block)
    found = list(flight.out)
    kind = _content_type(flight, reply, block, status)
    if kind is not None:
        found.append(("Content-Type", with_charset(flight, block, kind, status)))
    name = "sent_http_content_type"
    flight.sent_type = (
        Unknown(f"${name}", "the backend decides it", name=name) if reply.passed else kind or ""
    )
    return tuple(found + added(flight, block, status))


def _content_type(flight: Flight, reply: Reply, block: Directive, status: int | None) -> str | None:
    """The type of what nginx itself sends; None for an answer without one, and that of a backend."""
    if reply.file is not None or reply.body is not None:
        listing = reply.file is not None and reply.file.endswith("/")
        return None if status == 204 else "text/html" if listing else content_type(flight, block)
    return "text/html" if reply.passed is None and reply.status in _WITH_PAGE else None
