"""What a backend receives: the URI, the method, the headers or parameters.

The URI is made as in ``ngx_http_proxy_create_request``, the headers as by ``ngx_http_proxy_init_headers``
(src/http/modules/ngx_http_proxy_module.c).
"""

from __future__ import annotations

from msgspec import Struct

from nginxaudit.model import Model
from nginxaudit.model.passes import split_authority
from nginxaudit.model.regex import Found, search
from nginxaudit.model.target import PassTarget, parse_target
from nginxaudit.request.evaluate import shown, value
from nginxaudit.request.flight import Flight, Passed, Unknown, Value
from nginxaudit.request.uri import escape_uri
from nginxaudit.syntax.tree import Directive

_DROPPED = frozenset(
    {
        "host", "connection", "proxy-connection", "content-length", "transfer-encoding", "te", "keep-alive", "expect", "upgrade",
    }
)  # fmt: skip
"""Headers of clients that ``proxy_pass`` does not pass on by itself."""
_CONDITIONAL = frozenset(
    {"if-modified-since", "if-unmodified-since", "if-none-match", "if-match", "range", "if-range"}
)
"""Those that are kept back where the answer may be cached."""
_ONE_HOST = (1, 31, 4)
_PARAMETERS = {"fastcgi": "fastcgi_param", "uwsgi": "uwsgi_param", "scgi": "scgi_param"}


class _Url(Struct, frozen=True):
    """A target taken apart. ``host`` is what ``$proxy_host`` is; ``path`` None without a URI part."""

    shown: str
    host: Value
    path: str | None
    upstream: str | None
    variable: bool = False
    bad: bool = False
    resolved: bool = False  # a name that is looked up for every request


class BadUrl(Exception):  # noqa: N818
    """The value of a variable is no URL, or one that nginx cannot look up."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def current(flight: Flight, name: str = "proxy_pass") -> Directive | None:
    """The pass directive in effect: its own, or in ``if`` and ``limit_except`` that around it."""
    found = flight.model.effective(flight.block, name)
    return found[-1] if found else None


def passed(flight: Flight, handler: Directive) -> Passed:
    """What is sent on. Raises `BadUrl`."""
    node = current(flight, handler.name)
    if (
        node is None
    ):  # of two if blocks that hold, the first one passes, and the settings of the second one count
        raise BadUrl(500, f"{handler.name} is not in the block whose settings count")
    protocol = node.name.removesuffix("_pass")
    if protocol == "proxy":
        return _proxy(flight, node)
    url = _plain_target(flight, node, protocol)
    uri = None
    headers: tuple[tuple[str, str], ...] = ()
    if protocol == "grpc":
        uri = _raw_or_made(flight)
        headers = _headers(flight, "grpc", url.host)
    elif protocol in _PARAMETERS:
        headers = _parameters(flight, _PARAMETERS[protocol])
    elif protocol == "memcached":
        uri = shown(flight.values.get("memcached_key", ""))
    return Passed(node, protocol, url.shown, url.upstream, flight.method, uri, headers)


def _proxy(flight: Flight, node: Directive) -> Passed:
    url = _url(flight, node)
    if url.bad:
        raise BadUrl(500, "the value is not a URL")
    if url.resolved:
        _look_up(flight, shown(url.host), url.shown)
    block = flight.block
    flight.proxy_host = url.host
    method = flight.model.value(block, "proxy_method")
    made = shown(value(flight, method)) if method is not None else flight.method
    headers = _headers(flight, "proxy", url.host)
    return Passed(node, "proxy", url.shown, url.upstream, made, _uri(flight, node, url), headers)


def _has_empty_label(host: str) -> bool:
    """Whether nginx's resolver refuses a name (``ngx_resolver_create_name_query``)."""
    return not all(host.partition(":")[0].removesuffix(".").split("."))


# -- targets


def _url(flight: Flight, node: Directive) -> _Url:
    text = str(node.args[0])
    if "$" not in text:
        return _static(flight.model, node)
    found = value(flight, text)
    if isinstance(found, Unknown) and found.candidates:
        found = flight.pin(found, node)
    if isinstance(found, Unknown):
        head, path = split_authority(text)
        base = value(flight, head)
        behind = value(flight, path) if path else None
        host = base.shown if isinstance(base, Unknown) else base
        name = host.partition("://")[2] or host
        return _Url(host, Unknown(name, found.reason), None if behind is None else shown(behind), None, True)
    return _made(flight.model, found)


def _static(model: Model, node: Directive) -> _Url:
    known: dict[Directive, _Url] = model.once(_statics)
    url = known.get(node)
    if url is None:
        url = known[node] = _of(parse_target("proxy", str(node.args[0]), model.groups("http")), False)
    return url


def _statics(model: object) -> dict[Directive, _Url]:
    return {}


def _made(model: Model, text: str) -> _Url:
    """A URL that variables made."""
    if not text.lower().startswith(("http://", "https://")):
        return _Url(text, "", None, None, True, True)
    return _of(parse_target("proxy", text, model.groups("http"), runtime=True), True)


def _of(target: PassTarget, variable: bool) -> _Url:
    if target.kind == "invalid":
        return _Url(target.text, "", None, None, variable, variable)
    path = target.path
    text = target.text[: -len(path)] if path and target.text.endswith(path) else target.text
    if path and path.startswith("?") and variable:
        path = f"/{path}"
    authority = text.partition("://")[2]
    host: str = "localhost" if target.kind == "unix" else authority
    default = {"http": 80, "https": 443}.get(target.scheme)
    if target.explicit_port and target.port == default:
        host = host.rpartition(":")[0]
    upstream = target.upstream.name if target.upstream is not None else None
    return _Url(text, host, path, upstream, variable, resolved=variable and target.kind == "hostname")


def _plain_target(flight: Flight, node: Directive, protocol: str) -> _Url:
    text = str(node.args[0]) if node.args else "$host:$request_port"
    found = value(flight, text) if protocol != "memcached" else text
    if isinstance(found, Unknown) and found.candidates:
        found = flight.pin(found, node)
    if isinstance(found, Unknown):
        return _Url(found.shown, found, None, None, True)
    runtime = "$" in text
    target = parse_target(protocol, found, flight.model.groups("http"), runtime=runtime)
    if runtime:
        _check(flight, target)
    upstream = target.upstream.name if target.upstream is not None else None
    return _Url(found, found.partition("://")[2] or found, None, upstream)


def _check(flight: Flight, target: PassTarget) -> None:
    """What a variable has to make: an address with a port, or a name that can be looked up. Raises `BadUrl`."""
    if target.kind == "invalid":
        raise BadUrl(500, f"{target.text} is no address: {target.reason}")
    if target.upstream is None and target.kind != "unix" and target.port is None:
        raise BadUrl(500, f"{target.text} has no port")
    if target.kind == "hostname":
        _look_up(flight, target.host, target.text)


def _look_up(flight: Flight, host: str, text: str) -> None:
    if not flight.model.effective(flight.block, "resolver"):
        raise BadUrl(502, f"there is no resolver for the name in {text}")
    if _has_empty_label(host):
        raise BadUrl(502, f"the name in {text} cannot be looked up")


# -- the URI


def _uri(flight: Flight, node: Directive, url: _Url) -> str:
    if url.variable and url.path:
        return url.path
    if not url.path and flight.valid_raw:
        return flight.raw
    path = url.path or ""
    cut = 0
    if flight.valid_location and path:
        cut = min(len(_location_name(flight.model, node)), len(flight.uri))
    return (path if flight.valid_location else "") + _rest(flight, cut)


def _rest(flight: Flight, cut: int) -> str:
    rest = flight.uri[cut:]
    if flight.quoted or flight.internal:
        rest = escape_uri(rest)
    return f"{rest}?{flight.args}" if flight.args else rest


def _raw_or_made(flight: Flight) -> str:
    return flight.raw if flight.valid_raw and flight.is_main else _rest(flight, 0)


def _location_name(model: Model, node: Directive) -> str:
    """The part of the URI that the URI part of a target replaces."""
    location = model.location_of(node)
    if location is None or location.is_regex or location.is_named or node.parent is not location.directive:
        return ""
    return location.pattern


# -- headers


def _headers(flight: Flight, protocol: str, host: Value) -> tuple[tuple[str, str], ...]:
    block, model = flight.block, flight.model
    written = [node for node in model.effective(block, f"{protocol}_set_header") if len(node.args) > 1]
    named = {str(node.args[0]).lower() for node in written}
    found = _host(flight, protocol, [node for node in written if node.args[0].lower() == "host"], host)
    for node in written:
        text = "" if node.args[0].lower() == "host" else shown(value(flight, node.args[1]))
        if text:
            found.append((str(node.args[0]), text))
    # That of a subrequest is sent, too, though it has no body.
    if flight.body is not None and "content-length" not in named:
        found.append(("Content-Length", str(flight.body)))
    if model.flag(block, f"{protocol}_pass_request_headers", True):
        cached = (model.value(block, f"{protocol}_cache") or "off") != "off"
        kept_back = named | _DROPPED | (_CONDITIONAL if cached else frozenset())
        found += [each for each in flight.headers if each[0].lower() not in kept_back]
    return tuple(found)


def _host(flight: Flight, protocol: str, written: list[Directive], host: Value) -> list[tuple[str, str]]:
    """The Host header: the target's own, or what is set; of several the last one since 1.31.4, which is not sent empty."""
    if not written:
        return [("Host", shown(host))]
    texts = [shown(value(flight, node.args[1])) for node in written]
    if flight.model.target.target.since(_ONE_HOST):
        spoken = flight.model.value(flight.block, f"{protocol}_http_version") or "1.1"
        texts = [texts[-1] or (shown(host) if spoken == "1.1" else "")]
    return [("Host", text) for text in texts if text]


def _parameters(flight: Flight, name: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for node in flight.model.effective(flight.block, name):
        if len(node.args) < 2:
            continue
        text = shown(value(flight, node.args[1]))
        if text or "if_not_empty" not in node.args[2:]:
            found[str(node.args[0])] = text
    return tuple(found.items())


def script_name(flight: Flight) -> tuple[Value, Value]:
    """``$fastcgi_script_name`` and ``$fastcgi_path_info``."""
    model = flight.model
    index = model.value(flight.block, "fastcgi_index") or ""
    pattern = model.value(flight.block, "fastcgi_split_path_info")
    uri = flight.uri
    if pattern is None:
        return (uri + str(index) if uri.endswith("/") else uri), ""
    found = search(str(pattern), uri)
    if not isinstance(found, Found) or len(found.groups) < 2:
        return (uri + str(index) if uri.endswith("/") else uri), ""
    name, info = found.groups[0], found.groups[1]
    return (name + str(index) if name.endswith("/") else name), info
