"""Hash tables for which nginx finds no size: it warns, and uses fewer buckets than the keys need.

``ngx_hash_init`` (src/core/ngx_hash.c) tries every number of buckets up to the largest, until no bucket overflows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.load.base import LoadState, Mistake, finally_
from nginxaudit.load.fields.hashes import element_size, whole_lines
from nginxaudit.load.fields.warnings import warning
from nginxaudit.model.sockets import Socket
from nginxaudit.syntax.tree import Directive

_POINTER = 8
_DEFAULTS = {"server_names_hash": 512, "map_hash": 2048}
"""Largest numbers of buckets; buckets have 64 bytes by default, on x86-64 and nearly all of ARM."""
_MANY = 10_000  # a largest number above which nginx begins near it, where the keys are many
_NEAR = 1_000
_MOST_STEPS = (
    3_000_000  # keys that are put into buckets for all hashes of a configuration: then nothing is said
)


@finally_
def server_names(load: LoadState) -> Iterator[Mistake]:
    """Exact names of the servers of one address, of which the first with too many is told."""
    for family in ("http", "stream"):
        for socket in load.model.sockets(family).values():
            names = _names(socket)
            if names and _tell(load, socket.default.directive, "server_names_hash", names):
                yield from _warned(load, socket.default.directive, "server_names_hash")
                break


def _names(socket: Socket) -> list[str]:
    """The keys; none where a name is not known, or nginx builds no hash."""
    names = [name for server in socket.servers for name in server.names]
    if len(socket.servers) < 2 or any(name.kind in ("hostname", "invalid") for name in names):
        return []
    return list(dict.fromkeys(name.name for name in names if name.kind in ("exact", "empty", "catch-all")))


@finally_
def maps(load: LoadState) -> Iterator[Mistake]:
    """Keys of ``map`` that are texts."""
    for block in load.model.config.named("map"):
        if not block.is_block or load.model.unknown_inside(block):
            continue
        wild = any(line.name == "hostnames" and not line.args for line in block.children)
        keys = [str(line.name).lower() for line in block.children if len(line.args) == 1]
        exact = [
            key.removeprefix("\\") for key in keys if key not in ("default", "include") and key[:1] != "~"
        ]
        exact = [key for key in exact if not wild or not (key.startswith(("*.", ".")) or key.endswith(".*"))]
        if _tell(load, block, "map_hash", list(dict.fromkeys(exact))):
            yield from _warned(load, block, "map_hash")


def _tell(load: LoadState, node: Directive, name: str, keys: list[str]) -> bool:
    sizes = _sizes(load, node, name)
    return sizes is not None and not _fits(load, keys, *sizes)


def _warned(load: LoadState, node: Directive, name: str) -> Iterator[Mistake]:
    most, bucket = _sizes(load, node, name) or (0, 0)
    yield warning(
        node.word,
        f"could not build optimal {name}, you should increase either {name}_max_size: {most} or {name}_bucket_size: {bucket}",
        f"Increase {name}_max_size or {name}_bucket_size.",
        node,
        why="nginx ignores the size of the buckets then: looking up a key takes longer.",
    )


def _sizes(load: LoadState, node: Directive, name: str) -> tuple[int, int] | None:
    """Largest number of buckets and bytes of each; None where they are not known."""
    scope = node.parent or node
    found = []
    for setting, default in ((f"{name}_max_size", _DEFAULTS[name]), (f"{name}_bucket_size", 64)):
        written = load.model.value(scope, setting)
        if load.model.may_be_set(scope, setting) or (written is not None and not written.isdecimal()):
            return None
        found.append(int(written) if written is not None else default)
    return found[0], whole_lines(found[1])


def _fits(load: LoadState, keys: list[str], most: int, bucket: int) -> bool:
    """Whether nginx finds a number of buckets up to ``most`` in which ``bucket`` bytes hold the ``keys`` of each."""
    room = bucket - _POINTER
    elements = [(_hash(key), element_size(key)) for key in keys]
    if any(size > room for _, size in elements):
        return True  # refused for that
    first = max(len(keys) // (room // (2 * _POINTER)), 1)
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
