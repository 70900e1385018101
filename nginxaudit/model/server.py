"""``server`` blocks of http, stream and mail: their sockets, names and locations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from nginxaudit.model.listen import IMPLICIT, Listen, parse_listen
from nginxaudit.model.location import Level, Location, Match, match
from nginxaudit.model.names import NO_NAME, ServerName, parse_names
from nginxaudit.syntax.tree import Directive


class BadListen(Struct, frozen=True):
    """A ``listen`` line whose address could not be read, and why."""

    directive: Directive
    reason: str


class Server:
    """One ``server`` block. ``family`` is http, stream or mail.

    ``unread`` says that an include inside the block could not be read, so anything may be missing.
    """

    def __init__(self, directive: Directive, family: str, *, unread: bool = False) -> None:
        self.directive = directive
        self.family = family
        self.unread = unread
        self.locations: list[Location] = []  # direct ones, in order; filled by the model

    @cached_property
    def _listens(self) -> tuple[tuple[Listen, ...], tuple[BadListen, ...]]:
        good: list[Listen] = []
        bad: list[BadListen] = []
        for directive in self.directive.named("listen"):
            try:
                good.extend(parse_listen(directive, self.family))
            except ValueError as error:
                bad.append(BadListen(directive, str(error)))
        return tuple(good), tuple(bad)

    @property
    def has_listen(self) -> bool:
        """Some ``listen`` is written in it."""
        return bool(self.directive.named("listen"))

    @cached_property
    def listens(self) -> tuple[Listen, ...]:
        """Its sockets in order; for an http server without ``listen`` the one nginx opens instead.

        That one is left out where ``listen_unknown``: the line may be in the missing file.
        """
        listens = self._listens[0]
        if self.family == "http" and not self.has_listen and not self.unread:
            return (IMPLICIT,)
        return listens

    @property
    def bad_listens(self) -> tuple[BadListen, ...]:
        """Lines whose address could not be read."""
        return self._listens[1]

    @property
    def listen_unknown(self) -> bool:
        """It may have sockets that are not in ``listens``."""
        return self.unread or bool(self.bad_listens)

    @cached_property
    def names(self) -> tuple[ServerName, ...]:
        """Its names in order; an http server without any has the empty name. None in mail."""
        if self.family == "mail":
            return ()
        lines = self.directive.named("server_name")
        written = [name for line in lines for name in parse_names(line)]
        if not written and self.family == "http":
            return (NO_NAME,)
        return tuple(written)

    @property
    def label(self) -> str:
        """For messages: its first name, else its first socket."""
        named = next((name.name for name in self.names if name.kind not in ("empty", "catch-all")), None)
        if named:
            return named
        return str(self.listens[0]) if self.listens else "server"

    @cached_property
    def level(self) -> Level:
        """What is searched for a URI."""
        return Level(self.locations)

    @cached_property
    def named_locations(self) -> dict[str, Location]:
        """Named locations by their name with the ``@``; the first of equal ones."""
        found: dict[str, Location] = {}
        for location in self.locations:
            if location.is_named:
                found.setdefault(location.pattern, location)
        return found

    def all_locations(self) -> Iterator[Location]:
        """All locations, nested ones included, outer before inner."""
        stack = list(reversed(self.locations))
        while stack:
            location = stack.pop()
            yield location
            stack.extend(reversed(location.children))

    def match(self, uri: str) -> Match:
        """Location that nginx chooses for the normalised ``uri`` (decoded, without arguments)."""
        return match(self.level, uri)

    def __repr__(self) -> str:
        return f"<server {self.label}>"
