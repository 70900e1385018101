"""Headers that backends get: which are lost, and which of them a client can choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from nginxaudit.checks.headers.inheritance import unlike_own
from nginxaudit.checks.hosts import told_host
from nginxaudit.checks.inherited import added, again, level_of, repeated
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.model.variables import references
from nginxaudit.nginx.since import KEEPALIVE_BY_DEFAULT
from nginxaudit.syntax.tree import Directive

SETTING = {"proxy": "proxy_set_header", "grpc": "grpc_set_header"}
PARAMETERS = {"fastcgi": "fastcgi_param", "uwsgi": "uwsgi_param", "scgi": "scgi_param"}
_SET = SETTING["proxy"]
_Lacking = tuple[frozenset[Directive], dict[Directive, bool]]
_Users = Callable[[Model], _Lacking]
_IDENTITY = frozenset({"host", "forwarded", "x-real-ip", "authorization", "x-client-cert"})
_CLIENT_CHOSEN = {
    "x-forwarded-for": "$http_x_forwarded_for", "x-real-ip": "$http_x_real_ip", "x-forwarded-proto": "$http_x_forwarded_proto",
    "x-forwarded-host": "$http_x_forwarded_host", "forwarded": "$http_forwarded", "x-forwarded-port": "$http_x_forwarded_port",
}  # fmt: skip
_SPOOFED_SCHEME = "The application takes an unencrypted connection for HTTPS: it sends cookies over it and does not redirect."
_HOP_BY_HOP = frozenset(
    {"connection", "transfer-encoding", "te", "keep-alive", "proxy-connection", "trailer"}
)
_OVERLAPPING: dict[str, Callable[[Directive], Sequence[str]]] = {
    "limit_req": lambda node: [str(token) for token in node.args if token.startswith("zone=")],
    "limit_conn": lambda node: node.args[:1],
    "error_page": lambda node: [str(token) for token in node.args[:-1] if token.isdigit()],
    "proxy_hide_header": lambda node: [token.lower() for token in node.args[:1]],
    "fastcgi_hide_header": lambda node: [token.lower() for token in node.args[:1]],
    "sub_filter": lambda node: node.args[:1],
    "proxy_cookie_path": lambda node: node.args[:1],
    "proxy_cookie_domain": lambda node: node.args[:1],
    "proxy_cache_valid": lambda node: node.args[:-1],
    "auth_request_set": lambda node: node.args[:1],
}
"""Lists of which a block has its own or the outer one, and by what two entries mean the same."""


def _level(model: Model, block: Directive, name: str) -> Directive | None:
    """The nearest block, from ``block`` outwards, with a directive ``name`` of its own."""
    at: Directive | None = block
    while at is not None and not at.named(name):
        at = at.parent
    return at


def proxy_set_header_inheritance(ctx: CheckContext) -> Iterable[Hit]:
    """A block with headers of its own for the backend loses those of the outer blocks."""
    reported: set[tuple[Directive, str]] = set()
    for each in ctx.model.passes:
        name = SETTING.get(each.protocol)
        level = _level(ctx.model, each.scope, name) if name is not None else None
        if name is None or level is None or level.parent is None or (level, name) in reported:
            continue
        reported.add((level, name))
        outer = ctx.model.effective(level.parent, name)
        if not outer:
            continue
        own = {node.args[0].lower() for node in level.named(name) if node.args}
        lost = [
            node
            for node in outer
            if len(node.args) > 1 and node.args[0].lower() not in own and not _is_default(ctx, node)
        ]
        if lost:
            yield _lost_headers(ctx, level, name, lost)


def _lost_headers(ctx: CheckContext, level: Directive, name: str, lost: list[Directive]) -> Hit:
    from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

    serious = any(_is_identity(node) for node in lost)
    names = listed(list(dict.fromkeys(str(node.args[0]) for node in lost)), limit=5)
    return Hit(
        name_of(level),
        f"{name} here drops inherited {names}",
        level,
        related=(
            (f"{name} of this block", whole(level.named(name)[0])),
            *(("this line is dropped", whole(node)) for node in lost[:5]),
        ),
        severity=None if serious else Severity.INFO,
        help="Repeat them here, or move all of them to a file that both blocks include.",
        make_fix=partial(again, level, name, ctx.model, unlike_own),
        witness=shortfalls.not_sent(ctx, level, level.named(name)[0], lost),
    )


def _is_default(ctx: CheckContext, node: Directive) -> bool:
    """What nginx sends anyway."""
    header, value = node.args[0].lower(), node.args[1]
    if header == "connection":
        return value == ("" if ctx.target.since(KEEPALIVE_BY_DEFAULT) else "close")
    return (header == "host" and value == "$proxy_host") or (
        value == "" and header in ("upgrade", "te", "keep-alive", "expect")
    )


def _is_identity(node: Directive) -> bool:
    header = node.args[0].lower()
    return header in _IDENTITY or header.startswith("x-forwarded") or node.args[1] == ""


def array_directive_inheritance(ctx: CheckContext) -> Iterable[Hit]:
    """Other lists of which an inner block has its own or the outer one, never both."""
    yield from _lost_parameters(ctx)
    for name in _OVERLAPPING:
        for level in dict.fromkeys(node.parent for node in ctx.model.config.named(name)):
            if level is None or level.parent is None or level.inner not in ("server", "location"):
                continue
            lost = left_out(ctx.model, level, name)
            if lost and len(lost) < len(ctx.model.effective(level.parent, name)):
                yield _lost_entries(ctx.model, level, name, lost)


def left_out(model: Model, level: Directive, name: str) -> list[Directive]:
    """Lines of the outer blocks that a list of its own keeps from ``level``, and that it does not repeat."""
    if level.parent is None:
        return []
    key = _OVERLAPPING.get(name, _first_word)
    own = {each for node in level.named(name) for each in key(node)}
    return [node for node in model.effective(level.parent, name) if node.args and own.isdisjoint(key(node))]


def _first_word(node: Directive) -> Sequence[str]:
    return node.args[:1]


def _lost_parameters(ctx: CheckContext) -> Iterator[Hit]:
    reported: set[Directive] = set()
    for each in ctx.model.passes:
        name = PARAMETERS.get(each.protocol)
        level = _level(ctx.model, each.scope, name) if name is not None else None
        if name is None or level is None or level.parent is None or level in reported:
            continue
        reported.add(level)
        lost = left_out(ctx.model, level, name)
        if lost:
            yield _lost_entries(ctx.model, level, name, lost)


def _lost_entries(model: Model, level: Directive, name: str, lost: list[Directive]) -> Hit:
    first = level.named(name)[0]
    return Hit(
        whole(first),
        f"{name} here drops the inherited lines: {listed([' '.join(node.args[:1]) for node in lost])}",
        first,
        related=tuple(("this line is dropped", whole(node)) for node in lost[:5]),
        help="Repeat the inherited lines here.",
        make_fix=partial(again, level, name, model, left_out),
    )


def _of_group_or_address(each: Pass) -> bool:
    return each.family == "http" and each.protocol == "proxy" and each.target_kind in ("upstream", "address")


def proxy_host_header_unset(ctx: CheckContext) -> Iterable[Hit]:
    """A backend that gets the name of the upstream as the host; once per server."""
    reported: set[object] = set()
    for each in ctx.model.passes:
        if each.server in reported or not lacks_host(ctx.model, each):
            continue
        reported.add(each.server)
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        name = each.upstream.name if each.upstream else ""
        hit = Hit(
            whole(each.directive),
            f'backend receives "Host: {each.upstream.name if each.upstream else ""}" instead of the client\'s host',
            each.directive,
            help="Add proxy_set_header Host $host; and repeat the inherited headers.",
            make_fix=partial(_host_told, each, ctx.model),
            witness=detours.host_of_backend(ctx, each.directive, name),
        )
        yield unless(
            ctx.model.may_be_set(each.scope, "proxy_set_header"), "an enclosing block sets Host", hit
        )


def lacks_host(model: Model, each: Pass) -> bool:
    """Whether a pass tells its backend the name of a group as the host."""
    if not _of_group_or_address(each):
        return False
    if each.upstream is None or "." in each.upstream.name:
        return False  # named after the host that the backend knows
    headers = model.effective(each.scope, "proxy_set_header")
    if any(node.args and node.args[0].lower() == "host" for node in headers):
        return False
    return each.location is None or not each.location.directive.first("internal")


def lacks_client(model: Model, each: Pass) -> bool:
    """Whether a pass sends no header that tells the client."""
    if not _of_group_or_address(each):
        return False
    headers = [node.args[0].lower() for node in model.effective(each.scope, "proxy_set_header") if node.args]
    return not any(
        header.startswith("x-forwarded") or header in ("x-real-ip", "forwarded") for header in headers
    )


def forwarded_headers_missing(ctx: CheckContext) -> Iterable[Hit]:
    """A backend that does not learn who asks; asked for only."""
    for each in ctx.model.passes:
        if lacks_client(ctx.model, each):
            from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

            hit = Hit(
                whole(each.directive),
                "the backend does not receive the client address",
                each.directive,
                help="Add proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
                make_fix=partial(_client_told, each, ctx.model),
                witness=shortfalls.not_told(ctx, each.directive),
            )
            assumed = ctx.model.may_be_set(each.scope, "proxy_set_header")
            yield unless(assumed, "an enclosing block adds the header", hit)


def forwarded_for_trusts_client(ctx: CheckContext) -> Iterable[Hit]:
    """What a client says about itself, handed on as if nginx said it."""
    handed_on = list(filter(_is_handed_on, set_headers(ctx)))
    listens = (listen for server in ctx.model.servers("http") for listen in server.listens)
    if not handed_on or ctx.model.config.named("set_real_ip_from"):
        return
    if any(listen.proxy_protocol for listen in listens):
        return  # something before this nginx is known to set them
    for node in handed_on:
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        hit = Hit(
            arg(node, node.args[1]),
            f"clients can spoof {node.args[0]}: their own header is passed on",
            node,
            why=_SPOOFED_SCHEME if node.args[0].lower() == "x-forwarded-proto" else "",
            help="Use $proxy_add_x_forwarded_for, $remote_addr or $scheme, or define trusted proxies with set_real_ip_from.",
            witness=detours.spoofed(ctx, node),
        )
        yield unless(ctx.model.is_part("http"), "another file has set_real_ip_from", hit)


def _is_handed_on(node: Directive) -> bool:
    chosen = _CLIENT_CHOSEN.get(node.args[0].lower())
    return chosen is not None and chosen == node.args[1].lower().replace("{", "").replace("}", "")


def hop_header_passthrough(ctx: CheckContext) -> Iterable[Hit]:
    """Headers for one connection that are copied to the next one."""
    for node in set_headers(ctx):
        header = node.args[0].lower()
        if header not in _HOP_BY_HOP:
            continue
        source = f"http_{header.replace('-', '_')}"
        if any(reference.name == source for reference in references(node.args[1])):
            from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

            yield Hit(
                arg(node, node.args[1]),
                f"hop-by-hop header {node.args[0]} of the client is passed on to the backend",
                node,
                help='Set it to "", or for WebSockets use a map that passes only upgrade.',
                witness=shortfalls.passed_on(ctx, node),
            )


def set_headers(ctx: CheckContext) -> Iterator[Directive]:
    """All directives that set a header for a backend."""
    for name in SETTING.values():
        for node in ctx.model.config.named(name):
            if len(node.args) > 1:
                yield node


# -- fixes: one line for all passes that have their headers from the same block


def _host_told(each: Pass, model: Model) -> Edits:
    """The host of the client for all passes of the server that lack it.

    Not where nginx corrects redirects of the backend by default: with another host they would no longer be known as its own.
    """
    lacking = model.once(_hostless).get(each.server, ())
    lacking = [other for other in lacking if not _redirects_by_default(other, model)]
    return _told(lacking, model, _without_host, _host_line)


def _redirects_by_default(each: Pass, model: Model) -> bool:
    written = model.effective(each.scope, "proxy_redirect")
    same = each.location is not None and each.location.pattern == each.path
    return each.path is not None and not same and all(node.args[:1] == ["default"] for node in written)


def _hostless(model: Model) -> dict[Server | None, list[Pass]]:
    """The passes that lack the host, by server."""
    lacking, _ = model.once(_without_host)
    found: dict[Server | None, list[Pass]] = {}
    for each in model.passes:
        if each.directive in lacking:
            found.setdefault(each.server, []).append(each)
    return found


def _client_told(each: Pass, model: Model) -> Edits:
    """The address of the client, after what the request says itself."""
    text = f"{_SET} X-Forwarded-For $proxy_add_x_forwarded_for;"
    return _told([each], model, _without_client, lambda block, model: text)


def _told(
    passes: Iterable[Pass], model: Model, users: _Users, line: Callable[[Directive, Model], str]
) -> Edits:
    """One line for each block from which some of ``passes`` have their headers."""
    homes: dict[Directive, Directive] = {}
    for each in passes:
        home = _home(each, model, users)
        if home is not None:
            homes.setdefault(home, each.directive)
    made = [
        added(home, model, line(home, model), beside=node if node.parent is home else None)
        for home, node in homes.items()
    ]
    return tuple(edit for edit in made if edit is not None)


def _home(each: Pass, model: Model, users: _Users) -> Directive | None:
    """The block whose headers the pass has, when all passes that have them lack the same; else its location."""
    _, whole = model.once(users)
    level = level_of(each.scope, model, _SET)
    if level is not None and whole[level]:
        return level
    return each.location.directive if each.location is not None else None


def _without_host(model: Model) -> _Lacking:
    return _lacking(model, lacks_host)


def _without_client(model: Model) -> _Lacking:
    return _lacking(model, lacks_client)


def _lacking(model: Model, lacks: Callable[[Model, Pass], bool]) -> _Lacking:
    """Passes that lack a header; and for each block with headers, whether all passes that have them lack it."""
    lacking: set[Directive] = set()
    whole: dict[Directive, bool] = {}
    for each in model.passes:
        missing = lacks(model, each)
        if missing:
            lacking.add(each.directive)
        level = level_of(each.scope, model, _SET) if each.protocol == "proxy" else None
        if level is not None:
            whole[level] = whole.get(level, True) and missing
    return frozenset(lacking), whole


def _host_line(block: Directive, model: Model) -> str:
    """The Host of the outer block, if there is one that ``block`` does not inherit."""
    outer = model.effective(block.parent, _SET) if block.parent is not None else ()
    dropped = [node for node in outer if len(node.args) > 1 and node.args[0].lower() == "host"]
    return (repeated(dropped[:1]) if dropped else None) or f"{_SET} Host {told_host(model.server_of(block))};"
