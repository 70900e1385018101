"""Shared memory zones, caches and limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.hit import Edits
from nginxaudit.load.base import (
    INVALID,
    LoadState,
    Mistake,
    Reference,
    Use,
    Zone,
    finally_,
    invalid,
    option,
    parsed,
    positive,
    reads,
    repeated,
    unknown_parameter,
)
from nginxaudit.load.fields.paths import claim
from nginxaudit.load.scripts import script
from nginxaudit.model import Model
from nginxaudit.nginx import parse_number, parse_offset, parse_size, parse_time_ms, parse_time_s
from nginxaudit.nginx.names import CACHING
from nginxaudit.syntax.tree import Directive, Token

PAGE = 4096  # bytes of a memory page; nginx wants eight of them in a zone (src/core/ngx_slab.c)
_LEVELS = r"[12](?::[12]){0,2}"
_RATE = r"([0-9]+)(?:r/[sm])?"
_CACHES = tuple(f"{protocol}_cache" for protocol in CACHING)


def declare(
    use: Use, token: Token, purpose: str, text: str, *, at_least: int = 8 * PAGE, once: bool = True
) -> Iterator[Mistake]:
    """``name:size``: a zone of its own, large enough, with one purpose."""
    name, colon, size_text = text.partition(":")
    size = None
    try:
        if not name or not colon:
            raise ValueError(f'invalid zone "{text}": write name:size')
        size = parse_size(size_text)
    except ValueError as error:
        yield invalid(token, str(error))
    if name:
        yield from declare_sized(use, token, purpose, name, size, at_least=at_least, once=once)


def declare_sized(
    use: Use,
    token: Token,
    purpose: str,
    name: str,
    size: int | None,
    *,
    at_least: int = 8 * PAGE,
    once: bool = True,
) -> Iterator[Mistake]:
    """A zone with ``size`` in bytes, None where that is not known. It is declared even where nginx refuses its size."""
    if size is not None and size < at_least:
        yield Mistake(
            "shared-zone-too-small",
            f'the zone "{name}" has {size} bytes, nginx needs at least {at_least // 1024}k',
            token,
            f"Write {at_least // 1024}k or more.",
            make_fix=partial(_larger, token),
        )
        size = None  # which one is meant is not known
    earlier = use.load.zones.get(name)
    if earlier is None or (once and earlier.node is use.node):  # of two in one line, the last one counts
        use.load.zones[name] = Zone(purpose, size, use.node)
        return
    if earlier.purpose != purpose:
        why = "is already declared for another use"
    elif once:
        why = "is already declared"
    elif size is not None and earlier.size is not None and earlier.size != size:
        why = f"is already declared with {earlier.size} bytes"
    else:
        return
    yield Mistake(
        "shared-zone-conflict",
        f'the zone "{name}" {why}',
        token,
        "Choose another name.",
        related=(("declared here", earlier.node),),
    )


def _larger(token: Token, node: Directive) -> Edits:
    from nginxaudit.load.fixes.zones import larger

    return larger(token, node)


def refer(use: Use, token: Token, purpose: str, name: str) -> None:
    """Remember that a zone is used: it may be declared later."""
    use.load.zone_users.append((purpose, Reference(name, token, use.node, use.family)))


@finally_
def undefined_zones(load: LoadState) -> Iterator[Mistake]:
    """Zones that are used and never declared, or declared for something else."""
    for purpose, reference in load.zone_users:
        zone = load.zones.get(reference.name)
        if zone is None:
            if load.model.unread_files(reference.family):
                continue
            yield Mistake(
                "proxy-cache-zone-undefined" if purpose.startswith("cache") else "limit-zone-undefined",
                f'unknown zone "{reference.name}"',
                reference.token,
                "Declare the zone or correct the name.",
                reference.node,
                make_fix=partial(_declared, load.model, reference),
            )
        elif zone.purpose != purpose:
            yield Mistake(
                "shared-zone-conflict",
                f'the zone "{reference.name}" is declared for another use',
                reference.token,
                "Use a zone declared for this directive.",
                reference.node,
                (("declared here", zone.node),),
            )


def _declared(model: Model, reference: Reference, node: Directive) -> Edits:
    from nginxaudit.load.fixes.zones import declared

    return declared(model, reference, node)


# -- limits


@reads("limit_req_zone")
def limit_req_zone(use: Use) -> Iterator[Mistake]:
    """``limit_req_zone key zone=name:size rate=N r/s``."""
    yield from script(use, use.args[0])
    zone = False
    for token in use.args[1:]:
        if (text := option(token, "zone")) is not None:
            zone = True
            yield from declare(use, token, "limit_req", text)
        elif (rate := option(token, "rate")) is not None:
            found = re.fullmatch(_RATE, rate)
            if found is None or any(parsed(positive, token, found[1])):
                remedy = "Write a whole number of requests: 10r/s or 30r/m."
                yield invalid(token, f'invalid rate "{rate}"', remedy, partial(_rate, token, rate))
        elif token != "sync":
            yield unknown_parameter(token, use.name, ("zone", "rate"))
    if not zone:
        yield Mistake(INVALID, f'"{use.name}" needs the parameter "zone"')


def _rate(token: Token, text: str, node: Directive) -> Edits:
    from nginxaudit.load.fixes.measures import rate

    meant = rate(text)
    return (edits.exchanged(node, token, f"rate={meant}"),) if meant else None


@reads("limit_conn_zone", family="http stream")
def limit_conn_zone(use: Use) -> Iterator[Mistake]:
    """``limit_conn_zone key zone=name:size``."""
    yield from script(use, use.args[0])
    for token in use.args[1:]:
        text = option(token, "zone")
        if text is None:
            yield unknown_parameter(token, use.name, ("zone",))
        else:
            yield from declare(use, token, f"limit_conn {use.family}", text)


@reads("limit_req")
def limit_req(use: Use) -> Iterator[Mistake]:
    """``limit_req zone=name [burst=N] [delay=N | nodelay]``."""
    zone = ""
    for token in use.args:
        if (name := option(token, "zone")) is not None:
            zone = name
            refer(use, token, "limit_req", name)
        elif token.startswith(("burst=", "delay=")):
            yield from parsed(positive, token, token[6:])
        elif token != "nodelay":
            yield unknown_parameter(token, use.name, ("zone", "burst", "delay", "nodelay"))
            return
    if not zone:
        yield Mistake(INVALID, '"limit_req" needs the parameter "zone"')
    else:
        yield from _once(use, zone)


@reads("limit_conn", family="http stream")
def limit_conn(use: Use) -> Iterator[Mistake]:
    """``limit_conn zone number``."""
    zone, number = use.args
    refer(use, zone, f"limit_conn {use.family}", zone)
    yield from parsed(positive, number)
    if number.isdigit() and int(number) > 65535:
        yield invalid(number, "the number of connections must be less than 65536")
    yield from _once(use, zone)


def _once(use: Use, zone: str) -> Iterator[Mistake]:
    """One line per zone and block."""
    earlier = use.load.first(use.node, use.name, zone, id(use.node.parent))
    if earlier is not None:
        message = f'"{use.name}" with zone "{zone}" is duplicate in this block'
        yield repeated(use, earlier, message, "Keep the one you need.")


# -- caches


@reads(*(f"{name}_path" for name in _CACHES))
def cache_path(use: Use) -> Iterator[Mistake]:
    """``proxy_cache_path path keys_zone=name:size [parameters]``."""
    path, *rest = use.args
    zone: Token | None = None  # the last one counts
    for token in rest:
        name, _, value = token.partition("=")
        if name == "keys_zone":
            zone = token
        elif name == "levels":
            if not re.fullmatch(_LEVELS, value):
                yield invalid(token, f'invalid levels "{value}"', "Write up to three of 1 and 2: levels=1:2.")
        elif name in _CACHE_PARAMETERS:
            yield from parsed(_CACHE_PARAMETERS[name], token, value)
        else:
            yield unknown_parameter(token, use.name, ("keys_zone", "levels", *_CACHE_PARAMETERS))
            return
    if zone is None:
        yield Mistake(INVALID, f'"{use.name}" needs the parameter "keys_zone"')
    else:
        purpose = f"cache {use.name.removesuffix('_path')}"
        yield from declare(use, zone, purpose, zone[len("keys_zone=") :], at_least=2 * PAGE)
    yield from claim(use, path, [])


def _on_off(text: str) -> None:
    if text not in ("on", "off"):
        raise ValueError(f'"{text}" is neither "on" nor "off"')


_CACHE_PARAMETERS: dict[str, Callable[[str], object]] = {
    "inactive": parse_time_s,
    "max_size": parse_offset,
    "min_free": parse_offset,
    "use_temp_path": _on_off,
    "loader_files": parse_number,
    "loader_sleep": parse_time_ms,
    "loader_threshold": parse_time_ms,
    "manager_files": parse_number,
    "manager_sleep": parse_time_ms,
    "manager_threshold": parse_time_ms,
    "purger": _on_off,
    "purger_files": parse_number,
    "purger_sleep": parse_time_ms,
    "purger_threshold": parse_time_ms,
}


@reads(*_CACHES)
def cache(use: Use) -> Iterator[Mistake]:
    """``proxy_cache zone`` or ``off``."""
    zone = use.args[0]
    if zone == "off":
        return
    if "$" in zone:
        yield from script(use, zone)
    else:
        refer(use, zone, f"cache {use.name}", zone)
    yield from excluded(use, f"{use.name.removesuffix('_cache')}_store")


def excluded(use: Use, name: str) -> Iterator[Mistake]:
    """A mistake if a directive called ``name`` comes before this one in the same block: only one of them may be on."""
    for other in use.node.parent.children if use.node.parent else ():
        if other is use.node:
            return
        if other.name == name and other.args[:1] != ["off"]:
            yield Mistake(
                INVALID,
                f'"{use.name}" and "{name}" cannot be combined',
                None,
                related=(("given here", other),),
            )
            return


@reads(*(f"{name}_valid" for name in _CACHES))
def cache_valid(use: Use) -> Iterator[Mistake]:
    """``proxy_cache_valid [code …] time``."""
    *codes, time = use.args
    yield from parsed(parse_time_s, time)
    for code in codes:
        if code != "any" and not (code.isascii() and code.isdigit() and 100 <= int(code) <= 599):
            yield invalid(
                code,
                f'invalid status code "{code}": use 100 to 599',
                'Write codes, or "any", before the time.',
            )


@reads(*(f"{name}_key" for name in _CACHES))
def cache_key(use: Use) -> Iterator[Mistake]:
    """``proxy_cache_key text``."""
    yield from script(use, use.args[0])


@reads("ssl_session_cache", family="http stream mail")
def ssl_session_cache(use: Use) -> Iterator[Mistake]:
    """``ssl_session_cache off | none | [builtin[:size]] [shared:name:size]``."""
    for token in use.args:
        if token in ("off", "none", "builtin"):
            continue
        if token.startswith("builtin:"):
            yield from parsed(parse_number, token, token[8:])
        elif token.startswith("shared:") and len(token) > 7:
            yield from declare(use, token, f"ssl {use.family}", token[7:], once=False)
        else:
            yield invalid(
                token,
                f'invalid session cache "{token}"',
                "Write off, none, builtin:SIZE or shared:NAME:SIZE.",
            )
