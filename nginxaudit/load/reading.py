"""What went wrong while the files were read: the reader has noted it, each rule tells its share."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit.finding import Confidence, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, Place
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Problem

_NOT_ANALYSED = "include-not-analysed"  # told by include-not-found, as information


def told_by_reader(ctx: CheckContext) -> Iterable[Hit]:
    """Problems whose kind is the running rule."""
    for problem in ctx.model.config.problems:
        if problem.kind == ctx.rule:
            yield _hit(ctx, problem)


def include_not_found(ctx: CheckContext) -> Iterable[Hit]:
    """Includes that nginx will not find, and those that cannot be judged from here."""
    for problem in ctx.model.config.problems:
        if problem.kind == ctx.rule:
            yield _hit(ctx, problem)
        elif problem.kind == _NOT_ANALYSED:
            yield _hit(ctx, problem, severity=Severity.INFO, rejected=False)


def _hit(
    ctx: CheckContext, problem: Problem, *, severity: Severity | None = None, rejected: bool | None = None
) -> Hit:
    if not problem.certain:
        rejected = False
    return Hit(
        Place(problem.source, problem.start, problem.end, problem.via),
        problem.message,
        related=tuple((word, Place(source, start, end)) for word, source, start, end in problem.related),
        severity=severity,
        confidence=None if problem.certain else Confidence.MEDIUM,
        rejected=rejected,
        help=problem.help,
        make_fix=partial(_fix, problem, ctx.model),
    )


def _fix(problem: Problem, model: Model) -> Edits | Fix:
    from nginxaudit.load.fixes.reading import fix

    return fix(problem, model)
