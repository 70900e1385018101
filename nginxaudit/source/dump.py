"""``nginx -T`` dumps: every file of a running configuration in one text."""

from __future__ import annotations

import re

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText

# nginx prints "# configuration file PATH:" before each file and a line feed behind it.
_MARK = "# configuration file /"
_HEADER = r"^# configuration file (/[^\n]*):\r?\n"
_PREAMBLE = r"(?:[ \t]*\r?\n|nginx: [^\n]*\n)*"  # what "2>&1" mixes in


def is_dump(text: str) -> bool:
    """Whether ``text`` looks like the output of ``nginx -T``."""
    if _MARK not in text:
        return False
    preamble = compiled(_PREAMBLE).match(text)
    return compiled(_HEADER, re.MULTILINE).match(text, preamble.end() if preamble else 0) is not None


def split_dump(text: str) -> dict[str, SourceText]:
    """Files of a dump by their path, main configuration first."""
    headers = list(compiled(_HEADER, re.MULTILINE).finditer(text))
    files: dict[str, SourceText] = {}
    for number, header in enumerate(headers):
        end = headers[number + 1].start() if number + 1 < len(headers) else len(text)
        content = text[header.end() : end].removesuffix("\n")
        files.setdefault(header[1], SourceText(header[1], content, f"dump:{header[1]}"))
    return files
