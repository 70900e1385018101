"""What must come of a request, and whether it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from nginxaudit.request.records import Outcome
from nginxaudit.syntax.tree import Directive


class Expected(Struct, frozen=True, rename="kebab"):
    """What must hold in every outcome; what is None is not asked.

    ``upstream`` is a name of an upstream or the target of a pass, ``uri`` what the backend gets. ``location`` and ``server``
    are as written in the configuration (``/pay/``, ``~ \\.php$``; a server name). ``refused``: the client gets a 4xx other
    than 404 from nginx, or nothing. ``headers`` of the answer and ``sent`` (to the backend) give a value, or say that one is there or not.
    """

    status: int | None = None
    redirect: str | None = None
    upstream: str | None = None
    uri: str | None = None
    location: str | None = None
    server: str | None = None
    file: str | None = None
    body: str | None = None
    refused: bool | None = None
    headers: Mapping[str, str | bool] = {}
    sent: Mapping[str, str | bool] = {}


class Failure(Struct, frozen=True):
    """One thing that is otherwise than expected. ``when`` is the assumption under which it is."""

    what: str
    expected: str
    found: str
    when: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """In one sentence."""
        under = f" (if {' and '.join(self.when)})" if self.when else ""
        return f"{self.what}: expected {self.expected}, got {self.found}{under}"


def failures(expected: Expected, outcomes: Iterable[Outcome]) -> tuple[Failure, ...]:
    """What is otherwise in some outcome, each thing once."""
    found: dict[str, Failure] = {}
    for outcome in outcomes:
        for failure in _of(expected, outcome):
            found.setdefault(failure.what, failure)
    return tuple(found.values())


def _of(expected: Expected, outcome: Outcome) -> Iterator[Failure]:
    if outcome.unknown is not None:
        yield Failure("outcome", "a known one", f"unknown: {outcome.unknown}", outcome.when)
        return
    for what, wanted, found in _compared(expected, outcome):
        if wanted is not None and wanted != found:
            yield Failure(what, _shown(wanted), _shown(found), outcome.when)
    for what, table, headers in (
        ("header", expected.headers, outcome.headers),
        ("sent header", expected.sent, outcome.upstream_headers),
    ):
        yield from _headers(what, table, headers, outcome.when)


def _compared(expected: Expected, outcome: Outcome) -> Iterator[tuple[str, object, object]]:
    yield "status", expected.status, outcome.status
    yield "redirect", expected.redirect, outcome.redirect
    if expected.upstream not in (outcome.upstream, outcome.passed):
        yield "upstream", expected.upstream, outcome.upstream or outcome.passed
    yield "uri", expected.uri, outcome.upstream_uri
    yield "location", expected.location, written(outcome.location)
    if expected.server is not None and expected.server not in names(outcome.server):
        yield "server", expected.server, ", ".join(names(outcome.server)) or "one without a name"
    yield "file", expected.file, outcome.file
    yield "body", expected.body, outcome.body
    yield "refused", expected.refused, is_refused(outcome)


def is_refused(outcome: Outcome) -> bool:
    """Nginx itself turns the client away; that there is no such file is not meant."""
    status = outcome.status
    if outcome.closed:
        return True
    return outcome.passed is None and status is not None and 400 <= status < 500 and status != 404


def written(location: Directive | None) -> str | None:
    """A location as it is written, without the word."""
    return " ".join(location.args) if location is not None else None


def names(server: Directive | None) -> list[str]:
    """The names of a server as they are written."""
    return (
        [str(name) for node in server.named("server_name") for name in node.args]
        if server is not None
        else []
    )


def _headers(
    what: str, table: Mapping[str, str | bool], headers: tuple[tuple[str, str], ...], when: tuple[str, ...]
) -> Iterator[Failure]:
    for name, wanted in table.items():
        values = [text for each, text in headers if each.lower() == name.lower()]
        found = ", ".join(values)
        if isinstance(wanted, bool):
            if wanted is not bool(values):
                yield Failure(f"{what} {name}", "one" if wanted else "none", _shown(found or None), when)
        elif wanted != found or not values:
            yield Failure(f"{what} {name}", _shown(wanted), _shown(found if values else None), when)


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


# -- what happens now, as an expectation


def now(outcomes: tuple[Outcome, ...]) -> dict[str, object]:
    """What all outcomes have in common, as the table of an expectation: no more than says where the request goes."""
    tables = [_telling(outcome) for outcome in outcomes if outcome.unknown is None]
    if len(tables) < len(outcomes) or not tables:
        return {}
    first = tables[0]
    common = {key: value for key, value in first.items() if all(each.get(key) == value for each in tables)}
    if not common:
        place = {written(outcome.location) for outcome in outcomes}
        location = place.pop()
        return {"location": location} if not place and location is not None else {}
    return common


def _telling(outcome: Outcome) -> dict[str, object]:
    if outcome.passed is not None:
        found: dict[str, object] = {"upstream": outcome.upstream or outcome.passed}
        if outcome.upstream_uri is not None:
            found["uri"] = outcome.upstream_uri
        return found
    if outcome.closed:
        return {"refused": True}
    if outcome.status is None:
        return {"body": outcome.body}
    found = {"status": outcome.status}
    if outcome.redirect is not None:
        found["redirect"] = outcome.redirect
    if outcome.file is not None:
        found["file"] = outcome.file
    return found
