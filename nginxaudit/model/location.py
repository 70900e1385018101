"""Locations, and which of them nginx chooses for a URI.

Modifier and text are read as ``ngx_http_core_location`` reads them, the choice follows
``ngx_http_core_find_location`` (src/http/ngx_http_core_module.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import cached_property, partial
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.regex import matches
from nginxaudit.nginx.names import EXCHANGES
from nginxaudit.pcre import Expression, parse
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.server import Server

MODIFIERS = ("=", "^~", "~", "~*")


class Location:
    """One ``location`` block in its place.

    ``modifier`` is ``""``, ``=``, ``^~``, ``~``, ``~*``, or ``@`` for a named location (whose
    ``pattern`` keeps the ``@``), and ``?`` where a template engine fills it in: then nobody knows what it matches.
    ``server`` is the file level of a fragment in a server, None in one inside a location.
    """

    def __init__(
        self, directive: Directive, server: Server | None, parent: Location | None, max_regex_size: int
    ) -> None:
        self._max_regex_size = max_regex_size
        self.directive = directive
        self.server = server
        self.parent = parent
        self.modifier, self.pattern = read_modifier([str(arg) for arg in directive.args])
        if any(arg.filled for arg in directive.args):
            self.modifier = "?"
        self.children: list[Location] = []

    @property
    def is_regex(self) -> bool:
        """Matched as a regular expression."""
        return self.modifier in ("~", "~*")

    @cached_property
    def expression(self) -> Expression | None:
        """What its regular expression says; None for what is not understood."""
        return parse(self.pattern, caseless=self.modifier == "~*", limit=self._max_regex_size)

    @property
    def is_named(self) -> bool:
        """Reached by internal redirects to its name alone."""
        return self.modifier == "@"

    @property
    def is_exact(self) -> bool:
        """Matches one URI."""
        return self.modifier == "="

    @property
    def is_prefix(self) -> bool:
        """Matches by prefix (``^~`` included)."""
        return self.modifier in ("", "^~")

    @property
    def redirects_slash(self) -> bool:
        """Whether ``/name`` is redirected to this ``/name/`` because it passes its requests on.

        Every pass directive does that but ``tunnel_pass``, and ``uwsgi_pass`` with variables.
        """
        if self.is_regex or not self.pattern.endswith("/"):
            return False
        for name in EXCHANGES:
            found = self.directive.first(name)
            if found is not None and not (name == "uwsgi_pass" and any("$" in arg for arg in found.args)):
                return True
        return False

    @cached_property
    def level(self) -> Level:
        """What is searched inside this location."""
        return Level(self.children)

    @property
    def label(self) -> str:
        """As one would write it: ``location ~* ^/api/``."""
        space = " " if self.modifier in MODIFIERS else ""
        return f"location {self.modifier if space else ''}{space}{self.pattern}"

    def __repr__(self) -> str:
        return f"<{self.label}>"


def read_modifier(args: list[str]) -> tuple[str, str]:
    """Modifier and text of a location's arguments, with or without a space between them.

    An unknown modifier in front of a text is returned as it is: nginx refuses it.
    """
    if len(args) >= 2:
        return args[0], args[1]
    text = args[0] if args else ""
    for modifier in ("=", "^~", "~*", "~"):
        if text.startswith(modifier):
            return modifier, text[len(modifier) :]
    return ("@" if text.startswith("@") else ""), text


class Match(Struct, frozen=True):
    """What a URI leads to.

    ``location`` None: the server itself answers. ``redirect``: nginx answers 301 to the same URI
    with a slash. ``certain`` is False when a regular expression that could not be judged comes
    before the answer.
    """

    location: Location | None
    redirect: bool = False
    certain: bool = True


def _matches(uri: str, location: Location) -> bool | None:
    return matches(location.pattern, uri, caseless=location.modifier == "~*")


class _Answer(Enum):
    """Return codes of nginx's search."""

    DECLINED = 0
    PREFIX = 1  # NGX_AGAIN
    FINAL = 2  # NGX_OK
    REDIRECT = 3  # NGX_DONE


class Level:
    """The locations of one block, ready to be searched."""

    def __init__(self, locations: Iterable[Location]) -> None:
        self._exact: dict[str, Location] = {}
        self._prefix: dict[str, Location] = {}
        self._slash: dict[str, Location] = {}
        self.regexes: list[Location] = []
        self.members = tuple(locations)
        for location in self.members:
            self._add(location)
        self._lengths = sorted({len(name) for name in self._prefix}, reverse=True)

    def _add(self, location: Location) -> None:
        if location.is_regex:
            self.regexes.append(location)
        elif location.is_exact or location.is_prefix:
            table = self._exact if location.is_exact else self._prefix
            table.setdefault(location.pattern, location)
            if location.redirects_slash:
                self._slash.setdefault(location.pattern[:-1], location)

    def static(self, uri: str) -> tuple[_Answer, Location | None]:
        """The best location without regular expressions (``ngx_http_core_find_static_location``)."""
        exact = self._exact.get(uri)
        if exact is not None:
            return _Answer.FINAL, exact
        if uri not in self._prefix:
            slash = self._slash.get(uri)
            if slash is not None:
                return _Answer.REDIRECT, slash
        for length in self._lengths:
            if length <= len(uri):
                found = self._prefix.get(uri[:length])
                if found is not None:
                    return _Answer.PREFIX, found
        return _Answer.DECLINED, None


class _Search:
    """One search; ``certain`` turns False at the first expression that cannot be judged.

    ``test`` says whether the URI matches the expression of a location.
    """

    def __init__(self, uri: str, test: Callable[[Location], bool | None]) -> None:
        self.uri = uri
        self.certain = True
        self._test = test

    def run(self, level: Level, start: Location | None) -> tuple[_Answer, Location | None]:
        answer, chosen = level.static(self.uri)
        noregex = False
        if answer is _Answer.PREFIX and chosen is not None:
            noregex = chosen.modifier == "^~"
            answer, chosen = self.run(chosen.level, chosen)
        if answer in (_Answer.FINAL, _Answer.REDIRECT):
            return answer, chosen
        if not noregex:
            for location in level.regexes:
                if self._matches(location):
                    # Inside a matching expression nginx takes every answer as final, a redirect too.
                    return _Answer.FINAL, self.run(location.level, location)[1]
        return answer, chosen if chosen is not None else start

    def _matches(self, location: Location) -> bool:
        found = self._test(location)
        self.certain = self.certain and found is not None
        return bool(found)


def match(level: Level, uri: str, test: Callable[[Location], bool | None] | None = None) -> Match:
    """Location that nginx chooses for the normalised ``uri`` (decoded, without arguments).

    ``test`` is asked about each expression that nginx tries, in order.
    """
    search = _Search(uri, test or partial(_matches, uri))
    answer, location = search.run(level, None)
    return Match(location, answer is _Answer.REDIRECT, search.certain)
