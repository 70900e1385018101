"""What is before a name in a configuration: a comment, an ``if``, the words of its directive."""

from __future__ import annotations

from nginxaudit.nginx.patterns import compiled

_MOST = 256  # characters that are read before a name
_COMMENT = r"(?:^|[\s;{}])(?:#|--|//)"
_REMARK = r"(?:(?<=[\s;{}])|\A)#[^\n]*\n"
_IF = r"(?:^|[\s;{}])if\s*\(\s*\Z"


def _line_before(text: str, start: int) -> str:
    low = max(start - _MOST, 0)
    return text[max(text.rfind("\n", low, start) + 1, low) : start]


def in_comment(text: str, start: int) -> bool:
    """Whether the offset ``start`` is in a comment, of Lua and JavaScript too."""
    line = _line_before(text, start)
    return ("#" in line or "--" in line or "//" in line) and compiled(_COMMENT).search(line) is not None


def in_if(text: str, start: int) -> bool:
    """Whether a condition begins at the offset ``start``."""
    return (
        "(" in text[max(start - 8, 0) : start]
        and compiled(_IF).search(text[max(start - 16, 0) : start]) is not None
    )


def words_before(text: str, start: int, *, comment: bool) -> list[str]:
    """The words of a directive before the offset ``start``; in a comment those of what it says."""
    if comment:
        line = _line_before(text, start)
        return line[max(line.rfind("#"), line.rfind("--") + 1, line.rfind("//") + 1) + 1 :].split()
    low = max(start - _MOST, 0)
    begin = max(text.rfind(sign, low, start) for sign in ";{}")
    left = text[begin + 1 if begin >= 0 else low : start]
    return (compiled(_REMARK).sub("", left) if "#" in left else left).split(None, 3)
