"""Rules side by side: the work is cut into pieces, and each process takes the next one when it is done with its last.

The processes are forks of this one, made when everything has been read: nothing is copied to them, and what they
find comes back as plain data in which directives and texts are named by their identity, which a fork shares.
"""

from __future__ import annotations

import gc
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, NoReturn

from msgspec import Struct, msgpack

from nginxaudit.engine.results.report import RuleCrash
from nginxaudit.engine.run.tasks import Outcome, Task, apply
from nginxaudit.finding import Confidence, Fix, Severity, Witness
from nginxaudit.hit import Hit, Place
from nginxaudit.model import Model
from nginxaudit.nginx import Stretch

_LARGE = 1_000  # directives of a configuration whose rules are worth being spread over processes
_PIECE = struct.Struct("=I")
_SPARE = 32  # files that are left to be opened
_AT_ONCE = 4096  # bytes that a pipe takes in one piece on every system (PIPE_BUF)


class _PackedPlace(Struct, frozen=True, array_like=True):
    """A `Place`, its text and include as identities."""

    source: int
    start: int
    end: int
    via: int | None


class _Packed(Struct, frozen=True, array_like=True):
    """A `Hit` of the task number ``task`` on the model number ``model``."""

    model: int
    task: int
    place: _PackedPlace
    message: str
    node: int | None
    related: list[tuple[str, _PackedPlace]]
    severity: Severity | None
    confidence: Confidence | None
    rejected: bool | None
    help: str
    why: str
    fix: Fix | None
    versions: tuple[Stretch, ...]
    witness: Witness | None
    cause: str


class _Found(Struct, frozen=True, array_like=True):
    """What the tasks of one piece found; crashes with the number of their model."""

    hits: list[_Packed]
    crashes: list[tuple[int, RuleCrash]]


class _Piece(Struct, frozen=True):
    """Some of the tasks on some of the models, by their numbers."""

    models: range
    tasks: tuple[int, ...]


def run_side_by_side(
    models: Sequence[Model], tasks: Sequence[Task], most_fixed: int, count: int
) -> Iterator[Outcome]:
    """Like `nginxaudit.engine.run.all_rules.run`, in ``count`` processes. What a process that died owes is done here."""
    pieces = list(_pieces(models, tasks, count))

    def do(number: int) -> _Found:
        return _done(pieces[number], models, tasks, most_fixed)

    results = _spread(do, len(pieces), min(count, len(pieces)) - 1)
    for number in range(len(pieces)):
        if number not in results:
            results[number] = do(number)
    return _joined(results, models, tasks)


def _pieces(models: Sequence[Model], tasks: Sequence[Task], count: int) -> Iterator[_Piece]:
    """A large configuration by groups of rules, small ones together with all rules; what takes longest comes first."""
    every = tuple(range(len(tasks)))
    groups = _groups(tasks)
    total = sum(model.config.count for model in models)
    share = max(total // (count * 8), _LARGE)
    start, size = 0, 0
    for number, model in enumerate(models):
        if model.config.count >= share:
            if start < number:
                yield _Piece(range(start, number), every)
            yield from (_Piece(range(number, number + 1), group) for group in groups)
            start, size = number + 1, 0
            continue
        size += model.config.count
        if size >= share:
            yield _Piece(range(start, number + 1), every)
            start, size = number + 1, 0
    if start < len(models):
        yield _Piece(range(start, len(models)), every)


def _groups(tasks: Sequence[Task]) -> list[tuple[int, ...]]:
    """The tasks whose checks stand in one module: they ask the model for the same things."""
    groups: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault(task.room, []).append(number)
    return sorted(map(tuple, groups.values()), key=len, reverse=True)


def _done(piece: _Piece, models: Sequence[Model], tasks: Sequence[Task], most_fixed: int) -> _Found:
    found = _Found([], [])
    for number in piece.models:
        for task in piece.tasks:
            outcome = Outcome()
            apply(tasks[task], models[number], most_fixed, outcome)
            found.hits.extend(_packed(number, task, hit) for _, hit in outcome.hits)
            found.crashes.extend((number, each) for each in outcome.crashes)
    return found


# -- processes


def _spread(do: Callable[[int], _Found], count: int, helpers: int) -> dict[int, _Found]:
    """What ``do`` makes of the numbers below ``count``, in this process and in ``helpers`` more.

    Nothing where the system has no pipe for us; what is missing is done by the caller.
    """
    try:
        reader, writer = os.pipe()
    except OSError:
        return {}
    step = -(
        -count // (_AT_ONCE // _PIECE.size)
    )  # numbers that are taken together, where there are very many
    os.write(writer, b"".join(map(_PIECE.pack, range(0, count, step))))
    os.close(writer)
    children: list[tuple[int, IO[bytes]]] = []
    gc.freeze()  # a collection in a child would touch, and so copy, all that it shares
    try:
        for _ in range(helpers):
            # Where the system has no more files, or processes, for us, those that there are do it.
            try:
                file = _memory()
            except OSError:
                break
            try:
                child = os.fork() if _leaves_room(file.fileno()) else None
            except OSError:
                child = None
            if child is None:
                file.close()
                break
            if child == 0:
                _help(do, _numbers(reader, count, step), file)
            children.append((child, file))
        results = {number: do(number) for number in _numbers(reader, count, step)}
    finally:
        gc.unfreeze()
        os.close(reader)
        statuses = [os.waitpid(child, 0)[1] for child, _ in children]
    for (_, file), status in zip(children, statuses, strict=True):
        with file:
            if status == 0:
                file.seek(0)
                results.update(_decoded(file.read()))
    return results


def _help(do: Callable[[int], _Found], numbers: Iterable[int], file: IO[bytes]) -> NoReturn:
    """What a child does. It must not return, and not run what its parent has registered for its end."""
    status = 1
    try:
        file.write(_encoded({number: do(number) for number in numbers}))
        file.flush()
        status = 0
    finally:
        os._exit(status)


def _numbers(reader: int, count: int, step: int) -> Iterator[int]:
    while data := os.read(reader, _PIECE.size):
        first = _PIECE.unpack(data)[0]
        yield from range(first, min(first + step, count))


def _encoded(results: dict[int, _Found]) -> bytes:
    """For `_decoded`. Words with bytes that are no UTF-8 have no place in MessagePack."""
    try:
        return b"m" + msgpack.encode(results)
    except UnicodeEncodeError:
        import pickle

        return b"p" + pickle.dumps(results)


def _decoded(data: bytes) -> dict[int, _Found]:
    if data[:1] == b"m":
        return msgpack.decode(memoryview(data)[1:], type=dict[int, _Found])
    import pickle

    found: dict[int, _Found] = pickle.loads(data[1:])
    return found


def _leaves_room(descriptor: int) -> bool:
    """Whether rules can still open files when ``descriptor``, the highest one, is in use."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most == resource.RLIM_INFINITY or descriptor + _SPARE < most


def _memory() -> IO[bytes]:
    """A file without a name that a child leaves its results in; on the disk where there is no other way."""
    if hasattr(os, "memfd_create"):
        with suppress(OSError):  # a sandbox may forbid it
            return open(os.memfd_create("nginxaudit"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()


# -- hits as plain data


def _packed(model: int, task: int, hit: Hit) -> _Packed:
    return _Packed(
        model,
        task,
        _place(hit.place),
        str(hit.message),
        id(hit.node) if hit.node is not None else None,
        [(str(word), _place(place)) for word, place in hit.related],
        hit.severity,
        hit.confidence,
        hit.rejected,
        str(hit.help),
        str(hit.why),
        hit.fix,
        hit.versions,
        hit.witness,
        str(hit.cause),
    )


def _place(place: Place) -> _PackedPlace:
    return _PackedPlace(
        id(place.source), place.start, place.end, id(place.via) if place.via is not None else None
    )


class _Unpacker:
    """Puts the texts and directives of one configuration in the place of their identities."""

    def __init__(self, model: Model) -> None:
        self._sources = {id(source): source for source in (model.config.main, *model.config.sources.values())}
        self._nodes = {id(node): node for node in (model.config.top, *model.config.top.walk())}

    def hit(self, packed: _Packed) -> Hit:
        return Hit(
            self._place(packed.place),
            packed.message,
            None if packed.node is None else self._nodes[packed.node],
            tuple((word, self._place(each)) for word, each in packed.related),
            packed.severity,
            packed.confidence,
            packed.rejected,
            packed.help,
            packed.why,
            fix=packed.fix,
            versions=packed.versions,
            witness=packed.witness,
            cause=packed.cause,
        )

    def _place(self, place: _PackedPlace) -> Place:
        via = None if place.via is None else self._nodes[place.via]
        return Place(self._sources[place.source], place.start, place.end, via)


def _joined(results: dict[int, _Found], models: Sequence[Model], tasks: Sequence[Task]) -> Iterator[Outcome]:
    """One outcome for each model, its hits in the order of the tasks."""
    found: list[list[_Packed]] = [[] for _ in models]
    crashes: list[list[RuleCrash]] = [[] for _ in models]
    order = {task.rule.slug: number for number, task in enumerate(tasks)}
    for number in sorted(results):
        for packed in results[number].hits:
            found[packed.model].append(packed)
        for model_number, crash in results[number].crashes:
            crashes[model_number].append(crash)
    for model, hits, broken in zip(models, found, crashes, strict=True):
        outcome = Outcome()
        if hits:
            unpack = _Unpacker(model).hit
            hits.sort(key=_task)  # stable: a task's hits stay in their order
            outcome.hits = [(tasks[each.task].rule, unpack(each)) for each in hits]
        outcome.crashes = sorted(broken, key=lambda crash: order[crash.rule])
        yield outcome


def _task(packed: _Packed) -> int:
    return packed.task
