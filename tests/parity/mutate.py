"""Random mistakes in a configuration, of the kinds people make.

Every mutation takes the text apart with nginxaudit's own lexer, so that it can aim; the result is
plain text, judged by others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from nginxaudit.nginx import DirectiveFact, directives, inner_context, known_names, parameters
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Statement, Token
from tests.parity.words import METHODS, PATTERN, PEER, TYPICAL, VALUES

_TYPOS = "abcdefghijklmnopqrstuvwxyz_-"


@dataclass(frozen=True)
class Mutant:
    """A mutated text and what was done to it."""

    text: str
    kind: str


class _Text:
    def __init__(self, text: str) -> None:
        self.text = text
        self.parsed = parse(SourceText("x", text))

    @cached_property
    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        stack = list(reversed(self.parsed.statements))
        while stack:
            statement = stack.pop()
            found.append(statement)
            stack.extend(reversed(statement.block or []))
        return found

    @cached_property
    def words(self) -> list[Token]:
        return [word for each in self.statements for word in (each.word, *each.args)]

    @cached_property
    def arguments(self) -> list[Token]:
        return [word for each in self.statements for word in each.args]

    @cached_property
    def blocks(self) -> list[Statement]:
        return [each for each in self.statements if each.block is not None and each.close is not None]

    @cached_property
    def contexts(self) -> list[tuple[int, str]]:
        """Offsets where a directive may be inserted, with the context there."""
        found = [(0, "main"), (len(self.text), "main")]
        stack = [(each, "main") for each in self.parsed.statements]
        while stack:
            statement, context = stack.pop()
            if statement.block is not None and statement.close is not None:
                inner = inner_context(context, statement.name)
                found += [(statement.end, inner), (statement.close, inner)]
                stack += [(each, inner) for each in statement.block]
        return found

    def cut(self, start: int, end: int, by: str = "") -> str:
        return self.text[:start] + by + self.text[end:]

    def whole(self, statement: Statement) -> tuple[int, int]:
        end = statement.end if statement.close is None else statement.close + 1
        return statement.start, end

    def source(self, statement: Statement) -> str:
        start, end = self.whole(statement)
        return self.text[start:end]

    def insertion_points(self) -> list[int]:
        """Offsets where a directive may be inserted: the beginnings and ends of blocks, and the top."""
        return [at for each in self.blocks for at in (each.end, each.close or 0)] + [0, len(self.text)]


_Mutation = Callable[[_Text, random.Random, Sequence[str]], str | None]


def _drop_sign(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    places = [match.start() for match in re.finditer(r"[;{}]", it.text)]
    return it.cut(at := rng.choice(places), at + 1) if places else None


def _add_sign(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    word = rng.choice(it.words)
    at = rng.choice((word.start, word.end))
    return it.cut(at, at, rng.choice((";", "{", "}", " ; ", " { ", " } ", ";;", "{}")))


def _quotes(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    word = rng.choice(it.words)
    raw = it.text[word.start : word.end]
    if word.quoted and rng.random() < 0.6:
        return it.cut(word.start, word.end, rng.choice((raw[1:], raw[:-1], raw[1:-1], raw + "x", raw + raw)))
    sign = rng.choice("\"'")
    return it.cut(
        word.start,
        word.end,
        rng.choice((sign + raw, raw + sign, sign + raw + sign, raw[:1] + sign + raw[1:])),
    )


def _typo(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    word = rng.choice([each.word for each in it.statements])
    return it.cut(word.start, word.end, _misspelled(it.text[word.start : word.end], rng))


def _typo_argument(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    if not it.arguments:
        return None
    word = rng.choice(it.arguments)
    return it.cut(word.start, word.end, _misspelled(it.text[word.start : word.end], rng))


def _misspelled(raw: str, rng: random.Random) -> str:
    at = rng.randrange(len(raw)) if raw else 0
    return rng.choice(
        (
            raw[:at] + raw[at + 1 :],
            raw[:at] + rng.choice(_TYPOS) + raw[at:],
            raw[:at] + rng.choice(_TYPOS) + raw[at + 1 :],
            raw[:at] + raw[at : at + 2][::-1] + raw[at + 2 :],
            raw.upper(),
            raw.capitalize(),
            raw.replace("_", "-"),
            raw + raw[-1:],
        )
    )


def _move(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    statement = rng.choice(it.statements)
    start, end = it.whole(statement)
    target = rng.choice([at for at in it.insertion_points() if not start < at < end])
    moved = f"\n{it.text[start:end]}\n"
    if target <= start:
        return it.text[:target] + moved + it.text[target:start] + it.text[end:]
    return it.text[:start] + it.text[end:target] + moved + it.text[target:]


def _duplicate(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    statement = rng.choice([each for each in it.statements if each.block is None] or it.statements)
    _, end = it.whole(statement)
    return it.cut(end, end, "\n" + it.source(statement))


def _duplicate_block(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    if not it.blocks:
        return None
    block = rng.choice(it.blocks)
    _, end = it.whole(block)
    return it.cut(end, end, "\n" + it.source(block))


def _copy(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    at = rng.choice(it.insertion_points())
    return it.cut(at, at, f"\n{it.source(rng.choice(it.statements))}\n")


def _donate(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    at = rng.choice(it.insertion_points())
    return it.cut(at, at, f"\n{rng.choice(donors)}\n")


def _invent(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    """A directive that is known somewhere, with values that may or may not suit it, in a block that has it."""
    at, context = rng.choice(it.contexts)
    names = names_in(context) if rng.random() < 0.9 else sorted(known_names())
    if not names:
        return None
    fact = rng.choice(directives(rng.choice(names)))
    most = fact.args.maximum if fact.args.maximum is not None else fact.args.minimum + 3
    count = (
        rng.randint(fact.args.minimum, max(most, fact.args.minimum))
        if rng.random() < 0.95
        else rng.randint(0, 4)
    )
    values = [typical(fact, rng) if rng.random() < 0.7 else _some_value(it, rng) for _ in range(count)]
    end = "{ }" if fact.block else ";"
    return it.cut(at, at, f"\n{' '.join([fact.name, *values])} {end}\n")


@cache
def names_in(context: str) -> list[str]:
    """Directives that an open source nginx without unusual modules has in ``context``."""
    return sorted(
        name
        for name in known_names()
        if name not in ("load_module", "daemon", "user", "include", "working_directory")
        and any(
            context in fact.contexts and not fact.plus_only and not fact.third_party and not fact.configure
            for fact in directives(name)
        )
    )


def typical(fact: DirectiveFact, rng: random.Random) -> str:
    """A word that may suit ``fact``."""
    if fact.values:
        return rng.choice(fact.values)
    if fact.default and rng.random() < 0.3:
        return rng.choice(fact.default.split() or ["x"])
    parameters_of = [each.name for each in parameters(fact.name, "http") if each.name]
    if parameters_of and rng.random() < 0.5:
        name = rng.choice(parameters_of)
        return rng.choice(
            (name, f"{name}={rng.choice(VALUES)}", f"{name}={rng.choice(('10', '1m', '10s', 'on', 'a:1m'))}")
        )
    return rng.choice(TYPICAL.get(fact.type, TYPICAL["custom"]))


def _delete(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    return it.cut(*it.whole(rng.choice(it.statements)))


def _drop_argument(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    if not it.arguments:
        return None
    word = rng.choice(it.arguments)
    return it.cut(word.start, word.end)


def _add_argument(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    word = rng.choice(it.words)
    return it.cut(word.end, word.end, " " + _some_value(it, rng))


def _alter_argument(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    if not it.arguments:
        return None
    word = rng.choice(it.arguments)
    return it.cut(word.start, word.end, _some_value(it, rng))


def _alter_part(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    words = [word for word in it.arguments if "=" in word or ":" in word]
    if not words:
        return None
    word = rng.choice(words)
    raw = it.text[word.start : word.end]
    parts = re.split(r"([=:])", raw)
    at = rng.randrange(0, len(parts))
    parts[at] = rng.choice((_some_value(it, rng), "", _misspelled(parts[at], rng)))
    return it.cut(word.start, word.end, "".join(parts))


def _alter_number(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    words = [word for word in it.arguments if any(char.isdigit() for char in word)]
    if not words:
        return None
    word = rng.choice(words)
    raw = it.text[word.start : word.end]
    found = rng.choice(list(re.finditer(r"[0-9]+", raw)))
    by = rng.choice(
        (
            "0",
            "-1",
            "1",
            "65536",
            "99999999999999999999",
            "x",
            "",
            found[0] + "0",
            found[0] + "k",
            found[0] + "ms",
            found[0] + ".5",
            "00" + found[0],
        )
    )
    return it.cut(word.start + found.start(), word.start + found.end(), by)


def _some_value(it: _Text, rng: random.Random) -> str:
    if it.arguments and rng.random() < 0.3:
        word = rng.choice(it.arguments)
        return it.text[word.start : word.end]
    return rng.choice(VALUES)


def _flag(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    words = [word for word in it.arguments if word in ("on", "off")]
    if not words:
        return None
    word = rng.choice(words)
    return it.cut(
        word.start, word.end, rng.choice(("On", "OFF", "true", "1", "yes", "no", "onn", "auto", "$flag"))
    )


def _variable(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    found = list(re.finditer(r"\$\{?(\w+)", it.text))
    if not found:
        return None
    match = rng.choice(found)
    by = rng.choice(
        (match[1] + "x", match[1].upper(), "", "{" + match[1] + "}", match[1][:-1], "1", "-" + match[1])
    )
    return it.cut(match.start(1), match.end(1), by)


def _name(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    """Another zone, format, group or key zone."""
    found = list(
        re.finditer(
            r"(?:zone=|zone |access_log \S+ |://|log_format |upstream |limit_conn |_cache )([A-Za-z]\w*)",
            it.text,
        )
    )
    if not found:
        return None
    match = rng.choice(found)
    by = rng.choice((match[1] + "2", match[1].upper(), match[1] + "-x", match[1][:-1] or "q"))
    return it.cut(match.start(1), match.end(1), by)


def _regex(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    words = []
    for statement in it.statements:
        for before, word in zip((statement.word, *statement.args), statement.args, strict=False):
            if before in ("~", "~*", "!~", "!~*", "rewrite") or word.startswith("~"):
                words.append(word)
    if not words:
        return None
    word = rng.choice(words)
    raw = it.text[word.start : word.end]
    at = rng.randrange(len(raw) + 1)
    return it.cut(word.start, word.end, raw[:at] + rng.choice(PATTERN) + raw[at:])


def _peer(it: _Text, rng: random.Random, donors: Sequence[str]) -> str | None:
    groups = [block for block in it.blocks if block.name == "upstream" and block.block]
    if not groups:
        return None
    group = rng.choice(groups)
    servers = [line for line in group.block or [] if line.name == "server" and line.args]
    if servers and rng.random() < 0.6:
        server = rng.choice(servers)
        at = rng.choice([word.end for word in server.args])
        return it.cut(at, at, " " + rng.choice(PEER))
    at = rng.choice((group.end, group.close or group.end))
    return it.cut(at, at, f"\n{rng.choice(METHODS)}\n")


_MUTATIONS: dict[str, tuple[int, _Mutation]] = {
    "drop sign": (2, _drop_sign),
    "add sign": (2, _add_sign),
    "quotes": (2, _quotes),
    "typo": (2, _typo),
    "typo in argument": (3, _typo_argument),
    "move": (4, _move),
    "duplicate": (3, _duplicate),
    "duplicate block": (2, _duplicate_block),
    "copy elsewhere": (3, _copy),
    "donate": (6, _donate),
    "invent": (8, _invent),
    "delete": (2, _delete),
    "drop argument": (3, _drop_argument),
    "add argument": (4, _add_argument),
    "alter argument": (6, _alter_argument),
    "alter part": (4, _alter_part),
    "alter number": (4, _alter_number),
    "flag": (2, _flag),
    "variable": (2, _variable),
    "name": (2, _name),
    "regex": (3, _regex),
    "upstream parameters": (4, _peer),
}


def mutate(text: str, rng: random.Random, donors: Sequence[str]) -> Mutant:
    """``text`` with one mistake, sometimes two; ``donors`` are directives of other configurations."""
    kinds = []
    for _ in range(2 if rng.random() < 0.1 else 1):
        it = _Text(text)
        if not it.words:
            break
        while True:
            kind = rng.choices(list(_MUTATIONS), [weight for weight, _ in _MUTATIONS.values()])[0]
            changed = _MUTATIONS[kind][1](it, rng, donors)
            if changed is not None and changed != text:
                break
        text = changed
        kinds.append(kind)
    return Mutant(text, " + ".join(kinds))


def donations(text: str) -> list[str]:
    """The directives of a configuration, small blocks included, as text to give to others."""
    it = _Text(text)
    return [
        source for each in it.statements if each.name != "include" and len(source := it.source(each)) < 200
    ]
