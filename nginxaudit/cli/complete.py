"""What the shell offers behind an option: names of rules and upstreams, files."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem


def rule_names(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Slugs, categories and tags, ids where one is begun; the last one of a list with commas."""
    from nginxaudit.engine.rules.catalogue import builtin

    begun, comma, last = typed.rpartition(",")
    catalogue = builtin()
    names = [(rule.slug, rule.title) for rule in catalogue]
    names += [(name, "several rules") for name in sorted(catalogue.groups)]
    names += [(rule.id, rule.title) for rule in catalogue] if last.upper().startswith("NGX") else []
    return [
        CompletionItem(f"{begun}{comma}{name}", help=title)
        for name, title in names
        if name.lower().startswith(last.lower())
    ]


def upstream_names(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """Upstreams of the configurations that the line names so far, or that the command would read."""
    paths = (
        context.params.get("paths") or context.args
    )  # an option that still lacks its value leaves them there
    return [
        CompletionItem(name)
        for name in dict.fromkeys(_upstreams(tuple(paths)))
        if name.lower().startswith(typed.lower())
    ]


def _upstreams(paths: tuple[str, ...]) -> Iterator[str]:
    from nginxaudit.engine.run.audit import examine
    from nginxaudit.engine.settings import Settings

    if "-" in paths:
        return
    for model in examine(paths, Settings(select=("undefined-upstream",))).models:
        for family in ("http", "stream"):
            yield from (upstream.name for upstream in model.upstreams(family))


def files(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Files, as the shell knows them."""
    return [CompletionItem(typed, type="file")]
