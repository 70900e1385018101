"""Repairs of headers: of those that clients get, and of those that backends get."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from nginxaudit import edits
from nginxaudit.checks.headers.forwarding import lacks_client, lacks_host, left_out
from nginxaudit.checks.headers.inheritance import SECURITY
from nginxaudit.checks.headers.values import meant_header
from nginxaudit.checks.routing.redirects import CODES
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.repairs.common import pass_of, uses
from nginxaudit.repairs.inherited import added, level_of, put, repeated
from nginxaudit.syntax.tree import Directive

Edits = tuple[Edit, ...] | None
_Lacks = Callable[[Model, Pass], bool]
_Users = tuple[frozenset[Directive], dict[Directive, bool]]

_REPEATABLE = ("add_header", "add_trailer", "proxy_set_header", "grpc_set_header")
_SET = "proxy_set_header"
_DROPPED = frozenset({"expect-ct", "public-key-pins", "p3p", "x-xss-protection"})
_BREAK = re.compile(
    r"\\[^nrt]|(?P<gap>(?:[ \t\r\n]|\\[nrt])*(?:[\r\n]|\\[nr])(?:[ \t\r\n]|\\[nrt])*)", re.DOTALL
)
_USERS: WeakKeyDictionary[Model, dict[_Lacks, _Users]] = WeakKeyDictionary()


# -- lines of outer blocks that a block drops


def repeat_headers(hit: Hit, model: Model) -> Edits:
    """The outer headers written once more, behind those of the block."""
    block = hit.node
    if block is None or not hit.related:
        return None
    first = hit.related[0][1].start
    name = next((each for each in _REPEATABLE for node in block.named(each)[:1] if node.start == first), "")
    return _again(block, name, model, _dropped) if name else None


def repeat_lines(hit: Hit, model: Model) -> Edits:
    """The outer lines of another list written once more."""
    node = hit.node
    if node is None or node.parent is None:
        return None
    return _again(node.parent, str(node.name), model, left_out)


def _again(
    block: Directive, name: str, model: Model, lost: Callable[[Model, Directive, str], list[Directive]]
) -> Edits:
    """What ``block`` has lost; None if it is not the same in all places in which the file stands."""
    texts = {
        None if model.unknown_inside(each, direct=True) else repeated(lost(model, each, name))
        for each in uses(block, model)
    }
    text = texts.pop()
    return (put(block, name, text),) if text and not texts else None


def _dropped(model: Model, block: Directive, name: str) -> list[Directive]:
    """Outer headers of which ``block`` has none with the same name."""
    if block.parent is None:
        return []
    own = {node.args[0].lower() for node in block.named(name) if node.args}
    return [
        node for node in model.effective(block.parent, name) if node.args and node.args[0].lower() not in own
    ]


# -- what clients get


def add_always(hit: Hit, model: Model) -> Fix | None:
    """``always`` for all headers of the block that protect. A variable may be empty for errors on purpose."""
    block = hit.node.parent if hit.node is not None else None
    lines = {
        node.statement: node
        for node in (block.named("add_header") if block is not None else ())
        if len(node.args) == 2 and node.args[0].lower() in SECURITY and not model.is_filled_in(node)
    }
    literal = [node for node in lines.values() if "$" not in node.args[1]]
    made = sorted(
        (edits.appended(node, "always") for node in literal or lines.values()),
        key=lambda edit: (edit.file, edit.start),
    )
    applicability = Applicability.SAFE if literal else Applicability.UNSAFE
    return Fix("Add always", applicability, tuple(made)) if made else None


def set_type(hit: Hit, model: Model) -> Edits:
    """``default_type``, where the block itself answers with a text; the types of files go by their names."""
    node = hit.node
    block = node.parent if node is not None else None
    if node is None or block is None or block.inner not in ("server", "location") or "$" in node.args[1]:
        return None
    answer = block.first("return")
    texts = answer is not None and len(answer.args) == 2 and answer.args[0] not in CODES
    if not texts or block.first("default_type") or not edits.on_one_line(node):
        return None
    return (edits.rewritten(node, f"default_type {edits.written(node, node.args[1])}"),)


def join_lines(hit: Hit, model: Model) -> Edits:
    """The value on one line, with a blank for each break; not where a line of it looks like a comment."""
    node = hit.node
    token = (
        next((each for each in node.args if each.start == hit.place.start), None)
        if node is not None
        else None
    )
    if node is None or token is None or not token.quoted or re.search(r"[\r\n][ \t]*#", token):
        return None
    text = edits.written(node, token)
    body = _BREAK.sub(_blank, text[1:-1])
    return (edits.exchanged(node, token, f"{text[0]}{body}{text[-1]}"),)


def _blank(found: re.Match[str]) -> str:
    if found["gap"] is None:
        return found[0]
    return "" if found.start() == 0 or found.end() == len(found.string) else " "


def drop_or_correct(hit: Hit, model: Model) -> Fix | None:
    """A header that nothing reads taken out, a misspelt name corrected: the header is in force then."""
    node = hit.node
    if node is None or node.parent is None or not edits.on_one_line(node):
        return None
    header = node.args[0].lower()
    if header in _DROPPED:
        # Without a header of its own the block has those of the outer blocks.
        outer = node.parent.parent
        alone = outer is None or not model.effective(outer, "add_header")
        applicability = Applicability.SAFE if alone else Applicability.UNSAFE
        return Fix(f"Delete {node.args[0]}", applicability, (edits.deleted(node),))
    meant = meant_header(header)
    if not meant or any(
        other.args[:1] and other.args[0].lower() == meant for other in node.parent.named(node.name)
    ):
        return None
    name = "-".join(word.capitalize() for word in meant.split("-"))
    return Fix(f"Write {name}", Applicability.UNSAFE, (edits.exchanged(node, node.args[0], name),))


def tell_http3(hit: Hit, model: Model) -> Edits:
    """An ``Alt-Svc`` header with the port of the socket."""
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None:
        return None
    port = next((each.port for each in server.listens if each.quic and each.directive is hit.node), None)
    last = server.directive.named("listen")[-1]
    text = f"add_header Alt-Svc 'h3=\":{port}\"; ma=86400' always;"
    edit = added(server.directive, model, text, beside=last) if port is not None else None
    return (edit,) if edit is not None else None


# -- what backends get


def tell_host(hit: Hit, model: Model) -> Edits:
    """The host of the client for all passes of the server that lack it."""
    each = pass_of(hit, model)
    if each is None:
        return None
    lacking, _ = _users(model, lacks_host)
    passes = [other for other in model.passes if other.server is each.server and other.directive in lacking]
    return _told(passes, model, lacks_host, _host_line)


def tell_client(hit: Hit, model: Model) -> Edits:
    """The address of the client, behind what the request says itself."""
    each = pass_of(hit, model)
    text = f"{_SET} X-Forwarded-For $proxy_add_x_forwarded_for;"
    return _told([each], model, lacks_client, lambda block, model: text) if each is not None else None


def _told(
    passes: Iterable[Pass], model: Model, lacks: _Lacks, line: Callable[[Directive, Model], str]
) -> Edits:
    """One line for each block from which some of ``passes`` have their headers."""
    homes: dict[Directive, Directive] = {}
    for each in passes:
        home = _home(each, model, lacks)
        if home is not None:
            homes.setdefault(home, each.directive)
    made = [
        added(home, model, line(home, model), beside=node if node.parent is home else None)
        for home, node in homes.items()
    ]
    return tuple(edit for edit in made if edit is not None)


def _home(each: Pass, model: Model, lacks: _Lacks) -> Directive | None:
    """The block whose headers the pass has, when all passes that have them lack the same; else its location."""
    _, whole = _users(model, lacks)
    level = level_of(each.scope, model, _SET)
    if level is not None and whole[level]:
        return level
    return each.location.directive if each.location is not None else None


def _users(model: Model, lacks: _Lacks) -> _Users:
    """Passes that lack a header; and for each block with headers, whether all passes that have them lack it."""
    known = _USERS.setdefault(model, {})
    if lacks not in known:
        lacking: set[Directive] = set()
        whole: dict[Directive, bool] = {}
        for each in model.passes:
            missing = lacks(model, each)
            if missing:
                lacking.add(each.directive)
            level = level_of(each.scope, model, _SET) if each.protocol == "proxy" else None
            if level is not None:
                whole[level] = whole.get(level, True) and missing
        known[lacks] = frozenset(lacking), whole
    return known[lacks]


def _host_line(block: Directive, model: Model) -> str:
    """The Host of the outer block, if there is one that ``block`` does not inherit."""
    outer = model.effective(block.parent, _SET) if block.parent is not None else ()
    dropped = [node for node in outer if len(node.args) > 1 and node.args[0].lower() == "host"]
    return (repeated(dropped[:1]) if dropped else None) or f"{_SET} Host $host;"
