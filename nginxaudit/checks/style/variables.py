"""Names of variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, Place, arg
from nginxaudit.model.variables import spellings
from nginxaudit.syntax.tree import Config


def mixed_case_variable(ctx: CheckContext) -> Iterable[Hit]:
    """One variable in several spellings; once per variable."""
    mixed = _spelled_differently(ctx.model.config)
    first: dict[str, tuple[str, Place]] = {}
    reported: set[str] = set()
    for node, token in ctx.model.texts if mixed else ():
        for name in spellings(token):
            lower = name.lower()
            if lower not in mixed or lower in reported:
                continue
            spelling, place = first.setdefault(lower, (name, arg(node, token)))
            if spelling != name:
                reported.add(lower)
                yield Hit(
                    arg(node, token),
                    f"${name} is the same variable as ${spelling}: variable names ignore case",
                    node,
                    related=((f"${spelling}", place),),
                    help=f"Write ${spelling} everywhere.",
                )


def _spelled_differently(config: Config) -> set[str]:
    """Lower-case names that the files, comments included, have in several spellings."""
    names = {name for source in config.sources.values() for name in spellings(source.text)}
    counts = Counter(map(str.lower, names))
    return {name for name, count in counts.items() if count > 1}
