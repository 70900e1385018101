"""Places that should have been filled in before nginx reads the file."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, Place
from nginxaudit.nginx.names import BALANCED
from nginxaudit.source.text import SourceText
from nginxaudit.templates import Mark, Template

_OF_ENGINES = frozenset({"braces", "code", "directives", "percent", "at", "ruby"})
"""Marks that are not written by hand into what nginx should read; a variable in braces may be meant for nginx."""


def unrendered_template(ctx: CheckContext) -> Iterable[Hit]:
    """The first such place of every file that is not called a template."""
    for source in ctx.model.config.texts:
        template = source.template
        if template is None or template.named:
            continue
        found = [mark for mark in template.marks if not _is_variable(ctx, source, mark)]
        if not found:
            continue
        more = f" ({len(found) - 1} more in this file)" if len(found) > 1 else ""
        first = found[0]
        text = source.text[first.start : first.end]
        yield Hit(
            Place(source, first.start, first.end),
            f"{text} is not filled in{more}",
            severity=Severity.INFO if _is_source(ctx, template) else None,
            help="Scan the rendered file, or use a template suffix (.template, .j2, .erb).",
            cause="\0".join(
                [ctx.rule, *sorted(template.dialects)]
            ),  # the files of one engine are filled in together
        )


def _is_source(ctx: CheckContext, template: Template) -> bool:
    """Whether the file is what an engine makes the configuration of, not one that nginx reads."""
    return not ctx.model.config.in_place and not _OF_ENGINES.isdisjoint(template.dialects)


def _is_variable(ctx: CheckContext, source: SourceText, mark: Mark) -> bool:
    """Whether it is a variable that nginx gets from another file, spelled in capitals."""
    text = source.text[mark.start : mark.end]
    name = text.strip("${}").lower()
    return text.startswith("$") and any(name in ctx.model.variable_definitions(each) for each in BALANCED)
