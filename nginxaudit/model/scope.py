"""Which directives are in effect in a block: nginx's levels and its rules of inheritance.

nginx merges the configuration of every level into the one below (``merge_srv_conf`` and
``merge_loc_conf`` of each module). A level is a block: ``http``, ``server``, every ``location``,
``if`` and ``limit_except``. Four rules cover all directives; the facts say which one holds:

* a scalar, or a list that is *replaced*: the nearest level that has the directive decides alone;
* directives that share one list (``allow``/``deny``): a level that has one of them decides;
* a list that is *merged*: what the outer levels have comes first;
* not inherited at all (``rewrite``, ``try_files``, ``proxy_pass`` …): only the block's own.

Not handled: headers that nginx itself adds or drops (the ``Host`` that ``proxy_set_header`` sends
by default, and duplicates of it that collapse to the last one since 1.31.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

from nginxaudit.nginx import (
    PSEUDO_CONTEXTS,
    DirectiveFact,
    context_family,
    directives,
    parse_flag,
    parse_number,
    parse_size,
    parse_time_ms,
)
from nginxaudit.nginx.names import FAMILIES, PASS_DIRECTIVES, UPSTREAM_CONTEXTS
from nginxaudit.syntax.tree import Config, Directive, Token

T = TypeVar("T")

_HANDED_TO_NONAME = frozenset(PASS_DIRECTIVES) - {"memcached_pass"}
_FAMILIES = (*FAMILIES, "main")
_ASSUMED = {
    "server": "server",
    "stream-server": "server",
    "mail-server": "server",
    "location": "location",
    "http": "http",
    "stream": "stream",
    "mail": "mail",
    "upstream": "upstream",
    "stream-upstream": "upstream",
}
"""What the block is called in which the file level of a fragment is."""
_NONAME = frozenset({"if-in-location", "limit_except"})
_FROM_ABOVE_UPSTREAM = frozenset({"resolver", "resolver_timeout"})
_MERGE_SWITCH = {"add_header": "add_header_inherit", "add_trailer": "add_trailer_inherit"}


class _Rule(Struct, frozen=True):
    """How one directive behaves in one family."""

    names: tuple[str, ...]  # the directive and those that share its list
    inheritable: bool = True
    merged: bool = False
    last_wins: bool = False


def family_of(node: Directive) -> str:
    """World that ``node`` belongs to: ``http``, ``stream``, ``mail``, or ``main`` for none of them.

    The blocks ``http``, ``stream`` and ``mail`` belong to their own. The content of ``map``-like
    and of unknown blocks belongs to the world around them.
    """
    at: Directive | None = node
    while at is not None:
        family = _family(at.inner, at.context)
        if family != "main":
            return family
        at = at.parent
    return "main"


@lru_cache(maxsize=1024)
def _family(inner: str | None, context: str) -> str:
    """World of a directive by the context that it opens, else by the one that it stands in."""
    opened = context_family(inner) if inner else "main"
    return opened if opened != "main" else context_family(context)


def enclosing(node: Directive, *names: str) -> Directive | None:
    """``node`` itself or the nearest block around it whose name is one of ``names``.

    It is the file level of a fragment that is in such a block.
    """
    at: Directive | None = node
    while at is not None:
        if at.is_block and (at.name in names or (not at.name and _ASSUMED.get(at.inner or "", "") in names)):
            return at
        at = at.parent
    return None


def levels(node: Directive) -> Iterator[Directive]:
    """Levels around ``node``, innermost first: itself if it is a block, then the blocks around it.

    The last one is the file level, a block without a name.
    """
    at = node if node.is_block else node.parent
    while at is not None:
        yield at
        at = at.parent


class _Written(Struct):
    """Where a directive, or one that is inherited together with it, is written.

    ``rule`` is None where it depends on the family; ``merged`` keeps what was added up for a block.
    """

    blocks: set[Directive]
    rule: _Rule | None
    merged: dict[Directive, list[Directive]]


class Scopes:
    """Look-ups of effective directives.

    Most questions are about directives that stand in few blocks, or nowhere: the way up ends at the first of these.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._written: dict[str, _Written] = {}

    def effective(self, node: Directive, name: str) -> list[Directive]:
        """Directives ``name`` in effect in the block ``node``, or in the block around it.

        In the order in which nginx has them; empty when no level has one. Do not modify.
        """
        written = self._written.get(name)
        if written is None:
            written = self._written[name] = self._find(name)
        if not written.blocks:
            return _NONE
        at = node if node.is_block else node.parent
        if at is None:
            return _NONE
        rule = written.rule or _rule(name, family_of(at))
        if rule.merged or name in _MERGE_SWITCH:
            return _merged(at, name, rule, written.merged)
        while at is not None:
            if at in written.blocks:
                own = _own(at, rule.names)
                if own:
                    return own
            if (at.inner in UPSTREAM_CONTEXTS or not rule.inheritable) and not _asks_above(at, name, rule):
                return _NONE
            at = at.parent
        return _NONE

    def _find(self, name: str) -> _Written:
        rules = [_rule(name, family) for family in _FAMILIES]
        names = {each for rule in rules for each in rule.names}
        parents = {node.parent for each in names for node in self._config.named(each)}
        blocks = {block for block in parents if block is not None and block.inner not in PSEUDO_CONTEXTS}
        return _Written(blocks, rules[0] if len(set(rules)) == 1 else None, {})

    def value(self, node: Directive, name: str) -> Token | None:
        """First argument of the effective directive ``name``; None without one.

        Of several in one level the last counts where nginx overwrites, else the first (a second
        one is an error to nginx).
        """
        found = self.effective(node, name)
        if not found:
            return None
        last = len(found) > 1 and _rule(name, family_of(node)).last_wins
        chosen = found[-1 if last else 0]
        return chosen.args[0] if chosen.args else None

    def time_ms(self, node: Directive, name: str, default: int | None = None) -> int | None:
        """Effective time in milliseconds; ``default`` if not set, None if it cannot be known."""
        return self._typed(node, name, parse_time_ms, default)

    def flag(self, node: Directive, name: str, default: bool | None = None) -> bool | None:
        """Effective flag; ``default`` if not set, None if it is neither on nor off."""
        return self._typed(node, name, parse_flag, default)

    def number(self, node: Directive, name: str, default: int | None = None) -> int | None:
        """Effective whole number; ``default`` if not set, None if it cannot be known."""
        return self._typed(node, name, parse_number, default)

    def size(self, node: Directive, name: str, default: int | None = None) -> int | None:
        """Effective size in bytes; ``default`` if not set, None if it cannot be known."""
        return self._typed(node, name, parse_size, default)

    def _typed(self, node: Directive, name: str, parse: Callable[[str], T], default: T | None) -> T | None:
        token = self.value(node, name)
        if token is None:
            return default
        try:
            return parse(token)
        except ValueError:
            return None


_NONE: list[Directive] = []


def _merged(
    block: Directive, name: str, rule: _Rule, found: dict[Directive, list[Directive]]
) -> list[Directive]:
    """Effective directives of one block; fills ``found`` for the blocks on the way."""
    path: list[Directive] = []
    at: Directive | None = block
    while at is not None and at not in found:
        path.append(at)
        at = at.parent if _asks_above(at, name, rule) else None
    result = found[at] if at is not None else _NONE
    for level in reversed(path):
        result = found[level] = _merge(level, name, rule, result)
    return result


def _asks_above(block: Directive, name: str, rule: _Rule) -> bool:
    if block.inner in UPSTREAM_CONTEXTS:
        return name in _FROM_ABOVE_UPSTREAM
    return rule.inheritable or (block.inner in _NONAME and name in _HANDED_TO_NONAME)


def _merge(block: Directive, name: str, rule: _Rule, above: list[Directive]) -> list[Directive]:
    own = _own(block, rule.names)
    switch = _MERGE_SWITCH.get(name)
    if switch is not None:
        return _headers(block, switch, own, above)
    return above + own if own else above


def _own(block: Directive, names: tuple[str, ...]) -> list[Directive]:
    if block.inner in PSEUDO_CONTEXTS:  # its content is data, whatever it is called
        return _NONE
    if len(names) == 1:
        return block.named(names[0])
    groups = [group for group in map(block.named, names) if group]
    if len(groups) < 2:
        return groups[0] if groups else _NONE
    return [child for child in block.children if child.name in names]


def _headers(block: Directive, switch: str, own: list[Directive], above: list[Directive]) -> list[Directive]:
    """``add_header`` with ``add_header_inherit`` (src/http/modules/ngx_http_headers_filter_module.c)."""
    if not own and not above:
        return _NONE
    switches = (found for at in levels(block) if (found := at.first(switch)) and found.args)
    mode = next((found.args[0] for found in switches), "on")
    if mode == "off":
        return own
    return own + above if mode == "merge" and own else own or above


@lru_cache(maxsize=4096)
def _rule(name: str, family: str) -> _Rule:
    facts = [fact for fact in directives(name) if _in_family(fact, family)] or list(directives(name))
    if not facts:
        return _Rule((name,))
    fact = facts[0]
    return _Rule(
        names=(name, *fact.inherits_with),
        inheritable=any(each.inheritable for each in facts),
        merged=fact.inherits == "merge",
        last_wins=fact.repeat == "overwrite",
    )


def _in_family(fact: DirectiveFact, family: str) -> bool:
    return any(context_family(context) == family for context in fact.contexts)


def is_directive(node: Directive) -> bool:
    """Whether ``node`` is a directive rather than a line of data in a ``map``-like block."""
    return node.context not in PSEUDO_CONTEXTS and node.context != "unknown"
