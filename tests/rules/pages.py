"""Rule pages as files: marks in them are written by people, the words of the marks are filled in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from nginxaudit.finding import Finding
from tests.rules.examples import Case, cases, found_in, texts
from tests.rules.marks import MarkError, refilled


def fill_marks() -> Iterator[str]:
    """Fill in or renew the words of all marks; yields what only people can put right, and what was renewed."""
    for path, on_page in groupby(cases(), lambda case: case.path):
        yield from _fill(path, list(on_page))
    cases.cache_clear()


def _fill(path: Path, on_page: list[Case]) -> Iterator[str]:
    page = before = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        found = [found_in(case, Path(scratch, case.name)) for case in on_page]
        said = {each.message for findings in found for each in findings}
        for case, findings in zip(on_page, found, strict=True):
            if case.example.kind == "good":
                yield from (f"{path}: {case.name}, which is good: {_told(each)}" for each in findings)
                continue
            try:
                new = refilled(case, findings, said)
            except MarkError as problem:
                yield f"{path}: {problem}"
                continue
            for name, text in texts(case.example).items():
                page = page.replace(f"\n{text}```", f"\n{new[name]}```", 1)
    if page != before:
        path.write_text(page, encoding="utf-8")


def _told(finding: Finding) -> str:
    return f"{finding.span.file}:{finding.span.line}: {finding.message}"
