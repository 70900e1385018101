"""A request in flight: the state that the phases read and change, as ``ngx_http_request_t`` has it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from msgspec import Struct

from nginxaudit.model.regex import UNDECIDED, Found, search
from nginxaudit.request.branches import Oracle
from nginxaudit.request.records import Ask, Step, World
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.location import Location
    from nginxaudit.model.server import Server
    from nginxaudit.model.sockets import Socket

T = TypeVar("T")

MAX_CHANGES = 10  # NGX_HTTP_MAX_URI_CHANGES


class Unknown(Struct, frozen=True):
    """A value that cannot be known.

    ``shown`` has the variables in the places of what is missing, ``candidates`` are all values it can have (none:
    any). ``name`` is the variable whose whole value it is.
    """

    shown: str
    reason: str
    candidates: tuple[str, ...] = ()
    name: str = ""


Value: TypeAlias = "str | Unknown"


class Builtin(Struct, frozen=True):
    """How a variable of nginx is computed, and whether its first value stays."""

    get: Callable[[Flight], Value]
    cached: bool = False


class Passed(Struct, frozen=True):
    """What is sent to which backend. ``target`` is the URL or address without the URI part."""

    node: Directive
    protocol: str
    target: str
    upstream: str | None
    method: str
    uri: str | None
    headers: tuple[tuple[str, str], ...]


class Lost(Exception):  # noqa: N818 - the walk ends here, which is an answer
    """From here on nothing is known."""

    def __init__(self, reason: str, node: Directive | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


class Closed(Exception):  # noqa: N818
    """The connection is closed, whatever else would have been."""


class Finish(Struct, frozen=True):
    """The request ends with a status that error pages may replace (``ngx_http_finalize_request``)."""

    status: int


class Reply(Struct, frozen=True):
    """An answer is sent as it is. ``status`` None: the backend decides."""

    status: int | None
    body: str | None = None
    file: str | None = None
    passed: Directive | None = None


class Goto(Struct, frozen=True):
    """An internal redirect to a URI, or to a named location."""

    uri: str
    args: str = ""
    named: bool = False


Result: TypeAlias = "Finish | Reply | Goto"


class Flight:
    """One request on its way. Names follow nginx's where there is one."""

    def __init__(
        self,
        model: Model,
        ask: Ask,
        world: World,
        oracle: Oracle,
        builtin: Mapping[str, Builtin],
        explain: bool = True,
    ) -> None:
        self.model = model
        self.builtin = builtin  # nginx's own variables by their names
        self.ask = ask
        self.world = world
        self.oracle = oracle
        self.explain = explain
        self.steps: list[Step] = []
        self.main = self  # for a subrequest: the request that it belongs to
        self.connected: Socket | None = None
        self.found: Server | None = None
        self.location: Location | None = None
        self.block: Directive = model.config.top  # r->loc_conf: a server, location, if or limit_except
        self.handler: Directive | None = None  # r->content_handler: a pass directive
        self.method = ask.method
        self.uri = ""
        self.args = ""
        self.raw = ask.target
        self.host = ""  # r->headers_in.server: in lower case, without the port
        self.host_header = ask.host
        self.named_host: str | None = None  # that of an absolute request target
        self.protocol = f"HTTP/{ask.version}"
        self.headers: list[tuple[str, str]] = []
        self.body: int | None = None  # r->headers_in.content_length_n, once the headers have been read
        self.length = ""  # the header itself
        self.client: str | None = ask.client
        self.real_ip_done = False
        self.quoted = False
        self.plus = False
        self.captures: tuple[Value, ...] = ()
        self.values: dict[str, Value] = {}
        self.computing: set[str] = set()
        self.internal = False
        self.valid_location = True
        self.valid_raw = True
        self.uri_changed = False
        self.changes_left = MAX_CHANGES + 1
        self.add_uri_to_alias = False
        self.error_page = False
        self.err_status = 0
        self.redirect: Value | None = None  # the Location header
        self.sent_type: Value = ""  # the Content-Type, without a charset; empty before there is an answer
        self.out: list[tuple[str, str]] = []  # headers that phases add: WWW-Authenticate
        self.user: Value | None = None
        self.sent: Passed | None = None  # what the backend got
        self.handshake: str | None = (
            None  # of stream: the TLS name of a socket with ssl; None before the handshake
        )
        self.preread: str | None = (
            None  # of stream: the TLS name that ssl_preread has read; None: it has read none
        )
        self.proxy_host: Value = ""  # empty before a request is passed on

    @property
    def is_main(self) -> bool:
        """It is no subrequest."""
        return self.main is self

    @property
    def socket(self) -> Socket:
        """The socket that the client is connected to."""
        assert self.connected is not None
        return self.connected

    @property
    def server(self) -> Server:
        """The server that answers."""
        assert self.found is not None
        return self.found

    # -- words

    def note(
        self, phase: str, node: Directive | None, text: str, why: str = "", others: tuple[str, ...] = ()
    ) -> None:
        """Add a step."""
        if self.explain:
            self.steps.append(Step(phase, node, text, why, others))

    def choose(self, key: Hashable, options: Sequence[tuple[T, str]], node: Directive | None = None) -> T:
        """Ask what cannot be known."""
        answer, words = self.oracle.ask(key, options, len(self.steps))
        if words is not None:
            self.note("assume", node, words)
        return answer

    def yes(self, key: Hashable, if_true: str, if_false: str, node: Directive | None = None) -> bool:
        """Ask a question with two answers."""
        return self.choose(key, ((True, if_true), (False, if_false)), node)

    # -- expressions

    def matches(self, pattern: str, text: Value, caseless: bool, node: Directive | None = None) -> bool:
        """Whether an expression is found in a text; a match sets the captures (``ngx_http_regex_exec``)."""
        if isinstance(text, Unknown):
            return self._assumed(pattern, text.shown, text.reason, node)
        found = search(pattern, text, caseless=caseless)
        if found is None:
            return False
        if found is UNDECIDED:
            return self._assumed(pattern, text, "the regular expression could not be tried", node)
        self.capture(found)
        return True

    def capture(self, found: Found) -> None:
        """Take over what an expression captured."""
        self.captures = found.groups
        if found.named:
            self.values.update(found.named)

    def _assumed(self, pattern: str, shown: str, reason: str, node: Directive | None) -> bool:
        from nginxaudit.model.regex import names

        words = f"{shown} matches {pattern}", f"{shown} does not match {pattern}"
        matched = self.yes(("match", pattern, shown), *words, node)
        if matched:
            self.captures = tuple([Unknown(f"${at}", reason) for at in range(1, 10)])
            for name in names(pattern):
                self.values[name.lower()] = Unknown(f"${name}", reason, name=name.lower())
        return matched

    # -- values

    def pin(self, value: Value, node: Directive | None = None) -> str:
        """A value that the way depends on: one of its candidates, else the walk ends."""
        if isinstance(value, str):
            return value
        if not value.candidates:
            raise Lost(f"{value.shown} is not known: {value.reason}", node)
        options = [(text, f'{value.shown} is "{text}"') for text in value.candidates]
        chosen = self.choose(("value", value.shown), options, node)
        if value.name:
            self.values[value.name] = chosen
        return chosen
