"""Places that should have been filled in before nginx reads the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, Place, arg
from nginxaudit.model.scope import is_directive
from nginxaudit.nginx.templates import SIGNS, SUFFIXES, has_placeholder, placeholders
from nginxaudit.syntax.tree import Directive, Token


def unrendered_template(ctx: CheckContext) -> Iterable[Hit]:
    """The first such place of every file that is not called a template."""
    files: dict[str, list[_Gap]] = {}
    for gap in _all(ctx):
        if not gap.place.source.path.endswith(SUFFIXES):
            files.setdefault(gap.place.source.path, []).append(gap)
    for gaps in files.values():
        first = min(gaps, key=lambda gap: (not gap.refused, gap.place.start))
        more = f", and {len(gaps) - 1} more in this file" if len(gaps) > 1 else ""
        yield Hit(
            first.place,
            f"{first.text} is still to be filled in{more}",
            first.node,
            severity=Severity.ERROR if first.refused else None,
            rejected=first.refused,
            help="Scan the finished file, or give templates a name that says so (.template, .j2, .erb).",
        )


class _Gap(Struct, frozen=True):
    place: Place
    text: str
    node: Directive | None
    refused: bool  # nginx cannot even read it


def _all(ctx: CheckContext) -> Iterator[_Gap]:
    for problem in ctx.model.config.problems:
        if problem.kind == ctx.rule:
            place = Place(problem.source, problem.start, problem.end, problem.via)
            text = problem.source.text[problem.start : problem.end]
            yield _Gap(place, text, None, "{{" in text or "{%" in text)
    if not any(has_placeholder(source.text) for source in ctx.model.config.sources.values()):
        return
    for node in ctx.model.config.top.walk():
        if is_directive(node) and ctx.model.is_filled_in(node):
            for token in node.args:
                found = _waiting(ctx, node, token)
                if found:
                    yield _Gap(arg(node, token), found, node, False)


def _waiting(ctx: CheckContext, node: Directive, token: Token) -> str:
    """The part of a word that waits to be filled in and that the reader has not told; empty if none."""
    family = ctx.model.family_of(node)
    for text in placeholders(token):
        if text.startswith(SIGNS):
            continue
        if text.startswith("${") and text[2:-1].lower() in ctx.model.variable_definitions(family):
            continue  # a variable of nginx, spelled in capitals
        return text
    return ""
