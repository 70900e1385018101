"""Variables that ``map``, ``geo`` and ``split_clients`` make of others.

The order of a search is that of ``ngx_http_map_find`` (src/http/ngx_http_variables.c): exact text in any case, wildcards
where ``hostnames`` is written, regular expressions in order, ``default``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from nginxaudit.model.access import read_network
from nginxaudit.model.regex import to_bytes
from nginxaudit.request.addresses import number_of
from nginxaudit.request.flight import Flight, Unknown, Value
from nginxaudit.request.uri import is_number, lower
from nginxaudit.syntax.tree import Directive

_Evaluate = Callable[[Flight, str], Value]
_FLAGS = frozenset({"hostnames", "volatile", "include", "ranges"})
_MOST_CANDIDATES = 16


class _Map(Struct, frozen=True):
    """A ``map`` block ready to be searched."""

    hostnames: bool
    exact: dict[str, Directive]
    leading: dict[str, Directive]
    trailing: dict[str, Directive]
    regexes: tuple[tuple[str, bool, Directive], ...]
    default: Directive | None
    complete: bool


def map_value(flight: Flight, block: Directive, name: str, evaluate: _Evaluate) -> Value:
    """The value of the variable ``name`` that ``block`` defines."""
    if len(block.args) < (1 if block.name == "geo" else 2):
        return Unknown(f"${name}", f"nginx would not load this {block.name}", name=name)
    if block.name == "map":
        return _map(flight, block, name, evaluate)
    if block.name == "geo":
        return _geo(flight, block, name, evaluate)
    if block.name == "split_clients":
        return _split(flight, block, name, evaluate)
    return Unknown(f"${name}", f"{block.name} computes it", name=name)


def _read(flight: Flight, block: Directive) -> _Map:
    tables: dict[Directive, _Map] = flight.model.once(_maps)
    found = tables.get(block)
    if found is None:
        found = tables[block] = _read_map(block, not flight.model.unknown_inside(block))
    return found


def _maps(model: object) -> dict[Directive, _Map]:
    return {}


def _read_map(block: Directive, complete: bool) -> _Map:
    hostnames = block.first("hostnames") is not None
    exact: dict[str, Directive] = {}
    leading: dict[str, Directive] = {}
    trailing: dict[str, Directive] = {}
    regexes: list[tuple[str, bool, Directive]] = []
    default: Directive | None = None
    for line in block.children:
        key = str(line.name)
        if (not line.args and key in _FLAGS) or (key == "include" and line.args):
            continue
        if key == "default" and line.args:
            default = line
        elif key.startswith("~"):
            caseless = key.startswith("~*")
            regexes.append((key[2 if caseless else 1 :], caseless, line))
        else:
            key = lower(key[1:] if key.startswith("\\") else key)
            _enter(key, line, hostnames, exact, leading, trailing)
    return _Map(hostnames, exact, leading, trailing, tuple(regexes), default, complete)


def _enter(
    key: str,
    line: Directive,
    hostnames: bool,
    exact: dict[str, Directive],
    leading: dict[str, Directive],
    trailing: dict[str, Directive],
) -> None:
    if hostnames and key.startswith("."):
        exact.setdefault(key[1:], line)
        leading.setdefault(key, line)
    elif hostnames and key.startswith("*."):
        leading.setdefault(key[1:], line)
    elif hostnames and key.endswith(".*"):
        trailing.setdefault(key[:-1], line)
    else:
        exact.setdefault(key, line)


def _map(flight: Flight, block: Directive, name: str, evaluate: _Evaluate) -> Value:
    table = _read(flight, block)
    source = evaluate(flight, block.args[0])
    if isinstance(source, Unknown) and source.candidates:
        values = {_of(table, flight, each, name, evaluate) for each in source.candidates}
        if len(values) == 1 or all(isinstance(each, str) for each in values):
            return _one_of(name, source.reason, [each for each in values if isinstance(each, str)])
    if isinstance(source, Unknown):
        lines = [*table.exact.values(), *table.leading.values(), *table.trailing.values()]
        lines += [line for _, _, line in table.regexes]
        texts = [str(line.args[0]) for line in lines if line.args]
        texts.append(str(table.default.args[0]) if table.default else "")
        if not table.complete or any("$" in text for text in texts):
            return Unknown(f"${name}", f"{source.shown} decides it: {source.reason}", name=name)
        return _one_of(name, f"{source.shown} decides it: {source.reason}", texts)
    return _of(table, flight, source, name, evaluate)


def _one_of(name: str, reason: str, values: list[str]) -> Value:
    different = tuple(dict.fromkeys(values))
    if len(different) == 1:
        return different[0]
    return Unknown(f"${name}", reason, different if len(different) <= _MOST_CANDIDATES else (), name)


def _of(table: _Map, flight: Flight, source: str, name: str, evaluate: _Evaluate) -> Value:
    line = _find(table, flight, source)
    if line is None:
        line = table.default
        if not table.complete:
            return Unknown(f"${name}", "a file that is included into the map could not be read", name=name)
    if line is None or not line.args:
        return ""
    return evaluate(flight, str(line.args[0]))


def _find(table: _Map, flight: Flight, source: str) -> Directive | None:
    key = lower(source)
    if table.hostnames:
        key = key.removesuffix(".")
    found = table.exact.get(key)
    if found is None and table.hostnames:
        found = _wildcard(table, key)
    if found is not None or not source:
        return found
    for pattern, caseless, line in table.regexes:
        if flight.matches(pattern, source, caseless, line):
            return line
    return None


def _wildcard(table: _Map, key: str) -> Directive | None:
    dots = [at for at, char in enumerate(key) if char == "."]
    for at in dots:
        if at and key[at:] in table.leading:
            return table.leading[key[at:]]
    for at in reversed(dots):
        if key[: at + 1] in table.trailing:
            return table.trailing[key[: at + 1]]
    return None


# -- geo


class _Geo(Struct, frozen=True):
    """A ``geo`` block: networks as first and last number with their bits, the most exact first; ranges in order."""

    networks: tuple[tuple[int, int, int, str], ...]  # version, first, last, value
    default: str
    odd: bool  # something that is not followed: proxy, delete
    values: tuple[str, ...]


def _geo(flight: Flight, block: Directive, name: str, evaluate: _Evaluate) -> Value:
    tables: dict[Directive, _Geo] = flight.model.once(_geos)
    table = tables.get(block)
    if table is None:
        table = tables[block] = _read_geo(block)
    if table.odd or flight.model.unknown_inside(block):
        return Unknown(f"${name}", "geo with proxy, delete or an unread file", table.values, name)
    source = evaluate(flight, block.args[0] if len(block.args) > 1 else "$remote_addr")
    if isinstance(source, Unknown):
        return _one_of(name, f"{source.shown} decides it: {source.reason}", list(table.values))
    number = number_of(source)
    if number is None:
        return table.default
    version, address = number
    for of, first, last, text in table.networks:
        if of == version and first <= address <= last:
            return text
    return table.default


def _geos(model: object) -> dict[Directive, _Geo]:
    return {}


def _read_geo(block: Directive) -> _Geo:
    networks: list[tuple[int, int, int, str]] = []
    default, odd = "", False
    ranges = any(line.name == "ranges" and not line.args for line in block.children)
    for line in block.children:
        if not line.args or line.name == "include":
            continue
        text = str(line.args[0])
        if line.name == "default":
            default = text
        elif line.name in ("proxy", "delete"):
            odd = True
        elif (entry := _range(line.name) if ranges else _network(line.name)) is not None:
            networks.append((*entry, text))
    networks.sort(key=lambda entry: entry[2] - entry[1])
    found = tuple([(version, first, last, text) for version, first, last, text in networks])
    return _Geo(found, default, odd, tuple(dict.fromkeys([*(entry[3] for entry in found), default])))


def _network(text: str) -> tuple[int, int, int] | None:
    found = read_network(text)
    if found is None:
        return None
    network = found[0]
    return network.version, int(network.network_address), int(network.broadcast_address)


def _range(text: str) -> tuple[int, int, int] | None:
    first, _, last = text.partition("-")
    begin, end = number_of(first), number_of(last or first)
    return (begin[0], begin[1], end[1]) if begin and end else None


# -- split_clients


def _split(flight: Flight, block: Directive, name: str, evaluate: _Evaluate) -> Value:
    shares = _shares(
        tuple([(str(line.name), str(line.args[0]) if line.args else "") for line in block.children])
    )
    source = evaluate(flight, block.args[0])
    if isinstance(source, Unknown):
        texts = [text for _, text in shares] + ([] if shares and shares[-1][0] is None else [""])
        return _one_of(name, f"{source.shown} decides it: {source.reason}", texts)
    number = murmur2(to_bytes(source))
    return next((text for limit, text in shares if limit is None or number < limit), "")


@lru_cache(maxsize=64)
def _shares(lines: tuple[tuple[str, str], ...]) -> tuple[tuple[int | None, str], ...]:
    """Upper bounds of the hash with their values; None for the rest (``ngx_conf_split_clients_block``)."""
    found: list[tuple[int | None, str]] = []
    total = last = 0
    for share, text in lines:
        percent = 0 if share == "*" else _percent(share)
        total = total + percent if percent else 10000
        if not percent or total == 10000:
            found.append((None, text))
            continue
        last += percent * 0xFFFFFFFF // 10000
        found.append((last, text))
    return tuple(found)


def _percent(share: str) -> int:
    """Hundredths of a percent; 0 for what nginx refuses."""
    whole, _, part = share.removesuffix("%").partition(".")
    part = f"{part}00"[:2]
    return int(whole + part) if is_number(whole + part) else 0


def murmur2(data: bytes) -> int:
    """``ngx_murmur_hash2`` (src/core/ngx_murmurhash.c)."""
    size, mask, factor = len(data), 0xFFFFFFFF, 0x5BD1E995
    found = size
    at = 0
    while size - at >= 4:
        word = int.from_bytes(data[at : at + 4], "little") * factor & mask
        word = (word ^ (word >> 24)) * factor & mask
        found = (found * factor & mask) ^ word
        at += 4
    if rest := data[at:]:
        found = (found ^ int.from_bytes(rest, "little")) * factor & mask
    found = (found ^ (found >> 13)) * factor & mask
    return found ^ (found >> 15)
