"""Since when and until when: a walk over all releases."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from tools.facts.checkout import Checkout, Version
from tools.facts.tables import Command, Variable, commands, variables

_T = TypeVar("_T")
_R = TypeVar("_R")


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


Tables = tuple[list[Command], list[Variable]]


def tables_by_release(
    listed: Mapping[_R, set[str]], texts: Iterable[tuple[str, str]]
) -> dict[_R, list[Tables]]:
    """The tables of each release, of which ``listed`` has the ids of its texts."""
    found: dict[str, Tables] = {}
    for each, text in texts:
        if "ngx_command_t" in text or "_variable_t" in text:
            found[each] = commands(text), variables(text)
    return {
        version: [found[each] for each in sorted(ids) if each in found] for version, ids in listed.items()
    }


def walk(checkout: Checkout, releases: Sequence[Version], page_of: Callable[[str, str], str]) -> Walk:
    """Read the tables of all ``releases``, in order. ``page_of``: the page that documents a directive of a C module."""
    listed = {version: set(checkout.sources(version)) for version in releases}
    by_release = tables_by_release(listed, checkout.texts(set().union(*listed.values())))
    return Walk(
        tuple(releases),
        _lives(
            by_release,
            lambda tables: tables[0],
            lambda each: (each.name, page_of(each.name, each.module)),
            joined,
        ),
        _lives(
            by_release, lambda tables: tables[1], lambda each: (each.name, each.family), lambda one, _: one
        ),
    )


def _lives(
    by_release: Mapping[Version, Iterable[Tables]],
    part: Callable[[Tables], list[_T]],
    key: Callable[[_T], tuple[str, str]],
    join: Callable[[_T, _T], _T],
) -> dict[tuple[str, str], Seen[_T]]:
    releases = list(by_release)
    found = forms(by_release, part, key, join)
    return {name: _seen(form, releases) for name, form in sorted(found.items())}


def forms(
    by_release: Mapping[_R, Iterable[Tables]],
    part: Callable[[Tables], list[_T]],
    key: Callable[[_T], tuple[str, str]],
    join: Callable[[_T, _T], _T],
) -> dict[tuple[str, str], dict[_R, _T]]:
    """What something is in each release that has it."""
    found: dict[tuple[str, str], dict[_R, _T]] = {}
    for version, tables in by_release.items():
        for each in (one for table in tables for one in part(table)):
            form = found.setdefault(key(each), {})
            form[version] = join(form[version], each) if version in form else each
    return found


def joined(one: Command, other: Command) -> Command:
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
