"""Regular expressions that take too long, or match more than they look like."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from itertools import pairwise

from msgspec.structs import replace

from nginxaudit import edits
from nginxaudit.hit import CheckContext, Edits, Hit, Place, arg
from nginxaudit.model.access import keeps_out
from nginxaudit.model.expressions import Written, condition
from nginxaudit.syntax.tree import Directive

_TRUSTED = frozenset(
    {"$server_name", "$server_addr", "$server_port", "$hostname", "$scheme", "$request_method"}
)
"""Subjects that no client writes."""


_TLD = frozenset(
    {
        "com", "org", "net", "io", "dev", "de", "at", "ch", "uk", "fr", "nl", "it", "es", "eu", "us", "ru", "cn", "jp", "in", "br",
        "pl", "se", "no", "fi", "dk", "be", "cz", "info", "biz", "app", "cloud", "local", "internal", "edu", "gov", "co", "me", "tv",
    }
)  # fmt: skip


_FILE_TYPES = frozenset(
    {
        "php", "html", "htm", "css", "js", "json", "xml", "txt", "jpg", "jpeg", "png", "gif", "svg", "ico", "webp", "woff", "woff2",
        "pdf", "zip", "gz", "asp", "aspx", "jsp", "cgi", "py", "pl", "sh", "sql", "log", "ini", "conf", "env", "git", "map",
    }
)  # fmt: skip


def regex_redos(ctx: CheckContext) -> Iterable[Hit]:
    """Expressions whose backtracking explodes, on texts that clients write."""
    for written in ctx.model.expressions:
        if written.subject in _TRUSTED or written.expression is None or written.expression.loops_once:
            continue
        from nginxaudit.pcre.backtracking import danger

        found = danger(written.expression)
        if found is None:
            continue
        part = written.expression.text[found.start : found.end]
        cost = (
            "doubles with each character"
            if found.degree is None
            else f"grows with the length to the power of {found.degree}"
        )
        yield Hit(
            arg(written.directive, written.token),
            f'catastrophic backtracking at "{part}": matching time {cost}',
            written.directive,
            help="Make adjacent parts match different characters, or use possessive quantifiers such as ++.",
            cause=ctx.cause(written.expression.text),
        )


def regex_unescaped_dot(ctx: CheckContext) -> Iterable[Hit]:
    """A dot between words that the author means literally, and that matches any character."""
    for written in ctx.model.expressions:
        hosts = written.kind in ("server_name", "referer") or written.subject.lower() in _HOST_SUBJECTS
        paths = written.kind == "location" or written.subject.lower() in _PATH_SUBJECTS
        if not (hosts or paths) or written.expression is None:
            continue
        words = _dotted_words(written.expression.text, hosts, paths)
        if words is not None:
            dot, word = words
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                _inside(written, dot),
                f'the unescaped dot before "{word}" matches any character',
                written.directive,
                help=f"Write \\.{word}",
                make_fix=partial(_escaped, _inside(written, dot), written.directive),
                witness=detours.with_any_character(ctx, written),
            )


def _escaped(place: Place, block: Directive) -> Edits:
    """A backslash before the one dot that was found; not where the expression keeps out what it matches."""
    asked = condition(block) if block.name == "if" else None
    if block.is_block and keeps_out(block) and not (asked is not None and asked.negated):
        return None
    if place.source.text[place.start : place.end] != ".":
        return None
    return (edits.replaced(place.source, place.start, place.start, "\\"),)


def _dotted_words(text: str, hosts: bool, paths: bool) -> tuple[int, str] | None:
    """Offset of the first such dot and the word after it."""
    if not any(dot == "." and letter.isalpha() for dot, letter in pairwise(text)):
        return None
    for found in re.finditer(_PLAIN_DOT, text):
        word = found[1].lower()
        known = (hosts and (word in _TLD or "\\." in text)) or (paths and word in _FILE_TYPES)
        if known and (hosts or text[found.end() :] in _CLOSINGS):
            return found.start() + len(found[0]) - len(found[1]) - 1, found[1]
    return None


_PLAIN_DOT = r"(?:(?<=[A-Za-z0-9])|(?<=^)|(?<=\)))\.([A-Za-z]{2,})(?![A-Za-z0-9*+?{\[(.-]|\\[^/:.])"


_CLOSINGS = ("", "$", ")", ")$")


_HOST_SUBJECTS = frozenset(
    {"$host", "$http_host", "$http_origin", "$http_referer", "$ssl_server_name", "$ssl_preread_server_name"}
)


_PATH_SUBJECTS = frozenset(
    {"$uri", "$request_uri", "$document_uri", "$request_filename", "$fastcgi_script_name"}
)


def _inside(written: Written, offset: int) -> Place:
    """The character at ``offset`` of the expression, or the whole word where escapes moved it."""
    token, source = written.token, written.directive.source
    raw = source.text[token.start : token.end]
    at = raw.find(written.text)
    if at < 0 or not written.text.isascii():
        return arg(written.directive, token)
    start = token.start + at + offset
    return replace(arg(written.directive, token), start=start, end=start + 1)
