"""Checks without Python: the ``[check]`` table of a rule page.

The language is described in rules/README.md. It can say: this directive with these arguments in
these contexts; this block lacks that effective directive; this value is above or below a bound.
Nothing in it runs code, so pages of an untrusted repository are safe to use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nginxaudit.engine.rules.rule import PageError
from nginxaudit.hit import Check, CheckContext, Hit, arg, name_of, whole
from nginxaudit.model.regex import matches
from nginxaudit.nginx import parse_number, parse_offset, parse_time_ms
from nginxaudit.syntax.tree import Directive, Token

_KEYS = frozenset(
    {
        "directive",
        "contexts",
        "argument",
        "parameter",
        "equals",
        "one-of",
        "not-one-of",
        "matches",
        "above",
        "below",
        "unit",
        "lacks",
        "in",
        "message",
        "help",
    }
)
_TEXTS = frozenset({"parameter", "matches", "unit", "lacks", "help"})
_UNITS: dict[str, Callable[[str], int]] = {
    "number": parse_number,
    "size": parse_offset,
    "time": parse_time_ms,  # milliseconds
}


def compile_check(spec: Mapping[str, Any], where: str) -> Check:
    """The check that ``spec`` describes. Raises `PageError` naming ``where``."""
    unknown = sorted(set(spec) - _KEYS)
    if unknown:
        raise PageError(f"{where}: [check] has unknown keys: {', '.join(unknown)}")
    if not isinstance(spec.get("message"), str):
        raise PageError(f"{where}: [check] needs a message")
    for key in _TEXTS & set(spec):
        if not isinstance(spec[key], str):
            raise PageError(f"{where}: {key}: a text is expected, not {spec[key]!r}")
    if "lacks" in spec:
        return _lacks(spec, where)
    if "directive" not in spec:
        raise PageError(f"{where}: [check] needs python, directive or lacks")
    return _matches(spec, where)


def _names(value: Any, where: str) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PageError(f"{where}: a name or a list of names is expected, not {value!r}")
    return tuple(names)


def _lacks(spec: Mapping[str, Any], where: str) -> Check:
    wanted = spec["lacks"]
    contexts = frozenset(_names(spec.get("in", []), where))
    if not contexts:
        raise PageError(f"{where}: lacks needs the contexts it speaks of: in = [...]")

    def check(ctx: CheckContext) -> Iterable[Hit]:
        for block in ctx.model.config.top.walk():
            if block.inner in contexts and not ctx.model.effective(block, wanted):
                if ctx.model.unknown_inside(block):
                    continue  # an include that could not be read may hold it
                yield Hit(
                    name_of(block), _fill(spec["message"], block, None), block, help=spec.get("help", "")
                )

    return check


def _matches(spec: Mapping[str, Any], where: str) -> Check:
    names = _names(spec["directive"], where)
    contexts = frozenset(_names(spec.get("contexts", []), where))
    condition = _condition(spec, where)
    pick = _picker(spec, where)
    unconditional = condition is None

    def check(ctx: CheckContext) -> Iterable[Hit]:
        for node in (node for name in names for node in ctx.model.config.named(name)):
            if contexts and node.context not in contexts:
                continue
            if unconditional:
                yield Hit(whole(node), _fill(spec["message"], node, None), node, help=spec.get("help", ""))
                continue
            for token, value in pick(node):
                assert condition is not None
                if condition(value):
                    message = _fill(spec["message"], node, value)
                    yield Hit(arg(node, token), message, node, help=spec.get("help", ""))

    return check


def _picker(spec: Mapping[str, Any], where: str) -> Callable[[Directive], Iterator[tuple[Token, str]]]:
    """Which arguments are looked at: all, the n-th, or the value of ``parameter=value``."""
    parameter = spec.get("parameter")
    if parameter is not None:
        prefix = f"{parameter}="

        def values(node: Directive) -> Iterator[tuple[Token, str]]:
            for token in node.args:
                if token.startswith(prefix):
                    yield token, token[len(prefix) :]

        return values
    number = spec.get("argument", "any")
    if number == "any":
        return lambda node: ((token, token) for token in node.args)
    if not isinstance(number, int) or number < 1:
        raise PageError(f'{where}: argument is "any" or a number from 1, not {number!r}')
    return lambda node: ((token, token) for token in node.args[number - 1 : number])


def _condition(spec: Mapping[str, Any], where: str) -> Callable[[str], bool] | None:
    tests: list[Callable[[str], bool]] = []
    if "equals" in spec:
        wanted = str(spec["equals"]).lower()
        tests.append(lambda value: value.lower() == wanted)
    if "one-of" in spec:
        allowed = {name.lower() for name in _names(spec["one-of"], where)}
        tests.append(lambda value: value.lower() in allowed)
    if "not-one-of" in spec:
        fine = {name.lower() for name in _names(spec["not-one-of"], where)}
        tests.append(lambda value: value.lower() not in fine)
    if "matches" in spec:
        pattern = _pattern(spec["matches"], where)
        tests.append(lambda value: matches(pattern, value) is True)
    if "above" in spec or "below" in spec:
        tests.append(_bound(spec, where))
    if not tests:
        return None
    return lambda value: all(test(value) for test in tests)


def _pattern(text: str, where: str) -> str:
    """A regular expression that PCRE2 accepts: a page of a stranger must not make a scan endless."""
    from nginxaudit.load.scripts import regex_error

    error = regex_error(text)
    if error:
        raise PageError(f"{where}: matches: {error}")
    return text


def _bound(spec: Mapping[str, Any], where: str) -> Callable[[str], bool]:
    unit = spec.get("unit", "number")
    if unit not in _UNITS:
        raise PageError(f"{where}: unit is one of {', '.join(_UNITS)}, not {unit!r}")
    parse = _UNITS[unit]
    try:
        above = parse(str(spec["above"])) if "above" in spec else None
        below = parse(str(spec["below"])) if "below" in spec else None
    except ValueError as error:
        raise PageError(f"{where}: {error}") from None

    def outside(value: str) -> bool:
        try:
            number = parse(value)
        except ValueError:
            return False  # a variable, or a value that another rule complains about
        return (above is not None and number > above) or (below is not None and number < below)

    return outside


def _fill(template: str, node: Directive, value: str | None) -> str:
    """The message with its fields filled in; braces of the configuration's text stay as they are."""
    fields = {
        "directive": str(node.name),
        "args": " ".join(node.args),
        "context": node.context,
        "value": value or "",
    }
    return re.sub(r"\{(\w+)\}", lambda m: fields.get(m[1], m[0]), template)
