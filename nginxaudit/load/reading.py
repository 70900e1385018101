"""What went wrong while the files were read: the reader has noted it, each rule tells its share."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit.finding import Confidence, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, Place
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Problem

_NOT_ANALYSED = "include-not-analysed"  # told by include-not-found, as information
_MISSING = frozenset({_NOT_ANALYSED, "include-not-found"})
_OF_CONTEXT = frozenset(
    {_NOT_ANALYSED, "include-not-found", "include-cycle", "limit-exceeded", "unreadable-file"}
)
"""Kinds of problems that depend on where a file is included."""

_UNREAD = "The directives in the file are not known: findings may be missing, and some depend on what the file sets."


def told_by_reader(ctx: CheckContext) -> Iterable[Hit]:
    """Problems whose kind is the running rule."""
    for problem in ctx.once(_by_kind).get(ctx.rule, ()):
        yield _hit(ctx, problem)


def include_not_found(ctx: CheckContext) -> Iterable[Hit]:
    """Includes that nginx will not find, and those that cannot be judged from here."""
    yield from told_by_reader(ctx)
    for problem in ctx.once(_by_kind).get(_NOT_ANALYSED, ()):
        yield _hit(ctx, problem, severity=Severity.INFO, rejected=False, why=_UNREAD)


def _by_kind(model: Model) -> dict[str, list[Problem]]:
    """The problems of a configuration; of those that a text has by itself the ones that no other one tells."""
    config = model.config
    fresh = {text.path for text in config.texts}
    found: dict[str, list[Problem]] = {}
    for problem in config.problems:
        if problem.kind in _OF_CONTEXT or problem.source.path in fresh:
            found.setdefault(problem.kind, []).append(problem)
    return found


def _hit(
    ctx: CheckContext,
    problem: Problem,
    *,
    severity: Severity | None = None,
    rejected: bool | None = None,
    why: str = "",
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
        why=why,
        make_fix=partial(_fix, problem, ctx.model),
        cause=_missing_file(ctx, problem),
    )


def _missing_file(ctx: CheckContext, problem: Problem) -> str:
    """A file that is not there is one cause, wherever it is included."""
    if problem.kind not in _MISSING:
        return ""
    is_absolute = problem.message.startswith("/")
    return "\0".join([ctx.rule, problem.message]) if is_absolute else ctx.cause(problem.message)


def _fix(problem: Problem, model: Model) -> Edits | Fix:
    from nginxaudit.load.fixes.reading import fix

    return fix(problem, model)
