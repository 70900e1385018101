"""Conditions that refuse requests, and requests that get past them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext, Hit, Place, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition, map_expression
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.model.uses import holds, variable_uses
from nginxaudit.model.variables import references
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import Ask
from nginxaudit.request.showing import ask_of, gives, witness
from nginxaudit.request.uri import BadTarget, encoded, parse_target
from nginxaudit.request.walk import trace
from nginxaudit.syntax.tree import Directive

_ADDRESS_HEADERS = frozenset(
    f"http_{name}"
    for name in (
        "x_forwarded_for", "x_real_ip", "x_client_ip", "x_cluster_client_ip", "x_originating_ip", "x_remote_ip",
        "x_remote_addr", "true_client_ip", "client_ip", "cf_connecting_ip", "fastly_client_ip", "forwarded",
        "x_forwarded", "forwarded_for", "x_forwarded_host", "x_original_url", "x_rewrite_url",
    )
)  # fmt: skip
"""Headers that proxies set, and that any client can write where no proxy replaces them."""
_REFUSED = frozenset({400, 401, 403, 404, 410, 429, 503})
_SERVERS = 3  # servers in which a map that many use is tried
_SPECIAL = frozenset({"default", "include", "hostnames", "volatile", "ranges", "proxy", "delete"})


class _Test(Struct, frozen=True):
    """A comparison of a variable that may refuse: where it is written, the text or regex, and the servers it counts in."""

    node: Directive
    text: str
    regex: bool
    caseless: bool
    negated: bool
    servers: tuple[Server, ...]


def _refuses(block: Directive) -> bool:
    answer = block.first("return")
    return answer is not None and answer.args[:1] != [] and answer.args[0].startswith(("4", "5"))


def _leads_to_refusal(block: Directive, refusing: frozenset[str]) -> bool:
    return _refuses(block) or any(
        node.args and node.args[0][1:].lower() in refusing for node in block.named("set")
    )


def _refusing(model: Model) -> frozenset[str]:
    """Variables on which an ``if`` refuses, and those that decide about them. To be asked by `Model.once`."""
    names: set[str] = set()
    for node in model.config.named("if"):
        if _refuses(node):
            names |= {each.name for token in node.args for each in references(token)}
    for _ in range(3):
        more = set(names)
        for name in ("map", "geo"):
            for block in model.config.named(name):
                if block.args and block.args[-1][1:].lower() in names:
                    more |= {each.name for each in references(block.args[0])}
        for node in model.config.named("if"):
            if any(each.args and each.args[0][1:].lower() in names for each in node.named("set")):
                more |= {each.name for token in node.args for each in references(token)}
        for node in model.config.named("set"):
            if len(node.args) > 1 and node.args[0][1:].lower() in names:
                more |= {each.name for each in references(node.args[1])}
        if more == names:
            break
        names = more
    return frozenset(names)


def _tests(model: Model, wanted: frozenset[str]) -> Iterator[_Test]:
    """Comparisons of the variables ``wanted`` that requests are refused by."""
    refusing = model.once(_refusing)
    if refusing.isdisjoint(wanted):
        return
    for node in model.config.named("if"):
        asked = condition(node)
        server = model.server_of(node)
        if asked is None or server is None or server.family != "http":
            continue
        if {each.name for each in references(asked.left)} & wanted and _leads_to_refusal(node, refusing):
            text = asked.right if asked.operator else ""
            yield _Test(
                node,
                text,
                asked.is_match,
                asked.operator.endswith("*"),
                asked.operator.startswith("!"),
                (server,),
            )
    for name in ("map", "geo"):
        for block in model.config.named(name):
            if len(block.args) < 2 or block.args[1][1:].lower() not in refusing:
                continue
            if not {each.name for each in references(block.args[0])} & wanted:
                continue
            servers = _users(model, block.args[1][1:].lower())
            for line in block.children:
                if line.name in _SPECIAL:
                    continue
                caseless, text = (
                    map_expression(line.name) if line.name.startswith("~") else (False, line.name)
                )
                yield _Test(line, str(text), line.name.startswith("~"), caseless, False, servers)


def _users(model: Model, name: str, depth: int = 3) -> tuple[Server, ...]:
    """Some servers in which a condition asks for a variable, itself or through maps."""
    found: dict[Server, None] = {}
    for node, _ in model.once(variable_uses).get(("http", name), ()):
        if node.name == "map" and depth and len(node.args) > 1:
            found.update(dict.fromkeys(_users(model, node.args[1][1:].lower(), depth - 1)))
        server = model.server_of(node)
        if server is not None and node.name in ("if", "set"):
            found[server] = None
        if len(found) >= _SERVERS:
            break
    return tuple(found)[:_SERVERS]


def _all_refused(model: Model, ask: Ask) -> bool:
    """Every way of a request ends with a refusal."""
    found = trace(model, ask, explain=False).outcomes
    return all(each.closed or each.status in _REFUSED for each in found) and not any(
        each.unknown for each in found
    )


def _passes(model: Model, server: Server, ask: Ask) -> bool:
    found = trace(model, ask, explain=False).outcomes
    return any(each.server is server.directive and gives(each) for each in found)


def _place(test: _Test) -> Place:
    """The condition, or the line of a map."""
    return whole(test.node) if test.node.name == "if" else name_of(test.node)


# -- $request_uri


def request_uri_gate(ctx: CheckContext) -> Iterable[Hit]:
    """Refusals by the path as the client spelled it, which other spellings of the same path get past."""
    for test in _tests(ctx.model, frozenset({"request_uri"})):
        for server in test.servers:
            found = _respelled(ctx.model, server, test)
            if found is not None:
                yield Hit(
                    _place(test),
                    f"{_target(found)} bypasses this check: $request_uri is not decoded or normalized",
                    test.node,
                    help="Compare $uri, which is decoded and normalized, or use a location.",
                    witness=found,
                )
                break


def _target(found: Witness) -> str:
    return "/" + found.url.partition("://")[2].partition("/")[2]


def _respelled(model: Model, server: Server, test: _Test) -> Witness | None:
    text = _base(test)
    if not text.startswith("/") or "?" in text or "%" in text:
        return None
    merge = model.flag(server.directive, "merge_slashes", True) is not False
    if test.negated:
        plain, others = "/x", [text.rstrip("/") + "/.." * text.rstrip("/").count("/") + "/x"]
    else:
        plain, others = text, _spellings(text)
    ask = ask_of(server, plain)
    if ask is None or not _all_refused(model, ask):
        return None
    try:
        meant = parse_target(plain, merge_slashes=merge).uri
    except BadTarget:
        return None
    for other in others:
        if parse_target(other, merge_slashes=merge).uri != meant:
            continue
        changed = ask_of(server, other)
        if changed is not None and _passes(model, server, changed):
            return witness(changed)
    return None


def _base(test: _Test) -> str:
    if not test.regex:
        return test.text
    text = sample(test.text)
    text = text if text.startswith("/") else f"/{text.lstrip('/')}"
    if text.endswith("/") and matches(test.text, f"{text}x", caseless=test.caseless):
        text += "x"
    return text if matches(test.text, text, caseless=test.caseless) else ""


def _spellings(path: str) -> list[str]:
    """Other ways to write a path."""
    at = next((at for at in range(len(path) - 1, 0, -1) if path[at].isalnum()), 0)
    first = next((at for at, char in enumerate(path) if char.isalnum()), 0)
    return [
        f"/{path}",
        *(
            f"{path[:each]}%{ord(path[each]):02x}{path[each + 1 :]}"
            for each in dict.fromkeys((first, at))
            if each
        ),
        f"/x/..{path}",
        f"{path}?x",
    ]


# -- headers of proxies


def client_header_gate(ctx: CheckContext) -> Iterable[Hit]:
    """Access by a header that proxies set, and any client can."""
    for test in _tests(ctx.model, _ADDRESS_HEADERS):
        source = test.node if test.node.name == "if" else test.node.parent
        if source is None:
            continue
        names = [each.name for token in source.args for each in references(token)]
        name = next((each for each in names if each in _ADDRESS_HEADERS), None)
        if name is None:
            continue
        for server in test.servers:
            found = _forged(ctx.model, server, test, name)
            if found is not None:
                header = found.headers[-1]
                yield Hit(
                    _place(test),
                    f"any client passes this access check by sending {header[0]}: {header[1]}",
                    test.node,
                    help="Use allow and deny, with set_real_ip_from for the proxies you trust.",
                    witness=found,
                )
                break


def _forged(model: Model, server: Server, test: _Test, name: str) -> Witness | None:
    header = "-".join(part.capitalize() for part in name.removeprefix("http_").split("_"))
    for target in _targets(server, test.node):
        plain = ask_of(server, target)
        if plain is None or not _all_refused(model, plain):
            continue
        for value in _values(test):
            forged = ask_of(server, target, headers=((header, value),))
            if forged is not None and _passes(model, server, forged):
                return witness(forged)
    return None


def _targets(server: Server, node: Directive) -> Sequence[str]:
    """Where a condition counts: the location that it is in, else paths of the server."""
    paths = [path_of(each) for each in server.all_locations() if each.directive in node.ancestors()]
    if not paths:
        paths = ["/", *map(path_of, server.locations)]
    return [encoded(each) for each in dict.fromkeys(paths) if each is not None][:4]


def _values(test: _Test) -> list[str]:
    if not test.regex:
        return [test.text.partition("/")[0]]
    text = sample(test.text)
    return [f"{text}0.0.1", f"{text}0.1", f"{text}1", text] if text.endswith(".") else [text, f"{text}.0.0.1"]


# -- maps without default


def gate_map_without_default(ctx: CheckContext) -> Iterable[Hit]:
    """Refusals by a map that has no value for requests it does not name."""
    model = ctx.model
    for block in model.config.named("map"):
        if len(block.args) < 2 or not block.children or block.first("default") or block.first("include"):
            continue
        if model.unknown_inside(block):
            continue
        name = block.args[1][1:].lower()
        gates = [node for node, _ in model.once(variable_uses).get(("http", name), ()) if node.name == "if"]
        if _names_the_refused(block, gates):
            continue
        for gate in list(filter(_refuses, gates))[:_SERVERS]:
            found = _unnamed(model, block, gate)
            if found is not None:
                yield Hit(
                    whole(block),
                    f"the map has no default: {block.args[1]} is empty for unlisted values, and the check allows those requests",
                    block,
                    related=(("the check", whole(gate)),),
                    help="Add a default with the value that the check refuses.",
                    witness=found,
                )
                break


def _names_the_refused(block: Directive, checks: Sequence[Directive]) -> bool:
    """Whether every value of a map is one that a check looks for: a list of what is refused, and the rest is let in."""
    values = {str(line.args[-1]) for line in block.children if line.args}
    asked = {
        found.right
        for node in checks
        if (found := condition(node)) is not None and found.operator in ("=", "") and node.first("return")
    }
    # Without an operator everything but an empty value and 0 is refused.
    return values <= asked or ("" in asked and not values & {"", "0"})


def _unnamed(model: Model, block: Directive, gate: Directive) -> Witness | None:
    asked, server = condition(gate), model.server_of(gate)
    if asked is None or server is None or not asked.operator or holds(asked, "") is not False:
        return None
    values = {str(line.args[0]) for line in block.children if line.name not in _SPECIAL and line.args}
    verdicts = {holds(asked, value) for value in values}
    if verdicts != {True, False}:
        return None  # it lists only what is refused: all else is meant to come in
    for target in _targets(server, gate):
        ask = ask_of(server, f"{target}x" if target.endswith("/") else target)
        if ask is not None and _passes(model, server, ask):
            return witness(ask)
    return None
