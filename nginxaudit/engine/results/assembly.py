"""What the rules found to a report: suppressions, baseline, limits, and what was not analysed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nginxaudit.engine.results.bounds import at_most
from nginxaudit.engine.results.collect import Collector
from nginxaudit.engine.results.concealed import shortened
from nginxaudit.engine.results.merging import apart, in_order, merged
from nginxaudit.engine.results.report import FileStatus, Report, RuleCrash
from nginxaudit.engine.rules.catalogue import Catalogue
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.rules.selection import ignored_per_file, options_of
from nginxaudit.engine.run.tasks import Outcome
from nginxaudit.engine.settings import Settings
from nginxaudit.engine.settings.record import AUTO
from nginxaudit.finding import Finding, Suppression
from nginxaudit.hit import Hit, Place
from nginxaudit.model.comments import MARK
from nginxaudit.nginx import Target, format_version
from nginxaudit.nginx.releases import Facts
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Config

if TYPE_CHECKING:
    from nginxaudit.engine.results.baseline import Entry
    from nginxaudit.engine.results.suppress import Ignores


_OF_PLUS = frozenset({"health-check-requires-plus", "plus-only-directive", "plus-only-upstream-feature"})
"""What only somebody writes who has NGINX Plus, or takes open source nginx for it."""


class Assembly:
    """Takes the outcomes of a run, one configuration after the other.

    ``in_place`` are the report's findings at their places in the analysed texts, which may be embedded in files.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, rules: list[Rule], target: Target) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._rules = rules
        self._by_slug = {rule.slug: rule for rule in catalogue}
        self._ignored = ignored_per_file(catalogue, settings)  # slugs, by glob of files
        self._ignores: Ignores | None = None  # until a comment speaks of nginxaudit
        self._target = target
        self._collector = Collector(self._target.stretch)
        self._sources: dict[str, SourceText] = {}
        self._troubles: dict[str, dict[str, None]] = {}  # file -> why it was not wholly analysed
        self._crashes: list[RuleCrash] = []
        self._notes: list[str] = []
        self._left_out: dict[
            str, dict[str, None]
        ] = {}  # why an include was not analysed -> where it is written
        self._remarks: list[str] = []
        self._roots: dict[str, None] = {}
        self._reported: set[str] = set()  # paths of files whose findings are reported
        self.in_place: list[Finding] = []

    def take(self, config: Config, outcome: Outcome, *, whole: bool) -> None:
        """What was found in one configuration; ``whole``: it was asked for, not only a file of it."""
        self._sources.update(config.sources)
        if whole:
            self._reported.update(config.sources)
            self._roots[config.main.host.path] = None
        self._collector.enter(config.entered)
        if self._settings.check_files:
            outcome.hits += self._files(config)
        self._add_ignores(config)
        for rule, hit in outcome.hits:
            self._collector.add(rule, hit)
        self._crashes.extend(outcome.crashes)
        for problem in config.problems:
            if not problem.analysed:
                path, line = _seen_at(problem.source, problem.start)
                self._trouble(path, f"line {line}: {problem.message}")
            elif problem.kind == "include-not-analysed":
                path, line = _seen_at(problem.source, problem.start)
                self._left_out.setdefault(problem.message, {})[f"{path}:{line}"] = None

    def _add_ignores(self, config: Config) -> None:
        if self._ignores is None:
            if not any(MARK in source.text for source in config.sources.values()):
                return
            from nginxaudit.engine.results.suppress import Ignores

            self._ignores = Ignores(self._catalogue)
        self._ignores.add(config)

    def _files(self, config: Config) -> list[tuple[Rule, Hit]]:
        """What is found in the files that a configuration names."""
        from nginxaudit.engine.results.accounts import PRIVILEGED, privileged_account
        from nginxaudit.engine.results.certificates import RULES, CertificateFiles
        from nginxaudit.engine.results.permissions import WRITABLE, writable_files
        from nginxaudit.engine.results.referenced_files import RULE, is_on_disk, referenced_files
        from nginxaudit.model import Model

        slugs = (RULE, WRITABLE, PRIVILEGED, *RULES)
        asked = {slug: rule for slug in slugs if (rule := self._by_slug[slug]) in self._rules}
        if not asked:
            return []
        if not is_on_disk(config):
            self._notes.append(
                f"{config.main.host.path}: the files that it names were not checked, they are not on this machine"
            )
            return []
        options = {slug: options_of(rule, self._catalogue, self._settings) for slug, rule in asked.items()}
        hits = [(RULE, hit) for hit in referenced_files(config)] if RULE in asked else []
        if WRITABLE in asked:
            hits += [(WRITABLE, hit) for hit in writable_files(config, strict=options[WRITABLE]["strict"])]
        if PRIVILEGED in asked:
            hits += [(PRIVILEGED, hit) for hit in privileged_account(config)]
        if not options.keys().isdisjoint(RULES):
            hits += CertificateFiles(Model(config, self._target), options).found()
        return [(asked[slug], hit) for slug, hit in hits if slug in asked]

    def unread(self, path: str, error: ReadError) -> None:
        """Tell what could not be read."""
        source = SourceText(path, "")
        self._sources.setdefault(path, source)
        self._trouble(path, str(error))
        if error.kind is Unreadable.FOREIGN:
            return  # nothing is wrong with the file
        remedy = error.remedy or ("Check the path." if error.kind is Unreadable.MISSING else "")
        hit = Hit(Place(source, 0, 0), f"{path} could not be read: {error}", help=remedy)
        rule = "limit-exceeded" if error.kind is Unreadable.LIMIT else "unreadable-file"
        self._collector.add(self._by_slug[rule], hit)

    def _trouble(self, path: str, reason: str) -> None:
        self._troubles.setdefault(path, {})[shortened(reason)] = None

    def note(self, notes: list[str], remarks: list[str]) -> None:
        """Say in words what was not analysed, and how the input was read."""
        self._notes += notes
        self._remarks += remarks

    def report(self, given: set[str] | None, facts: Facts) -> Report:
        """The report. ``given``: real paths of the files it is about; None for all. ``facts``: how new they are."""
        settings, target = self._settings, self._target
        hidden = {
            path
            for path, source in self._sources.items()
            if given is not None and path not in self._reported and source.real not in given
        }
        findings = [each for each in self._collector.findings() if each.span.file not in hidden]
        if settings.edition == AUTO and any(finding.rule in _OF_PLUS for finding in findings):
            self._remarks.append("it looks like NGINX Plus: --edition plus")
        findings = [self._silence(finding) for finding in findings]
        findings = [each for each in self._with_flaws(findings) if each.span.file not in hidden]
        gone: tuple[Entry, ...] = ()
        if settings.baseline is not None:
            from nginxaudit.engine.results.baseline import compared

            names = {path: source.host.path for path, source in self._sources.items()}
            findings, gone = compared(findings, settings.baseline, names, settings.home_of(settings.baseline))
        for path in sorted(hidden & set(self._troubles)):
            self._notes.append(f"{path}: {'; '.join(self._troubles.pop(path))}")
        shown = [
            finding
            for finding in findings
            if finding.severity >= settings.min_severity and finding.confidence >= settings.min_confidence
        ]
        shown, more = at_most(merged(shown), settings.limits.max_findings_per_rule)
        self._notes += more
        shown, sources = self._in_hosts(shown)
        files = {*sources, *self._troubles} - hidden
        return Report(
            nginx_version=None if target.is_range else format_version(target.version),
            nginx_versions=(format_version(target.first), format_version(target.version))
            if target.is_range
            else None,
            edition=target.edition,
            edition_version=None if target.own is None else ".".join(map(str, target.own)),
            findings=tuple(shown),
            files=tuple(
                FileStatus(
                    path,
                    path not in self._troubles,
                    tuple(self._troubles.get(path, ())),
                    path in self._sources and self._sources[path].template is not None,
                )
                for path in sorted(files)
            ),
            rules=tuple(self._rules),
            sources=sources,
            notes=tuple(dict.fromkeys([*_includes(self._left_out), *self._notes])),
            remarks=tuple(dict.fromkeys(self._remarks)),
            crashes=tuple(dict.fromkeys(self._crashes)),
            incomplete=bool(self._troubles),
            baseline=settings.baseline,
            gone=gone,
            facts=facts,
            roots=tuple(self._roots),
        )

    def _in_hosts(self, findings: list[Finding]) -> tuple[list[Finding], dict[str, SourceText]]:
        """Findings and texts as people know them: what is embedded is shown in the file that it stands in."""
        hosts = [source.host for source in self._sources.values() if source.host is not source]
        self.in_place = apart(findings)
        if not hosts:
            return findings, self._sources
        from nginxaudit.source.embedded import finding_in_host

        sources = {path: source for path, source in self._sources.items() if source.host is source}
        sources.update((host.path, host) for host in hosts)
        moved = [finding_in_host(finding, self._sources) for finding in findings]
        return sorted(moved, key=in_order), sources

    def _silence(self, finding: Finding) -> Finding:
        if self._ignores is not None:
            finding = self._ignores.apply(finding)
        if finding.suppressed is None:
            for glob, ignored in self._ignored.items():
                if finding.rule in ignored and self._covers(glob, finding):
                    reason = f"per-file-ignores of {glob}"
                    return replace(finding, suppressed=Suppression("per-file", reason))
        return finding

    def _covers(self, glob: str, finding: Finding) -> bool:
        path = _seen_at(self._sources[finding.span.file], 0)[0]
        relative = os.path.relpath(path, self._settings.base)
        return fnmatch(relative, glob) or fnmatch(os.path.basename(path), glob)

    def _with_flaws(self, findings: list[Finding]) -> list[Finding]:
        """Add what is wrong with the suppressing comments themselves."""
        if self._ignores is None:
            return findings
        ran = {rule.slug: rule for rule in self._rules}
        extra = Collector(self._target.stretch)
        for flaw in [*self._ignores.flaws, *self._ignores.unused(ran, self._target)]:
            rule = ran.get(flaw.rule)
            if rule is not None:
                comment = flaw.comment
                place = Place(comment.source, comment.start, comment.end)
                hit = Hit(place, flaw.message, help=flaw.help, fix=flaw.fix, severity=flaw.severity)
                extra.add(rule, hit)
        added = extra.findings()
        if not added:
            return findings
        return sorted([*findings, *added], key=in_order)


def _seen_at(source: SourceText, offset: int) -> tuple[str, int]:
    """File and line of an offset, as people know them."""
    span = source.in_host(offset, offset)
    return span.file, span.line


def _includes(left_out: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Includes that were not analysed: each reason once, with the first place."""
    for message, places in left_out.items():
        first, *others = places
        more = (
            f" (and {len(others):,} more {'include' if len(others) == 1 else 'includes'})" if others else ""
        )
        yield f"{first}: {message}{more}"
