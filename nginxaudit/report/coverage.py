"""What an audit did not see, in words. A report must never look cleaner than the audit was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit import HOME
from nginxaudit.finding import Severity

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report, RuleCrash

ISSUES = f"{HOME}/issues"


class Gap(Struct, frozen=True):
    """Something that was not analysed: a file, or "" where the text names it, and why."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def is_complete(report: Report) -> bool:
    """Whether everything that was asked for was analysed by every rule."""
    return (
        not (report.incomplete or report.crashes or report.notes)
        and bool(analysed(report))
        and all(file.analysed for file in report.files)
    )


def analysed(report: Report) -> int:
    """Number of files that were analysed as a whole."""
    return sum(file.analysed for file in report.files)


def gaps(report: Report) -> list[Gap]:
    """What was not analysed: files with their errors, then the audit's notes."""
    found: list[Gap] = []
    for file in report.files:
        if not file.analysed:
            found.extend(Gap(file.path, error) for error in file.errors or ("it could not be analysed",))
    found.extend(Gap("", note) for note in report.notes)
    if not found and report.incomplete:
        found.append(Gap("", "some of the input could not be analysed"))
    return found


def crash_line(crash: RuleCrash) -> str:
    """One crash of a rule, and whose fault that is."""
    return (
        f"rule {crash.rule} crashed on {crash.root}: {crash.error} "
        f"(this is a bug in nginxaudit, please report it: {ISSUES})"
    )


def verdict(report: Report) -> str:
    """One sentence: what was found in how many files, never "no findings" for what was not analysed."""
    counts = Counter(finding.severity for finding in report.active)
    suppressed = len(report.findings) - len(report.active)
    aside = f" ({suppressed:,} suppressed)" if suppressed else ""
    files = f" in {counted(analysed(report), 'file')} analysed{_in_part(report)}, for {report.target}"
    if counts:
        found = ", ".join(counted(counts[each], *NOUNS[each]) for each in sorted(counts, reverse=True))
        return f"{found}{aside}{files}"
    if is_complete(report):
        return f"No findings{aside}{files}"
    if not analysed(report):
        return f"Nothing could be analysed{aside}"
    return f"No findings in what could be analysed{aside}:{files}"


def templates(report: Report) -> list[Gap]:
    """The templates among the files: for formats without remarks."""
    found = (file for file in report.files if file.template and file.analysed)
    return [Gap(file.path, "a template, judged in part") for file in found]


def _in_part(report: Report) -> str:
    """How many of the files are templates, in parentheses."""
    count = sum(file.template and file.analysed for file in report.files)
    return f" ({counted(count, 'template')} in part)" if count else ""


NOUNS = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("info finding", "info findings"),
}


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
