"""Which values a text with variables can have, as far as the configuration decides it.

``set``, ``map``, ``geo`` and ``split_clients`` with constant values are followed through each other.
What comes from the request, from captures or from code is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from nginxaudit.model.definitions import definitions
from nginxaudit.model.scope import enclosing, family_of, is_directive
from nginxaudit.nginx import variable
from nginxaudit.nginx.names import LUA, MAPPING
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.model import Model

MAX_PRODUCT = 64  # values of a text that joins several variables
MAX_VALUES = 4096  # values of one variable
MAX_SIZE = 1 << 18  # characters of all of them: "$a$a" of "$b$b" of … would double with every line
_MOST = 1 << 26  # characters of all values of all variables

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z_][A-Za-z0-9_]*)|([0-9]))")
_BUILTIN = {
    "http": {"scheme": frozenset({"http", "https"})},
    "stream": {"protocol": frozenset({"TCP", "UDP"})},
}
_PHASES = ("server_rewrite", "rewrite", "access", "content", "balancer", "preread")
_CODE = (
    *(phase + kind for phase in _PHASES for kind in LUA),
    "js_content", "js_access", "js_preread", "perl",
)  # fmt: skip
"""Directives whose code may set variables of ``set``, or choose where a request goes."""


class Values(Struct, frozen=True):
    """Known values of a text. ``complete``: it has no others."""

    constants: frozenset[str]
    complete: bool


UNKNOWN = Values(frozenset(), complete=False)
_EMPTY = Values(frozenset({""}), complete=True)


class Reference(Struct, frozen=True):
    """A variable in a text: its lower-case name and its place, offsets into the text."""

    name: str
    start: int
    end: int


def references(text: str) -> tuple[Reference, ...]:
    """Variables in ``text``, in order. nginx reads one digit of a numbered capture."""
    return _references(text) if "$" in text else ()


@lru_cache(maxsize=512)
def _references(text: str) -> tuple[Reference, ...]:
    return tuple(
        [
            Reference((found[1] or found[2] or found[3]).lower(), found.start(), found.end())
            for found in _VARIABLE.finditer(text)
        ]
    )


def spellings(text: str) -> list[str]:
    """Names of the variables in ``text`` as they are written, in order."""
    return [braced or plain for braced, plain, _ in _VARIABLE.findall(text) if braced or plain]


class _Entries(Struct, frozen=True):
    """Values of a block such as ``map``: plain ones, and those that contain variables."""

    plain: Values
    templates: tuple[str, ...]


_Key: TypeAlias = "tuple[str, Directive | None]"
"""A variable and the server that asks for it."""


class Variables:
    """Definitions and possible values of the variables of one family."""

    def __init__(self, model: Model, family: str) -> None:
        self._model = model
        self._family = family
        self._entries: dict[Directive, _Entries] = {}
        self._values: dict[_Key, Values] = {}
        self._open: set[_Key] = set()  # being computed: a cycle leads back here

    @cached_property
    def defined(self) -> dict[str, list[Directive]]:
        """Directives that define each variable, by lower-case name."""
        return definitions(self._model.config, self._family)

    @cached_property
    def code(self) -> bool:
        """Lua, njs or Perl runs in this family and may set variables."""
        return any(
            family_of(directive) == self._family
            for name in _CODE
            for directive in self._model.config.named(name)
            if is_directive(directive)
        )

    def first_behind(self, text: str, wanted: Callable[[str], bool], depth: int) -> str:
        """The first of nginx's own variables that is ``wanted`` among those that ``text`` depends on; empty if there is none.

        One that the configuration defines itself is its own, whatever its name begins with. ``depth`` is through how many maps, one after the other, it is looked for.
        """
        for reference in references(text):
            name = reference.name
            if wanted(name) and name not in self.defined and variable(name, self._family) is not None:
                return name
            for block in self.defined.get(reference.name, ()) if depth else ():
                if block.name in MAPPING and block.args:
                    found = self.first_behind(block.args[0], wanted, depth - 1)
                    if found:
                        return found
        return ""

    def possible(self, text: str, scope: Directive) -> Values:
        """Values that ``text`` can have in the block ``scope``."""
        return self._text(text, enclosing(scope, "server"))

    def _text(self, text: str, server: Directive | None) -> Values:
        if "$" not in text:
            return Values(frozenset({text}), complete=True)
        results, complete, position = [""], True, 0
        for reference in references(text):
            values = self._known(reference.name, server)
            literal = text[position : reference.start]
            position = reference.end
            complete = complete and values.complete
            if not values.constants or self._too_many(results, literal, values.constants):
                return UNKNOWN
            results = [head + literal + value for head in results for value in sorted(values.constants)]
        return Values(frozenset(head + text[position:] for head in results), complete)

    def _known(self, name: str, server: Directive | None) -> Values:
        """The values of a variable; nothing while they are being computed: nginx refuses to evaluate such a cycle."""
        return UNKNOWN if (name, server) in self._open else self._variable(name, server)

    def _too_many(self, heads: list[str], literal: str, values: frozenset[str]) -> bool:
        """Whether the product of ``heads`` and ``values`` is more than what is followed."""
        if len(heads) * len(values) > (MAX_VALUES if len(heads) == 1 else MAX_PRODUCT):
            return True
        size = len(values) * sum(map(len, heads)) + len(heads) * sum(map(len, values))
        return size + len(heads) * len(values) * len(literal) > self._size

    @cached_property
    def _size(self) -> int:
        """Characters that the values of one text may have."""
        return min(MAX_SIZE, max(_MOST // (1 + sum(map(len, self.defined.values()))), 4096))

    def _variable(self, name: str, server: Directive | None) -> Values:
        builtin = _BUILTIN.get(self._family, {}).get(name)
        if builtin is not None:
            return Values(builtin, complete=True)
        known = self._values.get((name, server))
        if known is None:
            self._find((name, server))
            known = self._values.get((name, server), UNKNOWN)
        return known

    def _find(self, key: _Key) -> None:
        """Compute the values of a variable after those that it is made of: a chain may be of any length."""
        todo = [key]
        while todo:
            key = todo[-1]
            if key in self._values:
                todo.pop()
            elif key in self._open:
                self._values[key] = self._compute(*key)
                self._open.discard(key)
                todo.pop()
            else:
                self._open.add(key)
                todo += [
                    each for each in self._parts(*key) if each not in self._values and each not in self._open
                ]

    def _parts(self, name: str, server: Directive | None) -> Iterator[_Key]:
        """The variables that the values of one are made of."""
        for directive in self._relevant(name, server):
            texts: Iterable[str] = ()
            if directive.name == "set":
                texts = directive.args[1:2]
            elif directive.name == "map":
                texts = self._block(directive).templates
            for text in texts:
                for reference in references(text):
                    yield reference.name, server

    def _compute(self, name: str, server: Directive | None) -> Values:
        relevant = self._relevant(name, server)
        if not relevant:
            # Set in other servers only: empty here. Defined nowhere: nobody knows.
            return _EMPTY if self._only_set(name) and not self._set_unknown(server) else UNKNOWN
        constants: set[str] = set()
        complete, size = True, 0
        for values in (part for directive in relevant for part in self._defined_by(directive, server)):
            new = values.constants - constants
            complete = complete and values.complete
            size += sum(map(len, new))
            if len(constants) + len(new) > MAX_VALUES or size > self._size:
                return UNKNOWN
            constants |= new
        return Values(frozenset(constants), complete)

    def _relevant(self, name: str, server: Directive | None) -> list[Directive]:
        """Definitions that can be in force in ``server``: every one but ``set`` in another server."""
        if server is None:
            return self.defined.get(name, [])
        own = self._sets.get((name, server), [])
        return own + self._shared.get(name, [])

    @cached_property
    def _sets(self) -> dict[tuple[str, Directive | None], list[Directive]]:
        found: dict[tuple[str, Directive | None], list[Directive]] = {}
        for name, directives in self.defined.items():
            for directive in directives:
                if directive.name == "set":
                    found.setdefault((name, enclosing(directive, "server")), []).append(directive)
        return found

    @cached_property
    def _shared(self) -> dict[str, list[Directive]]:
        shared = {
            name: [directive for directive in directives if directive.name != "set"]
            for name, directives in self.defined.items()
        }
        return {name: directives for name, directives in shared.items() if directives}

    def _only_set(self, name: str) -> bool:
        return name in self.defined and name not in self._shared

    def _set_unknown(self, server: Directive | None) -> bool:
        """Values of ``set`` variables may come from code or from a file that could not be read."""
        return self.code or (server is not None and self._model.unknown_inside(server))

    def _defined_by(self, directive: Directive, server: Directive | None) -> Iterator[Values]:
        """The values that one definition gives, in parts."""
        if directive.name == "set" and len(directive.args) > 1:
            values = self._text(directive.args[1], server)
            yield Values(values.constants, values.complete and not self._set_unknown(server))
        elif directive.name in MAPPING:
            entries = self._block(directive)
            yield entries.plain
            for template in entries.templates:
                yield self._text(template, server)
        else:
            yield UNKNOWN

    def _block(self, block: Directive) -> _Entries:
        entries = self._entries.get(block)
        if entries is None:
            entries = self._entries[block] = _read_block(block, self._model.unknown_inside(block))
        return entries


_NOT_ENTRIES = {
    "map": frozenset({"include"}),
    "geo": frozenset({"delete", "proxy", "include"}),
    "split_clients": frozenset({"include"}),
}
"""Lines with an argument that give no value; lines without one (``hostnames``, ``ranges``) never do."""

_REST = {"map": "default", "geo": "default", "split_clients": "*"}


def _read_block(block: Directive, unread: bool) -> _Entries:
    """Values of a ``map``, ``geo`` or ``split_clients`` block; empty where nothing matches."""
    texts: set[str] = set()
    has_rest = False
    for line in block.children:
        if line.args and line.name not in _NOT_ENTRIES[block.name]:
            has_rest = has_rest or line.name == _REST[block.name]
            texts.add(str(line.args[0]))
    if not has_rest and not (block.name == "split_clients" and _covers_all(block)):
        texts.add("")
    templates = {text for text in texts if "$" in text} if block.name == "map" else set()
    return _Entries(Values(frozenset(texts - templates), not unread), tuple(sorted(templates)))


def _covers_all(block: Directive) -> bool:
    """The percentages add up to 100: nothing is left over."""
    total = 0.0
    for line in block.children:
        try:
            total += float(line.name.removesuffix("%")) if line.name.endswith("%") else 0
        except ValueError:
            return False
    return total > 99.995
