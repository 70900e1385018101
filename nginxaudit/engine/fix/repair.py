"""What fixes a hit: the edits that its check made, or those of the page's ``[repair]`` table, as a `Fix`."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from nginxaudit import edits
from nginxaudit.engine.rules.rule import RepairTable, Rule
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model

Fixer = Callable[[Hit, Model], Fix | None]


def fixer(rule: Rule) -> Fixer | None:
    """What fixes the hits of ``rule``, None when nothing does."""
    if rule.repair is None:
        return None
    return _by_table(rule, rule.repair) if rule.repair.actions else _by_check(rule, rule.repair.title)


def _by_check(rule: Rule, title: str) -> Fixer:
    """The check itself made the edits; the page says what they do and whether they are safe."""
    applicability = Applicability(rule.fix)

    def fix(hit: Hit, _: Model) -> Fix | None:
        made = hit.make_fix() if hit.make_fix is not None else None
        if isinstance(made, Fix):
            return _sound(made)
        return _sound(Fix(title, applicability, tuple(made))) if made else None

    return fix


def _by_table(rule: Rule, table: RepairTable) -> Fixer:
    from nginxaudit.engine.fix.declarative import compile_repair

    repair = compile_repair(table)

    def fix(hit: Hit, _: Model) -> Fix | None:
        made = repair(hit)
        title = table.title if hit.node is None else edits.fill(table.title, hit, hit.node)
        return _sound(Fix(title, Applicability(rule.fix), made)) if made else None

    return fix


def _sound(fix: Fix) -> Fix | None:
    """``fix`` with its edits in order, deletions that share spaces as one; None where it would write beside the files.

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
