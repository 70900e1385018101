"""A rule's ``[repair]`` table as something that gives a hit its fix."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from msgspec.structs import replace

from nginxaudit.engine.rules.rule import PageError, Rule
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model

Mender = Callable[[Hit, Model], Fix | None]


def mender(rule: Rule) -> Mender | None:
    """What mends the findings of ``rule``, None when nothing does. Raises `PageError`.

    The code of a shipped page's repair is loaded with the first hit that asks for it.
    """
    spec = rule.repair
    if not spec:
        return None
    if rule.fix not in ("safe", "unsafe"):
        raise PageError(f'{rule.path}: a page with [repair] says fix = "safe" or "unsafe"')
    return _by_function(rule) if "python" in spec else _by_table(rule)


def _by_function(rule: Rule) -> Mender:
    spec = rule.repair
    module, _, function = str(spec["python"]).rpartition(".")

    def mend(hit: Hit, model: Model) -> Fix | None:
        made = getattr(import_module(f"nginxaudit.repairs.{module}"), function)(hit, model)
        if isinstance(made, Fix):
            return _sound(made)
        return _sound(Fix(spec["title"], Applicability(rule.fix), tuple(made))) if made else None

    return mend


def _by_table(rule: Rule) -> Mender:
    from nginxaudit.repairs.declarative import RepairError, compile_repair, fill

    spec = rule.repair
    try:
        repair = compile_repair(spec)
    except RepairError as error:
        raise PageError(f"{rule.path}: repair: {error}") from None

    def put(hit: Hit, model: Model) -> Fix | None:
        made = repair(hit)
        title = spec["title"] if hit.node is None else fill(spec["title"], hit, hit.node)
        return _sound(Fix(title, Applicability(rule.fix), made)) if made else None

    return put


def _sound(fix: Fix) -> Fix | None:
    """``fix`` with its edits in order, deletions that share blanks as one; None where it would write beside the files.

    The block in which a fragment will stand is in no file.
    """
    made: list[Edit] = []
    for edit in sorted(fix.edits, key=_place):
        last = made[-1] if made else None
        if (
            last is not None
            and last.file == edit.file
            and edit.start < last.end
            and not (last.text or edit.text)
        ):
            made[-1] = replace(last, end=max(last.end, edit.end))
        else:
            made.append(edit)
    return replace(fix, edits=tuple(made)) if made and all(edit.file for edit in made) else None


def _place(edit: Edit) -> tuple[str, int, int]:
    return edit.file, edit.start, edit.end
