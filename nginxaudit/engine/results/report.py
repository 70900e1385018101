"""The outcome of an audit, as data for the reports and for the Python API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from nginxaudit.engine.rules.rule import Rule
from nginxaudit.finding import Finding, Severity
from nginxaudit.nginx import FORKS
from nginxaudit.nginx.releases import Facts
from nginxaudit.source.text import SourceText

if TYPE_CHECKING:
    from nginxaudit.engine.results.baseline import Entry


class FileStatus(Struct, frozen=True):
    """One input file. ``analysed`` is False when any part of it was not understood; a ``template`` is judged in part."""

    path: str
    analysed: bool
    errors: tuple[str, ...] = ()
    template: bool = False


class RuleCrash(Struct, frozen=True):
    """A rule that raised: its other findings on this root are lost, everything else is kept."""

    rule: str
    root: str
    error: str


class Report(Struct, frozen=True):
    """Everything an audit has to say.

    ``findings`` is sorted by file, place and rule, suppressed ones included. ``rules`` are the
    rules that ran. ``sources`` maps `Span.file` to its text, for excerpts. ``notes`` says in
    words what was not analysed and why, ``remarks`` how the input was read. ``incomplete`` is True when some input that was asked
    for could not be analysed: exit code 3. ``baseline`` is the file of known findings that was used, and
    ``gone`` are its entries without a finding. ``nginx_version`` is the nginx that was asked about; None when it is not
    known: then ``nginx_versions`` are the oldest and the newest that were. ``facts`` says how new what is known about nginx is.
    ``roots`` are the main files of the configurations that were analysed.
    """

    nginx_version: str | None
    edition: str
    findings: tuple[Finding, ...]
    files: tuple[FileStatus, ...]
    rules: tuple[Rule, ...]
    sources: Mapping[str, SourceText] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    crashes: tuple[RuleCrash, ...] = ()
    incomplete: bool = False
    baseline: str | None = None
    gone: tuple[Entry, ...] = ()
    nginx_versions: tuple[str, str] | None = None
    facts: Facts = Facts()
    roots: tuple[str, ...] = ()
    edition_version: str | None = None  # of a fork, on its own scale

    @property
    def target(self) -> str:
        """The nginx that was asked about, in words."""
        versions = self.nginx_version or " to ".join(self.nginx_versions or ())
        if self.edition in FORKS:
            own = f" {self.edition_version}" if self.edition_version else ""
            return f"{FORKS[self.edition]}{own} (nginx {versions})"
        return f"NGINX Plus ({versions})" if self.edition == "plus" else f"nginx {versions}"

    @property
    def active(self) -> tuple[Finding, ...]:
        """Findings that are not suppressed."""
        return tuple(f for f in self.findings if f.suppressed is None)

    @property
    def apart(self) -> tuple[Finding, ...]:
        """The same, each place of what was merged for itself."""
        return tuple(each for finding in self.active for each in finding.alone)

    def exit_code(self, fail_on: Severity | None = Severity.WARNING) -> int:
        """0 clean, 1 findings at or above ``fail_on`` (None: never), 3 not analysed, 4 a rule crashed."""
        if self.crashes:
            return 4
        if self.incomplete:
            return 3
        return int(fail_on is not None and any(f.severity >= fail_on for f in self.active))
