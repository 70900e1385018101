"""The users' own rule pages: read at every start, declarative, and checked whether they run or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from nginxaudit.engine.rules.checking import require_sense
from nginxaudit.engine.rules.declarative import compile_check
from nginxaudit.engine.rules.options import defaults_of
from nginxaudit.engine.rules.pages import parse_page
from nginxaudit.engine.rules.rule import PageError, Rule
from nginxaudit.source.fence import Fence
from nginxaudit.source.listing import files_below
from nginxaudit.source.read import ReadError


def own_rules(directories: Sequence[str], home_of: Callable[[str], Fence]) -> list[Rule]:
    """The rules of all pages below ``directories``. Raises `PageError`.

    ``home_of`` says of a directory what it may lead to; its pages lead nowhere else.
    """
    return [rule for directory in directories for rule in _rules(directory, home_of(directory))]


def _rules(directory: str, home: Fence) -> Iterator[Rule]:
    if not os.path.isdir(directory):
        raise PageError(f"{directory}: no such directory of rule pages")

    def unlisted(path: str, error: ReadError) -> None:
        raise PageError(f"{path}: cannot be read: {error}")

    try:
        fence = Fence([home.real(directory)])
        pages = [path for path, _ in files_below(directory, fence, unlisted) if path.endswith(".md")]
    except ReadError as error:
        raise PageError(f"{directory}: cannot be read: {error}") from None
    for path in pages:
        if os.path.basename(path).lower() != "readme.md":
            yield _checked(parse_page(Path(path), fence).rule)


def _checked(rule: Rule) -> Rule:
    """``rule``, if it can be meant as it is written and runs no code."""
    if rule.check.runs_code:
        raise PageError(f"{rule.path}: rules from outside may not name Python code")
    require_sense(rule)
    compile_check(rule, defaults_of(rule))
    return replace(rule, own=True)
