"""XML that every reader accepts: no character in it that XML 1.0 forbids, or discourages as a control."""

from __future__ import annotations

import re
from typing import TextIO
from xml.etree.ElementTree import Element, indent, tostring

_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def attribute(text: str) -> str:
    r"""``text`` with what XML cannot hold as ``\xNN``."""
    return _FORBIDDEN.sub(_escape, text)


def write(top: Element, stream: TextIO) -> None:
    """Write a document in ASCII, so that no encoding of a pipe can spoil it."""
    indent(top)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    stream.write(tostring(top, encoding="us-ascii", xml_declaration=False).decode("ascii") + "\n")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
