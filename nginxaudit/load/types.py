"""Values by the type of the directive: what nginx's generic setters (``ngx_conf_set_*_slot``) check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.hit import Edits, FixIn
from nginxaudit.load.base import Grammar, Mistake, Use, invalid, misspelt, parsed, positive, replaced_by
from nginxaudit.load.fields.paths import claim
from nginxaudit.load.scripts import script, scripts
from nginxaudit.nginx import (
    DirectiveFact,
    parse_flag,
    parse_number,
    parse_offset,
    parse_size,
    parse_time_ms,
    parse_time_s,
)
from nginxaudit.syntax.tree import Directive, Token

_SIMPLE: dict[str, Callable[[str], object]] = {
    "flag": parse_flag,
    "number": parse_number,
    "size": parse_size,
    "offset": parse_offset,
    "time-ms": parse_time_ms,
    "time-s": parse_time_s,
}
_MAX_LEVELS = 10  # characters of all levels together (ngx_conf_set_path_slot in src/core/ngx_file.c)
_ALWAYS_VARIABLE = frozenset({"limit_rate", "limit_rate_after"})
"""Rates that take variables in every version since 1.17.0; those of upstreams do since 1.27.0."""


def grammar_of_type(fact: DirectiveFact) -> Grammar | None:
    """The grammar that the type of a directive implies; None for one that has a grammar of its own.

    All but that of ``path`` ask for the words alone.
    """
    if fact.type in _SIMPLE:
        return _simple(fact, _SIMPLE[fact.type])
    if fact.type in ("enum", "bitmask") and fact.values:
        return _words(fact.values, fact.type == "enum")
    return _OTHERS.get(fact.type)


def _simple(fact: DirectiveFact, parse: Callable[[str], object]) -> Grammar:
    bounds = fact.bounds

    def check(use: Use) -> Iterable[Mistake]:
        if not use.args:
            return ()
        token = use.args[0]
        try:
            value = parse(token)
        except ValueError as error:
            remedy, make_fix = _remedy(fact, token)
            message = (
                f'invalid value "{token}" in "{use.name}" directive: it must be "on" or "off"'
                if fact.type == "flag"
                else f'"{use.name}" directive invalid value: {error}'
            )
            return (invalid(token, message, remedy, make_fix),)
        if bounds and isinstance(value, int) and not bounds[0] <= value <= bounds[1]:
            return (invalid(token, f'"{use.name}" must be between {bounds[0]} and {bounds[1]}'),)
        return ()

    return check


def _remedy(fact: DirectiveFact, token: Token) -> tuple[str, FixIn | None]:
    """What to write instead, in words and as a fix."""
    if fact.type != "flag":
        return "", partial(_in_units, fact.type, token)
    word = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}.get(token.lower())
    return (f'Write "{word}".', replaced_by(token, word)) if word else ('Write "on" or "off".', None)


def _in_units(kind: str, token: Token, node: Directive) -> Edits:
    from nginxaudit.load.fixes.measures import in_units

    text = in_units(token, kind)
    return (edits.exchanged(node, token, text),) if text and text != token else None


def _words(values: tuple[str, ...], single: bool) -> Grammar:
    allowed = frozenset(value.lower() for value in values)

    def check(use: Use) -> Iterator[Mistake]:
        for token in use.args[:1] if single else use.args:
            if token.lower() not in allowed:
                yield misspelt(
                    token, f'invalid value "{token}" in "{use.name}" directive', str(token), values
                )

    return check


def buffers_of(node: Directive) -> tuple[int, int]:
    """Number and size in bytes of a directive like ``proxy_buffers``. Raises `ValueError`."""
    if len(node.args) != 2:
        raise ValueError("a number and a size are expected")
    return parse_number(node.args[0]), _nonzero_size(node.args[1])


def _buffers(use: Use) -> Iterator[Mistake]:
    yield from parsed(positive, use.args[0])
    yield from parsed(_nonzero_size, use.args[1])


def _nonzero_size(text: str) -> int:
    size = parse_size(text)
    if size == 0:
        raise ValueError(f'"{text}": a buffer cannot be empty')
    return size


def _access(use: Use) -> Iterator[Mistake]:
    for token in use.args:
        who, _, mode = token.partition(":")
        if who not in ("user", "group", "all") or mode not in ("rw", "r"):
            yield invalid(
                token, f'invalid value "{token}": not an access right', "Write user:rw, group:r or the like."
            )


def _path(use: Use) -> Iterator[Mistake]:
    levels = []
    for token in use.args[1:]:
        if not token.isascii() or not token.isdigit() or int(token) == 0:
            yield invalid(token, f'invalid directory level "{token}"', "Levels are the numbers 1, 2 or 3.")
            return
        levels.append(int(token))
    if sum(levels) > _MAX_LEVELS:
        yield invalid(use.args[-1], f"the levels of directories add up to more than {_MAX_LEVELS}")
    yield from claim(use, use.args[0], levels)


def _size_or_variable(use: Use) -> Iterator[Mistake]:
    token = use.args[0]
    if "$" in token and (use.name in _ALWAYS_VARIABLE or use.family == "stream" or use.since(1, 27, 0)):
        yield from script(use, token)
    else:
        yield from parsed(parse_size, token)


def _variables_in_all(use: Use) -> Iterable[Mistake]:
    return scripts(use, use.args)


def _variables_in_value(use: Use) -> Iterable[Mistake]:
    if len(use.args) < 2 or use.name.endswith("_conf_command"):
        return ()
    return script(use, use.args[1])


_OTHERS: dict[str, Grammar] = {
    "buffers": _buffers,
    "access": _access,
    "path": _path,
    "size-or-variable": _size_or_variable,
    "string-with-variables": _variables_in_all,
    "predicates": _variables_in_all,
    "key-value": _variables_in_value,
}
