"""Which location a URI leads to (``ngx_http_core_find_config_phase`` in src/http/ngx_http_core_module.c)."""

from __future__ import annotations

from nginxaudit.model.access import is_internal
from nginxaudit.model.location import Level, Location, match
from nginxaudit.nginx.names import PASS_DIRECTIVES
from nginxaudit.request.flight import Finish, Flight, Result
from nginxaudit.request.uri import escape_uri
from nginxaudit.syntax.tree import Directive

_MOST_SHOWN = 6
_UNTRIED = "not tried: "


def enter(flight: Flight, block: Directive) -> None:
    """Make a block the one whose settings count (``ngx_http_update_location_config``)."""
    flight.block = block
    for node in block.named("limit_except"):
        if _is_limited(flight.method, node):
            flight.block = node
            flight.note("location", node, "limit_except", f"it restricts {flight.method}")
            break
    handler = pass_of(flight.block)
    if handler is None and flight.block.inner == "limit_except":
        handler = pass_of(block)
    if handler is not None:
        flight.handler = handler


def pass_of(block: Directive) -> Directive | None:
    """The last directive of a block that makes it pass requests on, or answer them by a module."""
    found = None
    for name in _HANDLERS:
        node = block.first(name)
        if node is not None and (found is None or node.start > found.start):
            found = node
    return found


_HANDLERS = (
    *PASS_DIRECTIVES, "stub_status", "empty_gif", "flv", "mp4", "perl", "js_content", "content_by_lua",
    "content_by_lua_block", "content_by_lua_file", "api", "hls", "status", "upstream_conf", "f4f",
)  # fmt: skip


def _is_limited(method: str, node: Directive) -> bool:
    """Whether the content of ``limit_except`` holds for a method. GET allows HEAD, too."""
    allowed = {str(word).upper() for word in node.args}
    if "GET" in allowed:
        allowed.add("HEAD")
    return method not in allowed


def find_location(flight: Flight) -> Result | None:
    """Find the location of the URI and enter it; an answer where nginx gives one already here."""
    server = flight.server
    flight.handler = None
    flight.uri_changed = False

    def test(location: Location) -> bool:
        return flight.matches(location.pattern, flight.uri, location.modifier == "~*", location.directive)

    _assume_unread(flight, server.directive)
    found = match(server.level, flight.uri, test)
    location = found.location
    flight.location = location
    if flight.explain:
        _explain(flight, location, found.redirect)
    if location is None:
        flight.block = server.directive
        return _too_large(flight)
    if not flight.internal and is_internal(location.directive):
        flight.block = location.directive
        flight.note("location", location.directive, "404", "the location is for internal redirects only")
        return Finish(404)
    enter(flight, location.directive)
    too_large = _too_large(flight)
    if too_large is not None:
        return too_large
    if found.redirect:
        name = escape_uri(location.pattern)
        flight.redirect = f"{name}?{flight.args}" if flight.args else name
        flight.note(
            "location", location.directive, f"301 to {name}", "the URI lacks the final slash of the location"
        )
        return Finish(301)
    return None


def _assume_unread(flight: Flight, server: Directive) -> None:
    """What could not be read of a server may hold other locations: the way goes on as if it did not, and says so."""
    if not flight.model.unknown_inside(server, direct=True):
        return
    unread = [node for node in flight.model.config.incomplete_includes if node.parent is server]
    for node in unread:
        words = f'"{" ".join([node.name, *node.args])}", which could not be read, changes nothing'
        flight.choose(("unread", node), ((None, words),), node)
    if not unread:
        words = "the part of the server that was not read changes nothing"
        flight.choose(("unread", server), ((None, words),), server)


def _too_large(flight: Flight) -> Result | None:
    size, block = flight.body, flight.block
    if not size:
        return None
    limit = flight.model.size(block, "client_max_body_size", 1 << 20)
    if limit and size > limit:
        found = flight.model.effective(block, "client_max_body_size")
        flight.note(
            "location", found[0] if found else None, "413", f"the body of {size} bytes is larger than {limit}"
        )
        flight.body = 0  # it has been discarded
        return Finish(413)
    return None


# -- why it was chosen


def _explain(flight: Flight, chosen: Location | None, redirect: bool) -> None:
    server = flight.server
    lost: list[str] = []
    _losers(server.level, chosen, flight, lost)
    lost = _together(lost)
    if len(lost) > _MOST_SHOWN:
        lost[_MOST_SHOWN:] = [f"{len(lost) - _MOST_SHOWN} more"]
    if chosen is None:
        why = "no location matches: the server itself answers"
        flight.note("location", server.directive, "none", why, tuple(lost))
    else:
        flight.note("location", chosen.directive, chosen.label, _reason(chosen, redirect), tuple(lost))


def _together(lost: list[str]) -> list[str]:
    """Many that were not tried for one reason take one line."""
    untried = [each for each in lost if _UNTRIED in each]
    if len(untried) < 3:
        return lost
    reason = untried[0].partition(_UNTRIED)[2]
    return [
        f"{len(untried)} regular expressions: {_UNTRIED}{reason}",
        *[each for each in lost if _UNTRIED not in each],
    ]


def _reason(location: Location, redirect: bool) -> str:
    if redirect:
        return "the URI is its name without the final slash"
    if location.is_exact:
        return "the URI is exactly this"
    if location.is_regex:
        return "the first regular expression that matches"
    if location.modifier == "^~":
        return "the longest prefix, and ^~ keeps regular expressions out"
    return "the longest prefix, and no regular expression matches"


def _losers(level: Level, chosen: Location | None, flight: Flight, lost: list[str]) -> None:
    """Locations that match, too, or come before the chosen one, and why they lost."""
    path = _path(chosen)
    uri, server = flight.uri, flight.server.directive
    here = next((each for each in path if each in level.members), None)
    passed = False
    for location in level.members:
        if location is here:
            passed = True
        elif location.is_prefix and uri.startswith(location.pattern):
            lost.append(f"{location.label}{_place(location, server)}: {_prefix_lost(location, here)}")
        elif location.is_regex and here is not None and (not here.is_regex or not passed):
            lost.append(f"{location.label}{_place(location, server)}: {_regex_lost(location, here)}")
    if here is not None and here is not chosen:
        _losers(here.level, chosen, flight, lost)


def _path(location: Location | None) -> list[Location]:
    found = []
    while location is not None:
        found.append(location)
        location = location.parent
    return found


def _place(location: Location, server: Directive) -> str:
    """Its line, and its file where it is not that of the server."""
    node = location.directive
    line = node.source.position(node.start)[0]
    if node.source is server.source:
        return f" (line {line})"
    return f" ({node.source.path.rpartition('/')[2]}:{line})"


def _prefix_lost(location: Location, here: Location | None) -> str:
    if here is None:
        return "shorter"
    if here.is_regex:
        return "a regular expression wins over it"
    if here.is_exact:
        return "an exact location wins over it"
    return "shorter prefix" if len(here.pattern) > len(location.pattern) else "same name, later"


def _regex_lost(location: Location, here: Location) -> str:
    if here.is_exact:
        return f"{_UNTRIED}an exact location matches"
    if here.modifier == "^~":
        return f"{_UNTRIED}^~ is the longest prefix"
    return "does not match"
