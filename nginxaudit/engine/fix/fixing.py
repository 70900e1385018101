"""Applying fixes: as many as fit together, judged by a new audit, again until nothing is left to do.

Nothing here writes a file. A fix stays only if the configuration read with it has no error that it did
not have before.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from io import BytesIO

from msgspec import Struct

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.rules.catalogue import catalogue_of
from nginxaudit.engine.rules.selection import selected
from nginxaudit.engine.run.audit import Examination, default_paths, examine
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Applicability, Edit, Finding, Fix, Severity
from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.read import is_below
from nginxaudit.source.text import SourceText
from nginxaudit.source.write import Change

MAX_ROUNDS = 10  # that leave no fewer fixes to do than there were: a fix may call for itself
MOST_BROKEN = 5  # fixes of one rule that are found out one by one, each by several audits
MAX_AUDITS = 128  # each costs as much as a scan; a real configuration needs less than ten
STDIN = "stdin:"
_BREAKS = "with it there would be a new error: {}"
_UNREADABLE = "with it the configuration could no longer be analysed"
_LIKE_OTHERS = f"it was not tried: {MOST_BROKEN} others of this rule bring new errors"
ENOUGH = "it was not tried any more, after very many attempts: run it again"
_CIRCLE = "with it the text would be again what it was before another fix"
_OUTSIDE = "{path} lies outside the scanned directory"
_NO_FILE = "{path} is not a separate file that can be written"


class Fixed(Struct, frozen=True):
    """What came of it.

    ``report`` is the audit of the texts as they are after the fixes; ``applied`` are the findings that were
    fixed, ``rejected`` those whose fix was not applied, each with the reason; ``changes`` are the changed files
    and ``stdin`` is the new text of standard input, None when there was none or nothing changed.
    """

    report: Report
    applied: tuple[Finding, ...]
    rejected: tuple[tuple[Finding, str], ...]
    changes: tuple[Change, ...]
    stdin: str | None


def fix(
    paths: Sequence[str],
    settings: Settings,
    *,
    unsafe: bool = False,
    stdin: bytes | None = None,
    jobs: int | None = 1,
) -> Fixed:
    """Fix what can be fixed in ``paths``: files below the scanned directories, and ``stdin``.

    ``jobs`` is how many processes run rules, as `examine` takes it.
    """
    return _Fixing(list(paths), settings, unsafe, stdin, jobs).run()


def fence_of(paths: Iterable[str]) -> list[str]:
    """Directories whose files may be written when ``paths`` are scanned."""
    return [path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths if path != "-"]


class _Taken:
    """Edits of one file that do not touch each other, by their place."""

    def __init__(self) -> None:
        self._edits: list[tuple[int, int, str]] = []

    def fits(self, edit: Edit) -> bool:
        """Whether ``edit`` touches none of them, or is one of them."""
        new = edit.start, edit.end, edit.text
        at = bisect_left(self._edits, new)
        near = self._edits[max(at - 1, 0) : at + 1]
        return new in near or not any(_touch(new, other) for other in near)

    def add(self, edit: Edit) -> None:
        """Take one that fits."""
        new = edit.start, edit.end, edit.text
        at = bisect_left(self._edits, new)
        if new not in self._edits[at : at + 1]:
            self._edits.insert(at, new)


class _Fixing:
    def __init__(
        self,
        paths: list[str],
        settings: Settings,
        unsafe: bool,
        stdin: bytes | None,
        jobs: int | None,
    ) -> None:
        self._paths = paths
        self._jobs = jobs
        self._settings = settings
        catalogue = catalogue_of(settings)
        self._wanted = {rule.slug for rule in selected(catalogue, settings)}
        target = settings.target
        refusals = tuple(
            rule.slug for rule in catalogue if rule.rejected_by_nginx and rule.may_apply_to(target)
        )
        # Whatever is selected: what nginx would refuse is looked for after each fix.
        self._judging = settings.with_options(extend_select=settings.extend_select + refusals)
        self._refusals = frozenset(refusals)
        self._allowed = {Applicability.SAFE, *([Applicability.UNSAFE] if unsafe else [])}
        self._stdin = stdin
        self._fence = [os.path.realpath(path) for path in fence_of(paths or default_paths(settings))]
        self._texts: dict[
            str, str
        ] = {}  # real path, or the name of standard input -> text with the fixes so far
        self._originals: dict[str, SourceText] = {}
        self._seen: set[int] = set()  # states of the texts: fixes that undo each other would go on for ever
        self._rejected: dict[tuple[object, ...], tuple[Finding, str]] = {}
        self._applied: list[Finding] = []
        self._broken: Counter[str] = Counter()  # fixes that bring new errors, by rule
        self._audits = 0

    def run(self) -> Fixed:
        report = self._audit(self._texts, self._judging)
        self._seen = {self._state(self._texts, report.sources)}
        rounds, fewest = 1, -1
        while rounds < MAX_ROUNDS:
            candidates = self._candidates(report)
            batch = self._fitting(candidates, report.sources)
            if not batch:
                break
            if self._audits >= MAX_AUDITS:
                self._rejected.update((_key(finding), (finding, ENOUGH)) for finding in candidates)
                break
            if 0 <= fewest <= len(candidates):
                rounds += 1
            else:
                fewest = len(candidates)
            after = self._try(batch, report)
            if after is None:
                continue  # all of them were rejected: others may fit now
            report = after
        if rounds >= MAX_ROUNDS:
            self._rejected.update((_key(finding), (finding, ENOUGH)) for finding in self._candidates(report))
        return Fixed(
            self._audit(self._texts, self._settings),
            tuple(self._applied),
            tuple(self._rejected.values()),
            tuple(self._changes()),
            self._new_stdin(),
        )

    def _audit(self, texts: Mapping[str, str], settings: Settings) -> Report:
        self._audits += 1
        stdin = next(
            (
                text.encode("utf-8", "surrogateescape")
                for real, text in texts.items()
                if real.startswith(STDIN)
            ),
            None,
        )
        data = self._stdin if stdin is None else stdin
        examination: Examination = examine(
            self._paths,
            settings,
            stdin=None if data is None else BytesIO(data),
            overlay=texts,
            jobs=self._jobs,
        )
        return examination.report

    def _state(self, texts: Mapping[str, str], sources: Mapping[str, SourceText]) -> int:
        """What tells one set of texts from another; a file that is as it was on disk counts as not changed."""
        originals = {source.real: source.text for source in sources.values()}
        originals.update((real, source.text) for real, source in self._originals.items())
        return hash(tuple(sorted((real, text) for real, text in texts.items() if text != originals[real])))

    def _candidates(self, report: Report) -> list[Finding]:
        reported = {file.path for file in report.files}
        return [
            finding
            for finding in report.apart
            if finding.fix is not None
            and finding.rule in self._wanted
            and finding.fix.applicability in self._allowed
            and _key(finding) not in self._rejected
            and self._is_worth_trying(finding)
            and all(edit.file in reported for edit in finding.fix.edits)
            and self._is_writable(finding, finding.fix, report.sources)
        ]

    def _is_worth_trying(self, finding: Finding) -> bool:
        if self._is_given_up(finding):
            self._rejected[_key(finding)] = finding, _LIKE_OTHERS
            return False
        return True

    def _is_given_up(self, finding: Finding) -> bool:
        return self._broken[finding.rule] >= MOST_BROKEN

    def _is_writable(self, finding: Finding, fix: Fix, sources: Mapping[str, SourceText]) -> bool:
        """Whether all files of a fix may be written; when not, it is rejected with the reason."""
        for edit in fix.edits:
            real = sources[edit.file].real
            if real.startswith(STDIN) or is_below(real, self._fence):
                continue
            reason = _OUTSIDE if real.startswith(os.sep) else _NO_FILE
            self._rejected[_key(finding)] = finding, reason.format(path=edit.file)
            return False
        return True

    def _fitting(self, findings: list[Finding], sources: Mapping[str, SourceText]) -> list[Finding]:
        """As many findings as have edits that do not touch each other, earlier places first."""
        taken: dict[str, _Taken] = {}
        chosen = []
        for finding in findings:
            assert finding.fix is not None
            edits = [
                (taken.setdefault(sources[edit.file].real, _Taken()), edit) for edit in finding.fix.edits
            ]
            if all(place.fits(edit) for place, edit in edits):
                for place, edit in edits:
                    place.add(edit)
                chosen.append(finding)
        return chosen

    def _try(self, batch: list[Finding], before: Report) -> Report | None:
        """Apply ``batch``, or the part of it that brings no new errors and takes nothing back. None when none of it does."""
        batch = [finding for finding in batch if not self._is_given_up(finding)]
        if not batch or self._audits >= MAX_AUDITS:
            return None
        texts = self._with(batch, before.sources)
        state = self._state(texts, before.sources)
        circle = state in self._seen
        after = before if circle else self._audit(texts, self._judging)
        reason = _CIRCLE if circle else _worse(before, after, self._refusals)
        if reason is None:
            for finding in batch:
                assert finding.fix is not None
                for edit in finding.fix.edits:
                    source = before.sources[edit.file]
                    self._originals.setdefault(source.real, source)
            self._texts = texts
            self._seen.add(state)
            self._applied.extend(batch)
            return after
        if len(batch) == 1:
            self._rejected[_key(batch[0])] = batch[0], str(reason)
            self._broken[batch[0].rule] += not circle
            return None
        # Halves are tried on the same text: what the first one changes, the next round sees.
        half = len(batch) // 2
        first = self._try(batch[:half], before)
        return first if first is not None else self._try(batch[half:], before)

    def _with(self, batch: list[Finding], sources: Mapping[str, SourceText]) -> dict[str, str]:
        edits: dict[str, set[Edit]] = {}
        for finding in batch:
            assert finding.fix is not None
            for edit in finding.fix.edits:
                edits.setdefault(sources[edit.file].real, set()).add(
                    Edit("", edit.start, edit.end, edit.text)
                )
        texts = dict(self._texts)
        by_real = {source.real: source for source in sources.values()}
        for real, changes in edits.items():
            texts[real] = _apply(by_real[real].text, changes)
        return texts

    def _changes(self) -> Iterator[Change]:
        for real, source in sorted(self._originals.items()):
            if not real.startswith(STDIN) and self._texts[real] != source.text:
                yield Change(real, source.path, source.text, self._texts[real])

    def _new_stdin(self) -> str | None:
        return next((text for real, text in self._texts.items() if real.startswith(STDIN)), None)


def _apply(text: str, edits: Iterable[Edit]) -> str:
    parts = []
    at = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def _touch(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Whether the order of two edits matters: they overlap, or put text in at the same place."""
    if one[0] == one[1] or other[0] == other[1]:
        return one[0] <= other[1] and other[0] <= one[1]
    return one[0] < other[1] and other[0] < one[1]


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.rule, finding.span.file, finding.fingerprint


def _worse(before: Report, after: Report, refusals: Set[str]) -> str | None:
    """The error that was not there, or that something can no longer be analysed; None where all is as good as before.

    A weakness that was there is none that is new, even where it is said of another line, or of a copy of the line. What
    nginx refuses counts each time. ``refusals`` are the rules about what it refuses: what only some versions of the target
    refuse is advice, but no fix may bring it.
    """
    # A rule, or the fix of one, that crashed before says nothing about this fix.
    if not _crashed(after) <= _crashed(before) or (after.incomplete and not before.incomplete):
        return _UNREADABLE
    if _gaps(after) < _gaps(before):  # what was hidden behind an error of syntax is seen now
        return None
    there = _errors(before, refusals)
    known = Counter(map(_said, there))
    causes = {each for finding in there for each in _causes(finding)}
    for finding in _errors(after, refusals):
        said = _said(finding)
        if said in known and (known[said] > 0 or not finding.rejected_by_nginx):
            known[said] -= 1
            continue
        if finding.cause and not finding.rejected_by_nginx and causes.issuperset(_causes(finding)):
            continue
        place = f"{finding.span.file}:{finding.span.line}"
        return _BREAKS.format(f"{place}: {finding.rule}: {finding.message}")
    return None


def _errors(report: Report, refusals: Set[str]) -> list[Finding]:
    """What is wrong, for all versions or some."""
    return [
        finding
        for finding in report.apart
        if finding.severity is Severity.ERROR
        or finding.rejected_by_nginx
        or (finding.versions is not None and finding.rule in refusals)
    ]


def _said(finding: Finding) -> tuple[str, str]:
    """What a finding says, wherever: the lines and the counts in its words may be others."""
    return finding.rule, compiled(r"\d+").sub("0", finding.message)


def _crashed(report: Report) -> set[str]:
    return {crash.rule for crash in report.crashes}


def _causes(finding: Finding) -> set[tuple[str, str]]:
    """What a finding is due to, each part of it: one of several flaws that were reported together may be seen elsewhere now."""
    return {(finding.rule, part) for part in finding.cause.split("\0")[1:]}


def _gaps(report: Report) -> int:
    return sum(len(file.errors) for file in report.files)
