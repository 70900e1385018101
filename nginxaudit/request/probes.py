"""Requests with which two configurations are told apart: what either of them distinguishes.

For every server and location a path, the edges beside it, and the hosts, arguments, headers and methods that conditions and
maps read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from nginxaudit.model import Model
from nginxaudit.nginx.names import REGEX_OPERATORS
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import candidates
from nginxaudit.request.records import Ask

MOST = 50_000
_READ = re.compile(r"\$\{?(arg|cookie|http)_([a-z0-9_]+)\}?", re.I)
_VALUES_MOST = 6


def probes(models: Iterable[Model]) -> list[Ask]:
    """Different requests, at most `MOST`: first one for each location, then the variants of each."""
    chosen = list(models)
    found: dict[Ask, None] = {}
    variants = [_Variants(model) for model in chosen]
    for step in (_plain, *[each.of for each in variants]):
        for model in chosen:
            for ask in candidates(model, every_host=True):
                for each in step(ask):
                    found.setdefault(each)
                    if len(found) >= MOST:
                        return list(found)
    return list(found)


def _plain(ask: Ask) -> Iterator[Ask]:
    yield ask


class _Variants:
    """What the conditions of one configuration read."""

    def __init__(self, model: Model) -> None:
        self._headers: list[tuple[str, str]] = []
        self._args: list[str] = []
        self._paths: list[str] = []
        self._methods = {"POST"} if model.written(("limit_except",)) else set()
        for name, value in _conditions(model):
            self._take(name.lower(), value)

    def _take(self, name: str, value: str) -> None:
        read = _READ.fullmatch(name)
        if name in ("$uri", "$request_uri") and value.startswith("/"):
            self._paths.append(value)
        elif name == "$request_method":
            self._methods.add(value.upper())
        elif read is not None and len(self._args) + len(self._headers) < _VALUES_MOST * 4:
            kind, what = read[1].lower(), read[2]
            if kind == "arg":
                self._args.append(f"{what}={value}")
            else:
                header = "Cookie" if kind == "cookie" else what.replace("_", "-").title()
                self._headers.append((header, f"{what}={value}" if kind == "cookie" else value))

    def of(self, ask: Ask) -> Iterator[Ask]:
        """Requests like ``ask`` that differ in one thing."""
        path = ask.target
        for target in (
            f"{path}x",
            f"{path.rstrip('/')}/x.php",
            path.rstrip("/") or "/",
            *self._paths[:_VALUES_MOST],
        ):
            yield replace(ask, target=target)
        for method in sorted(self._methods)[:_VALUES_MOST]:
            yield replace(ask, method=method)
        for args in self._args[:_VALUES_MOST]:
            yield replace(ask, target=f"{path}?{args}")
        for header in self._headers[:_VALUES_MOST]:
            yield replace(ask, headers=(header,))


def _conditions(model: Model) -> Iterator[tuple[str, str]]:
    """Variables that ``if`` and ``map`` read, with a value that is asked for."""
    for node in model.config.named("map"):
        if node.args:
            for line in node.children:
                if line.args and line.name not in ("default", "include"):
                    yield str(node.args[0]), _value(str(line.name))
    for node in model.config.named("if"):
        words = [str(word) for word in node.args]
        if words:
            words[0], words[-1] = words[0].removeprefix("("), words[-1].removesuffix(")")
            words = [word for word in words if word]
        if len(words) == 3:
            yield words[0], sample(words[2]) if words[1] in REGEX_OPERATORS else words[2]
        elif len(words) == 1:
            yield words[0], "1"
    for node in model.config.named("rewrite"):
        if node.args:
            yield "$uri", sample(str(node.args[0]))


def _value(key: str) -> str:
    if key.startswith("~"):
        return sample(key.removeprefix("~").removeprefix("*"))
    return key.removeprefix("\\")
