"""Where the parts of a text come from, when clients write them.

Variables are followed through ``set``, ``map`` and captures. What cannot be followed is left out: a
caller that finds nothing says nothing. ``$uri`` is decoded, so it may hold a newline (``%0A``); raw parts of
the request (arguments, headers, cookies, ``$request_uri``) cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.model.expressions import Written, condition, map_expression
from nginxaudit.model.regex import matches
from nginxaudit.model.scope import enclosing, family_of
from nginxaudit.model.variables import references
from nginxaudit.nginx.patterns import compiled
from nginxaudit.pcre import Expression, parse
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.model import Model

_DEPTH = 8
_MOST = 32  # origins of one variable
_FREE = ("arg_", "http_", "cookie_")
_PATHS = frozenset({"uri", "document_uri"})
_RAW_PATHS = frozenset({"request_uri"})
_ARGUMENTS = frozenset({"args", "query_string"})
_TRIED = frozenset({"location", "rewrite", "if", "server_name"})
"""Kinds of expressions whose captures a request carries on."""


class Origin(Struct, frozen=True):
    """A part of a text that a client writes.

    ``variable`` is where it enters, such as ``$arg_next`` or ``$uri``; ``via`` the variable in the text itself.
    ``kind``: ``free`` (arguments, headers, cookies), ``host``, ``path``. ``newline``: it may contain one.
    ``slash``: it begins with a slash whatever the client does; ``leads``: it may begin with one; ``dot``: it may
    contain a dot; ``anywhere``: it may be the name or address of any host; ``raw``: it is as the client wrote it; ``offset`` is its place in the text.
    """

    variable: str
    via: str
    kind: str
    newline: bool = False
    slash: bool = False
    leads: bool = True
    dot: bool = True
    anywhere: bool = True
    raw: bool = True
    offset: int = 0


class _Scope(Struct, frozen=True):
    """Who asks for a variable: a server, and the directive whose captures by number count; None: nobody knows which."""

    server: Directive | None
    directive: Directive | None = None


class Taint:
    """Origins of texts, cached by variable and server."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._sets: dict[tuple[str, Directive | None], list[Directive]] = {}
        for node in model.config.named("set"):
            if len(node.args) > 1:
                key = (node.args[0][1:].lower(), enclosing(node, "server"))
                self._sets.setdefault(key, []).append(node)
        self._found: dict[tuple[str, Directive | None, int], tuple[Origin, ...]] = {}
        self._first: dict[Directive, dict[Directive, bool]] = {}

    @cached_property
    def _blocks(self) -> dict[str, list[Directive]]:
        found: dict[str, list[Directive]] = {}
        for block in self._model.config.named("map"):
            if block.is_block and len(block.args) > 1 and family_of(block) == "http":
                found.setdefault(block.args[1][1:].lower(), []).append(block)
        return found

    @cached_property
    def _written(self) -> dict[Directive, Written]:
        """The expression of each directive that has one."""
        return {each.directive: each for each in self._model.expressions if each.kind in _TRIED}

    @cached_property
    def _captures(self) -> dict[tuple[str, Directive | None], list[tuple[Written, str]]]:
        """Expressions by the lower-case names of their groups and by server, with the name as written."""
        found: dict[tuple[str, Directive | None], list[tuple[Written, str]]] = {}
        for written in self._model.expressions:
            if written.kind not in _TRIED or "(?" not in written.text or written.expression is None:
                continue
            server = enclosing(written.directive, "server")
            first = {name.lower(): name for name in reversed(written.expression.names)}
            for key, name in first.items():
                found.setdefault((key, server), []).append((written, name))
        return found

    @cached_property
    def _traced(self) -> frozenset[str]:
        """Names of variables that may lead somewhere."""
        return frozenset({*self._blocks, *(name for name, _ in (*self._sets, *self._captures))})

    def origins(self, text: str, scope: Directive) -> list[Origin]:
        """The parts of ``text``, used in the directive or block ``scope``, that clients write, in order."""
        plain = _plain(text)
        if plain.names.isdisjoint(self._traced) and not plain.numbered:
            return list(plain.origins)
        return list(self._text(text, _Scope(enclosing(scope, "server"), scope), _DEPTH))

    def _text(self, text: str, scope: _Scope, depth: int) -> Iterator[Origin]:
        for reference in references(text):
            behind_slash = depth < _DEPTH and text.startswith("/") and reference.start > 0
            for origin in self._variable(reference.name, scope, depth):
                yield replace(
                    origin,
                    via=f"${reference.name}",
                    offset=reference.start,
                    slash=origin.slash or behind_slash,
                )

    def _variable(self, name: str, scope: _Scope, depth: int) -> tuple[Origin, ...]:
        builtin = _builtin(name)
        if builtin is not None:
            return (builtin,)
        if depth == 0:
            return ()
        if name.isdigit():
            return tuple(self._numbered(int(name), scope, depth))
        if name not in self._traced:
            return ()
        # What a variable can be is the same for all who ask in one server; a cycle ends with the depth.
        key = (name, scope.server, depth)
        found = self._found.get(key)
        if found is None:
            distinct = dict.fromkeys(self._defined(name, scope.server, depth - 1))
            found = self._found[key] = tuple(islice(distinct, _MOST))
        return found

    def _defined(self, name: str, server: Directive | None, depth: int) -> Iterator[Origin]:
        for node in self._sets.get((name, server), ()):
            yield from self._text(node.args[1], _Scope(server, node), depth)
        for block in self._blocks.get(name, ()):
            yield from self._map(block, _Scope(server), depth)
        for written, original in self._captures.get((name, server), ()):
            if written.expression is not None:
                scope = _Scope(server, written.directive)
                yield from self._captured(written.expression, original, written.subject, scope, depth)

    def _map(self, block: Directive, scope: _Scope, depth: int) -> Iterator[Origin]:
        for line in block.children:
            value = line.args[0] if line.args else ""
            if "$" not in value:
                continue
            if not line.name.startswith("~"):
                yield from self._text(value, scope, depth)
                continue
            caseless, pattern = map_expression(line.name)
            expression = parse(pattern, caseless=caseless, limit=self._model.limits.max_regex_size)
            if expression is None:
                continue
            for reference in references(value):
                group: int | str | None = int(reference.name) if reference.name.isdigit() else None
                if group is None:
                    group = next((each for each in expression.names if each.lower() == reference.name), None)
                found = (
                    self._captured(expression, group, str(block.args[0]), scope, depth)
                    if group is not None
                    else self._variable(reference.name, scope, depth)
                )
                behind_slash = value.startswith("/") and reference.start > 0
                yield from (replace(each, slash=each.slash or behind_slash) for each in found)

    def _numbered(self, number: int, scope: _Scope, depth: int) -> Iterator[Origin]:
        written = self._last(scope.directive) if scope.directive is not None else None
        if written is not None and written.expression is not None:
            last = _Scope(scope.server, written.directive)
            yield from self._captured(written.expression, number, written.subject, last, depth)

    def _last(self, scope: Directive) -> Written | None:
        """The expression whose captures a directive sees; None where several may have come last."""
        block = scope if scope.is_block else scope.parent
        written = self._written
        if scope.name == "rewrite":
            return written.get(scope)
        if block is None:
            return None
        if self._follows_another(scope, block):
            return None  # whether a rewrite or an if before it matched is decided at run time
        if block.name == "if":
            asked = condition(block)
            if asked is not None and asked.is_match:
                return written.get(block) if not asked.negated else None
            block = block.parent
        return written.get(block) if block is not None else None

    def _follows_another(self, node: Directive, block: Directive) -> bool:
        """Whether one of the directives of ``block`` before ``node`` has an expression."""
        known = self._first.get(block)
        if known is None:
            known, seen = self._first.setdefault(block, {}), False
            for child in block.children:
                known[child] = seen
                seen = seen or child in self._written
        return known.get(node, False)

    def _captured(
        self, expression: Expression, group: int | str, subject: str, scope: _Scope, depth: int
    ) -> Iterator[Origin]:
        """What a group takes out of its subject."""
        shape = _shape(expression, group)
        if shape is None:
            return
        for origin in self._text(subject, scope, depth - 1) if depth > 0 else ():
            yield replace(
                origin,
                newline=origin.newline and shape.newline,
                dot=shape.dot,
                slash=shape.slash or (shape.first and origin.slash),
                leads=shape.leads,
                anywhere=origin.anywhere and shape.anywhere,
            )


_NOT_SLASH = "".join(chr(code) for code in range(256) if chr(code) != "/")


_HOSTS = ("evil.test", "www.evil.test", "evil-1.test", "127.0.0.1", "169.254.169.254")
_ENDS_HOST = "/?#@:"
_NOTHING_BEFORE = r"(?:\(\?i\)|\^|\((?:\?:|\?P?<\w+>)?)*"


class _Shape(Struct, frozen=True):
    """What a group can capture, in the words of `Origin`."""

    newline: bool
    dot: bool
    slash: bool
    leads: bool
    anywhere: bool
    first: bool  # it begins where the subject begins


@lru_cache(maxsize=4096)
def _shape(expression: Expression, group: int | str) -> _Shape | None:
    """What a group can capture; None if it is a few texts, or not known."""
    if expression.group(group) is None or expression.group_texts(group) is not None or expression.looks:
        return None
    dot = expression.group_may_contain(group, ".")
    return _Shape(
        newline=expression.group_may_contain(group, "\n"),
        dot=dot,
        slash=not expression.group_may_be_empty(group)
        and not expression.group_may_start_with(group, _NOT_SLASH),
        leads=expression.group_may_start_with(group, "/"),
        anywhere=dot and may_be_any_host(expression, group),
        first=_begins_subject(expression, group),
    )


def _begins_subject(expression: Expression, group: int | str) -> bool:
    """Whether a group begins where the subject does: ``^(.*)/$``, and ``(.*)/$`` for which the search begins there."""
    node = expression.group(group)
    if node is None or node.end <= node.start:
        return False
    before, own = expression.text[: node.start], expression.text[node.start : node.end]
    anchored = expression.starts_anchored or own.startswith((".*", ".+"))
    return anchored and compiled(_NOTHING_BEFORE).fullmatch(before) is not None


def may_be_any_host(expression: Expression, group: int | str) -> bool:
    """Whether what a group (0: everything) captures can name any host, as far as its own part decides.

    Not where its names end in a domain that is written out; with ``[^/]+`` before that domain they need not
    end there, for a question mark ends the host as well.
    """
    node = expression.group(group)
    if node is None or expression.group_texts(group) is not None:
        return node is None
    if node.end <= node.start or expression.group_may_contain(group, _ENDS_HOST):
        return True
    part = f"^(?:{expression.text[node.start : node.end]})$"
    return any(matches(part, host, caseless=expression.caseless) is not False for host in _HOSTS)


class _Plain(Struct, frozen=True):
    """What a text says by itself: origins that are variables of nginx, names of all others, captures by number."""

    origins: tuple[Origin, ...]
    names: frozenset[str]
    numbered: bool


@lru_cache(maxsize=512)
def _plain(text: str) -> _Plain:
    origins, others = [], []
    for reference in references(text):
        builtin = _builtin(reference.name)
        if builtin is None:
            others.append(reference.name)
        else:
            origins.append(replace(builtin, offset=reference.start))
    return _Plain(tuple(origins), frozenset(others), any(map(str.isdigit, others)))


@lru_cache(maxsize=1024)
def _builtin(name: str) -> Origin | None:
    """Variables of nginx that a client writes."""
    variable = f"${name}"
    if name in _PATHS:
        return Origin(variable, variable, "path", newline=True, slash=True, raw=False)
    if name in _RAW_PATHS:
        return Origin(variable, variable, "path", slash=True)
    if name in ("host", "http_host", "http_x_forwarded_host"):
        return Origin(variable, variable, "free" if name == "http_x_forwarded_host" else "host")
    if name in _ARGUMENTS or name.startswith(_FREE):
        return Origin(variable, variable, "free")
    return None
