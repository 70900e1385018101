"""The top level and ``events``: processes, connections, modules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Applicability, Confidence, Fix
from nginxaudit.load.base import (
    INVALID,
    LoadState,
    Mistake,
    Use,
    finally_,
    invalid,
    one_of,
    option,
    parsed,
    positive,
    reads,
    repeated,
)
from nginxaudit.load.fields.hashes import LARGEST_BUCKET, whole_lines
from nginxaudit.nginx import parse_number
from nginxaudit.nginx.modules import module_of_file
from nginxaudit.nginx.names import FAMILIES
from nginxaudit.syntax.tree import Config, Directive

_EVENT_METHODS = ("epoll", "poll", "select", "kqueue", "eventport", "/dev/poll")
_WORLDS = ("events", *FAMILIES)


@reads("worker_processes", family="main")
def worker_processes(use: Use) -> Iterator[Mistake]:
    """``worker_processes number | auto``."""
    if use.args[0] != "auto":
        yield from parsed(parse_number, use.args[0])


@reads("worker_connections", "connections", family="main")
def worker_connections(use: Use) -> Iterator[Mistake]:
    """``worker_connections number``."""
    yield from parsed(parse_number, use.args[0])


@reads("worker_priority", family="main")
def worker_priority(use: Use) -> Iterator[Mistake]:
    """``worker_priority [-]number``."""
    token = use.args[0]
    yield from parsed(parse_number, token, token[1:] if token.startswith(("-", "+")) else token)


@reads("worker_cpu_affinity", family="main")
def worker_cpu_affinity(use: Use) -> Iterator[Mistake]:
    """``worker_cpu_affinity mask …`` or ``auto [mask]``."""
    masks = use.args[1:] if use.args[0] == "auto" else use.args
    if use.args[0] == "auto" and len(masks) > 1:
        yield invalid(masks[1], '"auto" takes one mask at most')
    for token in masks:
        if set(token) - {"0", "1", " "}:
            yield invalid(token, f'invalid CPU mask "{token}"', "A mask consists of 0 and 1.")


@reads("use", family="main")
def use_method(use: Use) -> Iterator[Mistake]:
    """``use method``."""
    yield from one_of(use.args[0], _EVENT_METHODS, "event method")


@reads("thread_pool", family="main")
def thread_pool(use: Use) -> Iterator[Mistake]:
    """``thread_pool name threads=N [max_queue=N]``."""
    threads = False
    for token in use.args[1:]:
        if (number := option(token, "threads")) is not None:
            threads = True
            yield from parsed(positive, token, number)
        elif (number := option(token, "max_queue")) is not None:
            yield from parsed(parse_number, token, number)
    if not threads:
        yield Mistake(INVALID, '"thread_pool" needs the parameter "threads"')
    earlier = use.load.first(use.node, "thread_pool", str(use.args[0]))
    if earlier is not None:
        message = f'the thread pool "{use.args[0]}" is defined twice'
        yield repeated(use, earlier, message, "Choose another name.", "first defined here")


@reads("load_module", family="main")
def load_module(use: Use) -> Iterator[Mistake]:
    """Modules are loaded before anything uses them, each once."""
    parent = use.node.parent
    if parent is None:
        return
    for node in parent.children:
        if node is use.node:
            break
        if node.name in _WORLDS and node.is_block:
            yield Mistake(
                "module-not-loaded",
                f'"load_module" is specified too late: it must precede "{node.name}"',
                None,
                "Move it to the top of the main file.",
                related=(("this comes first", node),),
            )
            break
    name = use.args[0].rsplit("/", 1)[-1]
    earlier = use.load.first(use.node, "load_module", name)
    if earlier is not None:
        message = f"the module {module_of_file(name) or name} is loaded twice"
        yield repeated(use, earlier, message, "Delete one of the two lines.", "first loaded here")


@finally_
def missing_events(load: LoadState) -> Iterator[Mistake]:
    """The main file needs an ``events`` block."""
    config = load.model.config
    if config.top.first("events") is not None or load.model.unknown_inside(config.top, direct=True):
        return
    first = next(iter(config.top.children), config.top)
    node = next((node for node in config.top.children if node.name in _WORLDS), first)
    surely = config.main.path.endswith("nginx.conf")
    yield Mistake(
        "missing-events-block",
        "the configuration has no events block: nginx refuses to start",
        node.word,
        'Add "events { }" at the top level.',
        node,
        confidence=None if surely else Confidence.MEDIUM,
        make_fix=partial(_with_events, config, surely),
    )


def _with_events(config: Config, surely: bool, node: Directive) -> Fix | None:
    """``events {}`` in the main file, before what is there first of http, stream and mail.

    A file that is not called nginx.conf may be one that another one includes.
    """
    at: Directive | None = node
    while at is not None and at is not config.top and at.source is not config.main:
        at = at.via
    if at is None:
        return None
    made = edits.last_line(config.main, "events {}") if at is config.top else edits.before(at, "events {}")
    return Fix("Add events", Applicability.SAFE if surely else Applicability.UNSAFE, (made,))


@finally_
def thread_pools(load: LoadState) -> Iterator[Mistake]:
    """Pools that ``aio threads=`` names."""
    if not load.model.config.is_whole:
        return
    pools = {str(node.args[0]) for node in load.model.config.named("thread_pool") if node.args} | {"default"}
    for node in load.model.config.named("aio"):
        name = option(node.args[0], "threads") if node.args else None
        if name is not None and "$" not in name and name not in pools:
            yield Mistake(
                INVALID,
                f'unknown thread pool "{name}"',
                node.args[0],
                "Define it with thread_pool.",
                node,
            )


@finally_
def enough_connections(load: LoadState) -> Iterator[Mistake]:
    """Listening sockets take connections, too."""
    written = [
        node
        for node in load.model.config.named("worker_connections")
        if node.args and node.context == "events"
    ]
    if not written or not written[0].args[0].isdigit():
        return
    number = int(written[0].args[0])
    ports = {
        (family, key.transport, key.kind, key.port or key.host)
        for family in FAMILIES
        for key in load.model.sockets(family)
        if key.kind != "name"
    }
    if number < len(ports) + 1:
        yield Mistake(
            INVALID,
            f"{number} worker_connections are not enough for {len(ports)} listening sockets: nginx refuses to start",
            written[0].args[0],
            "Raise the number: every connection to a client and to a server counts.",
            written[0],
        )


@reads(
    "types_hash_max_size", "types_hash_bucket_size", "variables_hash_max_size", "variables_hash_bucket_size",
    family="http stream",
)  # fmt: skip
def hash_sizes(use: Use) -> Iterator[Mistake]:
    """Hashes that are never empty need room, and buckets that two bytes can measure."""
    token, block = use.args[0], use.node.parent
    inherited = block is not None and block.name == "location" and not block.first("types")
    if not token.isdigit() or (use.name.startswith("types") and inherited):
        return  # the hash of the server is used
    if int(token) == 0:
        yield invalid(token, f'"{use.name}" must be greater than 0')
    elif use.name.endswith("bucket_size") and whole_lines(int(token)) > LARGEST_BUCKET:
        yield invalid(
            token, f"could not build {use.name.removesuffix('_bucket_size')}, too large {use.name}: {token}"
        )
