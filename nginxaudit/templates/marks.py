"""The parts of a text that a template engine replaces, in whichever dialect they are written.

What is opened and never closed is looked for once, not from every opening anew: all of this takes time in
proportion to the text, which no single regular expression with ``.*?`` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nginxaudit.nginx.lua import end_of_lua_block
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.variables import variable
from nginxaudit.templates.statements import (
    Role,
    literal,
    role_of_block,
    role_of_braces,
    role_of_code,
    role_of_directive,
)

SUFFIXES = (
    ".template", ".tmpl", ".tpl", ".j2", ".jinja", ".jinja2", ".erb", ".epp", ".ctmpl", ".gotmpl", ".gohtml", ".mustache",
    ".hbs", ".handlebars", ".tftpl", ".envsubst", ".twig", ".liquid", ".ejs", ".mako", ".in",
)  # fmt: skip
"""Ends of the names of files that are to be filled in."""

_SHELL = (
    r"\$\{[A-Z_][A-Z0-9_]*+\}"  # envsubst, as in Docker's images: nginx's own names are lower-case
    r"|\$\{[A-Za-z_]\w*+(?::?[-=?+]|[#%/^,]|\[)(?:[^{}\n]|\$?\{[^{}\n]*+\})*+\}"  # ${PORT:-8080}: no variable of nginx
)
_NAMES = (
    r"(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]*?[A-Z0-9]__(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_])(?:CHANGE_?ME|REPLACE_?ME)(?![A-Za-z0-9_])"
)
_CALLS = r"\$\{\s*+[A-Za-z_]\w*+[.(\[][^{}\n]*+\}"  # Terraform: ${join(",", names)}, ${each.value}
_WORDS = r"|\$\$\{?\w*+\}?|\$[A-Z_][A-Z0-9_]*+(?![a-z])|\$\{[a-z]\w*+\}"
"""Beside `_SHELL` in texts that have such names: $PORT, $$host for $host, and ${name} if nginx has no such variable."""
_PLAIN = {  # found as they are; what comes before is asked last, which is faster
    "shell": _SHELL,
    "names": _NAMES,
    "percent": r"%(?![0-9A-Fa-f]{2})[A-Za-z_]\w++%|%[a-z_]{3}\w*+%",  # not as in a URL
    "at": r"@@[A-Za-z_]\w*+@@|@[A-Za-z_]\w*+@",
    "angle": r"<(?<![?P(]<)(?:[A-Z][A-Z0-9_-]++|(?:your|my|the|insert|replace)[-_ ][\w -]{1,40}+)>",
    "single": r"\{(?<![$#%{\\]\{)[A-Za-z_]\w[\w.]*+(?:![rs])?\}",
    "ruby": r"(?<=[^\s;{}])\#\{[^{}\n]++\}|(?<=[^\s;{}]\ )\#\{[^{}\n]++\}",
    "calls": _CALLS,
}
_OPENING = {  # to be closed
    "braces": r"(?<![$])\{\{\{?|\{%|\{\#",
    "code": r"<%",
    "directives": r"(?<![%$\\])%\{",
}
_FORMAT = r"\{\{|\}\}"  # Python's str.format: a brace of nginx is written twice
_EVIDENCE = r"""
      (?P<comment>(?<![^\s;{}])\#[^\n]*+)
    | (?P<string>(?<![^\s;{}])(?:"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+'))
    | (?P<lua>_by_lua_block\s*+\{)
    | (?P<braces>(?<![${])\{\{|\{%(?=[-+\s\w])|^[ \t]*+\{\#)
    | (?P<code><%)
    | (?P<directives>(?<![%$\\])%\{\s*+(?:if|for)\s)
    """
_WEAK = ("shell", "names", "percent", "at", "angle", "single", "ruby", "calls")
_HINTS = {  # what a text without it need not be searched for; a search for words is faster than one for patterns
    "braces": ("{{", "{%", "{#"),
    "code": ("<%",),
    "directives": ("%{",),
    "shell": ("${",),
    "calls": ("${",),
    "names": ("__", "CHANGE", "REPLACE"),
    "percent": ("%",),
    "at": ("@",),
    "angle": ("<",),
    "single": ("{",),
    "ruby": ("#{",),
}
_CLOSING = {"{{": "}}", "{{{": "}}", "{%": "%}", "{#": "#}", "<%": "%>", "%{": "}"}
_STRICT = ("braces", "code", "directives")
_RAW_END = r"\{%[-+]?\s*end(?:raw|verbatim)\s*[-+]?%\}"
_DEFINES = (
    r"\b(?:set|perl_set|js_set|js_var|auth_request_set|set_by_lua\w*|(?:map|geo|split_clients|auth_jwt_claim_set)(?:\s+[^\s;{}]++)?)"
    r"\s+\$\{?(\w+)|\(\?P?<(\w+)>"
)
_ONE_LINE = r"\{\{[^{}\n]++\}\}"
_CAPITALS = r"\$[A-Z_][A-Z0-9_]++(?![a-z])"
_FIXED = (  # a name in braces where nginx takes no variable
    r"(?:^|[;{])[ \t]*+(?:listen|server|keepalive|client_max_body_size|worker_connections|worker_processes|zone|upstream)"
    r"[ \t]++[^;{}$\n]*+\$\{[a-z]\w*+\}"
)
_PRINTS = r"\b(?:return|sub_filter|add_header|add_trailer|more_\w+|echo\w*|log_format|set|default|if|location)\b[^;{}]*+$"
_NEAR = 80
_LINE_END = r"\{\{[ \t]*+(?:\#[^\n]*+)?\n"


class Mark(NamedTuple):
    """A part of a text that is replaced; ``text`` is what stands for it where that is known."""

    start: int
    end: int
    role: Role
    text: str = ""


def dialects_of(text: str, *, named: bool) -> frozenset[str]:
    """In which ways ``text`` marks what is to be replaced.

    ``named``: the file is called a template, so what can be a mark is one. Elsewhere a mark counts that is neither
    in a comment nor in a string nor in Lua code; within them, names that nginx does not have.
    """
    hinted = [name for name, signs in _HINTS.items() if any(sign in text for sign in signs)]
    hinted = [name for name in hinted if name in _STRICT or compiled(_PLAIN[name]).search(text)]
    names = named and "$" in text and compiled(_CAPITALS).search(text) is not None
    names = names or ("${" in text and compiled(_FIXED, re.MULTILINE).search(text) is not None)
    if not hinted and not names:
        return frozenset()
    found = set(_evidence(text, hinted))
    if names:
        found.add("shell")
    if named:
        found.update(name for name in _STRICT if name in hinted)
        found.update(name for name in ("shell", "names", "at") if name in hinted)
    if "single" in found and _is_format(text):
        found -= {"braces"}
        found.update(("format", "single"))
    return frozenset(found)


def _is_format(text: str) -> bool:
    """Whether double braces are those of nginx, for a program that takes single ones for its own."""
    lonely = compiled(_LINE_END).search(text) and not compiled(_ONE_LINE).search(text)
    return bool(lonely) and "{%" not in text


def _evidence(text: str, hinted: list[str]) -> Iterator[str]:
    """Those of the dialects ``hinted`` that are seen outside of what nginx does not look into."""
    weak = [name for name in _WEAK if name in hinted]
    pattern = _EVIDENCE + "".join(f"| (?P<{name}>{_PLAIN[name]})" for name in weak)
    search = compiled(pattern, re.VERBOSE | re.DOTALL | re.MULTILINE).search
    following = _Following(text)
    position = 0
    while (found := search(text, position)) is not None:
        kind, position = found.lastgroup or "", found.end()
        if kind == "string":
            yield from _in_string(found[0], text[max(0, found.start() - _NEAR) : found.start()], weak)
        elif kind == "lua":
            position = end_of_lua_block(text, position) or len(text)
        elif kind in _STRICT:
            sign = found[0].strip()[:2]
            close = following(_CLOSING[sign], position)
            if sign == "{{" and close > following("\n", position) and not _comment_end(text, position, sign):
                continue  # blocks of nginx in one another end on other lines, too
            if close < len(text):
                yield kind
                position = close + len(_CLOSING[sign])
        elif kind != "comment":
            yield kind


def _in_string(string: str, before: str, weak: list[str]) -> Iterator[str]:
    """What is seen in a ``string`` of nginx, which may well hold a text with marks for a browser."""
    for name in ("shell", "names"):
        if name in weak and compiled(_PLAIN[name]).search(string):
            yield name
    if "{{" in string and compiled(_ONE_LINE).search(string) and not compiled(_PRINTS).search(before):
        yield "braces"


class _Following:
    """Where words come next in a text; what is not there is looked for once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[str, int] = {}

    def __call__(self, word: str, start: int) -> int:
        at = self._known.get(word, -1)
        if at < start:
            at = self._text.find(word, start)
            at = self._known[word] = at if at >= 0 else len(self._text)
        return at


def find_marks(text: str, dialects: frozenset[str]) -> list[Mark]:
    """The marks of ``text`` in order, none within another."""
    return list(_Scan(text, dialects).marks())


class _Scan:
    def __init__(self, text: str, dialects: frozenset[str]) -> None:
        self._text = text
        self._following = _Following(text)
        self._no_raw_end = False
        self._own = _own_names(text) if "shell" in dialects else frozenset()
        patterns = {name: pattern for name, pattern in _OPENING.items() if name in dialects}
        patterns |= {name: pattern for name, pattern in _PLAIN.items() if name in dialects}
        if "shell" in patterns:
            patterns["shell"] += _WORDS
        if "format" in dialects:
            patterns["format"] = _FORMAT
        self._search = compiled("|".join(f"(?P<{name}>{each})" for name, each in patterns.items())).search

    def marks(self) -> Iterator[Mark]:
        position = 0
        while (found := self._search(self._text, position)) is not None:
            mark = self._mark(found.lastgroup or "", found)
            if mark is None:
                position = found.end() if found.lastgroup == "shell" else found.start() + 1
                continue
            yield mark
            position = mark.end
            if mark.role is Role.RAW:
                end = self._raw_end(position)
                if end is not None:
                    yield end
                    position = end.end

    def _mark(self, dialect: str, found: re.Match[str]) -> Mark | None:
        start, end = found.span()
        if dialect == "format":
            return Mark(start, end, Role.LITERAL, found[0][0])
        if dialect == "shell" and self._is_own(found[0]):
            return None
        if dialect not in _STRICT:
            return Mark(start, end, Role.VALUE)
        return self._closed(start, found[0])

    def _closed(self, start: int, sign: str) -> Mark | None:
        text = self._text
        if sign == "{{{":
            close = self._following("}}", start + 3)
            if not text.startswith("}}}", close):
                return None  # a brace of nginx, and then two of the engine
        end_sign = _CLOSING[sign]
        inside = start + len(sign)
        comment = _comment_end(text, inside, sign)
        if comment:
            close = self._following(comment, inside)
            if close < len(text):  # else all of the rest would count as looked through
                close = self._following(end_sign, close)
        else:
            close = self._following(end_sign, inside)
        if close >= len(text) or (sign == "%{" and close > self._following("\n", inside)):
            return None
        return _read(text, start, inside, close, close + len(end_sign), sign)

    def _raw_end(self, start: int) -> Mark | None:
        found = None if self._no_raw_end else compiled(_RAW_END).search(self._text, start)
        self._no_raw_end = found is None
        return None if found is None else Mark(found.start(), found.end(), Role.NOTHING)

    def _is_own(self, word: str) -> bool:
        """Whether ``word`` is a variable of nginx."""
        name = word.strip("${}")
        if word.startswith("$$") or not name.isidentifier():
            return False
        return name.lower() in self._own or (not name.isupper() and _is_builtin(name))


def _comment_end(text: str, inside: int, sign: str) -> str:
    """What ends a comment within ``{{ }}``, in which braces do not count; "" for no such comment."""
    if sign == "{{":
        begin = text[inside : inside + 8].lstrip("-~ \t\n")
        if begin.startswith("/*"):
            return "*/"
        if begin.startswith("!--"):
            return "--"
    return ""


def _read(text: str, start: int, inside: int, close: int, end: int, sign: str) -> Mark:
    code = text[inside:close]
    if sign == "{#":
        return Mark(start, end, Role.NOTHING)
    if sign == "{{{":
        return Mark(start, end, Role.VALUE)
    role = _ROLES[sign](code)
    return Mark(start, end, role, literal(code) if role is Role.LITERAL else "")


def _own_names(text: str) -> frozenset[str]:
    """The variables that ``text`` itself makes, in lower case."""
    return frozenset((found[1] or found[2]).lower() for found in compiled(_DEFINES).finditer(text))


def _is_builtin(name: str) -> bool:
    return variable(name, "http") is not None or variable(name, "stream") is not None


_ROLES: dict[str, Callable[[str], Role]] = {
    "{{": role_of_braces,
    "{%": role_of_block,
    "<%": role_of_code,
    "%{": role_of_directive,
}
