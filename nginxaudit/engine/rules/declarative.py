"""Checks without Python: the ``[check]`` table of a rule page.

The language is described in rules/README.md. It can say: this directive with these arguments in
these contexts; this block lacks that effective directive; this value is above or below a bound.
Nothing in it runs code, so pages of an untrusted repository are safe to use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nginxaudit.engine.rules.rule import OptionValue, PageError, Rule
from nginxaudit.hit import Check, CheckContext, Hit, arg, name_of, whole
from nginxaudit.model.regex import matches
from nginxaudit.nginx import parse_number, parse_offset, parse_time_ms
from nginxaudit.nginx.patterns import compiled
from nginxaudit.suggest import did_you_mean
from nginxaudit.syntax.tree import Directive, Token

FIELDS = ("directive", "args", "context", "value")
FIELD = r"\{\{|\}\}|\{([\w-]+)\}"
"""A placeholder of a text: one of `FIELDS` or the name of an option; braces that are written twice are braces."""
# How a value is read, and the type of an option for it.
_UNITS: dict[str, tuple[Callable[[str], int], str]] = {
    "number": (parse_number, "integer"),
    "size": (parse_offset, "size"),
    "time": (parse_time_ms, "duration"),  # milliseconds
}
_Test = Callable[[str], bool]


def compile_check(rule: Rule, options: Mapping[str, Any]) -> Check:
    """The check that the page of ``rule`` describes, with its ``options``. Raises `PageError`."""
    return _Compiler(rule, options).check()


class _Compiler:
    """One table, key by key."""

    def __init__(self, rule: Rule, options: Mapping[str, Any]) -> None:
        self._rule = rule
        self._table = rule.check
        self._options = options

    def check(self) -> Check:
        return self._lacks() if self._table.lacks else self._matches()

    def _error(self, key: str, reason: str) -> PageError:
        return PageError(f"{self._rule.path}: check.{key}: {reason}")

    # -- the two forms

    def _lacks(self) -> Check:
        wanted, blocks = str(self._table.lacks), frozenset(self._table.blocks)
        message, help_ = self._filled(self._table.message), self._filled(self._table.help)

        def check(ctx: CheckContext) -> Iterable[Hit]:
            for block in ctx.model.config.top.walk():
                if block.inner in blocks and not ctx.model.effective(block, wanted):
                    if ctx.model.unknown_inside(block):
                        continue  # an include that could not be read may hold it
                    yield Hit(name_of(block), message(block, ""), block, help=help_(block, ""))

        return check

    def _matches(self) -> Check:
        names, places = listed(self._table.directive), frozenset(self._table.contexts)
        condition, pick = self._condition(), self._picker()
        message, help_ = self._filled(self._table.message), self._filled(self._table.help)

        def check(ctx: CheckContext) -> Iterable[Hit]:
            for node in (node for name in names for node in ctx.model.config.named(name)):
                if places and node.context not in places:
                    continue
                if condition is None:
                    yield Hit(whole(node), message(node, ""), node, help=help_(node, ""))
                    continue
                for token, value in pick(node):
                    if condition(value):
                        yield Hit(arg(node, token), message(node, value), node, help=help_(node, value))

        return check

    # -- values

    def _picker(self) -> Callable[[Directive], Iterator[tuple[Token, str]]]:
        """Which arguments are looked at: all, the n-th, or the value of ``parameter=value``."""
        number, parameter = self._table.argument, self._table.parameter
        if parameter is not None:
            prefix = f"{parameter}="

            def values(node: Directive) -> Iterator[tuple[Token, str]]:
                for token in node.args:
                    if token.startswith(prefix):
                        yield token, token[len(prefix) :]

            return values
        if isinstance(number, int):
            return lambda node: ((token, token) for token in node.args[number - 1 : number])
        return lambda node: ((token, token) for token in node.args)

    def _condition(self) -> _Test | None:
        table = self._table
        tests: list[_Test] = []
        if table.equals is not None:
            tests.append(_is_one_of([self._value("equals", table.equals)]))
        if table.one_of is not None:
            tests.append(_is_one_of(listed(self._value("one-of", table.one_of))))
        if table.not_one_of is not None:
            fine = _is_one_of(listed(self._value("not-one-of", table.not_one_of)))
            tests.append(lambda value: not fine(value))
        if table.matches is not None:
            pattern = self._pattern(str(self._value("matches", table.matches)))
            tests.append(lambda value: matches(pattern, value) is True)
        if table.above is not None or table.below is not None:
            tests.append(self._bounds())
        return (lambda value: all(test(value) for test in tests)) if tests else None

    def _value(self, key: str, given: Any, kind: str = "") -> Any:
        """A value of the table: itself, or that of the option it names, which must be of the type ``kind``."""
        if not isinstance(given, OptionValue):
            return given
        option = self._rule.options.get(given.option)
        if option is None:
            hint = did_you_mean(given.option, self._rule.options)
            raise self._error(
                key, f'unknown option "{given.option}"{hint}: the page has no [options.{given.option}]'
            )
        is_list = option.type == "list"
        if (kind and option.type != kind) or (is_list and key not in ("one-of", "not-one-of")):
            wanted = kind or "a type other than list"
            raise self._error(
                key, f'the option "{given.option}" is of type {option.type}, {wanted} is expected'
            )
        return self._options[given.option]

    def _pattern(self, text: str) -> str:
        """A regular expression that PCRE2 accepts: the page of somebody else must not make a scan endless."""
        from nginxaudit.load.scripts import regex_error

        error = regex_error(text)
        if error:
            raise self._error("matches", error)
        return text

    def _bounds(self) -> _Test:
        parse, kind = _UNITS[self._table.unit]
        above, below = (self._bound(key, parse, kind) for key in ("above", "below"))

        def outside(value: str) -> bool:
            try:
                number = parse(value)
            except ValueError:
                return False  # a variable, or a value that another rule complains about
            return (above is not None and number > above) or (below is not None and number < below)

        return outside

    def _bound(self, key: str, parse: Callable[[str], int], kind: str) -> int | None:
        given = self._value(key, getattr(self._table, key), kind)
        try:
            return None if given is None else parse(str(given))
        except ValueError as error:
            raise self._error(key, str(error)) from None

    # -- texts

    def _filled(self, text: str) -> Callable[[Directive, str], str]:
        """``text`` as a function of a directive and its value."""
        said = {name: _spelled(value) for name, value in self._options.items()}

        def fill(node: Directive, value: str) -> str:
            fields = dict(
                zip(FIELDS, (str(node.name), " ".join(node.args), node.context, value), strict=True)
            )
            return compiled(FIELD).sub(
                lambda m: m[0][0] if m[1] is None else {**said, **fields}.get(m[1], m[0]), text
            )

        return fill


def listed(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """A name or a list of names as a list."""
    return (names,) if isinstance(names, str) else names


def _is_one_of(values: Iterable[object]) -> _Test:
    known = {str(value).lower() for value in values}
    return lambda value: value.lower() in known


def _spelled(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
