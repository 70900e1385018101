"""A comparison as it is shown: groups of requests in words, without secrets."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from nginxaudit.report.masked import veiled
from nginxaudit.request.differences import Difference, Group, grouped
from nginxaudit.request.records import Ask, Outcome
from nginxaudit.views.trace.view import place_of, shown_outcome
from nginxaudit.views.trace.words import summary


class ShownDifference(Struct, frozen=True):
    """One request with what happened and what happens."""

    request: str
    old: str
    new: str
    old_place: str | None
    new_place: str | None


class ShownGroup(Struct, frozen=True):
    """Requests that change in the same way."""

    title: str
    requests: tuple[ShownDifference, ...]


class Comparison(Struct, frozen=True):
    """All groups, and how many requests were compared."""

    old: str
    new: str
    groups: tuple[ShownGroup, ...]
    count: int

    @property
    def summary(self) -> str:
        """In one line; no difference found is no proof that there is none."""
        if not self.count:
            return "nothing was compared: no server has an address and a name that are known"
        if not self.groups:
            return f"no difference found in {self.count} requests"
        different = sum(len(group.requests) for group in self.groups)
        return f"{different} of {self.count} requests behave differently"


def comparison_of(old: str, new: str, differences: Iterable[Difference], count: int) -> Comparison:
    """What the differences say, in words."""
    return Comparison(old, new, tuple(map(_group, grouped(differences, kind))), count)


def kind(outcome: Outcome) -> str:
    """What an outcome is, without the path."""
    if outcome.unknown is not None:
        return "unknown"
    if outcome.closed:
        return "closed" if outcome.server is not None else "connection refused"
    if outcome.passed is not None:
        name = f"upstream {outcome.upstream}" if outcome.upstream else veiled(outcome.passed)
        return name if outcome.status is None else f"{outcome.status} from {name}"
    if outcome.redirect is not None:
        return f"{outcome.status} redirect"
    if outcome.status is None:
        return "a text"
    return f"{outcome.status} with a file" if outcome.file is not None else str(outcome.status)


def _group(group: Group) -> ShownGroup:
    title = (
        f"{group.old} → {group.new}"
        if group.old != group.new
        else f"{group.old}: other {', '.join(group.changed)}"
    )
    return ShownGroup(title, tuple(map(_shown, group.differences)))


def _shown(difference: Difference) -> ShownDifference:
    old, new = difference.old, difference.new
    before, after = _words(old), _words(new)
    if before == after:  # what differs is not in the sentence
        before, after = before + _rest(old, new), after + _rest(new, old)
    return ShownDifference(request_of(difference.ask), before, after, _place(old), _place(new))


def _rest(outcome: Outcome, other: Outcome) -> str:
    """Headers and texts that an outcome has and another has not, or has otherwise."""
    mine, theirs = shown_outcome(outcome), shown_outcome(other)
    found = []
    for verb, own, others in (
        ("sends", mine.upstream_headers, theirs.upstream_headers),
        ("answers", mine.headers, theirs.headers),
    ):
        lines = [f"{name}: {text}" for name, text in own.items() if others.get(name) != text]
        lines += [f"no {name}" for name in others if name not in own]
        found += [f"{verb} {', '.join(lines)}"] if lines else []
    if mine.body != theirs.body:
        found.append(f'text "{mine.body or ""}"')
    return f"; {'; '.join(found)}" if found else ""


def request_of(ask: Ask) -> str:
    """A request on one line."""
    if ask.protocol != "http":
        return ask.url + (f" --alpn {','.join(ask.alpn)}" if ask.alpn else "")
    headers = "".join(f" -H '{name}: {value}'" for name, value in ask.headers)
    return veiled(f"{ask.method} {ask.url}{headers}")


def _words(outcome: Outcome) -> str:
    under = f" (if {' and '.join(outcome.when)})" if outcome.when else ""
    return summary(shown_outcome(outcome)) + veiled(under)


def _place(outcome: Outcome) -> str | None:
    return place_of(outcome.location or outcome.server)
