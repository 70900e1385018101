"""Since when and until when: a walk over all releases."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from tools.facts.checkout import Checkout, Version
from tools.facts.tables import Command, Variable, commands, variables

_T = TypeVar("_T")


class Life(NamedTuple):
    """When something was there: ``since`` a release, ``until`` another one (None: still there).

    ``earlier`` are the ranges before that: stable branches that got it, too.
    """

    since: Version
    until: Version | None
    earlier: tuple[tuple[Version, Version], ...]


class Seen(NamedTuple, Generic[_T]):
    """Something in its newest form, with its life and what it was before (the newest change first)."""

    newest: _T
    life: Life
    changes: tuple[tuple[Version, _T, _T], ...]


class Walk(NamedTuple):
    """What all releases have: directives by name and module, variables by name and family."""

    releases: tuple[Version, ...]
    directives: dict[tuple[str, str], Seen[Command]]
    variables: dict[tuple[str, str], Seen[Variable]]


def walk(checkout: Checkout, releases: Sequence[Version], page_of: Callable[[str, str], str]) -> Walk:
    """Read the tables of all ``releases``, in order. ``page_of``: the page that documents a directive of a C module."""
    listed = {version: set(checkout.sources(version)) for version in releases}
    found: dict[str, tuple[list[Command], list[Variable]]] = {}
    for each, text in checkout.texts(set().union(*listed.values())):
        if "ngx_command_t" in text or "_variable_t" in text:
            found[each] = commands(text), variables(text)
    by_release = {
        version: [found[each] for each in sorted(ids) if each in found] for version, ids in listed.items()
    }
    return Walk(
        tuple(releases),
        _lives(
            by_release,
            lambda tables: tables[0],
            lambda each: (each.name, page_of(each.name, each.module)),
            _joined,
        ),
        _lives(
            by_release, lambda tables: tables[1], lambda each: (each.name, each.family), lambda one, _: one
        ),
    )


def _lives(
    by_release: Mapping[Version, Iterable[tuple[list[Command], list[Variable]]]],
    part: Callable[[tuple[list[Command], list[Variable]]], list[_T]],
    key: Callable[[_T], tuple[str, str]],
    join: Callable[[_T, _T], _T],
) -> dict[tuple[str, str], Seen[_T]]:
    forms: dict[tuple[str, str], dict[Version, _T]] = {}
    for version, tables in by_release.items():
        for each in (one for table in tables for one in part(table)):
            form = forms.setdefault(key(each), {})
            form[version] = join(form[version], each) if version in form else each
    releases = list(by_release)
    return {name: _seen(form, releases) for name, form in sorted(forms.items())}


def _joined(one: Command, other: Command) -> Command:
    """A directive that several modules have for the contexts of each."""
    return one._replace(contexts=one.contexts | other.contexts)


def _seen(form: Mapping[Version, _T], releases: Sequence[Version]) -> Seen[_T]:
    runs: list[list[Version]] = []
    last = -2
    for number, version in enumerate(releases):
        if version in form:
            if number != last + 1:
                runs.append([])
            runs[-1].append(version)
            last = number
    main = runs[-1]
    life = Life(
        main[0],
        None if main[-1] == releases[-1] else main[-1],
        tuple((run[0], run[-1]) for run in runs[:-1]),
    )
    changes = [
        (new, form[old], form[new]) for old, new in pairwise(main) if _told(form[old]) != _told(form[new])
    ]
    return Seen(form[main[-1]], life, tuple(reversed(changes)))


def _told(each: object) -> Hashable:
    """What counts as a change: contexts and arguments, not the function that reads them."""
    return (each.contexts, each.arguments) if isinstance(each, Command) else each
