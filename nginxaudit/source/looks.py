"""What the beginning of a file looks like: nginx, a template of it, or other software's.

Names say little: sites are called like their domain, and ``.conf`` belongs to every program. What is asked is whether
the statements are nginx's: they begin with one of its directives, in the shape that this directive has, and end with ``;`` or a block.
Nothing is parsed; a broken configuration is still one.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache

from nginxaudit.nginx.directives import directives, known_names, module_facts
from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.root import has_main_block
from nginxaudit.templates import FILLER, read_template

HEAD = 8192
"""Bytes of a file that are looked at."""


class Look(Enum):
    """What a text looks like."""

    NGINX = "nginx"
    EMPTY = "empty"  # comments, or nothing at all
    OTHER = "other"


# Comments, and quoted words, which may hold anything. Quotes are special at the start of a word.
_HIDDEN = (
    r"""(?:^|(?<=[\s;{}]))#[^\n]*|\$\{\w+\}|\{\d+,?\d*\}"""
    r"""|(?<![^\s;{}(=])(?:"(?:[^"\\]|\\.){0,999}+"|'(?:[^'\\]|\\.){0,999}+')"""
)
_WORD = r"[a-z@%$_x][\w.@%$*/-]*"
_ENDS = r"([;{}])"
_MOST = 200  # statements that are counted
_BEGINS = r"[a-z@%$_x][^\s:=(]*"  # the first word: a directive, perhaps of a module nobody knows, or what is to be filled in
# What nginx alone says so. A word with an underscore that is the name of a directive counts as well.
_SURE = (
    r"(?:events|http|stream|mail|server|types)\s*\{"
    r"|upstream\s+[^\s;{}=]+\s*\{"
    r"|location\s+(?:[=~^*]{1,2}\s*)?[^\s;{}]+\s*\{"
    r"|(?:map|geo|split_clients)\s+[^;{}]*\$\w+\s*\{"
    r"|if\s*\(\s*(?:\$\w+\s*(?:\)|=\s|!=|!?~)|!?-[fdex]\s)"
    r"|set\s+\$\w+\s+[^;{}]*;"
    r"|listen\s+[\w.:*\[\]$x-]+[^;{}=]*;"
    r"|return\s+(?:[1-5]\d\d\b|https?:|\$scheme)[^;{}]*;"
    r"|rewrite\s+\S+\s+\S+[^;{}]*;"
    r"|(?:allow|deny)\s+(?:all|[\da-fA-F.:/]+)\s*;"
    r"|(?:root|alias)\s+[\w./$x-]+\s*;"
    r"|expires\s+[\w+-]+\s*;"
    r"|gzip\s+(?:on|off)\s*;"
)
_TOP_BLOCK = r"^(?:events|http|stream)\s*\{"
_ENTRIES = r"(?:map|geo|types|split_clients|match|charset_map|perl\w*|\w+_by_lua_block)\b"

_KINDS = (
    (r"#!", "a script"),
    (r"\[(?:Unit|Service|Install|Socket|Timer|Mount|Path|Match|Network|Journal|Manager|Resolve)\]", "systemd"),
    (r"\[(?:supervisord|unix_http_server|supervisorctl|(?:program|group|eventlistener):[^\]]*)\]", "Supervisor"),
    (r"\[(?:mysqld?|client|mariadb)[^\]]*\]", "MySQL"),
    (r"\[[^\]\n]*\]\s*$", "an INI file"),
    (r"<\?xml\b|<!DOCTYPE\b", "markup"),
    (r"<\?php\b", "PHP"),
    (r"<[A-Z]\w*[ >]|(?:LoadModule|ServerRoot|ServerName|DocumentRoot|Listen|AddType|RewriteEngine|SetEnv\w*)\s+\S", "Apache httpd"),
    (r"(?:SecRule\w*|SecAction|SecDefaultAction)\b", "ModSecurity"),
    (r"(?:input|filter|output)\s*\{", "Logstash"),
    (r"vcl\s+[\d.]+\s*;", "Varnish"),
    (r"(?:global|defaults)\s*$|(?:frontend|backend)\s+\S+\s*$", "HAProxy"),
    (r"options\s*\{|zone\s+\"[^\"]*\"", "BIND"),
    (r"[\w.-]+\s*\{\s*$\s*(?:bind|health_path|state)\b", "other software"),
    (r"---\s*$|[\w./-]+:(?:\s|$)", "YAML"),
    (r"[\[{]", "JSON or code"),
    (r"[\w.\"'-]+(?:\[[^\]\n]*\])?\s*=(?!\s*[/~^])", "key = value"),
)  # fmt: skip


def look(head: str, path: str, *, named: bool = False) -> Look:
    """What the text ``head`` at the beginning of ``path`` looks like; ``named``: that is how configurations are called."""
    text = _plain(head, path)
    text = compiled(r"^\s*[{};]\s*(?=[a-z])").sub("", text, count=1)  # a brace too many, as in {events {
    words = text.split(None, 1)
    if not words:
        return Look.EMPTY
    if named and ";" in text and compiled(_TOP_BLOCK, re.MULTILINE).search(text):
        return Look.NGINX  # even where its first line is misspelt
    if head.startswith("#!") or not compiled(_BEGINS).match(words[0]):
        return Look.OTHER
    sure, good, odd = _counted(text)
    begins = _is_known_name(words[0].rstrip(";{"))
    is_nginx = (
        (sure and good >= odd) or (good and not odd and named) or (sure and begins and has_main_block(text))
    )
    return Look.NGINX if is_nginx and (begins or 4 * odd <= good) else Look.OTHER


def is_written_like_nginx(head: str, path: str) -> bool:
    """Whether every statement is one of nginx in its form, whatever the words are: a configuration full of mistakes."""
    text = _plain(head, path)
    *statements, rest = compiled(_ENDS).split(text)[: 2 * _MOST : 2]
    words = [each.split() for each in (*statements, rest) if each.strip()]
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    ended = sum(line.endswith((";", "{", "}")) for line in lines)
    return all(map(_has_form, words)) and (
        2 * ended >= len(lines) or bool(words and _is_known_name(words[0][0]))
    )


def _has_form(words: list[str]) -> bool:
    name = words[0]
    if name in ("if", "return", "set"):
        return compiled(_SURE).match(f"{' '.join(words)};") is not None or len(words) == 1
    return compiled(_WORD).fullmatch(name) is not None and ("=" not in words[1:3] or name == "location")


def kind_of(head: str) -> str:
    """Which software a text that is not nginx's seems to be for; empty where that is not known."""
    if head.startswith("#!"):
        return "a script"
    text = compiled(r"^\s*[#;][^\n]*\n?|^\s*\n", re.MULTILINE).sub("", head.removeprefix("\ufeff")).lstrip()
    return next((kind for pattern, kind in _KINDS if compiled(pattern, re.MULTILINE).match(text)), "")


def _plain(head: str, path: str) -> str:
    """``head`` without comments, without what stands in quotes, and without what a template engine fills in."""
    template = read_template(head, path)
    text = head if template is None else template.text.replace(FILLER, "x")
    return compiled(_HIDDEN, re.MULTILINE).sub(_shadow, text.removeprefix("\ufeff"))


def _shadow(found: re.Match[str]) -> str:
    return "" if found[0].startswith("#") else "x"


def _counted(text: str) -> tuple[int, int, int]:
    """Statements that only nginx has, those that it has, and those that it has not."""
    sure = good = odd = 0
    inside = 0  # blocks of entries that are open: of a map, of Lua
    parts = compiled(_ENDS).split(text)
    for words, end in zip(parts[: 2 * _MOST : 2], parts[1 : 2 * _MOST : 2], strict=False):
        statement = words.strip() + end
        if inside:
            inside += {"{": 1, "}": -1}.get(end, 0)
            continue
        if end == "}":
            odd += len(statement) > 1 and not _is_known(statement)
            continue
        if not _is_known(statement):
            odd += len(statement) > 1
            continue
        name = statement[:-1].split(None, 1)[0] if len(statement) > 1 else ""
        if "_" not in name and name not in known_names() and _takes_block(name):
            continue  # echo, check, record: a module's directive, and a word of other software, too
        good += 1
        sure += compiled(_SURE).match(statement) is not None or "_" in name
        if end == "{" and compiled(_ENTRIES).match(statement):
            inside = 1
    return sure, good, odd


def _is_known(statement: str) -> bool:
    """Whether a statement begins with a directive, and has or has not a block, and is no assignment, as that one is."""
    words = statement[:-1].split(None, 2)
    name = words[0] if words else ""
    if not _takes_block(name):
        return _is_known_name(name)
    if len(words) > 1 and words[1].startswith(("=", ":")) and name not in ("location", "if"):
        return False
    return statement[-1] == "}" or (statement[-1] == "{") in _takes_block(name)


def _is_known_name(name: str) -> bool:
    """Whether ``name`` is that of a directive, of nginx or of a third-party module, or all of it is filled in."""
    return bool(_takes_block(name)) or (name.startswith("x") and not name.strip("x"))


@cache
def _takes_block(name: str) -> frozenset[bool]:
    """Whether a directive has a block; both where that depends on where it stands, nothing where there is no such directive."""
    facts = directives(name) if name in known_names() else module_facts(name)
    return frozenset(fact.block or name.endswith("_by_lua_block") for fact in facts)
