"""Text of strangers, made safe to show on a terminal.

Configurations may come from an untrusted repository. What a terminal or a log viewer would obey
(escape sequences, carriage returns), reorder (bidirectional controls) or hide (zero-width and tag
characters) is shown as an escape instead. The result is one line.
"""

from __future__ import annotations

import codecs
import re

from nginxaudit.nginx.patterns import compiled

# Unicode categories Cc, Cf, Cs, Zl and Zp, and the default-ignorable plane 14. Written out, as the
# tables of `unicodedata` differ between Python versions and reports must not.
_UNSAFE = (
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PLANE_14 = "\U000e0000"  # below it everything unsafe is unprintable, for every Python
_LONE = "[\ud800-\udfff]"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, encoding: str = "utf-8") -> str:
    r"""``text`` with nothing in it that acts on a terminal or that ``encoding`` cannot represent.

    A byte that was not UTF-8 is shown as ``\xNN``, everything else that is replaced as the escape
    that Python has for it.
    """
    if text.isprintable() and (text.isascii() or max(text) < _PLANE_14):
        if text.isascii():
            return text
    else:
        text = compiled(_UNSAFE).sub(_escape, text)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how an undecodable byte is kept in a text
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# What a terminal obeys or reorders; a line ends in a line feed, with or without a carriage return. Undecodable bytes from 0x80
# to 0x9f are control characters of terminals with eight bits.
_ACTING = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udc9f\U000e0000-\U000e0fff]"
    r"|\r(?!\n)"
)


def acts_on_terminal(text: str) -> bool:
    """Whether a terminal would obey something in ``text``, or show it in another order."""
    return compiled(_ACTING).search(text) is not None


def unicode_only(text: str) -> str:
    """``text`` with U+FFFD for what is not Unicode: the bytes of a file that were not UTF-8."""
    return text if text.isascii() else compiled(_LONE).sub("\ufffd", text)


PLAIN = "nginxaudit-plain"
"""How streams encode what their encoding lacks (`codecs`): our own signs as they are typed, everything else as an escape."""
_TYPED = {
    "·": "-",
    "–": "-",
    "→": "->",
    "…": "...",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "•": "*",
    "─": "-",
    "│": "|",
}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    typed = (_TYPED.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking)
    return "".join(typed), error.end


codecs.register_error(PLAIN, _plainly)


def encoding_of(stream: object) -> str:
    """Encoding of ``stream``; one that does not encode can hold everything."""
    encoding = getattr(stream, "encoding", None)
    return encoding if isinstance(encoding, str) else "utf-8"
