"""What an audit says: findings with exact places, as plain frozen data.

Nothing here knows how a finding came to be or how it is printed.
"""

from __future__ import annotations

from enum import Enum
from typing import Self

from msgspec import Struct


class _Level(Enum):
    """A word with a rank: members are compared in the order in which they are listed."""

    @property
    def label(self) -> str:
        """Lower-case word used in every output and setting."""
        return str(self.value)

    @property
    def rank(self) -> int:
        """Its place among the others, the lowest first."""
        return list(type(self)).index(self)

    def __lt__(self, other: Self) -> bool:
        return self.rank < other.rank

    def __le__(self, other: Self) -> bool:
        return self.rank <= other.rank

    def __gt__(self, other: Self) -> bool:
        return self.rank > other.rank

    def __ge__(self, other: Self) -> bool:
        return self.rank >= other.rank


class Severity(_Level):
    """How bad a finding is. Ordered, so that thresholds compare with ``>=``."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Confidence(_Level):
    """How sure the finding is a true positive. Ordered like `Severity`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Applicability(Enum):
    """Whether a fix keeps the meaning of the configuration."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Span(Struct, frozen=True):
    """A stretch of one file.

    Lines and columns are 1-based and count Unicode code points; the end is exclusive.
    ``start`` and ``end`` are 0-based code point offsets into the decoded text. An undecodable
    byte counts as one code point.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    start: int
    end: int


class Related(Struct, frozen=True):
    """A second place that explains a finding, with a word on why it is shown.

    ``includes`` is how many ``include`` directives it stands for that lead to the file of the finding; 0 for other places.
    """

    message: str
    span: Span
    includes: int = 0


class Edit(Struct, frozen=True):
    """Replace the code points ``start`` to ``end`` (exclusive) of ``file`` by ``text``."""

    file: str
    start: int
    end: int
    text: str


class Fix(Struct, frozen=True):
    """Non-overlapping edits, sorted by place, that fix one finding."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


class Suppression(Struct, frozen=True):
    """Why a finding is not counted: ``kind`` is inline, per-file or baseline."""

    kind: str
    reason: str


class Versions(Struct, frozen=True):
    """Versions of nginx: from ``since`` (None: all of those asked about), to the last one ``before`` (None: all), without ``gaps``.

    A gap is a pair of the same kind: a problem may be fixed in one branch and not in the next one.
    """

    since: str | None
    before: str | None
    gaps: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """For messages: ``before nginx 1.29.7``, ``since nginx 1.25.1``, ``since nginx 1.29.0 and before 1.29.7``."""
        ends = [
            f"{word} {version}"
            for word, version in (("since", self.since), ("before", self.before))
            if version
        ]
        text = " and ".join(ends).replace(" ", " nginx ", 1)
        return (text + "".join(map(_gap_label, self.gaps))).removeprefix(", ")


class Witness(Struct, frozen=True):
    """A request as people send it: it shows a finding on a running nginx. ``sender`` is the client's address where that matters.

    ``url`` has the path as it is sent, and the address or the name to connect to; ``headers`` are those that it needs, Host
    among them. ``name`` is what TLS asks for where that is not the host, ``body`` the length of a body.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    sender: str | None = None
    name: str | None = None
    body: int | None = None

    @property
    def command(self) -> str:
        """For curl, which sends it as it is: TLS asks for the host, wherever it connects to."""
        from shlex import join  # only who has a witness pays for it

        words = ["curl", "-i", "--path-as-is"]
        scheme, _, rest = self.url.partition("://")
        authority, path = rest[: (end := _end(rest))], rest[end:]
        default = "443" if scheme == "https" else "80"
        address, _, port = authority.rpartition(":")
        if not address or port.endswith("]"):
            address, port = authority, default
        host = dict(self.headers).get("Host") or ""
        name = (self.name or _without_port(host) if scheme == "https" else "") or address
        if name != address:
            words += ["-k", "--connect-to", f"::{authority}"]
        called = name if port == default else f"{name}:{port}"
        if self.method == "HEAD":
            words.append("-I")
        elif self.method != ("GET" if self.body is None else "POST"):
            words += ["-X", self.method]
        for header, value in self.headers:
            if (header, value) != ("Host", called):
                words += ["-H", f"{header}: {value}" if value else f"{header};"]
        if self.body is not None:
            words += ["-d", "x" * min(self.body, 20)]
        return join([*words, f"{scheme}://{called}{path}"]) + (
            f"  (from {self.sender})" if self.sender else ""
        )


def _end(rest: str) -> int:
    """Where the authority of a URL ends, which begins with it."""
    return min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.partition(":")[0] if host.count(":") == 1 else host


def _gap_label(gap: tuple[str, str]) -> str:
    since, before = gap
    branch = since.rpartition(".")[0]
    rest = before.rpartition(".")
    following = rest[2] == "0" and f"{branch.rpartition('.')[2]}" == str(int(rest[0].rpartition(".")[2]) - 1)
    return f", except {since} and later {branch}" if following else f", except {since} to before {before}"


class Finding(Struct, frozen=True):
    """One problem, at one place or, where one cause has several, at all of them.

    ``versions``: for which it holds, when that is not every one that was asked about. ``cause`` is what findings with the
    same cause share; ``parts`` are those that were merged into this one, its own first. ``reached`` are
    all includes on the ways to it.
    """

    id: str
    rule: str
    category: str
    severity: Severity
    confidence: Confidence
    message: str
    span: Span
    rejected_by_nginx: bool = False
    related: tuple[Related, ...] = ()
    help: str = ""  # what to do about this very finding, one line; empty: see the rule page
    why: str = ""  # why it matters, where the rule page has another reason
    fix: Fix | None = None
    fingerprint: str = ""
    suppressed: Suppression | None = None
    versions: Versions | None = None
    witness: Witness | None = None
    cause: str = ""
    parts: tuple[Finding, ...] = ()
    reached: tuple[Span, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every place that it is about: its own first, those that explain it, and the includes that lead to it."""
        return tuple(dict.fromkeys((self.span, *(each.span for each in self.related), *self.reached)))

    @property
    def alone(self) -> tuple[Finding, ...]:
        """The finding of each place: itself where nothing was merged."""
        return self.parts or (self,)

    @property
    def claim(self) -> str:
        """The message, and for which versions of nginx it holds, unless it says so itself."""
        versions = self.versions
        if versions is None or versions.label in self.message:
            return self.message
        if versions.since is None and f"needs nginx {versions.before} " in self.message:
            return self.message
        return f"{self.message} ({versions.label})"
