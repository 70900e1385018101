"""Repairs of arguments: values that nginx cannot read, missing quotes, words that are there twice."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from nginxaudit import edits
from nginxaudit.finding import Edit
from nginxaudit.hit import Hit
from nginxaudit.load.fields.zones import PAGE
from nginxaudit.load.types import buffers_of
from nginxaudit.load.usage import usable_facts
from nginxaudit.model import Model
from nginxaudit.repairs.common import found_word
from nginxaudit.repairs.syntax import NEAR_ENOUGH, likeness
from nginxaudit.syntax.tree import Directive, Token

Edits = tuple[Edit, ...] | None

_WRITE = re.compile(r'Write "(\w+)"\.')
_MEANT = re.compile(r'Did you mean "([^"]+)"\?')
_QUOTED = re.compile(r'"([^"]*)"')
_DIGITS = re.compile(r"\D+")
_RATE = re.compile(r"rate=(\d+)(?:r|req|requests?)?(?:/|p)(s|m)(?:ec|econd|in|inute)?", re.IGNORECASE)
_MEASURE = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)")
_SIZES = {"g": 1 << 30, "m": 1 << 20, "k": 1 << 10, "": 1}
_TIMES = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_UNITS = {
    "size": {unit: _SIZES[unit] for unit in ("m", "k", "")},
    "offset": _SIZES,
    "time-ms": _TIMES,
    "time-s": {unit: factor for unit, factor in _TIMES.items() if unit != "ms"},
}
_SIZE_WORDS = re.compile(r"(g|m|k|)(?:i?b|bytes?)?", re.IGNORECASE)
_TIME_WORDS = {
    "w": ("w", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds", ""),
    "ms": ("ms", "msec", "msecs"),
}
_FREE_TEXT = {
    "root": 0, "alias": 0, "auth_basic": 0, "proxy_set_body": 0, "ssl_ciphers": 0, "proxy_ssl_ciphers": 0,
    "set": 1, "proxy_set_header": 1, "grpc_set_header": 1, "add_header": 1, "add_trailer": 1,
    "fastcgi_param": 1, "uwsgi_param": 1, "scgi_param": 1, "return": 1,
}  # fmt: skip
"""Directives whose last argument may hold blanks, with the number of arguments before it."""
_WORDS_BEHIND = ("always", "if_not_empty")


# -- values


def value(hit: Hit, model: Model) -> Edits:
    """The value as nginx reads it: a flag, a number with a unit it knows, a word that was surely meant."""
    word = found_word(hit)
    if hit.node is None or word is None:
        return None
    flag = _WRITE.fullmatch(hit.help)
    rate = _RATE.fullmatch(word)
    if flag is not None:
        text = flag[1]
    elif rate is not None:
        text = f"rate={rate[1]}r/{rate[2].lower()}"
    else:
        text = _measure(hit.node, word, model) or _meant(hit, word) or ""
    return (edits.exchanged(hit.node, word, text),) if text and text != word else None


def _measure(node: Directive, word: Token, model: Model) -> str | None:
    """A size or a time with the same value in units of nginx."""
    kinds = {fact.type for fact in usable_facts(model, node)}
    found = _MEASURE.fullmatch(word)
    if len(kinds) != 1 or found is None or word is not node.args[0]:
        return None
    kind = kinds.pop()
    units = _UNITS.get(kind)
    unit = _unit(found[2], kind) if units is not None else None
    if units is None or unit is None:
        return None
    number = Fraction(found[1])
    if unit in units and number.denominator == 1:
        return f"{number}{unit}"
    return _whole(number * (_SIZES if unit in _SIZES and kind in ("size", "offset") else _TIMES)[unit], units)


def _unit(text: str, kind: str) -> str | None:
    if kind in ("size", "offset"):
        found = _SIZE_WORDS.fullmatch(text)
        return found[1].lower() if found else None
    if text == "M":  # months, for nginx
        return None
    return next((unit for unit, words in _TIME_WORDS.items() if text.lower() in words), None)


def _whole(amount: Fraction, units: Mapping[str, int]) -> str | None:
    """``amount`` in the largest unit in which it is a whole number."""
    for unit, factor in units.items():
        if amount and amount % factor == 0:
            return f"{amount / factor}{unit}"
    return None


def _meant(hit: Hit, word: Token) -> str | None:
    """The word that the finding suggests, unless it is far from what is written or differs by a number."""
    meant, said = _MEANT.match(hit.help), _QUOTED.search(hit.message)
    if meant is None or said is None:
        return None
    wrong, right = said[1], meant[1]
    before = word.removesuffix(wrong)
    if not wrong or not word.endswith(wrong) or (before and not before.endswith("=")) or "=" in wrong + right:
        return None
    if _DIGITS.sub("", wrong) != _DIGITS.sub("", right):
        return None
    near = wrong.startswith(right) or likeness(wrong.lower(), right.lower()) >= NEAR_ENOUGH
    return before + right if near else None


# -- quotes


def quoted_value(hit: Hit, model: Model) -> Edits:
    """The words of a value in one pair of quotes."""
    node = hit.node
    start = _FREE_TEXT.get(node.name) if node is not None else None
    if node is None or start is None or node.is_block or len(node.args) < start + 2:
        return None
    if node.name == "return" and (not node.args[0].isdigit() or node.args[0].startswith("3")):
        return None  # a URL has no blanks
    words = node.args[start:]
    if words[-1] in _WORDS_BEHIND:
        words = words[:-1]
    text = node.source.text[words[0].start : words[-1].end]
    quote = '"' if '"' not in text else "'"
    if len(words) < 2 or "\n" in text or quote in text or text.endswith("\\"):
        return None
    if node.args[0].lower() == "strict-transport-security":
        text = "; ".join(word.strip(",") for word in words)
    return (edits.replaced(node.source, words[0].start, words[-1].end, f"{quote}{text}{quote}"),)


# -- pass directives


def scheme(hit: Hit, model: Model) -> Edits:
    """The scheme that the directive knows; ``https`` where the port says so."""
    node, word = hit.node, found_word(hit)
    if node is None or word is None or model.family_of(node) != "http":
        return None
    written, mark, rest = word.partition("://")
    if node.name == "proxy_pass":
        found = re.fullmatch(r"(?:unix:/.+|\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d+))?(?:/.*)?", word)
        if mark or found is None:
            return None
        text = ("https://" if found[1] in ("443", "8443") else "http://") + word
    elif not mark or written.lower() not in ("http", "https"):
        return None
    elif node.name == "grpc_pass":
        text = ("grpc://" if written.lower() == "http" else "grpcs://") + rest
    else:
        text = rest.removesuffix("/")
    if "/" in text.partition("://")[2] and node.name == "grpc_pass":
        return None  # a path has no place there
    quote = edits.written(node, word)[0] if word.quoted else ""
    return (edits.exchanged(node, word, f"{quote}{text}{quote}"),)


# -- twice


def duplicate(hit: Hit, model: Model) -> Edits:
    """The later one of two equal lines taken out; of different ones nobody knows which is meant."""
    node = hit.node
    if node is None or node.is_block or not hit.related or not edits.on_one_line(node):
        return None
    first = hit.related[0][1]
    last = node.args[-1].end if node.args else node.name_end
    own = node.source.text[node.start : last]
    if first.source is node.source and first.start == node.start:
        return None  # one line, in a file that is included twice
    if own.split() != first.source.text[first.start : first.end].split():
        return None
    if node.via is not None and model.config.entered.get(node.source.path, 1) > 1:
        return None  # in other places the file stands in it is the only one
    return (edits.deleted(node),)


def mime_type(hit: Hit, model: Model) -> Edits:
    """The type taken out of the list; of an extension the line that has no effect."""
    node, word = hit.node, found_word(hit)
    if node is None or word is None or node.parent is None:
        return None
    return _extension(node, word) if node.parent.name == "types" else _listed(node, word, model)


def _listed(node: Directive, word: Token, model: Model) -> Edits:
    kinds = [token.lower() for token in node.args]
    left = set(kinds) - {"text/html"} if node.name in _ALWAYS_HTML else set(kinds)
    if left:
        return (edits.without(node, word),)
    outer = any(block.first(node.name) for block in list(node.ancestors())[1:])
    return None if outer or not edits.on_one_line(node) else (edits.deleted(node),)


_ALWAYS_HTML = frozenset({"gzip_types", "sub_filter_types", "ssi_types"})


def _extension(node: Directive, word: Token) -> Edits:
    """The last line wins: the extension goes out of the one before it."""
    if node.parent is None:
        return None
    numbers, places = _places(node.parent)
    own = places.get(word.lower(), [])
    before = bisect_left(own, numbers[node])
    if not before:
        return None
    losing = own[before - 1]
    line = node.parent.children[losing]
    if line.source is not node.source:
        return None
    if all(places[each][-1] > losing for each in _lower(line)):
        return (edits.deleted(line),) if edits.on_one_line(line) else None
    return tuple(edits.without(line, token) for token in line.args if token.lower() == word.lower())


@lru_cache(maxsize=4)
def _places(block: Directive) -> tuple[dict[Directive, int], dict[str, list[int]]]:
    """The number of each line of a block, and for each word the numbers of the lines that have it."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(block.children):
        for each in _lower(line):
            places.setdefault(each, []).append(number)
    return {line: number for number, line in enumerate(block.children)}, places


def _lower(line: Directive) -> list[str]:
    return [token.lower() for token in line.args] if line.name != "include" else []


# -- buffers


def buffers(hit: Hit, model: Model) -> Edits:
    """Buffers large and many enough; where the busy ones alone are too large, these are made smaller."""
    node = hit.node
    block = node.parent if node is not None else None
    if node is None or block is None:
        return None
    protocol = node.name.partition("_")[0]
    lines = {
        size: model.effective(block, f"{protocol}_{size}")
        for size in ("buffers", "busy_buffers_size", "temp_file_write_size", "max_temp_file_size")
    }
    one = model.size(block, f"{protocol}_buffer_size", PAGE)
    busy = model.size(block, f"{protocol}_busy_buffers_size", 0)
    try:
        number, size = buffers_of(lines["buffers"][0]) if lines["buffers"] else (8, PAGE)
    except ValueError:
        return None
    if one is None or busy is None:
        return None
    largest = max(one, size)
    room = (number - 1) * size
    for name in ("busy_buffers_size", "temp_file_write_size"):
        least = model.size(block, f"{protocol}_{name}", largest)
        if least is not None and least < largest and number >= 2:
            return _set(block, lines[name], _size(2 * largest))
    if number >= 2 and largest <= room < busy:
        return _set(block, lines["busy_buffers_size"], _size(room))
    if number >= 2 and (busy or 2 * largest) <= room:
        return None  # something else is wrong
    count = max(number if number > 2 else 8, -(-busy // largest) + 1)
    text = f"{count} {_size(largest)}"
    here = _set(block, lines["buffers"], text)
    return here or (edits.after(node, f"{protocol}_buffers {text};"),)


def _size(value: int) -> str:
    return str(value) if value % 1024 else f"{value // 1024}k"


def _set(block: Directive, lines: list[Directive], text: str) -> Edits:
    """The line of ``block`` itself with ``text`` as its value."""
    return (
        (edits.rewritten(lines[0], f"{lines[0].name} {text}"),)
        if lines and lines[0].parent is block
        else None
    )
