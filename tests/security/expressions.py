"""Every regular expression of the package, how it is used, and texts on which it could take time in the square of their length."""

from __future__ import annotations

import ast
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import nginxaudit

HOME = Path(nginxaudit.__file__).parent
_FUNCTIONS = frozenset({"compile", "search", "match", "fullmatch", "sub", "split", "findall", "finditer"})
_FROM_THE_START = frozenset({"match", "fullmatch"})
_MAKERS = frozenset({"compiled", "_expression"})
_COMMON = (" ", "\n", "\r", "\t", "a", "Z", "7", "\\", '"', "'", "#", "\xe4")


@dataclass(frozen=True)
class Use:
    """An expression where it is used; ``anywhere``: it is looked for in a text, not only tried at its start."""

    place: str
    pattern: re.Pattern[str]
    anywhere: bool

    def run(self, text: str) -> None:
        """Apply it to ``text`` as the package does."""
        if self.anywhere:
            for _ in self.pattern.finditer(text):
                pass
        else:
            self.pattern.match(text)
            self.pattern.fullmatch(text)


def uses() -> Iterator[Use]:
    """All uses of expressions whose text is known before a run."""
    for path in sorted(HOME.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Import | ast.ImportFrom) and _is_about(node) for node in ast.walk(tree)):
            yield from _Module(path, tree).uses()


def _is_about(node: ast.Import | ast.ImportFrom) -> bool:
    return any(each.name in ("re", "compiled") for each in node.names)


class _Module:
    def __init__(self, path: Path, tree: ast.Module) -> None:
        name = ".".join(path.relative_to(HOME.parent).with_suffix("").parts).removesuffix(".__init__")
        self._shown = str(path.relative_to(HOME.parent))
        self._names = vars(import_module(name))
        self._tree = tree
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def uses(self) -> Iterator[Use]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and (how := self._how(node)) is not None:
                pattern = self._pattern(node)
                if pattern is not None:
                    yield Use(f"{self._shown}:{node.lineno}", pattern, not how <= _FROM_THE_START)

    def _how(self, node: ast.Call) -> set[str] | None:
        """By which methods the expression that ``node`` makes or uses is applied; None: it makes none."""
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _FUNCTIONS and _is(function.value, "re"):
            return {function.attr} if function.attr != "compile" else self._methods(node)
        if isinstance(function, ast.Name) and function.id in _MAKERS and node.args:
            return self._methods(node)
        return None

    def _methods(self, node: ast.Call) -> set[str]:
        parent = self._parents[node]
        if isinstance(parent, ast.Attribute):
            return {parent.attr}
        if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
            name = parent.targets[0].id
            found = [
                each.attr
                for each in ast.walk(self._tree)
                if isinstance(each, ast.Attribute) and _is(each.value, name)
            ]
            return set(found) or {"search"}
        return {"search"}

    def _pattern(self, node: ast.Call) -> re.Pattern[str] | None:
        flags = [each.value for each in node.keywords if each.arg == "flags"]
        position = {"sub": 4, "split": 3}.get(getattr(node.func, "attr", ""), 2)
        if not isinstance(node.func, ast.Attribute) or node.func.attr == "compile":
            position = 1
        flags += node.args[position : position + 1]
        try:
            return re.compile(self._value(node.args[0]), self._value(flags[0]) if flags else 0)
        except NameError:
            return None  # made of what the configuration says

    def _value(self, node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), "", "eval"), dict(self._names))


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# -- texts


def pieces(pattern: re.Pattern[str], *, thorough: bool) -> list[str]:
    """What texts that cost time are made of by repetition: one to three of what an expression speaks of."""
    characters = [*dict.fromkeys([*_characters(pattern), *_COMMON])][: 24 if thorough else 10]
    literals = [word for word in dict.fromkeys(_literals(pattern)) if len(word) > 1]
    if not thorough:
        return [*dict.fromkeys([*characters, *literals, *map("".join, product(characters[:6], repeat=2))])]
    few = characters[:7]
    parts = [
        product(characters, repeat=2),
        product(few, repeat=3),
        product(literals, characters),
        product(characters, literals),
        product(literals[:4], few, few),
    ]
    return [*dict.fromkeys([*characters, *literals, *("".join(each) for part in parts for each in part)])]


def _parsed(pattern: re.Pattern[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from re import _parser  # type: ignore[attr-defined]
    return _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)


def _characters(pattern: re.Pattern[str]) -> Iterator[str]:
    """Characters that are in an expression, one of each range."""
    for operation, argument in _walk(_parsed(pattern)):
        if operation in ("LITERAL", "NOT_LITERAL"):
            yield chr(argument)
        elif operation == "RANGE":
            yield chr(argument[0])


def _literals(pattern: re.Pattern[str]) -> Iterator[str]:
    """Words that are in an expression."""
    word = ""
    for operation, argument in _walk(_parsed(pattern)):
        if operation == "LITERAL":
            word += chr(argument)
        else:
            yield word
            word = ""
    yield word


def _walk(parsed: Any) -> Iterator[tuple[str, Any]]:
    for operation, argument in parsed:
        yield str(operation), argument
        stack = [argument]
        while stack:
            each = stack.pop()
            if hasattr(each, "data"):
                yield from _walk(each)
            elif isinstance(each, list) and str(operation) == "IN":
                yield from ((str(kind), value) for kind, value in each)
            elif isinstance(each, tuple | list):
                stack.extend(reversed(each))


# -- time


def seconds(run: Callable[[str], object], text: str) -> float:
    """Processor time of ``run`` on ``text``."""
    begun = time.process_time()
    run(text)
    return time.process_time() - begun


def is_slow(use: Use, piece: str, length: int = 6_000) -> bool:
    """Whether a text made of ``piece`` costs more than in proportion to its length, time and again."""
    few, many = (piece * (each // len(piece)) for each in (length, 4 * length))
    for _ in range(3):
        once = seconds(use.run, few)
        if once < 0.006 or seconds(use.run, many) < 4 * 2.2 * once:
            return False
    return True
