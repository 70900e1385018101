"""Hash tables for which nginx finds no size: it warns, and uses fewer buckets than the keys need.

``ngx_hash_init`` (src/core/ngx_hash.c) tries every number of buckets up to the largest, until no bucket overflows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.load.base import LoadState, Mistake, finally_
from nginxaudit.load.fields.hashes import (
    POINTER,
    bucket_size,
    element_size,
    has_host_names,
    is_wildcard,
    keys_of,
    number_set,
)
from nginxaudit.load.fields.warnings import warning
from nginxaudit.model.sockets import Socket
from nginxaudit.syntax.tree import Directive

_DEFAULTS = {"server_names_hash": 512, "map_hash": 2048}
"""Largest numbers of buckets."""
_MANY = 10_000  # a largest number above which nginx begins near it, where the keys are many
_NEAR = 1_000
_MOST_STEPS = (
    3_000_000  # keys that are put into buckets for all hashes of a configuration: then nothing is said
)


@finally_
def server_names(load: LoadState) -> Iterator[Mistake]:
    """Exact names of the servers of one address: the first address with too many is reported."""
    for family in ("http", "stream"):
        for socket in load.model.sockets(family).values():
            found = list(_without_size(load, socket.default.directive, "server_names_hash", _names(socket)))
            if found:
                yield from found
                break


def _names(socket: Socket) -> list[str]:
    """The keys; none where a name is not known, or nginx builds no hash."""
    names = [name for server in socket.servers for name in server.names]
    if len(socket.servers) < 2 or any(name.kind in ("hostname", "invalid") for name in names):
        return []
    return [name.name for name in names if name.kind in ("exact", "empty", "catch-all")]


@finally_
def maps(load: LoadState) -> Iterator[Mistake]:
    """Keys of ``map`` that are texts."""
    for block in load.model.config.named("map"):
        if block.is_block and not load.model.unknown_inside(block):
            hostnames = has_host_names(block)
            keys = [key for key, _ in keys_of(block) if not (hostnames and is_wildcard(key))]
            yield from _without_size(load, block, "map_hash", keys)


def _without_size(load: LoadState, node: Directive, name: str, keys: list[str]) -> Iterator[Mistake]:
    """Nginx's warning if it finds no size for the hash ``name``, as it is set around ``node``."""
    scope = node.parent or node
    most = number_set(load, scope, f"{name}_max_size", _DEFAULTS[name])
    bucket = bucket_size(load, scope, name)
    if most is None or bucket is None or _fits(load, list(dict.fromkeys(keys)), most, bucket):
        return
    yield warning(
        node.word,
        f"could not build optimal {name}, you should increase either {name}_max_size: {most} or {name}_bucket_size: {bucket}",
        f"Increase {name}_max_size or {name}_bucket_size.",
        node,
        why="nginx ignores the size of the buckets then: looking up a key takes longer.",
    )


def _fits(load: LoadState, keys: list[str], most: int, bucket: int) -> bool:
    """Whether nginx finds a number of buckets up to ``most`` in which ``bucket`` bytes hold the ``keys`` of each."""
    room = bucket - POINTER
    elements = [(_hash(key), element_size(key)) for key in keys]
    if any(size > room for _, size in elements):
        return True  # refused for that
    first = max(len(keys) // (room // (2 * POINTER)), 1)
    if most > _MANY and keys and most // len(keys) < 100:
        first = most - _NEAR
    for buckets in range(first, most + 1):
        done = _filled(elements, buckets, room)
        load.hash_steps += done
        if done == len(elements) or load.hash_steps > _MOST_STEPS:
            return True
    return False


def _filled(elements: Iterable[tuple[int, int]], buckets: int, room: int) -> int:
    """How many elements go into ``buckets`` before one overflows."""
    used: dict[int, int] = {}
    done = 0
    for key, size in elements:
        at = key % buckets
        total = used.get(at, 0) + size
        if total > room:
            return done
        used[at] = total
        done += 1
    return done


def _hash(key: str) -> int:
    """``ngx_hash_key_lc``."""
    value = 0
    for byte in key.lower().encode("utf-8", "surrogateescape"):
        value = (value * 31 + byte) & 0xFFFF_FFFF_FFFF_FFFF
    return value
