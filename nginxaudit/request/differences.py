"""What happens otherwise to the same requests in two configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from nginxaudit.request.records import Ask, Outcome, Trace


class Difference(Struct, frozen=True):
    """One request that is treated otherwise: the first outcomes that differ."""

    ask: Ask
    old: Outcome
    new: Outcome
    changed: tuple[str, ...]  # names of what differs


class Group(Struct, frozen=True):
    """Differences of one kind: what happened and what happens, in words, and all the requests."""

    old: str
    new: str
    changed: tuple[str, ...]
    differences: tuple[Difference, ...]


_COMPARED: dict[str, Callable[[Outcome], object]] = {
    "status": lambda outcome: outcome.status,
    "redirect": lambda outcome: outcome.redirect,
    "backend": lambda outcome: outcome.upstream or outcome.passed,
    "uri": lambda outcome: outcome.upstream_uri,
    "headers to the backend": lambda outcome: sorted(outcome.upstream_headers),
    "file": lambda outcome: outcome.file,
    "body": lambda outcome: outcome.body,
    "headers": lambda outcome: sorted(outcome.headers),
    "closed": lambda outcome: outcome.closed,
    "unknown": lambda outcome: outcome.unknown,
}


def difference(old: Trace, new: Trace) -> Difference | None:
    """How two traces of one request differ; None where their outcomes are the same, whatever the order."""
    before = {outcome.when: outcome for outcome in old.outcomes}
    after = {outcome.when: outcome for outcome in new.outcomes}
    for when, outcome in before.items():
        other = after.get(when)
        if other is None:
            return _first(old, new)
        changed = _changed(outcome, other)
        if changed:
            return Difference(old.ask, outcome, other, changed)
    return _first(old, new) if after.keys() - before.keys() else None


def _first(old: Trace, new: Trace) -> Difference | None:
    """Traces with other assumptions: they are the same only where all their outcomes are."""
    kinds = {_kind(each) for each in old.outcomes}, {_kind(each) for each in new.outcomes}
    if kinds[0] == kinds[1]:
        return None
    gone = next((each for each in old.outcomes if _kind(each) not in kinds[1]), old.outcomes[0])
    come = next((each for each in new.outcomes if _kind(each) not in kinds[0]), new.outcomes[0])
    return Difference(old.ask, gone, come, _changed(gone, come) or ("outcomes",))


def _kind(outcome: Outcome) -> str:
    return repr([get(outcome) for get in _COMPARED.values()])


def _changed(old: Outcome, new: Outcome) -> tuple[str, ...]:
    return tuple([name for name, get in _COMPARED.items() if get(old) != get(new)])


def grouped(differences: Iterable[Difference], words: Callable[[Outcome], str]) -> Iterator[Group]:
    """Differences of one kind together, the largest groups first. ``words`` says in short what an outcome is."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Difference]] = {}
    for each in differences:
        old, new = words(each.old), words(each.new)
        key = (old, new, each.changed if old == new else ())
        groups.setdefault(key, []).append(each)
    for (old, new, changed), members in sorted(groups.items(), key=lambda item: -len(item[1])):
        yield Group(old, new, changed, tuple(members))
