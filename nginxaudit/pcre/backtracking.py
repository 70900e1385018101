"""How long an expression can take: where backtracking multiplies ways to read one text.

The expression becomes an automaton of positions (one state per place that takes a byte; an edge where
one place can follow another, counted once for every way it can). Two ways to come back to a state with
the same text double the work with every repetition: *exponential*. Loops behind each other that can
share a text out among themselves cost a power of its length: *polynomial*, and the power is the number
of such loops. See Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression
Matchers by Using Ambiguity of NFA", CIAA 2016. The expression is never run.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct, field

from nginxaudit.pcre.expression import Expression, can_be_empty
from nginxaudit.pcre.nodes import (
    ALL,
    NEWLINE,
    Anchor,
    BackReference,
    Chars,
    Choice,
    Group,
    Look,
    Node,
    Opaque,
    Repeat,
    Sequence,
    walk,
)

_MAX_POSITIONS = 160
_MAX_LOOP = 48  # positions of one loop
_MAX_LOOPS = 64  # of an expression, those in copies of a part counted again
_MAX_PAIRS = 40_000  # of edges of one loop that are compared with each other
_MAX_WALKS = 1_000  # through the automaton, for one expression
_COPIES = 2  # of a part with a bounded count: enough to see what it borders on
_CUBIC = 3


class Danger(Struct, frozen=True):
    """What makes an expression slow. ``degree`` is None for exponential time, else the power of the length.

    ``start`` and ``end`` are offsets of the part that repeats, into `Expression.text`.
    """

    degree: int | None
    start: int
    end: int


class _Part(Struct):
    """A part of the automaton: where it can begin and end, and whether it can be empty."""

    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    empty: bool = True


class _TooBigError(Exception):
    pass


class _Automaton:
    """Positions with their sets, their edges, and which of them can be the last one before the end."""

    def __init__(self) -> None:
        self.sets: list[int] = []
        self.nodes: list[Node] = []
        self.loops = 0
        self.edges: list[dict[int, int]] = []  # position -> {next: number of ways}

    def add(self, chars: int, node: Node) -> int:
        if len(self.sets) >= _MAX_POSITIONS:
            raise _TooBigError
        self.sets.append(chars)
        self.nodes.append(node)
        self.edges.append({})
        return len(self.sets) - 1

    def link(self, last: Iterable[int], first: Iterable[int]) -> None:
        first = list(first)
        for each in last:
            edges = self.edges[each]
            for other in first:
                edges[other] = edges.get(other, 0) + 1

    def build(self, node: Node) -> _Part:
        match node:
            case Chars(chars=chars):
                position = self.add(chars, node)
                return _Part([position], [position], empty=False)
            case Sequence(items=items):
                return self._joined([self.build(item) for item in items])
            case Choice(branches=branches):
                parts = [self.build(branch) for branch in branches]
                return _Part(
                    [each for part in parts for each in part.first],
                    [each for part in parts for each in part.last],
                    any(part.empty for part in parts),
                )
            case Group(item=item, atomic=atomic):
                return self._once(item, empty=can_be_empty(item)) if atomic else self.build(item)
            case Repeat():
                return self._repeat(node)
        return _Part()

    def _joined(self, parts: list[_Part]) -> _Part:
        result = _Part()
        for part in parts:
            self.link(result.last, part.first)
            if result.empty:
                result.first = result.first + part.first
            result.last = part.last + (result.last if part.empty else [])
            result.empty = result.empty and part.empty
        return result

    def _repeat(self, node: Repeat) -> _Part:
        if node.possessive:
            return self._once(node.item, empty=node.low == 0 or can_be_empty(node.item))
        if node.high == 0:
            return _Part()
        copies = [self.build(node.item) for _ in range(max(1, min(node.low, _COPIES)))]
        if node.low == 0:
            copies[0].empty = True
        if node.high is None:
            self.loops += 1
            if self.loops > _MAX_LOOPS:
                raise _TooBigError
            self.link(copies[-1].last, copies[-1].first)
        elif node.high > len(copies):
            extra = self.build(node.item)
            extra.empty = True
            copies.append(extra)
        return self._joined(copies)

    def _once(self, item: Node, *, empty: bool) -> _Part:
        """What is never entered again: one step over its bytes, without a loop of its own."""
        chars = 0
        for each in walk(item):
            if isinstance(each, Chars):
                chars |= each.chars
        position = self.add(chars, item)
        return _Part([position], [position], empty)


@lru_cache(maxsize=4096)
def danger(expression: Expression) -> Danger | None:
    """What makes ``expression`` exponential, or cubic and worse; None if nothing does, or nobody knows."""
    if not expression.exact or _has_doubtful_loop(expression.root):
        return None
    automaton = _Automaton()
    try:
        whole = automaton.build(expression.root)
        slow = _exponential(automaton, whole, expression.ends_anchored)
        return slow or _polynomial(expression, automaton, whole)
    except _TooBigError:
        return None


def _has_doubtful_loop(root: Node) -> bool:
    """A condition inside a loop decides which ways are left: then nothing is claimed."""
    return any(
        isinstance(inner, Look | BackReference | Opaque | Anchor)
        for node in walk(root)
        if isinstance(node, Repeat) and (node.high is None or node.high > 1)
        for inner in walk(node.item)
    ) or any(isinstance(node, BackReference) for node in walk(root))


def _reach(automaton: _Automaton) -> list[int]:
    """For every position the set of those behind it, as bits (Warshall's closure)."""
    reach = [_bits(edges) for edges in automaton.edges]
    for middle, behind in enumerate(list(reach)):
        behind = reach[middle]
        for at, found in enumerate(reach):
            if found >> middle & 1:
                reach[at] = found | behind
    return reach


def _loops(automaton: _Automaton) -> list[list[int]]:
    """Sets of positions that can be repeated together."""
    reach = _reach(automaton)
    loops: list[list[int]] = []
    seen = 0
    for at, behind in enumerate(reach):
        if behind >> at & 1 and not seen >> at & 1:
            loop = [each for each in range(at, len(reach)) if behind >> each & 1 and reach[each] >> at & 1]
            seen |= sum(1 << each for each in loop)
            loops.append(loop)
    return loops


def _exponential(automaton: _Automaton, whole: _Part, anchored: bool) -> Danger | None:
    for loop in _loops(automaton):
        if len(loop) > _MAX_LOOP or not _is_ambiguous(automaton, set(loop)):
            continue
        if _can_fail_after(automaton, whole, loop, anchored):
            nodes = [automaton.nodes[each] for each in loop]
            return Danger(None, min(node.start for node in nodes), max(node.end for node in nodes))
    return None


def _is_ambiguous(automaton: _Automaton, loop: set[int]) -> bool:
    """Whether one text leads from a position of the loop back to it in two ways."""
    if any(ways > 1 for at in loop for other, ways in automaton.edges[at].items() if other in loop):
        return True
    inside = {at: tuple(other for other in automaton.edges[at] if other in loop) for at in loop}
    if sum(map(len, inside.values())) ** 2 > _MAX_PAIRS:
        return False  # nobody knows
    ahead: dict[tuple[tuple[int, ...], tuple[int, ...]], list[tuple[int, int]]] = {}
    behind: dict[tuple[int, int], list[tuple[int, int]]] = {}
    same = [(at, at) for at in loop]
    stack, seen = list(same), set(same)
    while stack:
        pair = stack.pop()
        ways = inside[pair[0]], inside[pair[1]]
        if ways not in ahead:  # branches of one choice all lead to the same places
            ahead[ways] = [
                (left, right)
                for left in ways[0]
                for right in ways[1]
                if automaton.sets[left] & automaton.sets[right]
            ]
        for other in ahead[ways]:
            behind.setdefault(other, []).append(pair)
            if other not in seen:
                seen.add(other)
                stack.append(other)
    returning = set(same)
    stack = list(same)
    while stack:
        for pair in behind.get(stack.pop(), ()):
            if pair not in returning:
                returning.add(pair)
                stack.append(pair)
    return any(left != right for left, right in returning)


def _polynomial(expression: Expression, automaton: _Automaton, whole: _Part) -> Danger | None:
    """The longest chain of loops that can share out one text among themselves."""
    loops = [at for at, edges in enumerate(automaton.edges) if at in edges]
    floating = not expression.starts_anchored and not _begins_with_anything(expression.root)
    chain: dict[int, int] = {}
    best: Danger | None = None
    walks = _Walks(automaton)
    for at in loops:
        first = 2 if floating and walks.pass_between(whole.first, at, automaton.sets[at]) else 1
        before = [chain[earlier] + 1 for earlier in loops if earlier < at and walks.share(earlier, at)]
        chain[at] = max([first, *before])
        longest = best.degree or 0 if best else _CUBIC - 1
        if chain[at] > longest and _can_fail_after(automaton, whole, [at], expression.ends_anchored):
            node = automaton.nodes[at]
            best = Danger(chain[at], node.start, node.end)
    return best


class _Walks:
    """Where one can get in an automaton while taking bytes of one set only. Raises `_TooBigError` when asked too much."""

    def __init__(self, automaton: _Automaton) -> None:
        self._automaton = automaton
        self._next = [_bits(edges) for edges in automaton.edges]
        self._takers: dict[int, int] = {}
        self._reached: dict[tuple[int, int], int] = {}

    def share(self, earlier: int, later: int) -> bool:
        """Whether bytes that both loops take lead from one to the other."""
        common = self._automaton.sets[earlier] & self._automaton.sets[later]
        return common != 0 and bool(self._reach(self._next[earlier], common) >> later & 1)

    def pass_between(self, begin: Iterable[int], end: int, common: int) -> bool:
        """Whether a way from one of ``begin`` to ``end`` takes nothing but bytes of ``common``."""
        return bool(self._reach(_bits(begin), common) >> end & 1)

    def _reach(self, begin: int, common: int) -> int:
        """Positions, as bits, on ways that start in ``begin``; remembered, for chains of loops are often of one kind."""
        found = self._reached.get((begin, common))
        if found is not None:
            return found
        if len(self._reached) >= _MAX_WALKS:
            raise _TooBigError
        takers = self._takers.get(common)
        if takers is None:
            takers = _bits(at for at, chars in enumerate(self._automaton.sets) if chars & common)
            self._takers[common] = takers
        seen, fresh = 0, begin & takers
        while fresh:
            seen |= fresh
            ahead = 0
            while fresh:
                lowest = fresh & -fresh
                ahead |= self._next[lowest.bit_length() - 1]
                fresh ^= lowest
            fresh = ahead & takers & ~seen
        self._reached[begin, common] = seen
        return seen


def _bits(positions: Iterable[int]) -> int:
    return sum({1 << at for at in positions})


def _begins_with_anything(node: Node) -> bool:
    """``.*`` at the start: PCRE tries such an expression at the starts of lines only."""
    match node:
        case Sequence(items=items):
            return bool(items) and _begins_with_anything(items[0])
        case Group(item=item):
            return _begins_with_anything(item)
        case Choice(branches=branches):
            return all(_begins_with_anything(branch) for branch in branches)
        case Repeat(item=Chars(kind="dot"), high=None):
            return True
    return False


def _can_fail_after(automaton: _Automaton, whole: _Part, loop: Iterable[int], anchored: bool) -> bool:
    """Whether the rest of the expression can fail behind the loop, so that other ways are tried at all.

    Where the expression may end, it has matched. Where it may end at the end of the text only, some byte
    must be left over that nothing can take; a newline alone does not count, it is rare in what clients send.
    """
    loop = list(loop)
    if not set(whole.last).intersection(loop):
        return True
    taken = NEWLINE
    for each in loop:
        taken |= automaton.sets[each]
    return anchored and taken != ALL
