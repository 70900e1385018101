r"""What the log of a CI server would obey, made inert.

GitHub's runner reads standard output and standard error line by line (a carriage return ends a line, too). It takes a line for a
command that begins with ``::name``, after white space of any kind, and one with ``##[name]`` anywhere in it (`ActionCommand.cs` of
github.com/actions/runner: ``TrimStart()``, ``StartsWith("::")``, ``IndexOf("##[")``). Azure Pipelines and TeamCity take ``##vso[`` and
``##teamcity[``. Whether a CI server reads is not known here: containers and wrappers do not pass its variables on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

from nginxaudit.nginx.patterns import compiled

_LEGACY = r"#(?=#\w*\[)"
_COMMAND = rf"(?:^|(?<=\r))([^\S\n\r]*):(?=:)|{_LEGACY}"
_OBEYED = rf"(?:\A|[\n\r])[^\S\n\r]*::|{_LEGACY}"
_ESCAPES = {
    "text": ("\\x3a", "\\x23"),
    "json": (":", "\\u0023"),  # no line begins with a text
    "xml": ("&#58;", "&#35;"),  # HTML, SVG, Markdown and DOT read it, too
    "github": (":", "\\x23"),  # its lines are commands, and hold what they say
}
_SYNTAX = {
    "json": "json", "sarif": "json", "gitlab": "json", "rdjson": "json", "junit": "xml", "checkstyle": "xml", "html": "xml",
    "svg": "xml", "markdown": "xml", "dot": "xml", "mermaid": "xml", "github": "github",
}  # fmt: skip

_CHUNK = 1 << 16  # characters


def without_commands(text: str, format_name: str = "text") -> str:
    """``text``, whole lines in an output format, with nothing in it that a log obeys: escaped as the format does it."""
    if "##" not in text and "::" not in text:
        return text
    colon, sharp = _ESCAPES[_SYNTAX.get(format_name, "text")]

    def escaped(match: re.Match[str]) -> str:
        return sharp if match[1] is None else f"{match[1]}{colon}"

    return compiled(_COMMAND, re.MULTILINE).sub(escaped, text)


def is_obeyed(text: str) -> bool:
    """Whether a log would obey something in ``text``, which may have carriage returns."""
    return compiled(_OBEYED).search(text) is not None


def between_stops(texts: Iterable[str]) -> Iterable[str]:
    """``texts`` between the two commands with which GitHub's runner is told to obey nothing in between."""
    token = os.urandom(16).hex()
    yield f"::stop-commands::{token}\n"
    yield from texts
    yield f"::{token}::\n"


class _Inert:
    """A stream that lets whole lines through, made inert; everything else is that of the stream below."""

    def __init__(self, stream: TextIO, format_name: str) -> None:
        self._stream = stream
        self._format = format_name
        self._begun: list[str] = []
        self._size = 0
        self._limit = _CHUNK

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._begun.append(text)
        self._size += len(text)
        if self._size > self._limit:
            self._let_through(whole=True)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Nothing is waited for: what is written is one report."""

    def end(self) -> None:
        self._let_through(whole=False)

    def _let_through(self, *, whole: bool) -> None:
        """Write what has come so far, the line that may go on only where not ``whole``."""
        text = "".join(self._begun)
        end = text.rfind("\n") + 1 if whole else len(text)
        self._stream.write(without_commands(text[:end], self._format))
        self._begun = [text[end:]]
        self._size = len(text) - end
        self._limit = max(_CHUNK, 2 * self._size)  # a line without end


def write_inert(render: Callable[[TextIO], None], stream: TextIO, format_name: str) -> None:
    """Let ``render`` write to ``stream`` in a format, such that no log obeys what it writes."""
    inert = _Inert(stream, format_name)
    render(cast("TextIO", inert))
    inert.end()
