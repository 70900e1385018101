"""The whole way once: paths to roots to trees to findings to a report."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.checks.base import Hit, Place
from nginxaudit.engine.baseline import Baseline, load
from nginxaudit.engine.bounds import at_most, too_long
from nginxaudit.engine.catalogue import Catalogue, builtin
from nginxaudit.engine.collect import Collector
from nginxaudit.engine.context import Contexts
from nginxaudit.engine.referenced_files import RULE as FILES_RULE
from nginxaudit.engine.referenced_files import referenced_files
from nginxaudit.engine.report import FileStatus, Report, RuleCrash
from nginxaudit.engine.rule import Rule
from nginxaudit.engine.run import Outcome, prepare, run
from nginxaudit.engine.selection import options_of, selected, slugs
from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.engine.suppress import Ignores
from nginxaudit.finding import Finding, Suppression
from nginxaudit.model import Model
from nginxaudit.nginx import format_version
from nginxaudit.source.embedded import EmbeddedText, finding_in_host
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import Root, Roots
from nginxaudit.source.roots import ReadOptions, find_roots
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.fragments import context_of_path, declared_context, infer_contexts, is_main
from nginxaudit.syntax.includes import ParseCache, expand
from nginxaudit.syntax.tree import Config

_DEFAULT_PATHS = ("nginx.conf", "/etc/nginx")


def audit(
    paths: Sequence[str] = (),
    settings: Settings | None = None,
    *,
    stdin: BinaryIO | None = None,
) -> Report:
    """Audit ``paths``: files, directories, ``nginx -T`` dumps, ``-`` for ``stdin``.

    Without paths: the settings' ``entry``, else ``./nginx.conf``, else ``/etc/nginx``. Bad input never
    raises, it is part of the report. Raises `SettingsError` for settings that cannot be used.
    """
    return examine(paths, settings, stdin=stdin).report


class Examination(Struct, frozen=True):
    """A report, and the meaning of every root that it speaks of.

    ``active`` are the report's findings that are not suppressed at their places in the models' texts, which may be
    embedded in the files that the report names.
    """

    report: Report
    models: tuple[Model, ...]
    active: tuple[Finding, ...]


def examine(
    paths: Sequence[str] = (),
    settings: Settings | None = None,
    *,
    stdin: BinaryIO | None = None,
    overlay: Mapping[str, str] | None = None,
    progress: Callable[[int, int, str], object] | None = None,
) -> Examination:
    """Like `audit`, with the models of the configurations beside the report.

    ``overlay`` maps real paths to texts that are audited in place of what is on disk. ``progress`` is told
    before each configuration: how many are done, of how many, and its name.
    """
    settings = settings or Settings()
    with _paused_collector():
        work = _Audit(settings, overlay, progress)
        report = work.run(list(paths) or default_paths(settings), stdin)
        active = tuple(finding for finding in work.in_place if finding.suppressed is None)
        return Examination(report, tuple(work.models), active)


def default_paths(settings: Settings) -> list[str]:
    """What is audited when no path is given."""
    if settings.entry:
        return list(settings.entry)
    return [next((path for path in _DEFAULT_PATHS if os.path.exists(path)), _DEFAULT_PATHS[0])]


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Without garbage collection: trees of 100,000 nodes make it half of the run time, in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Audit:
    def __init__(
        self,
        settings: Settings,
        overlay: Mapping[str, str] | None,
        progress: Callable[[int, int, str], object] | None,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._overlay = overlay
        self._catalogue: Catalogue = builtin().with_pages(settings.rule_directories)
        self._rules = selected(self._catalogue, settings)
        self._tasks = [
            prepare(rule, options_of(rule, self._catalogue, settings))
            for rule in self._rules
            if "engine" not in rule.check  # told by this module itself
        ]
        self._by_slug = {rule.slug: rule for rule in self._catalogue}
        self._ignores = Ignores(self._catalogue)
        self._collector = Collector()
        self._cache = ParseCache(settings.limits)
        self._sources: dict[str, SourceText] = {}
        self._troubles: dict[str, list[str]] = {}  # file -> why it was not wholly analysed
        self._crashes: list[RuleCrash] = []
        self._notes: list[str] = []
        self._given: set[str] = set()  # real paths of files of which only they themselves are asked for
        self._context_only: set[str] = set()  # roots that are read for the sake of a file they include
        self._reported: set[str] = set()  # paths of files whose findings are reported
        self.models: list[Model] = []
        self.in_place: list[Finding] = []

    def run(self, paths: list[str], stdin: BinaryIO | None) -> Report:
        settings = self._settings
        options = ReadOptions(
            settings.prefix, settings.allow_outside, settings.stdin_filename, self._overlay, settings.limits
        )
        roots = find_roots(paths, options, stdin)
        self._in_context(roots, options)
        reached: set[str] = set()
        for done, (root, config) in enumerate(self._independent(roots, reached)):
            if self._progress is not None:
                self._progress(done, len(roots.roots), root.source.path)
            self._root(root, config)
        self._loose(roots, reached)
        for unread in roots.unread:
            self._unread(unread.path, unread.error)
        return self._report()

    # -- roots

    def _in_context(self, roots: Roots, options: ReadOptions) -> None:
        """Put the configuration that includes it in the place of each given file that is a part of one."""
        contexts = Contexts(self._settings.entry, options, lambda root: self._expand(root, "main"))
        kept: list[Root] = []
        wholes: dict[str, Root] = {}
        for root in roots.roots:
            source = root.source
            if root.searched or not os.path.isabs(source.real):
                kept.append(root)
                continue
            whole = None if self._stands_alone(root) else contexts.of(source.path, source.real)
            if whole is not None:
                self._given.add(source.real)
                wholes.setdefault(whole[0].source.real, whole[0])
            else:
                if self._settings.changed:
                    self._given.add(source.real)
                    self._context_only.add(source.real)
                kept.append(root)
        named = {root.source.real for root in kept}
        self._context_only.update(real for real in wholes if real not in named)
        roots.roots = [*kept, *(root for real, root in wholes.items() if real not in named)]

    def _stands_alone(self, root: Root) -> bool:
        """Whether a file says itself where it stands: it is a main configuration, or declares its context."""
        if self._settings.context is not None:
            return True
        parsed = self._cache.get(root.source)
        return is_main(parsed.statements) or declared_context(parsed.comments) is not None

    def _independent(self, roots: Roots, reached: set[str]) -> Iterator[tuple[Root, Config | None]]:
        """Roots in order; one that was found by searching and that another one includes is none."""
        if not any(root.searched for root in roots.roots):
            yield from ((root, None) for root in roots.roots)
            return
        expanded = [(root, self._expand(root, "main")) for root in roots.roots]
        included = {
            source.real
            for _, config in expanded
            for source in config.sources.values()
            if source is not config.main
        }
        for root, config in expanded:
            if root.searched and root.source.real in included:
                continue
            reached.update(source.real for source in config.sources.values())
            yield root, config

    def _root(self, root: Root, config: Config | None) -> None:
        contexts = self._contexts(root)
        fragment = not is_main(self._cache.get(root.source).statements) and not self._is_empty_main(root)
        if contexts == ["main"]:
            if config is None or config.fragment != fragment:
                config = self._expand(root, "main", fragment=fragment)
            self._take(config, self._check(config), whole=root.source.real not in self._context_only)
            return
        # A fragment that may stand in several contexts: only what holds in all of them is said.
        variants = [self._expand(root, context, fragment=True) for context in contexts]
        outcomes = [self._check(variant) for variant in variants]
        common = set.intersection(*({_identity(rule, hit) for rule, hit in each.hits} for each in outcomes))
        first = outcomes[0]
        first.hits = [(rule, hit) for rule, hit in first.hits if _identity(rule, hit) in common]
        first.crashes = [crash for each in outcomes for crash in each.crashes]
        self._take(variants[0], first, whole=root.source.real not in self._context_only)

    def _is_empty_main(self, root: Root) -> bool:
        """An empty ``nginx.conf`` is what nginx is started with, and refuses."""
        empty = not self._cache.get(root.source).statements
        return empty and os.path.basename(root.source.path) == "nginx.conf"

    def _contexts(self, root: Root) -> list[str]:
        parsed = self._cache.get(root.source)
        path = declared_context(parsed.comments) or root.context or self._settings.context
        if path is None:
            return infer_contexts(parsed.statements)
        try:
            return [context_of_path(path)]
        except ValueError as error:
            raise SettingsError(f"{root.source.path}: context={path}: {error}") from None

    def _expand(self, root: Root, context: str, *, fragment: bool = False) -> Config:
        return expand(root.source, root.files, self._cache, context, fragment=fragment)

    def _check(self, config: Config) -> Outcome:
        settings = self._settings
        model = Model(config, settings.target, settings.topologies, settings.limits)
        self.models.append(model)
        config.problems.extend(too_long(model))
        return run(self._tasks, model, settings.limits.max_findings_per_rule)

    def _take(self, config: Config, outcome: Outcome, *, whole: bool) -> None:
        self._sources.update(config.sources)
        if whole:
            self._reported.update(config.sources)
        self._collector.enter(config.entered)
        if self._settings.check_files and FILES_RULE in {rule.slug for rule in self._rules}:
            outcome.hits.extend((self._by_slug[FILES_RULE], hit) for hit in referenced_files(config))
        self._ignores.add(config)
        for rule, hit in outcome.hits:
            self._collector.add(rule, hit)
        self._crashes.extend(outcome.crashes)
        for problem in config.problems:
            if not problem.analysed:
                path, line = _seen_at(problem.source, problem.start)
                self._trouble(path, f"line {line}: {problem.message}")
            elif problem.kind == "include-not-analysed":
                path, line = _seen_at(problem.source, problem.start)
                self._notes.append(f"{path}:{line}: {problem.message}")

    def _loose(self, roots: Roots, reached: set[str]) -> None:
        """Files of a scanned directory that no root includes: analysed when asked, or when alone."""
        fragments = [root for root in roots.loose if root.source.real not in reached]
        if self._settings.fragments or not roots.roots:
            for root in fragments:
                self._root(root, None)
        elif fragments:
            names = ", ".join(root.source.path for root in fragments[:5])
            more = f" and {len(fragments) - 5} more" if len(fragments) > 5 else ""
            self._notes.append(
                f"no configuration includes {names}{more}: not analysed (--fragments analyses them on their own)"
            )

    # -- what could not be read

    def _unread(self, path: str, error: ReadError) -> None:
        source = SourceText(path, "")
        self._sources.setdefault(path, source)
        self._trouble(path, str(error))
        remedy = error.remedy or ("Check the path." if error.kind is Unreadable.MISSING else "")
        hit = Hit(Place(source, 0, 0), f"{path} could not be read: {error}", help=remedy)
        rule = "limit-exceeded" if error.kind is Unreadable.LIMIT else "unreadable-file"
        self._collector.add(self._by_slug[rule], hit)

    def _trouble(self, path: str, reason: str) -> None:
        reasons = self._troubles.setdefault(path, [])
        if reason not in reasons:
            reasons.append(reason)

    # -- the report

    def _report(self) -> Report:
        settings = self._settings
        hidden = {
            path
            for path, source in self._sources.items()
            if self._context_only and path not in self._reported and source.real not in self._given
        }
        findings = [each for each in self._collector.findings() if each.span.file not in hidden]
        findings = [self._silence(finding) for finding in findings]
        findings = [each for each in self._with_flaws(findings) if each.span.file not in hidden]
        baseline = None if settings.baseline is None else Baseline(settings.baseline, load(settings.baseline))
        if baseline is not None:
            findings = [baseline.apply(finding) for finding in findings]
        for path in sorted(hidden & set(self._troubles)):
            self._notes.append(f"{path}: {'; '.join(self._troubles.pop(path))}")
        shown = [
            finding
            for finding in findings
            if finding.severity >= settings.min_severity and finding.confidence >= settings.min_confidence
        ]
        shown, more = at_most(shown, settings.limits.max_findings_per_rule)
        self._notes += more
        shown, sources = self._in_hosts(shown)
        files = {*sources, *self._troubles} - hidden
        return Report(
            nginx_version=format_version(settings.target.version),
            edition=settings.target.edition,
            findings=tuple(shown),
            files=tuple(
                FileStatus(path, path not in self._troubles, tuple(self._troubles.get(path, ())))
                for path in sorted(files)
            ),
            rules=tuple(self._rules),
            sources=sources,
            notes=tuple(dict.fromkeys(self._notes)),
            crashes=tuple(dict.fromkeys(self._crashes)),
            incomplete=bool(self._troubles),
            baseline=settings.baseline,
            gone=baseline.gone() if baseline is not None else (),
        )

    def _in_hosts(self, findings: list[Finding]) -> tuple[list[Finding], dict[str, SourceText]]:
        """Findings and texts as people know them: what is embedded is shown in the file that it stands in."""
        hosts = [source.host for source in self._sources.values() if isinstance(source, EmbeddedText)]
        self.in_place = findings
        if not hosts:
            return findings, self._sources
        sources = {path: text for path, text in self._sources.items() if not isinstance(text, EmbeddedText)}
        sources.update((host.path, host) for host in hosts)
        moved = [finding_in_host(finding, self._sources) for finding in findings]
        return sorted(moved, key=_order), sources

    def _silence(self, finding: Finding) -> Finding:
        finding = self._ignores.apply(finding)
        if finding.suppressed is None:
            for glob, names in self._settings.per_file_ignores.items():
                if self._covers(glob, finding) and finding.rule in self._slugs(names, glob):
                    reason = f"per-file-ignores of {glob}"
                    return replace(finding, suppressed=Suppression("per-file", reason))
        return finding

    def _slugs(self, names: tuple[str, ...], glob: str) -> set[str]:
        return slugs(
            self._catalogue, names, f"{self._settings.origin or 'settings'}: per-file-ignores.{glob}"
        )

    def _covers(self, glob: str, finding: Finding) -> bool:
        path = _seen_at(self._sources[finding.span.file], 0)[0]
        relative = os.path.relpath(path, self._settings.base)
        return fnmatch(relative, glob) or fnmatch(os.path.basename(path), glob)

    def _with_flaws(self, findings: list[Finding]) -> list[Finding]:
        """Add what is wrong with the suppressing comments themselves."""
        ran = {rule.slug: rule for rule in self._rules}
        extra = Collector()
        for flaw in [*self._ignores.flaws, *self._ignores.unused(ran)]:
            rule = ran.get(flaw.rule)
            if rule is not None:
                comment = flaw.comment
                place = Place(comment.source, comment.start, comment.end)
                extra.add(rule, Hit(place, flaw.message, help=flaw.help, fix=flaw.fix))
        added = extra.findings()
        if not added:
            return findings
        return sorted([*findings, *added], key=_order)


def _order(finding: Finding) -> tuple[str, int, str]:
    return finding.span.file, finding.span.start, finding.id


def _seen_at(source: SourceText, offset: int) -> tuple[str, int]:
    """File and line of an offset, as people know them."""
    if isinstance(source, EmbeddedText):
        span = source.in_host(offset, offset)
        return span.file, span.line
    return source.path, source.position(offset)[0]


def _identity(rule: Rule, hit: Hit) -> tuple[str, int, int]:
    return rule.slug, hit.place.start, hit.place.end
