"""Questions about an expression: what its groups can contain, where it is anchored, what it matches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache

from msgspec import Struct

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
    bytes_of,
    children,
    members,
    walk,
)

MAX_TEXTS = 64  # texts of a finite group
MAX_LENGTH = 4096  # longer expressions are data


class Expression(Struct, frozen=True, eq=False, dict=True):
    """An expression that was read.

    ``text`` is the expression with one character per byte. ``groups`` is the number of capture groups,
    ``names`` gives the number of each named one.
    """

    text: str
    caseless: bool
    root: Node
    groups: int
    names: dict[str, int]

    @cached_property
    def _groups(self) -> dict[int, list[Group]]:
        """Groups by number; several share one after a branch reset."""
        found: dict[int, list[Group]] = {}
        for node in walk(self.root):
            if isinstance(node, Group) and node.number is not None:
                found.setdefault(node.number, []).append(node)
        return found

    @cached_property
    def parents(self) -> dict[int, int | None]:
        """For each group the number of the capture group directly around it, None for none."""
        found: dict[int, int | None] = {}
        stack: list[tuple[Node, int | None]] = [(self.root, None)]
        while stack:
            node, outer = stack.pop()
            if isinstance(node, Group) and node.number is not None:
                found.setdefault(node.number, outer)
                outer = node.number
            stack.extend((each, outer) for each in reversed(children(node)))
        return found

    @cached_property
    def exact(self) -> bool:
        """Nothing in it is opaque: no recursion, condition or verb, whose meaning is not followed here."""
        return not any(isinstance(node, Opaque) for node in walk(self.root))

    @cached_property
    def looks(self) -> bool:
        """It looks ahead or behind: what it matches may be less than its parts say."""
        return any(isinstance(node, Look) for node in walk(self.root))

    @cached_property
    def loops_once(self) -> bool:
        """At most one part repeats without end, and that is one set of bytes: no text can be shared out in many ways."""
        repeats = [node for node in walk(self.root) if isinstance(node, Repeat)]
        if all(node.high is not None for node in repeats):
            return True
        return len(repeats) == 1 and isinstance(repeats[0].item, Chars)

    def group(self, group: int | str) -> Node | None:
        """What stands in a capture group (by number or name; 0 is everything), None without such a group."""
        number = self.names.get(group) if isinstance(group, str) else group
        if number == 0:
            return self.root
        found = self._groups.get(number or 0, [])
        if not found:
            return None
        return found[0].item if len(found) == 1 else Choice(0, 0, tuple(each.item for each in found))

    def group_may_contain(self, group: int | str, chars: str) -> bool:
        """Whether what a group captured may contain one of ``chars``. True for what is not known."""
        node = self.group(group)
        return node is None or bool(_charset(self, group) & bytes_of(chars))

    def group_may_start_with(self, group: int | str, chars: str) -> bool:
        """Whether what a group captured may begin with one of ``chars``. True for what is not known."""
        node = self.group(group)
        return node is None or bool(_first(node)[0] & bytes_of(chars))

    def group_may_be_empty(self, group: int | str) -> bool:
        """Whether a group can capture nothing. True for what is not known."""
        node = self.group(group)
        return node is None or _first(node)[1]

    def group_texts(self, group: int | str) -> frozenset[str] | None:
        """All texts that a group can capture; None if they are not known or more than `MAX_TEXTS`."""
        node = self.group(group)
        texts = self._texts(node) if node is not None else None
        return frozenset(texts) if texts is not None else None

    def charset(self, node: Node) -> int:
        """The set of bytes that occur in what ``node`` can match."""
        chars = 0
        stack = [node]
        while stack:
            at = stack.pop()
            match at:
                case Look():
                    continue
                case Chars(chars=own):
                    chars |= own
                case Opaque():
                    return ALL
                case BackReference(group=group):
                    target = self.group(group)
                    if target is None or any(isinstance(each, BackReference) for each in walk(target)):
                        return ALL
                    stack.append(target)
            stack.extend(children(at))
        return chars

    @cached_property
    def starts_anchored(self) -> bool:
        """Every way through it begins at the start of the text."""
        return _anchored(self.root, "start")

    @cached_property
    def ends_anchored(self) -> bool:
        """Every way through it ends at the end of the text (``$`` also before a final newline)."""
        return _anchored(self.root, "end")

    @cached_property
    def literal(self) -> str | None:
        """The only text that it matches as a whole, when it is anchored at both ends and case counts; else None."""
        if not (self.starts_anchored and self.ends_anchored) or self.looks:
            return None
        texts = self._texts(self.root)
        return next(iter(texts)) if texts is not None and len(texts) == 1 else None

    @cached_property
    def prefix(self) -> str:
        """The characters with which everything that it matches begins; empty if it need not begin somewhere."""
        return _prefix(self.root) if self.starts_anchored else ""

    @cached_property
    def matches_every_path(self) -> bool:
        """It matches every text that begins with a slash and has no newline, such as ``^/`` or ``.*``."""
        return self._covers("/")

    @cached_property
    def covered(self) -> str | None:
        """A beginning so that every text with it (and without newline) matches: ``/`` for every path; None without one."""
        if self.matches_every_path:
            return "/"
        return self.prefix if self.prefix and self._covers(self.prefix) else None

    def _covers(self, beginning: str) -> bool:
        return bool(_ends(self.root, frozenset({0}), beginning)) and self.exact and not self.looks

    def _texts(self, node: Node) -> set[str] | None:
        """All texts of a part, None for more than `MAX_TEXTS` or unknown ones."""
        match node:
            case Chars(chars=chars):
                return set(members(chars)) if chars.bit_count() <= MAX_TEXTS else None
            case Sequence(items=items):
                return self._joined(items)
            case Choice(branches=branches):
                found: set[str] = set()
                for branch in branches:
                    texts = self._texts(branch)
                    if texts is None or len(found) > MAX_TEXTS:
                        return None
                    found |= texts
                return found if len(found) <= MAX_TEXTS else None
            case Repeat(item=item, low=low, high=high):
                if high is None or high > MAX_TEXTS:
                    return None
                return self._joined((item,) * high, low)
            case Group(item=item):
                return self._texts(item)
            case Anchor() | Look():
                return {""}
        return None

    def _joined(self, items: tuple[Node, ...], low: int | None = None) -> set[str] | None:
        """Texts of ``items`` behind each other; with ``low`` also of the first ``low`` and more of them."""
        found = {""}
        result = set(found) if low == 0 else set()
        for count, item in enumerate(items, 1):
            texts = self._texts(item)
            if texts is None or len(found) * len(texts) > MAX_TEXTS:
                return None
            found = {head + tail for head in found for tail in texts}
            if low is not None and count >= low:
                result |= found
        return found if low is None else result or found


@lru_cache(maxsize=4096)
def _charset(expression: Expression, group: int | str) -> int:
    """The set of bytes that occur in what a group captures."""
    node = expression.group(group)
    return ALL if node is None else expression.charset(node)


def _first(node: Node) -> tuple[int, bool]:
    """Bytes that ``node`` can begin with, and whether it can be empty."""
    match node:
        case Chars(chars=chars):
            return chars, False
        case Sequence(items=items):
            found = 0
            for item in items:
                chars, empty = _first(item)
                found |= chars
                if not empty:
                    return found, False
            return found, True
        case Choice(branches=branches):
            firsts = [_first(branch) for branch in branches]
            return _union(chars for chars, _ in firsts), any(empty for _, empty in firsts)
        case Repeat(item=item, low=low):
            chars, empty = _first(item)
            return chars, empty or low == 0
        case Group(item=item):
            return _first(item)
        case BackReference() | Opaque():
            return ALL, True
    return 0, True


def can_be_empty(node: Node) -> bool:
    """Whether a part can match without taking a byte."""
    return _first(node)[1]


def _union(sets: Iterator[int]) -> int:
    result = 0
    for each in sets:
        result |= each
    return result


def _anchored(node: Node, kind: str) -> bool:
    match node:
        case Anchor(kind=own):
            return own == kind
        case Sequence(items=items):
            for item in items if kind == "start" else reversed(items):
                if _anchored(item, kind):
                    return True
                if not _takes_nothing(item):
                    return False
            return False
        case Choice(branches=branches):
            return all(_anchored(branch, kind) for branch in branches)
        case Repeat(item=item, low=low):
            return low > 0 and _anchored(item, kind)
        case Group(item=item):
            return _anchored(item, kind)
        case Look(item=item, ahead=ahead, negative=negative):
            # (?=^…) is anchored; (?<=^…) and (?=…$) only say something about their own place.
            return (
                not negative and ahead and _anchored(item, kind) and (kind == "start" or _takes_nothing(item))
            )
    return False


def _takes_nothing(node: Node) -> bool:
    """Whether a part never takes a byte."""
    return not any(isinstance(each, Chars | BackReference | Opaque) for each in walk(node)) or isinstance(
        node, Look
    )


_AT_END = -1


def _ends(node: Node, begin: frozenset[int], text: str) -> frozenset[int]:
    """Where ``node`` can end in any text that begins with ``text``: offsets up to its length, or `_AT_END`."""
    match node:
        case Chars(chars=chars):
            return frozenset(at + 1 for at in begin if 0 <= at < len(text) and chars & bytes_of(text[at]))
        case Anchor(kind="start"):
            return begin & {0}
        case Anchor(kind="end"):
            return begin & {_AT_END}
        case Group(item=item):
            return _ends(item, begin, text)
        case Sequence(items=items):
            for item in items:
                if not begin:
                    break
                begin = _ends(item, begin, text)
            return begin
        case Choice(branches=branches):
            return frozenset().union(*(_ends(branch, begin, text) for branch in branches))
        case Repeat(item=item, low=low, high=high):
            once = _ends(item, begin, text) if low < 2 else frozenset()
            takes_all = isinstance(item, Chars) and item.chars | NEWLINE == ALL
            rest = frozenset({_AT_END}) if takes_all and high is None and begin and low < 2 else frozenset()
            return (begin if low == 0 else frozenset()) | once | rest
    return frozenset()


def _prefix(node: Node) -> str:
    """The characters that stand at the beginning, one after the other."""
    match node:
        case Chars(chars=chars) if chars.bit_count() == 1:
            return next(members(chars))
        case Group(item=item):
            return _prefix(item)
        case Sequence(items=items):
            found = ""
            for item in items:
                own = _prefix(item)
                found += own
                if not (isinstance(item, Anchor) or (isinstance(item, Chars) and own)):
                    break
            return found
    return ""


@lru_cache(maxsize=16384)
def parse(pattern: str, *, caseless: bool = False, limit: int = MAX_LENGTH) -> Expression | None:
    """``pattern`` as PCRE2 reads it, or None for what is not understood here or has more than ``limit`` bytes."""
    from nginxaudit.pcre.cursor import NotUnderstoodError  # only who has expressions pays for it
    from nginxaudit.pcre.read import Reader

    text = pattern.encode("utf-8", "surrogateescape").decode("latin-1")
    if len(text) > limit:
        return None
    reader = Reader(text, caseless=caseless)
    try:
        root = reader.read()
    except (NotUnderstoodError, RecursionError):
        return None
    return Expression(text, caseless, root, reader.groups, reader.names)
