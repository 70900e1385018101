"""Every example of every rule, many times over: whatever a rule looks for, there may be thousands of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nginxaudit.source.text import SourceText
from nginxaudit.syntax.fragments import infer_context
from nginxaudit.syntax.parse import parse
from tests.growth.dimensions import Files
from tests.rules.examples import Case, cases, clean, texts

_AROUND = {
    "main": ("", ""),
    "http": ("events {}\nhttp {\n", "}\n"),
    "stream": ("events {}\nstream {\n", "}\n"),
    "mail": ("events {}\nmail {\n", "}\n"),
    "server": ("events {}\nhttp { server { listen 80;\n", "} }\n"),
    "location": ("events {}\nhttp { server { listen 80; location / {\n", "} } }\n"),
    "upstream": ("events {}\nhttp { upstream u {\n", "} }\n"),
    "stream-server": ("events {}\nstream { server { listen 80;\n", "} }\n"),
}
_WHOLE = re.compile(r"^[ \t]*(http|stream|mail)\s*\{", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:upstream|log_format|set|map \S+|location(?: [=~^*]+)?|server_name|zone=|keys_zone=|zone)[ ]?([$@/\w.-]*\w)"
)


def growing() -> Iterator[tuple[Case, Callable[[int], Files]]]:
    """Every example with a function that makes a configuration with so many of it."""
    for case in cases():
        if case.example.kind == "bad":
            yield case, _maker(case)


def _maker(case: Case) -> Callable[[int], Files]:
    files = {name: clean(text) for name, text in texts(case.example).items()}
    name, text = next(iter(files.items()))
    (before, after), body = _taken_apart(text)

    def make(count: int) -> Files:
        copies = "".join(_numbered(body, each) for each in range(count))
        return {**files, name: f"{before}{copies}{after}"}

    return make


def _taken_apart(text: str) -> tuple[tuple[str, str], str]:
    """What is written once around, and what is written many times."""
    found = _WHOLE.search(text)
    if found:
        end = text.rindex("}")
        return (f"{text[: found.end()]}\n", text[end:]), text[found.end() : end]
    context = infer_context(parse(SourceText("", text)).statements)
    return _AROUND.get(context, ("", "")), text


def _numbered(text: str, number: int) -> str:
    """``text`` with names of its own: every second copy has the names of the one before."""
    for word in dict.fromkeys(_NAMED.findall(text)):
        if len(word) > 1:
            text = re.sub(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", f"{word}{number // 2}", text)
    return text
