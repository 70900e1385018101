"""One rule over one root: every rule on its own, so that one that breaks stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.engine.fix.repair import Fixer, fixer
from nginxaudit.engine.results.report import RuleCrash
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.by_version import fix_for_all, joined
from nginxaudit.engine.run.sure import is_fixable, is_sure, of_samples
from nginxaudit.finding import Severity
from nginxaudit.hit import Check, CheckContext, Hit
from nginxaudit.model import Model
from nginxaudit.nginx import Advisories, shipped
from nginxaudit.syntax.tree import Directive


class Outcome(Struct):
    """What the rules found in one root."""

    hits: list[tuple[Rule, Hit]] = field(default_factory=list)
    crashes: list[RuleCrash] = field(default_factory=list)


class Task(Struct, frozen=True):
    """A rule ready to run. ``on``: it has nothing to say where none of these directives is; empty: it may always."""

    rule: Rule
    check: Check
    options: dict[str, Any]
    on: tuple[str, ...] = ()
    fixer: Fixer | None = None
    advisories: Callable[[], Advisories] = shipped
    room: str = ""  # where its check is found: the first part of the Python reference


def prepare(rule: Rule, options: dict[str, Any], advisories: Callable[[], Advisories] = shipped) -> Task:
    """``rule`` with its check. Raises `PageError` for a table that is not understood."""
    names = rule.check.functions
    if names:
        room = names[0].partition(".")[0]
        return Task(rule, _joined(names), options, rule.check.on, fixer(rule), advisories, room)
    from nginxaudit.engine.rules.declarative import compile_check

    return Task(rule, compile_check(rule, options), options, fixer=fixer(rule))


def apply(task: Task, model: Model, most_fixed: int, outcome: Outcome) -> None:
    """Add the hits of one task on one root; the first ``most_fixed`` of them with a fix."""
    if task.on and not any(map(model.config.named, task.on)):
        return
    target = model.target
    broken: list[str] = []
    try:
        parts = target.parts(partial(_found, task, model, most_fixed, broken))
        hits = joined(parts, task.rule, target.target) if target.is_range else parts[0][1]
        outcome.hits.extend((task.rule, hit) for hit in hits)
    except Exception as error:  # isolates a bug of ours: it is reported, exit code 4
        broken.append(_describe(error))
    outcome.crashes += (
        RuleCrash(task.rule.slug, model.config.main.path, each) for each in dict.fromkeys(broken)
    )


def _found(task: Task, model: Model, most_fixed: int, broken: list[str]) -> list[Hit]:
    """What a rule finds for the version that is judged. A fix that breaks costs no finding: ``broken`` says why."""
    if not task.rule.applies_to(model.target):
        return []
    context = CheckContext(model, model.target, task.rule.slug, task.options, task.advisories)
    hits = [_seen(task.rule, hit) for hit in task.check(context) if _is_about(task.rule, hit, model)]
    if task.rule.rejected_by_nginx:
        hits = list(of_samples(hits))
    if task.fixer is not None:
        hits = list(_with_fixes(hits, task.fixer, model, most_fixed, broken))
    return hits


def _with_fixes(hits: list[Hit], fixer: Fixer, model: Model, most: int, broken: list[str]) -> Iterator[Hit]:
    """``hits``, the first ``most`` places of which have a fix.

    A place of a shared file is one finding, whose fix is made once: it may look at all contexts of the file.
    """
    places: set[tuple[str, int, int]] = set()
    for hit in hits:
        place = hit.place
        key = (place.source.path, place.start, place.end)
        if most <= 0 or (place.via is not None and key in places):
            yield hit
            continue
        places.add(key)
        most -= 1
        try:
            fix = fix_for_all(hit, fixer, model)
            fix = fix if fix is None or is_fixable(fix, hit, model) else None
        except Exception as error:
            broken.append(f"no fix: {_describe(error)}")
            fix = None
        yield replace(hit, fix=fix, make_fix=None)


def _is_about(rule: Rule, hit: Hit, model: Model) -> bool:
    """Whether the hit is about what is written, and not about what a template engine will still replace."""
    if not hit.place.source.path:
        return False  # a block that is assumed around a fragment, or a file that is known and not there
    if _is_behind_repeat(hit, model):
        return False
    return is_sure(rule, hit, model)


_MAIN = ("events", "http", "stream", "mail")


def _repeats(model: Model) -> frozenset[Directive]:
    """Blocks of the main context that are there already: nginx stops at them, and reads nothing of what is inside."""
    if model.templates:
        return frozenset()  # they may be alternatives
    blocks = (model.config.top.named(name)[1:] for name in _MAIN)
    return frozenset(block for repeated in blocks for block in repeated)


def _is_behind_repeat(hit: Hit, model: Model) -> bool:
    repeats = model.once(_repeats)
    return bool(repeats) and hit.node is not None and not repeats.isdisjoint(hit.node.ancestors())


def _seen(rule: Rule, hit: Hit) -> Hit:
    """``hit`` without related places in files that are known and not there; what it says because of them is no error.

    The file of the nginx at hand may be another one.
    """
    related = tuple((word, place) for word, place in hit.related if place.source.path)
    if len(related) == len(hit.related):
        return hit
    refused = rule.rejected_by_nginx if hit.rejected is None else hit.rejected
    severity = Severity.INFO if refused else hit.severity
    return replace(hit, related=related, severity=severity, rejected=False if refused else hit.rejected)


def _joined(references: tuple[str, ...]) -> Check:
    """One check of all that ``references`` name: a rule may have several ways to be broken.

    The modules are imported when the rule runs: most rules have nothing to do in a small configuration.
    """
    return lambda ctx: (hit for reference in references for hit in _python(reference)(ctx))


@cache
def _python(reference: str) -> Check:
    """The function ``module.function`` below nginxaudit.checks, or of nginxaudit.load; only shipped pages get here."""
    module, _, function = reference.rpartition(".")
    check: Check = getattr(import_module(module_of(module)), function)
    return check


def module_of(reference: str) -> str:
    """The Python module that a page means with ``category.topic`` or ``load.topic``."""
    above = "nginxaudit" if reference.partition(".")[0] == "load" else "nginxaudit.checks"
    return f"{above}.{reference}"


def _describe(error: Exception) -> str:
    frames = list(_frames(error))
    where = f" ({frames[-1]})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _frames(error: Exception) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
