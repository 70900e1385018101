"""Security advisories of nginx: which versions, and which feature must be in use.

The file is JSON, ``{"format": 1, "date": …, "advisories": […]}``; an advisory is a record in the schema of OSV
(https://ossf.github.io/osv-schema/). What OSV leaves open is said in README.md of this folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from msgspec import Struct, ValidationError, field
from msgspec.json import Decoder

from nginxaudit.nginx.data_files import content
from nginxaudit.nginx.version import Nginx, Stretch, Version, after, format_version, parse_version

FORMAT = 1
NAME = "advisories.json"
_ENDLESS: Version = (999, 0, 0)
_OSS = "nginx"


class Condition(Struct, frozen=True):
    """What must be configured for a flaw to be reached: any of ``needs``, all of ``needs_all``, and all of ``together``
    in one location. Nothing of it: it can be reached whatever is configured.
    """

    needs: tuple[str, ...] = ()
    needs_all: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    component: str = ""
    platform: str | None = None

    def __str__(self) -> str:
        parts = [" and ".join(map(_spelled, self.needs_all)), " or ".join(map(_spelled, self.needs))]
        if self.together:
            parts.append(f"{' and '.join(self.together)} in one location")
        return "; ".join(filter(None, parts)) or "nothing"


def _spelled(feature: str) -> str:
    return feature.replace("|", " or ").replace("/", ": ")


class Advisory(Struct, frozen=True):
    """One advisory: ``affected`` are the versions of open source nginx, ``plus`` those of NGINX Plus as published."""

    cve: str
    severity: str
    title: str
    affected: tuple[Stretch, ...]
    fixed: tuple[str, ...]
    condition: Condition
    plus: tuple[tuple[str, str | None], ...]
    note: str | None
    url: str | None
    published: str | None

    def affects(self, target: Nginx) -> bool:
        """Whether ``target`` has the flaw."""
        return any(target.since(each.since) and not target.since(each.before) for each in self.affected)

    @property
    def ranges(self) -> str:
        """The versions of open source nginx in words."""
        return ", ".join(map(_range, self.affected)) or "none"


def bounds(stretch: Stretch) -> tuple[str, str | None]:
    """The first version that is affected, and the one that no longer is, if there is one."""
    return format_version(stretch.since), None if stretch.before == _ENDLESS else format_version(
        stretch.before
    )


def _range(stretch: Stretch) -> str:
    first, fixed = bounds(stretch)
    return f"{first} and newer" if fixed is None else f"{first} to before {fixed}"


class Advisories(Struct, frozen=True):
    """All advisories, newest first, as they were known on ``date``."""

    date: str
    entries: tuple[Advisory, ...]


# -- the file


class _Event(Struct, frozen=True):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class _Range(Struct, frozen=True):
    events: tuple[_Event, ...]
    type: str = "SEMVER"


class _Package(Struct, frozen=True):
    name: str


class _Affected(Struct, frozen=True):
    package: _Package
    ranges: tuple[_Range, ...] = ()
    ecosystem_specific: Condition = Condition()


class _Link(Struct, frozen=True):
    url: str


class _Said(Struct, frozen=True):
    severity: str = "unknown"
    note: str | None = None


class _Record(Struct, frozen=True):
    id: str
    affected: tuple[_Affected, ...]
    summary: str = ""
    published: str | None = None
    withdrawn: str | None = None
    references: tuple[_Link, ...] = ()
    database_specific: _Said = _Said()


class _File(Struct, frozen=True):
    format: int
    date: str
    advisories: tuple[_Record, ...] = field(default=())


def parse_advisories(text: bytes | str) -> Advisories:
    """The advisories of a file. Raises `ValueError`, which says what is wrong."""
    try:
        file = Decoder(_File).decode(text)
    except ValidationError as error:
        raise ValueError(f"it is no file of advisories: {error}") from None
    except ValueError as error:
        raise ValueError(f"it is not valid JSON: {error}") from None
    if file.format != FORMAT:
        raise ValueError(f"it has format {file.format}, and {FORMAT} is the one that is understood")
    return Advisories(file.date, tuple(_advisory(each) for each in file.advisories if each.withdrawn is None))


def _advisory(record: _Record) -> Advisory:
    own = next((each for each in record.affected if each.package.name == _OSS), None)
    plus = next((each for each in record.affected if each.package.name == "nginx-plus"), None)
    ranges = own.ranges if own else ()
    try:
        affected = tuple(_stretches(event for each in ranges for event in each.events))
    except ValueError as error:
        raise ValueError(f"{record.id}: {error}") from None
    return Advisory(
        cve=record.id,
        severity=record.database_specific.severity,
        title=record.summary,
        affected=affected,
        # The newest branch first: what to run instead.
        fixed=tuple(event.fixed for each in ranges for event in each.events if event.fixed)[::-1],
        condition=own.ecosystem_specific if own else Condition(),
        plus=tuple(_pairs(event for each in (plus.ranges if plus else ()) for event in each.events)),
        note=record.database_specific.note,
        url=record.references[0].url if record.references else None,
        published=record.published and record.published[:10],
    )


def _stretches(events: Iterable[_Event]) -> Iterable[Stretch]:
    """Events in order as stretches of versions: each begins with ``introduced``."""
    begun: Version | None = None
    for event in events:
        if event.introduced is not None:
            if begun is not None:
                raise ValueError("two versions are introduced without a fix between them")
            begun = (0, 0, 0) if event.introduced == "0" else parse_version(event.introduced)
        elif begun is not None:
            end = _end(event)
            if end <= begun:
                raise ValueError(f"{format_version(end)} does not come after {format_version(begun)}")
            yield Stretch(begun, end)
            begun = None
    if begun is not None:
        yield Stretch(begun, _ENDLESS)


def _end(event: _Event) -> Version:
    if event.fixed is not None:
        return parse_version(event.fixed)
    if event.last_affected is not None:
        return after(parse_version(event.last_affected))
    raise ValueError("an event is introduced, fixed or last_affected")


def _pairs(events: Iterable[_Event]) -> Iterable[tuple[str, str | None]]:
    """Releases of NGINX Plus as published: they have a scale of their own."""
    begun: str | None = None
    for event in events:
        if event.introduced is not None:
            if begun is not None:
                yield begun, None
            begun = event.introduced
        elif begun is not None:
            yield begun, event.fixed
            begun = None
    if begun is not None:
        yield begun, None


@cache
def shipped() -> Advisories:
    """Those that come with this release."""
    return parse_advisories(content(NAME))
