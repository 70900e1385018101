"""Versions of nginx, and the nginx that a configuration is meant for: one version, or a range of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

T = TypeVar("T")
Version = tuple[int, int, int]
NEWEST: Version = (1, 31, 4)
"""The newest release whose directives the facts know."""
NEWEST_DATE = "2026-08-11"
OLDEST: Version = (1, 18, 0)
"""The oldest release that people still run with support: what a configuration is judged for when nothing says its version.

Ubuntu 22.04 LTS has nginx 1.18.0 and standard support until 2027 (https://packages.ubuntu.com/jammy/nginx,
https://ubuntu.com/about/release-cycle), as Debian 11 had until the end of its LTS in August 2026
(https://packages.debian.org/bullseye/nginx). RHEL 9 began with 1.20.1, Debian 12 has 1.22.1; the module streams 1.14 and 1.16
of RHEL 8 have ended (https://access.redhat.com/support/policy/updates/rhel-app-streams-life-cycle).
"""


FORKS = {"openresty": "OpenResty", "angie": "Angie", "freenginx": "freenginx", "tengine": "Tengine"}
"""Editions of nginx that others make, with their names; each has versions of its own."""
EDITION_NAMES = {"oss": "open source nginx", "plus": "NGINX Plus", **FORKS}
OwnVersion = tuple[int, ...]


def own_version(text: str) -> OwnVersion:
    """A version on the scale of an edition: ``"1.27.1.2"`` of OpenResty. Raises `ValueError`."""
    parts = text.strip().split(".")
    if len(parts) != 4:
        return parse_version(text)
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ValueError(f"{text!r} is not a version; expected something like 1.27.1.2")
    return tuple(map(int, parts))


def parse_version(text: str) -> Version:
    """``"1.29.7"`` as numbers; ``"1.29"`` means its first release, 1.29.0.

    Raises `ValueError`.
    """
    parts = text.strip().removeprefix("nginx/").removeprefix("v").split(".")
    if len(parts) not in (2, 3) or not all(part.isascii() and part.isdecimal() for part in parts):
        raise ValueError(f"{text!r} is not a version of nginx; expected something like 1.28.0")
    major, minor, *patch = map(int, parts)
    return major, minor, patch[0] if patch else 0


def format_version(version: Version) -> str:
    """``(1, 29, 7)`` as ``"1.29.7"``."""
    return ".".join(map(str, version))


def after(version: Version) -> Version:
    """The release that follows within its branch: what is later than ``version`` is this one or later."""
    return version[0], version[1], version[2] + 1


class Stretch(Struct, frozen=True):
    """All versions from ``since`` to those before ``before``."""

    since: Version
    before: Version


def common(one: Stretch, other: Stretch) -> Stretch | None:
    """The versions that are in both."""
    since, before = max(one.since, other.since), min(one.before, other.before)
    return Stretch(since, before) if since < before else None


def merged(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Stretches in order, those that follow each other as one."""
    made: list[Stretch] = []
    for each in sorted(set(stretches), key=lambda one: one.since):
        if made and made[-1].before >= each.since:
            made[-1] = Stretch(made[-1].since, max(made[-1].before, each.before))
        else:
            made.append(each)
    return tuple(made)


class Nginx(Protocol):
    """What facts are asked for: one version of an edition, with modules."""

    def since(self, version: Version) -> bool:
        """Whether it is ``version`` or a newer one."""

    @property
    def edition(self) -> str:
        """``oss``, ``plus`` or one of `FORKS`."""

    @property
    def own(self) -> OwnVersion | None:
        """The version of a fork on its own scale; None if it is not known, or none."""

    @property
    def modules(self) -> frozenset[str]:
        """Third-party modules known to be loaded."""


class Target(Struct, frozen=True):
    """The nginx that a configuration is meant for: the versions from ``oldest`` to ``version``.

    Without ``oldest`` it is ``version`` alone. ``edition`` is ``oss``, ``plus`` or one of `FORKS`; for all but ``oss``, ``version`` is the
    open source version it is based on, and ``own`` that of a fork on its own scale. ``modules`` names third-party modules known to be
    loaded (``lua``, ``headers-more``…). ``vendor``: it is the package of a distribution, or a fork, which may have fixes of later versions.
    """

    version: Version = NEWEST
    edition: str = "oss"
    modules: frozenset[str] = frozenset()
    oldest: Version | None = None
    vendor: bool = False
    own: OwnVersion | None = None

    @property
    def first(self) -> Version:
        """The oldest of its versions."""
        return self.version if self.oldest is None else self.oldest

    @property
    def is_range(self) -> bool:
        """Whether it is more than one version: the version is not known."""
        return self.first < self.version

    @property
    def stretch(self) -> Stretch:
        """All of its versions."""
        return Stretch(self.first, after(self.version))

    def since(self, version: Version) -> bool:
        """Whether the newest of its versions is ``version`` or a newer one."""
        return self.version >= version

    @property
    def label(self) -> str:
        """For messages: ``nginx 1.29.7``, ``nginx 1.18.0 to 1.31.4``, ``NGINX Plus (1.29.7)`` or ``Angie 1.10.0 (nginx 1.27.5)``."""
        text = format_version(self.version)
        if self.is_range:
            text = f"{format_version(self.first)} to {text}"
        if self.edition in FORKS:
            own = f" {'.'.join(map(str, self.own))}" if self.own else ""
            return f"{FORKS[self.edition]}{own} (nginx {text})"
        return f"NGINX Plus ({text})" if self.edition == "plus" else f"nginx {text}"


class _Answered:
    """What was asked so far: the answers are those for the versions just before ``before``, and for all of ``low`` to ``high``."""

    __slots__ = ("before", "high", "low")

    def __init__(self, whole: Stretch) -> None:
        self.low, self.high, self.before = whole.since, whole.before, whole.before


class Asked:
    """A target while a configuration is judged for it: one of its versions at a time.

    It answers for the newest version that has not been judged, and remembers for how many others the answers are the
    same: who judges is asked again for the rest only (`parts`). So a check is written for one version, and what does not
    depend on the version is judged once.
    """

    __slots__ = ("_answered", "edition", "modules", "own", "target")

    def __init__(self, target: Target, answered: _Answered | None = None) -> None:
        self.target = target
        self.edition = target.edition
        self.modules = target.modules
        self.own = target.own
        self._answered = answered or _Answered(target.stretch)

    def since(self, version: Version) -> bool:
        """Whether the version that is judged is ``version`` or a newer one."""
        answered = self._answered
        if version < answered.before:
            if version > answered.low:
                answered.low = version
            return True
        if version < answered.high:
            answered.high = version
        return False

    @property
    def is_range(self) -> bool:
        """Whether the version is not known."""
        return self.target.is_range

    @property
    def label(self) -> str:
        """The whole target, for messages."""
        return self.target.label

    @property
    def example(self) -> Version:
        """One of the versions for which all answers so far hold."""
        major, minor, patch = self._answered.before
        if patch:
            return major, minor, patch - 1
        return max(self._answered.low, (major, minor - 1, 999)) if minor else self._answered.low

    def with_modules(self, names: frozenset[str]) -> Asked:
        """The same with more modules; what is asked of one is asked of both."""
        target = self.target
        more = replace(target, modules=target.modules | names)
        return Asked(more, self._answered)

    def parts(self, judge: Callable[[], T]) -> list[tuple[Stretch, T]]:
        """What ``judge`` answers, newest versions first, with the versions for which it does."""
        whole, answered = self.target.stretch, self._answered
        outer = answered.low, answered.high, answered.before
        found, before = [], whole.before
        try:
            while before > whole.since:
                answered.low, answered.high, answered.before = whole.since, whole.before, before
                answer = judge()
                found.append((Stretch(answered.low, before), answer))
                before = answered.low
        finally:
            answered.low, answered.high, answered.before = outer
        return found

    def for_all(self, make: Callable[[], T]) -> T:
        """What ``make`` answers, which itself sees to what depends on the version (`parts`, `is_narrowed`)."""
        answered = self._answered
        outer = answered.low, answered.high, answered.before
        self.forget()
        try:
            return make()
        finally:
            answered.low, answered.high, answered.before = outer

    @property
    def is_narrowed(self) -> bool:
        """Whether the answers so far do not hold for all versions."""
        return self._answered.low > self.target.first

    def forget(self) -> None:
        """Begin again with the newest version, as if nothing had been asked."""
        answered, whole = self._answered, self.target.stretch
        answered.low, answered.high, answered.before = whole.since, whole.before, whole.before

    def once(self, known: list[tuple[Stretch, T]], make: Callable[[], T]) -> T:
        """What ``make`` answers, computed once for all versions for which it answers the same; ``known`` remembers it."""
        answered = self._answered
        for stretch, answer in known:
            if stretch.since < answered.before <= stretch.before:
                self._narrow(stretch.since, stretch.before)
                return answer
        low, high = answered.low, answered.high
        answered.low, answered.high = self.target.first, after(self.target.version)
        try:
            answer = make()
            known.append((Stretch(answered.low, answered.high), answer))
        finally:
            self._narrow(low, high)
        return answer

    def _narrow(self, low: Version, high: Version) -> None:
        answered = self._answered
        answered.low, answered.high = max(answered.low, low), min(answered.high, high)
