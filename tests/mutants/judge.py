"""Whether the rule tests notice a mutant: a process per mutant, in which its module is imported with the change.

What the process that starts them has imported its children have, too: it imports nothing of nginxaudit before the
mutants of those modules are judged, and never a module that rules import when they run.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import resource
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from multiprocessing import connection, get_context
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from tests.mutants import pages
from tests.mutants.sites import ROOT, Mutant, change_of, damaged, module_of, path_of

_PROCESSES = get_context("fork")
_OFTEN = ("msgspec.json", "crossplane", "pcre2", "tomllib", "pathlib", "json", "difflib", "hashlib")
_SECONDS = 20  # of processor time: a mutant that does not end is noticed, too
_MEMORY = 2 << 30

Reached = Mapping[tuple[str, str], Sequence[str]]
"""Module and function -> names of the examples in which it runs."""
Compare = Callable[[Any, Path], bool]
"""Whether an example, written below the directory, still has the findings that are expected of it."""


class Verdict(NamedTuple):
    """``by``: the example that noticed the mutant, or how it ended; empty for a survivor."""

    mutant: Mutant
    by: str
    examples: int  # in which the changed function runs


def judged(mutants: Sequence[Mutant], jobs: int, compare: str, slugs: Sequence[str]) -> Iterator[Verdict]:
    """The verdicts, as they come in; by the examples of the rules ``slugs``, of all rules without any."""
    for name in _OFTEN:
        importlib.import_module(name)
    reached: Reached = _in_a_process(_examples_by_function, (slugs,))
    always = _in_a_process(_import_what_is_always_imported, ())
    yield from _judged((each for each in mutants if each.module in always), reached, jobs, compare)
    _import_what_is_always_imported()  # not for every mutant anew: checks are imported when they run
    yield from _judged((each for each in mutants if each.module not in always), reached, jobs, compare)


def _judged(mutants: Iterable[Mutant], reached: Reached, jobs: int, compare: str) -> Iterator[Verdict]:
    waiting = deque((mutant, _tests(mutant, reached)) for mutant in mutants)
    running: dict[Any, tuple[Any, Mutant, int]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, names = waiting.popleft()
            answer = _start(_noticed_by, (mutant, names, compare))
            running[answer] = answer, mutant, len(names)
        for ready in connection.wait(list(running)):
            answer, mutant, examples = running.pop(ready)
            yield Verdict(mutant, _received(answer, "it did not end"), examples)


def _import_what_is_always_imported() -> set[str]:
    """Everything but what rules import when they run; what of nginxaudit that is."""
    from tests.mutants.comparing import look_at_nothing

    look_at_nothing()
    return {name for name in sys.modules if name.startswith("nginxaudit.")}


def _tests(mutant: Mutant, reached: Reached) -> list[str]:
    """The examples in which the changed function runs; for the module's own statements all that need the module."""
    if mutant.function:
        return list(reached.get((mutant.module, mutant.function), ()))
    return list(
        dict.fromkeys(
            name for (module, _), names in reached.items() if module == mutant.module for name in names
        )
    )


def _in_a_process(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return _received(_start(function, arguments), None)


def _start(function: Callable[..., Any], arguments: tuple[Any, ...]) -> connection.Connection:
    receiver, sender = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_run, args=(sender, function, arguments), daemon=True)
    process.start()
    sender.close()
    return receiver


def _received(receiver: connection.Connection, otherwise: Any) -> Any:
    with receiver:
        try:
            return receiver.recv()
        except EOFError:
            return otherwise


def _run(sender: connection.Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sender.send(function(*arguments))


# -- what runs in a process of its own


def _noticed_by(mutant: Mutant, names: Sequence[str], compare: str) -> str:
    """The first example that does not have its expected findings any more; empty if all have them."""
    with contextlib.suppress(ValueError, OSError):  # limits may be lower already
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        _damage(mutant)
        from tests.mutants.comparing import COMPARISONS, examples

        holds = COMPARISONS[compare]
        with tempfile.TemporaryDirectory() as scratch:
            for case in examples(names):
                try:
                    if not holds(case, Path(scratch, case.name)):
                        return case.name
                except Exception as error:  # a crash is noticed
                    return f"{case.name}: {type(error).__name__}"
    except Exception as error:  # the module, or the index of the rules, cannot be made any more
        return type(error).__name__
    return ""


def _damage(mutant: Mutant) -> None:
    change = change_of(mutant)
    if change is None:
        sys.meta_path.insert(0, _Damaging(mutant.module, damaged(mutant)))
    else:
        pages.install(mutant.function, change)


class _Damaging(MetaPathFinder, Loader):
    """Imports one module from a tree."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self._module = module
        self._code = compile(tree, str(path_of(module)), "exec")

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname == self._module else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def _examples_by_function(slugs: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Where each function runs."""
    from nginxaudit.engine.rules.places import page_of
    from tests.mutants.comparing import COMPARISONS, examples_of

    reached: dict[tuple[str, str], list[str]] = {}
    running: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            running.add(frame.f_code)

    with tempfile.TemporaryDirectory() as scratch:
        for case in examples_of(slugs):
            running.clear()
            sys.setprofile(note)
            try:
                COMPARISONS["findings"](case, Path(scratch, case.name))
            finally:
                sys.setprofile(None)
            page = module_of(Path(page_of(case.rule))), case.rule.slug
            for place in {page, *(place for code in running if (place := _place(code)))}:
                reached.setdefault(place, []).append(case.name)
    return reached


@cache
def _place(code: CodeType) -> tuple[str, str] | None:
    """Module and function of a code object; what is inside a function belongs to it."""
    if not code.co_filename.startswith(f"{ROOT}/nginxaudit/"):
        return None
    function = code.co_qualname.partition(".<locals>")[0]
    return module_of(Path(code.co_filename)), "" if function.startswith("<") else function
