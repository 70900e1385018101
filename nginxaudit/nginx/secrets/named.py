"""Secrets that are known by the name before them: of a header, a parameter, a variable, a directive, a key of a table.

What is read is a name and what is next to it, so it does not matter whether the text is a whole configuration, a line of it,
a comment, a string of Lua or a broken file. Every step is bounded: the time grows with the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets.names import HINT, Kind, kind_of
from nginxaudit.nginx.secrets.surroundings import in_comment, in_if, words_before
from nginxaudit.nginx.secrets.values import secret_parts, written_out

Found = Iterator[tuple[int, int, Kind]]

_MOST_NAME = 64  # characters of a name before and after the part that makes it one
_MOST_OPENING = 256  # from the name of a map's variable to its brace

_WITH_NAMES = frozenset(
    {
        "proxy_set_header", "grpc_set_header", "fastcgi_param", "uwsgi_param", "scgi_param", "add_header", "add_trailer", "set",
        "js_var", "auth_http_header", "header", "auth_request_set", "fastcgi_set_var", "perl_set", "xslt_param", "xslt_string_param",
        "proxy_set_trailer", "redis2_query",
    }
)  # fmt: skip
"""Directives whose first word is a name and whose second one is its value."""
_REPLACING = frozenset({"sub_filter", "subs_filter"})
_OF_CODE = r"(?:'|\"|\{)\s{0,20}return\s{1,20}"
_SECRET_ITSELF = frozenset(
    {
        "secure_link_secret", "secure_link_hmac_secret", "client_secret", "proxy_password", "auth_basic_password",
        "encrypted_session_key", "app_protect_cookie_seed", "binddn_passwd",
    }
)  # fmt: skip
"""Directives whose word is a secret, besides those of unknown modules that are called so."""
_MAPS = frozenset({"map", "geo", "split_clients"})
_MAP_WORDS = frozenset(
    {"default", "include", "hostnames", "volatile", "ranges", "proxy", "delete", "proxy_recursive"}
)

_WORD = r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|((?:[^\s;{}\"'\\]|\\.|\$\{\w*\})(?:[^\s;{}\\]|\\.|\$\{\w*\})*)"
_ENTRY = rf"[;{{}}]|\#[^\n]*|{_WORD}"
_QUOTED = r"\\?\"((?:[^\"\\\n]|\\.)*)\"?|\\?'((?:[^'\\\n]|\\.)*)'?|\[(={0,9})\[(?!:)([^\]]{1,512})\]\3\]"
_BARE = r"[^\s\"';{}&<>(),\[\]|]+"
_SIGN = (
    r"(?P<close>\\?[\"']?\]?)(?:[ \t]{0,20}(?P<sign>[!=~]?=[~>]?|!?~\*?|:=|:)(?P<gap>[ \t]{0,20})"
    r"|[ \t]{0,4}(?P<call>[,(])[ \t]{0,4}(?=[\"']|\[={0,9}\[))"
)
_GAP = r"[\"']?(?:\s|(?<=\s)\#[^\n]{0,200}\n)+"
_ON_LINE = r"[\"']?[ \t]+"
_MIXED = r"(?=[^\s\d]{0,99}\d)(?=[^\sA-Za-z]{0,99}[A-Za-z])[^\s\"';,]{6,}"
_NO_SECRET = r"(?i)(?:[a-z]+-)?(?:sha|md|aes|rsa|rs|hs|es|base|utf|http|tls|ipv|oauth|v)-?\d+(?:[./_-]?\d+)*\W*\Z|\d+[smhdkg]\Z|\$|\w+://|unix:"
_PORT = r"\d{1,5}(?![\w.-])"
_TO_QUOTE = r"[^\n\"';{}]{0,4096}"


def named_secrets(text: str, low: str, *, prose: bool = False) -> Found:
    """Offsets of values whose name says that they are secret; ``low`` is ``text`` in lower case, with the same places.

    With ``prose`` the text is no configuration, and has no directives.
    """
    done = 0
    for hint in compiled(HINT).finditer(low):
        if hint.start() < done:
            continue
        start, end = _name(text, *hint.span())
        done = end
        kind = kind_of(text[start:end])
        if kind is None:
            continue
        for first, last, found in _after(text, start, end, kind, prose):
            yield first, last, found
            if "{" not in text[end : min(first, end + _MOST_OPENING)]:  # what is in a map has names, too
                done = max(done, last)
    if not prose and "secure_link_md5" in text:
        yield from _links(text)


def _links(text: str) -> Found:
    """What is written out in a ``secure_link_md5``: the word that only the server knows."""
    for name in compiled(r"(?<!\w)secure_link_md5\s+").finditer(text):
        word = compiled(_WORD).match(text, name.end())
        if word is not None:
            for first, last in written_out(text, *word.span(word.lastindex or 0), joined=True):
                yield first, last, Kind.SECRET


def _name(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole name around a part of it, with the ``$`` of a variable."""
    low, high = max(start - _MOST_NAME, 0), min(end + _MOST_NAME, len(text))
    while start > low and (text[start - 1].isalnum() or text[start - 1] in "_-."):
        start -= 1
    while end < high and (text[end].isalnum() or text[end] in "_-."):
        end += 1
    if start > 0 and text[start - 1] == "$":
        start -= 1
    elif start > 1 and text[start - 2 : start] == "${":
        start -= 2
    return start, end


def _after(text: str, start: int, end: int, kind: Kind, prose: bool) -> Found:
    before = text[start - 1] if start else " "
    follows = text[end : end + 1]
    if follows in ";{}/.@)":
        return
    if not follows.isspace() or text[end + 1 : end + 2] in " \t=!~:,(":
        sign = compiled(_SIGN).match(text, end)
        if sign is not None:
            yield from _assigned(text, start, kind, sign, before, prose)
            return
    if not prose and (before.isspace() or before in "\"'") and not text.startswith("${", start):
        comment = in_comment(text, start)
        gap = compiled(_ON_LINE if comment else _GAP).match(text, end)
        if gap is not None:
            yield from _spaced(text, start, gap.end(), kind, before, comment)


# -- NAME = VALUE, NAME: VALUE, f("NAME", VALUE)


def _assigned(text: str, start: int, kind: Kind, sign: re.Match[str], before: str, prose: bool) -> Found:
    at = sign.end()
    name = text[start : sign.start()].lower().strip("_0123456789")
    is_regex = sign["sign"] in ("~", "~*", "!~", "!~*")
    quoted = compiled(_QUOTED).match(text, at)
    if quoted:
        is_value = (
            _is_argument(text, start, name, sign)
            if sign["call"]
            else sign["sign"] != ":" or bool(sign["close"]) or before.isspace() or before in "{,("
        )
        if is_value and not (sign["call"] and prose) and (name != "key" or _is_mixed(quoted)):
            yield from _parts(text, quoted, kind, is_regex=is_regex)
        return
    if sign["call"] or before in "=:" or (not is_regex and text[at : at + 1] in "[(\\^*.+?$="):
        return
    bare = compiled(_BARE).match(text, at)
    if bare is None:
        return
    if sign["sign"] == ":":
        if not prose and (name != "key" or _is_mixed(bare)):
            yield from _of_header(text, start, bare, kind, sign, before)
    elif sign["sign"] == "=" and not sign["gap"] and text[sign.start("sign") - 1] != " ":
        if name != "key" or before in "?&;" or (before in "\"'" and _is_mixed(bare)):
            yield from _value(text, *bare.span(), kind)
    elif not prose and (in_if(text, start) or (sign["sign"] in ("=", ":=") and in_comment(text, start))):
        yield from _value(text, *bare.span(), kind, is_regex=is_regex)


def _is_mixed(word: re.Match[str]) -> bool:
    return compiled(_MIXED).match(word[word.lastindex or 0]) is not None


def _is_argument(text: str, start: int, name: str, sign: re.Match[str]) -> bool:
    """Whether the text that follows is given to a function together with its name: ``set("X-Api-Key", "…")``, ``auth("…")``."""
    if sign["call"] == ",":
        return bool(sign["close"]) and text[max(start - 2, 0) : start - 1] == "("
    return name == "auth" or name.startswith("set")


def _of_header(
    text: str, start: int, bare: re.Match[str], kind: Kind, sign: re.Match[str], before: str
) -> Found:
    """A header, an entry of a table or a remark, as ``NAME: VALUE`` or ``NAME:VALUE``; no host with its port."""
    in_quotes = before in "\"'"
    if not (in_quotes or before.isspace() or before in "{,(-#"):
        return
    comment = in_comment(text, start)
    if not sign["gap"] and (compiled(_PORT).match(bare[0]) or not (in_quotes or comment)):
        return
    rest = compiled(_TO_QUOTE).match(text, bare.end())
    assert rest is not None
    first = not text[max(text.rfind("\n", 0, start) + 1, start - _MOST_NAME) : start].strip(" \t-#/")
    closed = text[rest.end() : rest.end() + 1] in ('"', "'")
    whole = (in_quotes and closed) or (comment and first)
    if in_quotes or first or not rest[0].strip() or any(map(str.isdigit, bare[0])):
        yield from _value(text, bare.start(), rest.end() if whole else bare.end(), kind)


# -- DIRECTIVE NAME VALUE, DIRECTIVE VALUE


def _spaced(text: str, start: int, at: int, kind: Kind, before: str, comment: bool) -> Found:
    name = text[start:at].strip().strip("\"'")
    words = words_before(text, start - (before in "\"'"), comment=comment)
    if not words:
        yield from _of_directive(text, name, at, kind, comment)
    elif words[0] in _MAPS and not comment and len(words) < 3:
        yield from _of_map(text, at, kind, is_source=len(words) == 1)
    elif len(words) == 1 and words[0].startswith("set_by_lua"):
        code = compiled(_OF_CODE).match(text, at)
        word = compiled(_QUOTED).match(text, code.end()) if code else None
        if word is not None:
            yield from _parts(text, word, kind)
    elif len(words) == 1 and _takes_names(words[0], name, comment):
        word = compiled(_WORD).match(text, at)
        if word is not None:
            yield from _parts(text, word, kind)
    elif comment:
        yield from _remark(text, at)


def _takes_names(directive: str, name: str, comment: bool) -> bool:
    if directive in _WITH_NAMES or (directive in _REPLACING and "_" in name):
        return True
    if comment or not (name.startswith("$") or "_" in directive):
        return False
    return _is_unknown(directive)


def _is_unknown(directive: str) -> bool:
    from nginxaudit.nginx.directives import known_names

    return (
        compiled(r"[A-Za-z_][A-Za-z0-9_]*\Z").match(directive) is not None and directive not in known_names()
    )


def _of_directive(text: str, name: str, at: int, kind: Kind, comment: bool) -> Found:
    if name in _SECRET_ITSELF or (
        kind is Kind.SECRET and not comment and "_" in name and name.islower() and _is_unknown(name)
    ):
        word = compiled(_WORD).match(text, at)
        if word is not None:
            yield from _parts(text, word, Kind.SECRET)
    elif comment:
        yield from _remark(text, at)


def _remark(text: str, at: int) -> Found:
    """``# the password is hunter2``: a word with letters and digits behind the name."""
    said = compiled(r"(?:(?:is|was)[ \t]+)?[\"']?").match(text, at)
    word = compiled(_MIXED).match(text, said.end() if said else at)
    if word is not None and not compiled(_NO_SECRET).match(word[0]):
        yield *word.span(), Kind.WEAK


def _of_map(text: str, at: int, kind: Kind, *, is_source: bool) -> Found:
    """The entries of a map: what is on the left is compared with the first variable, what is on the right is the second one."""
    opening = text.find("{", at, at + _MOST_OPENING)
    if opening < 0 or not compiled(r"[\s$\w{}\"']*\Z").match(text[at:opening]):
        return
    entry: list[re.Match[str]] = []
    for match in compiled(_ENTRY).finditer(text, opening + 1):
        first = match[0][0]
        if first == ";":
            yield from _of_entry(text, entry, kind, is_source)
            entry = []
        elif first in "{}":
            return
        elif first != "#":
            entry.append(match)


def _of_entry(text: str, entry: list[re.Match[str]], kind: Kind, is_source: bool) -> Found:
    if len(entry) < 2 or (is_source and entry[0][0] in _MAP_WORDS):
        return
    word = entry[0] if is_source else entry[-1]
    yield from _parts(text, word, kind, is_regex=is_source and word[0].strip("\"'").startswith("~"))


def _parts(text: str, word: re.Match[str], kind: Kind, *, is_regex: bool = False) -> Found:
    """What is secret of a word, which may be in quotes."""
    yield from _value(text, *word.span(word.lastindex or 0), kind, is_regex=is_regex)


def _value(text: str, start: int, end: int, kind: Kind, *, is_regex: bool = False) -> Found:
    for first, last in secret_parts(text, start, end, kind, is_regex=is_regex):
        yield first, last, kind
