"""Access rules that other locations, and rewrites, let requests get around: each with a request that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from nginxaudit.finding import Severity, Witness
from nginxaudit.hit import CheckContext, Hit, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.access import access_of, is_local, listening
from nginxaudit.model.location import Location
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import EXCHANGES, STATUS_PAGES
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import Outcome
from nginxaudit.request.showing import ask_of, gives, shows
from nginxaudit.request.uri import BadTarget, encoded, parse_target
from nginxaudit.syntax.tree import Directive

_GUARDS = ("deny", "auth_basic", "auth_request", "auth_jwt", "auth_pam", "auth_ldap")
_MEANT = ("allow", "auth_basic", "auth_request")
_REFUSED = frozenset({"401", "403", "404", "410", "444"})
_STATIC = frozenset(
    {"avif", "bmp", "css", "eot", "gif", "html", "htm", "ico",
     "jpeg", "jpg", "js", "less", "map", "mp3", "mp4", "ogg", "ogv", "otf",
     "png", "svg", "svgz", "swf", "ttf", "txt", "webm", "webp", "woff", "woff2", "xml"}
)  # fmt: skip
_PATTERNS = 6  # paths tried for one pair of locations


class Guarded(Struct, frozen=True):
    """A location that keeps requests out by what is written in it."""

    location: Location
    server: Server
    rule: Directive


def guard_of(model: Model, block: Directive) -> Directive | None:
    """The directive in ``block`` itself that denies unauthenticated clients; None if they are allowed."""
    answer = block.first("return")
    if answer is not None and answer.args and answer.args[0] in _REFUSED and len(answer.args) == 1:
        return answer
    own = [each for name in _GUARDS for each in block.named(name) if each.args[:1] != ["off"]]
    server = model.server_of(block)
    if not own or is_local(server) or access_of(model, block).open_to(listening(server)):
        return None
    return own[0]


def guarded_locations(model: Model) -> tuple[Guarded, ...]:
    """Every location that is guarded by its own rules, to be asked by `Model.once`."""
    found = []
    blocks = dict.fromkeys(
        node.parent for name in (*_GUARDS, "return") for node in model.config.named(name) if node.parent
    )
    for block in blocks:
        location = model.location_of(block) if block.name == "location" else None
        if location is None or location.server is None or location.is_named:
            continue
        if location.server.family != "http" or block.first("internal") is not None:
            continue
        rule = guard_of(model, block)
        if rule is not None:
            found.append(Guarded(location, location.server, rule))
    return tuple(found)


# -- another location takes the request


def access_rules_overridden(ctx: CheckContext) -> Iterable[Hit]:
    """Locations with access rules whose requests go to another location, which lets them in."""
    for guarded in ctx.once(guarded_locations):
        if any(map(guarded.location.directive.first, STATUS_PAGES)):
            continue  # what is kept from others is made by nginx there: another location does not give it
        # Those that matter most come first: one of them is reported.
        for other in sorted(_rivals(guarded.location), key=lambda each: _severity(each) is not None):
            witness = _through(ctx.model, guarded, other)
            if witness is not None:
                yield _overridden(guarded, other, witness)
                break


def _overridden(guarded: Guarded, other: Location, witness: Witness) -> Hit:
    location = guarded.location.directive
    return Hit(
        name_of(location),
        _problem(guarded, other),
        location,
        related=(
            ("this rule does not apply", whole(guarded.rule)),
            ("this location handles the request", name_of(other.directive)),
        ),
        severity=_severity(other),
        help=_remedy(guarded, other),
        witness=witness,
    )


def _rivals(location: Location) -> Iterator[Location]:
    """Locations that nginx may prefer to ``location`` for a path that both match."""
    siblings = _siblings(location)
    if location.is_prefix:
        if location.modifier != "^~":
            yield from (each for each in siblings if each.is_regex)
        inner = [each for each in siblings if each.is_prefix or each.is_exact]
        yield from (
            each
            for each in inner
            if each.pattern.startswith(location.pattern) and len(each.pattern) > len(location.pattern) > 1
        )
    elif location.is_regex:
        for each in siblings:
            if each.modifier == "^~" or (each.is_regex and siblings.index(each) < siblings.index(location)):
                yield each


def _siblings(location: Location) -> list[Location]:
    around = location.parent.children if location.parent is not None else None
    if around is not None:
        return around
    return list(location.server.locations) if location.server is not None else []


def _through(model: Model, guarded: Guarded, other: Location) -> Witness | None:
    location, rival = guarded.location, other.directive
    if guard_of(model, rival) is not None or not _may_give(model, rival):
        return None
    nested = {each.directive for each in _inside(other)}
    paths = list(dict.fromkeys(_paths(location, other)))[:_PATTERNS]
    asks = [ask_of(guarded.server, encoded(path)) for path in paths]

    def holds(outcome: Outcome) -> bool:
        return outcome.location in nested and gives(outcome)

    return shows(model, guarded.server, asks, holds)


def _inside(location: Location) -> Iterator[Location]:
    yield location
    for each in location.children:
        yield from _inside(each)


def _may_give(model: Model, block: Directive) -> bool:
    """Whether unauthenticated clients are served there: no rule in effect denies them or states that this is intended."""
    if any(list(node.args) in (["all"], ["off"]) for name in _MEANT for node in block.named(name)):
        return False
    server = model.server_of(block)
    return bool(access_of(model, block).open_to(listening(server)))


def _paths(location: Location, other: Location) -> Iterator[str]:
    """Paths that both locations match."""
    for path in _both(location, other):
        try:
            uri = parse_target(encoded(path)).uri
        except BadTarget:
            continue
        if fits(location, uri) and fits(other, uri):
            yield path


def _both(location: Location, other: Location) -> Iterator[str]:
    mine = location.pattern if not location.is_regex else (path_of(location) or sample(location.pattern))
    theirs = other.pattern if not other.is_regex else (path_of(other) or sample(other.pattern))
    if location.is_regex:
        yield from _variants(location)
        if other.is_prefix and not fits(location, theirs):
            yield from (theirs.rstrip("/") + each for each in _variants(location))
        return
    if other.is_regex:
        yield mine
        for each in _variants(other):
            yield mine.rstrip("/") + each
        yield theirs
    else:
        yield theirs
        yield theirs + "x"


def _variants(location: Location) -> Iterator[str]:
    """Paths that a regular expression matches: one for each of the texts in its first group."""
    first = path_of(location)
    if first is not None:
        yield first
    expression = location.expression
    texts = expression.group_texts(1) if expression is not None and expression.groups else None
    group = expression.group(1) if expression is not None and texts else None
    if expression is None or not texts or group is None:
        return
    for text in sorted(texts)[:_PATTERNS]:
        yield sample(expression.text[: group.start] + text.replace(".", r"\.") + expression.text[group.end :])


def fits(location: Location, uri: str) -> bool:
    """Whether a location matches a path by itself."""
    if location.is_regex:
        return matches(location.pattern, uri, caseless=location.modifier == "~*") is True
    return uri == location.pattern if location.is_exact else uri.startswith(location.pattern)


def _problem(guarded: Guarded, other: Location) -> str:
    label, rule = other.label, guarded.rule.name
    if other.modifier == "^~":
        return (
            f'"{label}" takes precedence over this regex location: {rule} here does not apply to its requests'
        )
    if guarded.location.is_regex:
        return f'"{label}" comes first and handles matching requests: {rule} here does not apply to them'
    if other.is_regex:
        return f'"{label}" handles matching requests: {rule} here does not apply to them'
    return f'"{label}" does not inherit {rule} from this location: any client can request what it serves'


def _severity(other: Location) -> Severity | None:
    if other.is_regex:
        ending = other.pattern.rpartition(r"\.")[2].strip("$()?:").lower()
        words = {each.rstrip("?") for each in ending.split("|")}
        static = bool(words) and words <= _STATIC and not any(map(other.directive.first, EXCHANGES))
        return Severity.INFO if static else None
    return Severity.INFO


def _remedy(guarded: Guarded, other: Location) -> str:
    if other.modifier == "^~":
        return "Repeat the rule inside that location, or remove its ^~."
    if guarded.location.is_regex:
        return "Move this location before the other one."
    if other.is_regex:
        return "Use location ^~, and copy what it needs from the regex location into it."
    return "Nest that location in this one or repeat the rules there. If access is intended, add allow all or auth_basic off."
