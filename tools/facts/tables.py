"""Command tables (``ngx_command_t``) and tables of variables in the text of one C or C++ file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.S | re.M)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+((?:[^\n]*\\\n)*[^\n]*)", re.M)
_TABLE = re.compile(r"ngx_command_t\s+(\w+)\s*\[\]\s*=\s*\{(.*?)(?:ngx_null_command|\n\};)", re.S)
_ENTRY = re.compile(r'\{\s*ngx_string\s*\(\s*("[^"]+"|\w+)\s*\)\s*,(.*?)(?=\{\s*ngx_string\s*\(|\Z)', re.S)
_MODULE = re.compile(r"^(?:static\s+)?ngx_module_t\s+(\w+)\s*=\s*\{(.*?)\};", re.S | re.M)
_VARIABLES = re.compile(r"ngx_(http|stream)_variable_t\s+\w+\s*\[\]\s*=\s*\{(.*?)\n\};", re.S)
_VARIABLE = re.compile(r'\{\s*ngx_string\s*\(\s*"([^"]+)"\s*\)(.*?)\}', re.S)

_STRING = re.compile(r'\bngx_str_t\s+(\w+)\s*=\s*ngx_string\s*\(\s*"([^"]+)"\s*\)')
_ADDED = re.compile(r"\bngx_(http|stream)_add_variable\(\s*\w+\s*,\s*&(\w+)\s*,([^;]*);")

_CONTEXTS = {
    "NGX_MAIN_CONF": "main",
    "NGX_EVENT_CONF": "events",
    "NGX_HTTP_MAIN_CONF": "http",
    "NGX_HTTP_SRV_CONF": "server",
    "NGX_HTTP_LOC_CONF": "location",
    "NGX_HTTP_SIF_CONF": "if-in-server",
    "NGX_HTTP_LIF_CONF": "if-in-location",
    "NGX_HTTP_LMT_CONF": "limit_except",
    "NGX_HTTP_UPS_CONF": "upstream",
    "NGX_STREAM_MAIN_CONF": "stream",
    "NGX_STREAM_SRV_CONF": "stream-server",
    "NGX_STREAM_UPS_CONF": "stream-upstream",
    "NGX_MAIL_MAIN_CONF": "mail",
    "NGX_MAIL_SRV_CONF": "mail-server",
    "NGX_RTMP_MAIN_CONF": "rtmp",
    "NGX_RTMP_SRV_CONF": "rtmp-server",
    "NGX_RTMP_APP_CONF": "rtmp-application",
    "NGX_RTMP_REC_CONF": "rtmp-recorder",
}
_TAKES = re.compile(r"NGX_CONF_TAKE(\d+)")


class Arguments(NamedTuple):
    """Numbers of arguments; ``maximum`` None: any number from ``minimum`` on; ``counts`` where some are left out."""

    minimum: int
    maximum: int | None
    counts: tuple[int, ...] | None
    flag: bool


class Command(NamedTuple):
    """One entry of a command table, as far as the table says it."""

    name: str
    module: str
    contexts: frozenset[str]
    arguments: Arguments
    block: bool
    handler: str


class Variable(NamedTuple):
    """One variable of a family; ``prefix``: its name is the beginning of one."""

    name: str
    family: str
    prefix: bool


def commands(text: str, macros: Mapping[str, str] | None = None) -> list[Command]:
    """The entries of all command tables of a file. What stands in ``#if 0`` is left out, every other condition is taken.

    ``macros`` are those of other files of the same source, by which names and flags may be written.
    """
    text = _alive(_COMMENT.sub(" ", text))
    owners = _owners(text)
    known = {**(macros or {}), **defines(text)} if macros is not None else {}
    found = []
    for table, body in _TABLE.findall(text):
        owner = owners.get(table, table.removesuffix("s").removesuffix("_command") + "_module")
        for word, rest in _ENTRY.findall(body):
            name = word if word.startswith('"') else known.get(word, "")
            if name.startswith('"'):
                found.append(_command(name.strip('"'), rest, owner, known))
    return found


def defines(text: str) -> dict[str, str]:
    """Macros without parameters, with what they stand for."""
    return {
        name: value.replace("\\\n", " ").strip() for name, value in _DEFINE.findall(_COMMENT.sub(" ", text))
    }


def variables(text: str) -> list[Variable]:
    """The variables of all tables of a file."""
    text = _alive(_COMMENT.sub(" ", text))
    found = [
        Variable(name, family, "_VAR_PREFIX" in rest)
        for family, body in _VARIABLES.findall(text)
        for name, rest in _VARIABLE.findall(body)
    ]
    strings = dict(_STRING.findall(text)) if _ADDED.search(text) else {}
    return found + [
        Variable(strings[name], family, "_VAR_PREFIX" in rest)
        for family, name, rest in _ADDED.findall(text)
        if name in strings
    ]


def _alive(text: str) -> str:
    """``text`` without what stands in ``#if 0``."""
    kept: list[str] = []
    dead: list[bool] = []  # of each condition that is open: whether its branch is left out
    for line in text.split("\n"):
        word = line.lstrip().removeprefix("#").split() if line.lstrip().startswith("#") else []
        if word[:1] in (["if"], ["ifdef"], ["ifndef"]):
            dead.append(word[:2] == ["if", "0"] or word[:2] == ["if", "(0)"])
        elif word[:1] == ["else"] and dead:
            dead[-1] = False
        elif word[:1] == ["endif"] and dead:
            dead.pop()
        elif not any(dead):
            kept.append(line)
    return "\n".join(kept)


def _owners(text: str) -> dict[str, str]:
    """Command tables by name, with the module that has them: the third member of ``ngx_module_t`` after the version."""
    owners: dict[str, str] = {}
    for module, body in _MODULE.findall(text):
        for table in re.findall(r"\b(\w+)\s*,", body):
            if re.fullmatch(r"ngx_\w*commands?", table):
                owners[table] = module
    return owners


def _command(name: str, rest: str, module: str, macros: Mapping[str, str]) -> Command:
    flags, _, after = rest.partition(",")
    words = set(_words(flags, macros))
    handler = after.split(",")[0].strip()
    contexts = frozenset(_CONTEXTS[word] for word in words if word in _CONTEXTS)
    return Command(name, module, contexts, arguments_of(words), "NGX_CONF_BLOCK" in words, handler)


def _words(flags: str, macros: Mapping[str, str], depth: int = 3) -> Iterable[str]:
    """The flags that are written, and those that macros stand for."""
    for word in re.findall(r"\w+", flags):
        if word in macros and depth and not macros[word].startswith("0x"):
            yield from _words(macros[word], macros, depth - 1)
        else:
            yield word


def arguments_of(words: set[str]) -> Arguments:
    """Numbers of arguments that a directive with these flags takes, as nginx decides about them."""
    if "NGX_CONF_FLAG" in words:
        return Arguments(1, 1, None, True)
    if "NGX_CONF_ANY" in words:
        return Arguments(0, None, None, False)
    for word, least in (("NGX_CONF_1MORE", 1), ("NGX_CONF_2MORE", 2)):
        if word in words:
            return Arguments(least, None, None, False)
    counts = {0} if "NGX_CONF_NOARGS" in words else set()
    for word in words:
        match = _TAKES.fullmatch(word)
        if match:
            counts.update(map(int, match[1]))
    ordered = tuple(sorted(counts)) or (0,)
    whole = ordered == tuple(range(ordered[0], ordered[-1] + 1))
    return Arguments(ordered[0], ordered[-1], None if whole else ordered, False)
