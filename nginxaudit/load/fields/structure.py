"""What blocks need of their content and of each other, judged when everything has been read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, islice

from nginxaudit.finding import Severity
from nginxaudit.hit import Edits
from nginxaudit.load.base import INVALID, LoadState, Mistake, finally_
from nginxaudit.load.buffers import Buffers
from nginxaudit.load.fields.zones import PAGE
from nginxaudit.load.types import buffers_of
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.nginx.names import CACHING
from nginxaudit.syntax.tree import Directive

_STREAM_HANDLERS = (
    "proxy_pass",
    "return",
    "pass",
    "js_content",
    "zone_sync",
    "echo",
    "content_by_lua_block",
    "content_by_lua_file",
)
_SIZES = ("buffers", "buffer_size", "busy_buffers_size", "temp_file_write_size", "max_temp_file_size")
_MAIL_PORTS = {110: "pop3", 995: "pop3", 143: "imap", 993: "imap", 25: "smtp", 587: "smtp", 465: "smtp"}
_LEVELS = frozenset({"server", "location", "if-in-location", "limit_except"})


@finally_
def duplicate_locations(load: LoadState) -> Iterator[Mistake]:
    """The same prefix, or the same exact URI, twice in one block."""
    seen: dict[tuple[int, bool, str], Location] = {}
    for location in load.model.locations:
        if location.is_regex or location.is_named or not location.directive.args:
            continue
        key = (id(location.directive.parent), location.is_exact, location.pattern)
        earlier = seen.setdefault(key, location)
        if earlier is not location:
            yield Mistake(
                "duplicate-location",
                f'duplicate location "{location.label[9:]}"',
                None,
                "Merge the two blocks, or change one of the paths.",
                location.directive,
                (("first defined here", earlier.directive),),
            )


@finally_
def stream_servers(load: LoadState) -> Iterator[Mistake]:
    """A server of stream must do something with its connections; before 1.27.1 nginx insists on it."""
    fatal = not load.target.since((1, 27, 1))
    result = "nginx refuses to start" if fatal else "every connection is closed at once"
    for server in load.model.servers("stream"):
        node = server.directive
        if load.model.unknown_inside(node, direct=True):
            continue
        if not any(node.first(name) for name in _STREAM_HANDLERS) and not _has_foreign(node):
            yield Mistake(
                "stream-server-without-handler",
                f"this stream server has neither proxy_pass nor return: {result}",
                None,
                "Add proxy_pass.",
                node,
                rejected=fatal,
                severity=None if fatal else Severity.WARNING,
            )


def _has_foreign(node: Directive) -> bool:
    """A directive of a module nobody knows may handle connections."""
    from nginxaudit.nginx import directives

    return any(not directives(child.name) or directives(child.name)[0].third_party for child in node.children)


@finally_
def mail_servers(load: LoadState) -> Iterator[Mistake]:
    """A server of mail needs a protocol, and somebody to ask for logins."""
    for server in load.model.servers("mail"):
        node = server.directive
        if load.model.unread_files("mail"):
            continue
        if node.first("protocol") is None and not any(each.port in _MAIL_PORTS for each in server.listens):
            yield Mistake(
                "mail-missing-auth-http",
                "unknown mail protocol: set protocol, the port is not a standard one",
                None,
                "Add protocol imap, pop3 or smtp.",
                node,
            )
        if not load.model.effective(node, "auth_http"):
            yield Mistake(
                "mail-missing-auth-http",
                "mail server without auth_http: nginx refuses to start",
                None,
                "Set auth_http to the authentication service.",
                node,
            )


@finally_
def secure_links(load: LoadState) -> Iterator[Mistake]:
    """The old and the new way of secure links exclude each other."""
    for secret in load.model.config.named("secure_link_secret"):
        block = secret.parent
        for name in ("secure_link", "secure_link_md5"):
            for other in block.named(name) if block and block.inner != "http" else ():
                yield Mistake(
                    INVALID,
                    f'"secure_link_secret" cannot be used together with "{name}"',
                    None,
                    "",
                    secret,
                    (("given here", other),),
                )
                return


@finally_
def header_buffers(load: LoadState) -> Iterator[Mistake]:
    """Large header buffers are not smaller than the pool of a connection."""
    model = load.model
    for server in model.servers("http"):
        node = server.directive
        written = model.effective(node, "large_client_header_buffers")
        pools = model.effective(node, "connection_pool_size")
        pool = model.size(node, "connection_pool_size", 512)
        try:
            size = buffers_of(written[0])[1] if written else 8192
        except ValueError:
            continue
        if pool is not None and size < pool:
            yield Mistake(
                INVALID,
                f'"large_client_header_buffers" of {size} bytes are smaller than "connection_pool_size", {pool} bytes',
                None,
                "Leave connection_pool_size alone, and the buffers at 8k, the default.",
                (written or pools)[0],
            )


# -- buffers


@finally_
def buffer_sizes(load: LoadState) -> Iterator[Mistake]:
    """The arithmetic of buffers that nginx insists on, wherever a block changes a part of it."""
    for protocol in CACHING:
        names = [f"{protocol}_{size}" for size in _SIZES]
        blocks = dict.fromkeys(
            node.parent for name in names for node in load.model.config.named(name) if node.parent is not None
        )
        for block in blocks:
            if block.inner in _LEVELS:
                yield from _block_buffers(load, block, protocol)
            elif block.inner == "http":  # judged where a server inherits it
                problems = (_block_buffers(load, server, protocol) for server in block.named("server"))
                yield from islice(chain.from_iterable(problems), 1)


def _block_buffers(load: LoadState, block: Directive, protocol: str) -> Iterator[Mistake]:
    model = load.model
    written = model.effective(block, f"{protocol}_buffers")
    try:
        number, size = buffers_of(written[0]) if written else (8, PAGE)
    except ValueError:
        return
    first = model.size(block, f"{protocol}_buffer_size", PAGE)
    if first is None:
        return
    buffers = Buffers(protocol, number, size, first)
    problem = _buffer_problem(model, block, buffers)
    compared = [name for name in _SIZES if name.startswith("buffer") or f'"{protocol}_{name}" is ' in problem]
    if problem and any(_may_be_other(model, block, f"{protocol}_{name}") for name in compared):
        return
    if problem:
        lines = [node for name in _SIZES for node in model.effective(block, f"{protocol}_{name}")]
        yield Mistake(
            "proxy-buffers-invalid",
            problem,
            None,
            f'Raise "{protocol}_buffers" and "{protocol}_buffer_size" together.',
            max(lines, key=lambda node: (len(list(node.ancestors())), node.start)),
            make_fix=partial(_fitting, model, buffers),
        )


def _buffer_problem(model: Model, block: Directive, buffers: Buffers) -> str:
    """What nginx has against the sizes; empty if nothing, or if one of them is not known."""
    protocol, largest = buffers.protocol, buffers.largest
    if buffers.number < 2:
        return f'there must be at least 2 "{protocol}_buffers"'
    for name, default in (
        ("busy_buffers_size", 2 * largest),
        ("temp_file_write_size", 2 * largest),
        ("max_temp_file_size", 1 << 30),
    ):
        value = model.size(block, f"{protocol}_{name}", default)
        if value is None:
            return ""
        if value < largest and not (name == "max_temp_file_size" and value == 0):
            return (
                f'"{protocol}_{name}" ({_bytes(value)}) is less than "{protocol}_buffer_size" '
                f'or one of the "{protocol}_buffers" ({_bytes(largest)})'
            )
        if name == "busy_buffers_size" and value > buffers.room:
            return (
                f'"{protocol}_busy_buffers_size" ({_bytes(value)}) must be less than all "{protocol}_buffers" '
                f"minus one buffer ({_bytes(buffers.room)})"
            )
    return ""


def _may_be_other(model: Model, block: Directive, name: str) -> bool:
    """Whether a size is at its default here, and may be set by a block that is not known."""
    return not model.effective(block, name) and model.may_be_set(block, name)


def _fitting(model: Model, buffers: Buffers, node: Directive) -> Edits:
    from nginxaudit.load.fixes.buffers import fitting

    return fitting(model, buffers, node)


def _bytes(value: int) -> str:
    return f"{value // 1024}k" if value % 1024 == 0 else f"{value} bytes"
