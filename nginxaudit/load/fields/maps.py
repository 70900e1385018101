"""Blocks whose lines are data: map, geo, split_clients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nginxaudit.load.base import INVALID, Mistake, Use, invalid, reads, repeated
from nginxaudit.load.fields.rewriting import definition
from nginxaudit.load.forms import blocks_among_data, host_forms, network_error
from nginxaudit.load.scripts import expression, name_after_dollar, script, source_variable
from nginxaudit.nginx import Availability, directives, parse_inet4
from nginxaudit.syntax.tree import Directive

_PERCENT = r"[0-9]*(?:\.[0-9]{0,2})?%"
_SWITCHES = frozenset({"hostnames", "volatile", "ranges", "proxy_recursive"})
_DUPLICATE = "map-duplicate-key"


reads("map", "geo", "split_clients", family="http stream")(blocks_among_data)


@reads("charset_map")
def charset_map(use: Use) -> Iterator[Mistake]:
    """``charset_map from to { … }``: of its lines no more is judged."""
    yield from blocks_among_data(use)
    if len(use.args) != 2:
        return
    first, second = use.args
    pair = frozenset(token.lower() for token in use.args)
    if len(pair) == 1:
        yield invalid(second, f'"charset_map" between the same charsets "{first}" and "{second}"')
    elif first.lower() == "utf-8" and use.since(1, 31, 3):
        yield invalid(first, '"charset_map" with "utf-8" charset should be given in the second column')
    elif earlier := use.load.first(use.node, "charset_map", pair):
        yield repeated(
            use, earlier, f'duplicate "charset_map" between "{first}" and "{second}"', "Keep one of the two."
        )


@reads("map", family="http stream")
def map_block(use: Use) -> Iterator[Mistake]:
    """``map source $variable { … }``."""
    if not use.node.is_block or len(use.args) != 2:
        return
    source, target = use.args
    yield from script(use, source)
    yield from name_after_dollar(use, target)
    yield from definition(use, target, target[1:])
    hostnames = False
    keys: dict[object, Directive] = {}
    for line in use.node.children:
        if not line.args and _is_switch(use, line):
            hostnames = hostnames or line.name == "hostnames"
        elif line.name != "include":
            yield from _map_line(use, line, hostnames, keys)


def _is_switch(use: Use, line: Directive) -> bool:
    """A word without a value that the target knows, such as ``hostnames`` or ``ranges``."""
    return line.name in _SWITCHES and any(
        line.context in fact.contexts
        and f"_{use.family}_" in fact.module
        and fact.available(use.load.target) is Availability.YES
        for fact in directives(line.name)
    )


def _map_line(use: Use, line: Directive, hostnames: bool, keys: dict[object, Directive]) -> Iterator[Mistake]:
    if len(line.args) != 1:
        yield Mistake(
            INVALID,
            f"invalid number of the {use.name} parameters: a line has a key and one value",
            node=line,
            help="Put values with spaces in quotes; look for a missing semicolon.",
        )
        return
    yield from _at(line, script(Use(line, line.args, use.family, use.load), line.args[0]))
    key = str(line.name)
    if key.startswith("~"):
        pattern = key[2:] if key.startswith("~*") else key[1:]
        yield from _at(line, expression(use, line.word, pattern))
        return
    if key == "default":
        yield from _once(line, ("default",), keys)
        return
    key = key.removeprefix("\\").lower()
    if not hostnames:
        yield from _once(line, key, keys)
        return
    forms = host_forms(key)
    if forms is None:
        yield Mistake(INVALID, f'invalid host name or wildcard "{key}"', line.word, node=line)
        return
    for form in forms:
        yield from _once(line, form, keys)


def _once(line: Directive, key: object, keys: dict[object, Directive]) -> Iterator[Mistake]:
    earlier = keys.setdefault(key, line)
    if earlier is not line:
        yield Mistake(
            _DUPLICATE,
            f'duplicate "{line.name}"',
            line.word,
            "Keep one of the two lines.",
            line,
            (("first used here", earlier),),
        )


def _at(line: Directive, mistakes: Iterable[Mistake]) -> Iterator[Mistake]:
    """Mistakes found in a word of ``line``."""
    for mistake in mistakes:
        yield Mistake(mistake.rule, mistake.message, mistake.token, mistake.help, line)


@reads("geo", family="http stream")
def geo_block(use: Use) -> Iterator[Mistake]:
    """``geo [$address] $variable { … }``."""
    if not use.node.is_block:
        return
    yield from name_after_dollar(use, use.args[-1])
    if len(use.args) == 2:
        yield from source_variable(use, use.args[0])
    yield from definition(use, use.args[-1], use.args[-1][1:])
    ranges = networks = False
    for line in use.node.children:
        if not line.args and _is_switch(use, line):
            if line.name == "ranges" and networks and not ranges:
                yield Mistake(INVALID, '"ranges" must be the first line of "geo"', node=line)
            ranges = ranges or line.name == "ranges"
        elif len(line.args) != 1:
            yield Mistake(
                INVALID,
                "invalid number of the geo parameters: a line has a network and one value",
                node=line,
                help="Put values with spaces in quotes; look for a missing semicolon.",
            )
        elif line.name == "include":
            networks = True
        else:
            networks = networks or line.name != "proxy"
            yield from _geo_line(line, ranges)


def _geo_line(line: Directive, ranges: bool) -> Iterator[Mistake]:
    if line.name == "default":
        return
    token = line.args[0] if line.name in ("proxy", "delete") else line.word
    problem = _range_error(token) if ranges and line.name != "proxy" else network_error(token)
    if problem:
        yield Mistake(INVALID, problem, token, node=line)


def _range_error(text: str) -> str:
    first, dash, last = text.partition("-")
    try:
        start, end = parse_inet4(first), parse_inet4(last)
    except ValueError:
        return f'invalid IPv4 address range "{text}"'
    if not dash or start > end:
        return f'invalid range "{text}": the end is less than the start'
    return ""


@reads("split_clients", family="http stream")
def split_clients(use: Use) -> Iterator[Mistake]:
    """``split_clients text $variable { … }``."""
    if not use.node.is_block or len(use.args) != 2:
        return
    yield from script(use, use.args[0])
    yield from name_after_dollar(use, use.args[1])
    yield from definition(use, use.args[1], use.args[1][1:])
    total = 0.0
    for line in use.node.children:
        if line.name == "include":
            continue
        if line.name == "*":
            total = max(total, 100.0)  # the rest: nothing may come behind it
            continue
        number = str(line.name)[:-1]
        if not re.fullmatch(_PERCENT, line.name) or number in ("", ".") or float(number) == 0:
            yield Mistake(
                INVALID,
                f'invalid percent value "{line.name}"',
                line.word,
                "Write 0.5% or 50% with at most two digits after the decimal point, or * for the rest.",
                line,
            )
        else:
            total += float(number)
    if total > 100.001:
        yield Mistake(INVALID, f"the percentages add up to {total:g}, more than 100", use.args[1])
