"""What the grammars of directives are given and what they yield.

A grammar is a function ``grammar(use: Use) -> Iterable[Mistake]`` that judges one directive as
nginx does while it reads it. It is called in the order of the file, so that it can remember in
``use.load`` what later directives refer to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from msgspec import Struct, field

from nginxaudit import edits
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import Edits, FixIn
from nginxaudit.load.answers import Answers
from nginxaudit.model import Model
from nginxaudit.nginx import Asked, Stretch, parse_address, parse_number
from nginxaudit.suggest import SURE, Suggestions, likeness, near
from nginxaudit.syntax.tree import Directive, Token

INVALID = "invalid-value"
NEAR_ENOUGH = 0.6  # of difflib: below it two words have nothing to do with each other


class Mistake(Struct, frozen=True):
    """Something nginx refuses. The place is ``token``, or the whole ``node`` without one.

    ``node`` None means the directive that is being read; ``versions`` are those that refuse it, where not all of the target do.
    """

    rule: str
    message: str
    token: Token | None = None
    help: str = ""
    node: Directive | None = None
    related: tuple[tuple[str, Directive], ...] = ()
    confidence: Confidence | None = None
    rejected: bool = True
    severity: Severity | None = None
    make_fix: FixIn | None = None
    versions: tuple[Stretch, ...] = ()
    why: str = ""


class Zone(Struct, frozen=True):
    """A shared memory zone: what it is for, its size in bytes if that is known, and what declared it."""

    purpose: str
    size: int | None
    node: Directive


class Reference(Struct, frozen=True):
    """A name that is used before it need be defined: judged when everything has been read."""

    name: str
    token: Token
    node: Directive
    family: str


class LoadState(Struct):
    """What nginx has read so far."""

    model: Model
    target: Asked
    lacking: Answers[str, str, list[tuple[Stretch, str | None]]]
    """family, variable -> for which versions it does not exist, and why"""
    formats: dict[tuple[str, str], Directive] = field(default_factory=dict)
    format_names: dict[str, dict[str, str]] = field(default_factory=dict)  # family -> lower-case name -> name
    zones: dict[str, Zone] = field(default_factory=dict)
    zone_users: list[tuple[str, Reference]] = field(default_factory=list)  # purpose, use
    undefined: list[Reference] = field(default_factory=list)  # uses of variables that do not exist
    suggestions: dict[object, Suggestions] = field(default_factory=dict)  # by the kind of name
    seen: dict[tuple[Any, ...], Directive] = field(default_factory=dict)  # keys that may come once only
    hash_steps: int = 0  # keys that were put into buckets to find the size of a hash

    def first(self, node: Directive, *key: Any) -> Directive | None:
        """The directive that had the same ``key`` before; None for the first one, which is remembered."""
        return None if (earlier := self.seen.setdefault(key, node)) is node else earlier

    def suggest(self, kind: object, known: Callable[[], Iterable[str]], word: str) -> str | None:
        """The name of a ``kind`` that ``word`` is most like. ``known`` gives all of them, and is called once."""
        found = self.suggestions.get(kind)
        if found is None:
            found = self.suggestions[kind] = Suggestions(known(), NEAR_ENOUGH)
        return found.nearest(word)


class Use(Struct, frozen=True):
    """One directive as it is read. ``family``: http, stream, mail or main."""

    node: Directive
    args: list[Token]
    family: str
    load: LoadState

    @property
    def name(self) -> str:
        """Name of the directive."""
        return self.node.name

    def since(self, *version: *tuple[int, int, int]) -> bool:
        """Whether the target is this version or a newer one."""
        return self.load.target.since(version)


Grammar = Callable[[Use], Iterable[Mistake]]
GRAMMARS: dict[tuple[str, str], list[Grammar]] = {}
"""Grammars by family and name of the directive."""

BY_WORDS: set[Grammar] = set()
"""Grammars to which the same words are always as right or wrong, wherever they stand."""

Final = Callable[[LoadState], Iterable[Mistake]]
FINALS: list[Final] = []
"""What can be judged only when everything has been read."""


def reads(*names: str, family: str = "http", by_words: bool = False) -> Callable[[Grammar], Grammar]:
    """Register a grammar for directives called ``names`` in every family of ``family`` (blank-separated).

    ``by_words``: it asks for the words alone, not for the blocks around them or for what was read before.
    """

    def register(grammar: Grammar) -> Grammar:
        if by_words:
            BY_WORDS.add(grammar)
        for each in family.split():
            for name in names:
                GRAMMARS.setdefault((each, name), []).append(grammar)
        return grammar

    return register


def finally_(check: Final) -> Final:
    """Register a check that runs when everything has been read."""
    FINALS.append(check)
    return check


def invalid(token: Token, message: str, remedy: str = "", make_fix: FixIn | None = None) -> Mistake:
    """A word that nginx refuses for its value."""
    return Mistake(INVALID, message, token, remedy, make_fix=make_fix)


def replaced_by(token: Token, text: str) -> FixIn:
    """``text`` in the place of ``token``."""
    return lambda node: (edits.exchanged(node, token, text),)


def misspelt(token: Token, message: str, word: str, allowed: Iterable[str]) -> Mistake:
    """A word that nginx refuses because ``word``, all of it or its name or value, is none of ``allowed``."""
    words = list(allowed)
    meant = _nearest(word, words)
    if meant == word:  # allowed, but not in this form or with this value
        meant = None
    make_fix = partial(_meant, token, word, meant) if meant else None
    return invalid(token, message, _suggestion(meant, words), make_fix)


def _meant(token: Token, word: str, meant: str, node: Directive) -> Edits:
    """``meant`` instead of ``word``, unless the two differ much or by a number."""
    if token.startswith(f"{word}="):
        text = meant + token[len(word) :]
    elif token == word or token.endswith(f"={word}"):
        text = token.removesuffix(word) + meant
    else:
        return None
    if text == token or _digits(word) != _digits(meant):
        return None
    if not word.startswith(meant) and likeness(word.lower(), meant.lower()) < SURE:
        return None
    return (edits.exchanged(node, token, text),)


def _digits(word: str) -> str:
    return "".join(filter(str.isdecimal, word))


def repeated(
    use: Use,
    earlier: Directive,
    message: str,
    remedy: str,
    label: str = "first used here",
    token: Token | None = None,
) -> Mistake:
    """The second of two directives of which nginx wants one."""
    make_fix = partial(later_line_deleted, use.load.model, earlier)
    return Mistake(
        "duplicate-directive", message, token, remedy, related=((label, earlier),), make_fix=make_fix
    )


def later_line_deleted(model: Model, earlier: Directive, node: Directive) -> Edits:
    """What of two equal lines deletes the later one."""
    from nginxaudit.load.fixes.duplicates import later_line

    return later_line(model, earlier, node)


def parsed(parse: Callable[[str], Any], token: Token, text: str | None = None) -> Iterable[Mistake]:
    """A mistake if ``parse`` refuses the word, or the part ``text`` of it."""
    try:
        parse(token if text is None else text)
    except ValueError as error:
        return (invalid(token, str(error)),)
    return ()


def address(
    token: Token, default_port: int | None = None, text: str | None = None, *, listen: bool = False
) -> Iterable[Mistake]:
    """A mistake if the word, or the part ``text`` of it, is no address: see `parse_address`."""
    return parsed(lambda word: parse_address(word, default_port, listen=listen), token, text)


def one_of(token: Token, allowed: Iterable[str], what: str, text: str | None = None) -> Iterator[Mistake]:
    """A mistake if the word, or the part ``text`` of it, is none of ``allowed``."""
    words = list(allowed)
    word = str(token) if text is None else text
    if word not in words:
        yield misspelt(token, f'invalid {what} "{word}"', word, words)


def _suggestion(meant: str | None, words: list[str]) -> str:
    """What was probably meant, and everything that is allowed."""
    listing = ", ".join(words[:12]) + (" …" if len(words) > 12 else "")
    return (f'Did you mean "{meant}"? ' if meant else "") + f"Allowed: {listing}."


def _nearest(word: str, words: list[str]) -> str | None:
    folded = {each.lower(): each for each in words}
    found = near(word.lower(), folded, 1, NEAR_ENOUGH)
    return folded[found[0]] if found else None


def option(token: Token, name: str) -> str | None:
    """The value of the parameter ``name=value``; None if the word is another one."""
    return token[len(name) + 1 :] if token.startswith(f"{name}=") else None


def unknown_parameter(token: Token, directive: str, allowed: Iterable[str] = ()) -> Mistake:
    """A word that is no parameter of the directive."""
    message, words = f'invalid parameter "{token}" of "{directive}"', list(allowed)
    return misspelt(token, message, token.partition("=")[0], words) if words else invalid(token, message)


def above_zero(parse: Callable[[str], int]) -> Callable[[str], int]:
    """What ``parse`` reads, without zero. It raises `ValueError`."""

    def check(text: str) -> int:
        value = parse(text)
        if value == 0:
            raise ValueError(f'"{text}" must be greater than 0')
        return value

    return check


positive = above_zero(parse_number)
"""A whole number above zero. Raises `ValueError`."""
