"""Requests that show what a check found: made for the block it is in, walked, kept where the walk ends as the finding says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition
from nginxaudit.model.location import Location
from nginxaudit.model.server import Server
from nginxaudit.pcre import parse
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import NOTHING_KNOWN, Ask, Outcome, Step, World
from nginxaudit.request.showing import MOST_WAYS, ask_of, gives, witness
from nginxaudit.request.uri import encoded
from nginxaudit.syntax.tree import Directive

MOST_SHOWN = 30
"""Findings of a rule that get a witness in one configuration where each costs one walk."""
MOST_TRIED = 100
"""Requests that are followed for the findings of one rule in one configuration: a walk costs more than the rest of a check."""
_ASKS = 32  # requests that are tried for one finding
_PATHS = 4  # of a server
_SERVERS = 3
_METHODS = ("POST", "PUT", "DELETE", "OPTIONS")

Header = tuple[str, str]


class Try(Struct, frozen=True):
    """What a request has beside a path that leads to the block; ``target`` is in place of the path, as it is sent."""

    tail: str = ""
    target: str = ""
    args: str = ""
    headers: tuple[Header, ...] = ()
    method: str = "GET"
    host: str | None = None
    client: str | None = None
    six: bool = False
    body: int | None = None
    tls: bool | None = None
    named: bool = False


PLAIN = (Try(),)


def shown(
    ctx: CheckContext,
    node: Directive,
    ends: Callable[[Outcome], bool],
    tries: Iterable[Try] = PLAIN,
    *,
    through: Directive | None = None,
    without: Directive | None = None,
    unlike: Header | None = None,
    world: World = NOTHING_KNOWN,
) -> Witness | None:
    """The first request of ``tries`` that can end as ``ends`` wants it in the block of ``node``: by ``through``, not by ``without``.

    With the header ``unlike`` in place of its own it must not end so. None where there is none, and where the rule has
    tried enough of them.
    """
    model = ctx.model
    if model.once(_counts).get(ctx.rule, 0) >= MOST_TRIED:
        return None
    wanted = tuple(tries)
    for block in islice(_blocks(model, node), _SERVERS):
        walk = _Walk(model, block, ends, through, without, world)
        for ask in islice(asks(model, block, wanted), _ASKS):
            if not may_try(ctx):
                return None
            if walk.can_end(ask) and not (unlike is not None and walk.can_end(_with(ask, unlike))):
                return witness(ask)
    return None


def _with(ask: Ask, header: Header) -> Ask:
    """A request with another value of a header."""
    others = [each for each in ask.headers if each[0] != header[0]]
    return replace(ask, headers=(*others, header))


class _Walk:
    """How requests should end in a block, and what they should meet."""

    def __init__(
        self,
        model: Model,
        block: Directive,
        ends: Callable[[Outcome], bool],
        through: Directive | None,
        without: Directive | None,
        world: World,
    ) -> None:
        self._model = model
        self._ends = ends
        self._through, self._without = through, without
        self._world = world
        server, location = model.server_of(block), model.location_of(block)
        self._server = server.directive if server is not None else None
        self._inside = None if location is None else set(_with_nested(location))

    def can_end(self, ask: Ask) -> bool:
        """Whether one of the outcomes of ``ask`` is such an end."""
        from nginxaudit.request.walk import ends  # only who has such a finding pays for it

        explain = self._through is not None or self._without is not None
        found = ends(self._model, ask, self._world, explain=explain, most=MOST_WAYS)
        return any(self._is_here(end) and self._ends(end) and self._met(steps) for end, steps in found)

    def _met(self, steps: list[Step]) -> bool:
        """Whether the request met what it should, and nothing else."""
        if self._through is not None and not any(step.node is self._through for step in steps):
            return False
        return self._without is None or not any(step.node is self._without for step in steps)

    def _is_here(self, end: Outcome) -> bool:
        """Whether it ends in the block; what it met in the block may have sent it elsewhere."""
        inside = self._through is not None or self._inside is None or end.location in self._inside
        return inside and end.server is self._server


def may_try(ctx: CheckContext) -> bool:
    """Whether the rule may follow one more request, which counts."""
    counts = ctx.model.once(_counts)
    counts[ctx.rule] = counts.get(ctx.rule, 0) + 1
    return counts[ctx.rule] <= MOST_TRIED


def _counts(model: Model) -> dict[str, int]:
    """How many requests were followed for each rule. To be asked by `Model.once`."""
    return {}


def _blocks(model: Model, node: Directive) -> Iterator[Directive]:
    """The blocks in which a directive counts: its own, or those of servers below it."""
    block = node if node.is_block and node.inner is not None else node.parent
    if block is None:
        return
    if model.server_of(block) is not None:
        yield block
        return
    for server in model.servers("http"):
        if node is block or node in model.effective(server.directive, node.name):
            yield server.directive


def _with_nested(location: Location) -> Iterator[Directive]:
    yield location.directive
    for each in location.children:
        yield from _with_nested(each)


# -- requests


def asks(model: Model, block: Directive, tries: Iterable[Try] = PLAIN) -> Iterator[Ask]:
    """Requests that get to a block, and for which the condition holds if it is an ``if``."""
    server, location = model.server_of(block), model.location_of(block)
    if server is None:
        return
    conditions = list(_conditions(block))
    paths = [encoded(path) for path in _paths(server, location)]
    for each in tries:
        for path in [each.target] if each.target else [_joined(path, each.tail) for path in paths]:
            for held in conditions:
                if held.method != "GET" != each.method:
                    continue
                query = "&".join(filter(None, (held.args, each.args)))
                ask = ask_of(
                    server,
                    f"{path}{'&' if '?' in path else '?'}{query}" if query else path,
                    model=model,
                    method=held.method if held.method != "GET" else each.method,
                    headers=(*held.headers, *each.headers),
                    six=each.six,
                    body=each.body,
                    client=each.client,
                    host=each.host or held.host,
                    tls=each.tls,
                    named=each.named,
                )
                if ask is not None:
                    yield ask


def _joined(path: str, tail: str) -> str:
    return path + (tail[1:] if path.endswith("/") and tail.startswith("/") else tail)


def _paths(server: Server, location: Location | None) -> list[str]:
    """Paths that lead to a location, or to what a server has."""
    if location is not None:
        path = path_of(location)
        return [] if path is None else [path]
    found = ["/", *filter(None, map(path_of, server.locations[:_PATHS]))]
    return list(dict.fromkeys(found))


def _conditions(block: Directive) -> Iterator[Try]:
    """Nothing, then what the condition of an ``if`` asks for."""
    yield Try()
    wanted = condition(block) if block.name == "if" else None
    if wanted is None:
        return
    name = wanted.left.strip("${}").lower()
    if name == "request_method":
        yield from (Try(method=method) for method in _METHODS)
        return
    value = (sample(wanted.right) if wanted.is_match else str(wanted.right)) if wanted.operator else "1"
    found = entered(name, value)
    if found is not None:
        yield found


def entered(name: str, value: str) -> Try | None:
    """How a client gives a variable a value; None for one that it does not write as it likes, and for paths."""
    name = name.strip("${}").lower()
    kind, _, rest = name.partition("_")
    if not value.isprintable():
        return None
    if kind == "arg":
        return Try(args=f"{rest}={encoded(value)}")
    if name in ("args", "query_string"):
        return Try(args=encoded(value))
    if kind == "cookie":
        return Try(headers=(("Cookie", f"{rest}={value}"),))
    if name in ("http_host", "host"):
        return Try(host=value)
    if kind == "http":
        return Try(headers=(("-".join(map(str.capitalize, rest.split("_"))), value),))
    return None


def carrying(model: Model, node: Directive, text: str) -> Iterator[str]:
    """Targets that reach a directive and carry ``text`` (decoded) where an expression captures, or at the end of the path."""
    location = model.location_of(node)
    beginnings: list[str] = []
    for pattern in _patterns(node, location):
        expression = parse(pattern)
        if expression is None:
            continue
        for group in range(1, expression.groups + 1):
            node_of = expression.group(group)
            own = sample(expression.text[node_of.start : node_of.end]) if node_of is not None else ""
            for each in dict.fromkeys((text, f"{text}{own}")):
                found = sample(pattern, {group: each})
                yield encoded(found if found.startswith("/") else f"/{found}")
        beginnings += filter(None, [expression.prefix])
    if location is not None and location.is_prefix:
        beginnings.append(location.pattern)
    for beginning in dict.fromkeys([*beginnings, "/"]):
        yield encoded(f"{beginning}{text}")


def _patterns(node: Directive, location: Location | None) -> Iterator[str]:
    """Regular expressions that a path went through before it got to a directive."""
    if node.name == "rewrite" and node.args:
        yield str(node.args[0])
    asked = condition(node.parent) if node.parent is not None and node.parent.name == "if" else None
    if asked is not None and asked.is_match:
        yield asked.right
    if location is not None:
        if location.is_regex:
            yield location.pattern
        yield from (str(each.args[0]) for each in location.directive.named("rewrite") if each.args)


# -- what is answered or served


def answered(model: Model, node: Directive) -> tuple[Witness | None, bool]:
    """A request of an unauthenticated client that is served because of ``node``, and whether any could be tried."""
    from nginxaudit.request.walk import trace

    asked = False
    for ask in asks(model, node.parent) if node.parent is not None else ():
        asked = True
        found = trace(model, ask)
        if any(step.node is node for step in found.steps) and any(map(gives, found.outcomes)):
            return witness(ask), True
    return None, asked


def served(
    model: Model, block: Directive, path: str | None = None, *, six: bool = False
) -> tuple[Witness | None, bool]:
    """A request of an unauthenticated client that gets something in ``block``, and whether any could be tried. ``six``: over IPv6."""
    from nginxaudit.request.walk import trace

    server, location = model.server_of(block), model.location_of(block)
    path = path or ("/" if location is None else path_of(location))
    ask = (
        ask_of(server, encoded(path), model=model, six=six)
        if server is not None and path is not None
        else None
    )
    if ask is None or block.inner not in ("server", "location"):
        return None, False
    ends = [each for each in trace(model, ask, explain=False).outcomes if gives(each)]
    there = any(location is None or each.location is location.directive for each in ends)
    return (witness(ask) if there else None), True
