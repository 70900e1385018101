"""Places in SARIF: files as URIs, spans as regions with their text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

import sarif_om as om

from nginxaudit.finding import Fix, Related, Span
from nginxaudit.report.linehash import LineHashes
from nginxaudit.source.text import SourceText

ROOT = "%SRCROOT%"
_AROUND = 200  # code points of context before and after: a generated line may be megabytes long
_MOST_TEXT = 4000  # code points of a region that are repeated in the log


class Places:
    """Locations in the files of one report."""

    def __init__(self, sources: Mapping[str, SourceText]) -> None:
        self.sources = sources
        self._hashes: dict[str, LineHashes] = {}

    def primary(self, span: Span) -> om.Location:
        """Where a finding is, with the text around it."""
        return om.Location(physical_location=self._physical(span, context=True))

    def related(self, number: int, related: Related, message: str) -> om.Location:
        """A related place; ``number`` is its id within the result."""
        return om.Location(
            id=number,
            message=om.Message(text=message),
            physical_location=self._physical(related.span, context=True),
        )

    def line_hash(self, span: Span) -> str | None:
        """GitHub's hash of the line where ``span`` begins."""
        source = self.sources.get(span.file)
        if source is None:
            return None
        hashes = self._hashes.get(span.file)
        if hashes is None:
            hashes = self._hashes[span.file] = LineHashes(source.text)
        return hashes.of(span.line)

    def fix(self, fix: Fix, description: str) -> om.Fix:
        """The edits of a fix, by file."""
        changes: dict[str, list[om.Replacement]] = {}
        for edit in fix.edits:
            changes.setdefault(edit.file, []).append(
                om.Replacement(
                    deleted_region=self._deleted(edit.file, edit.start, edit.end),
                    inserted_content=om.ArtifactContent(text=edit.text),
                )
            )
        return om.Fix(
            description=om.Message(text=description),
            artifact_changes=[
                om.ArtifactChange(artifact_location=artifact(file), replacements=replacements)
                for file, replacements in changes.items()
            ],
        )

    def _deleted(self, file: str, start: int, end: int) -> om.Region:
        source = self.sources.get(file)
        if source is None:
            return om.Region(char_offset=start, char_length=end - start)
        return _region(source.span(start, end))

    def _physical(self, span: Span, *, context: bool) -> om.PhysicalLocation:
        location = om.PhysicalLocation(artifact_location=artifact(span.file), region=_region(span))
        source = self.sources.get(span.file)
        if source is not None and span.end - span.start <= _MOST_TEXT:
            location.region.snippet = om.ArtifactContent(text=source.masked(span.start, span.end))
            if context:
                location.context_region = _context(source, span)
        return location


def _region(span: Span) -> om.Region:
    return om.Region(
        start_line=span.line,
        start_column=span.column,
        end_line=span.end_line,
        end_column=span.end_column,
    )


def _context(source: SourceText, span: Span) -> om.Region | None:
    """The lines around ``span``, or what is near of them; it must be more than the span itself."""
    starts = source.line_starts
    low = max(starts[max(span.line - 2, 0)], span.start - _AROUND)
    after = span.end_line + 1  # index of the line after the next one
    high = min(starts[after] - 1 if after < len(starts) else len(source.text), span.end + _AROUND)
    if low == span.start and high <= span.end:
        return None
    region = _region(source.span(low, high))
    region.snippet = om.ArtifactContent(text=source.masked(low, high))
    return region


@lru_cache(maxsize=4096)
def _uri(path: str, directory: str) -> tuple[str, bool]:
    if not directory:
        return f"file://{quote(path.encode('utf-8', 'surrogateescape'))}", False
    absolute = os.path.normpath(os.path.join(directory, path))
    relative = os.path.relpath(absolute, directory)
    below = relative != os.pardir and not relative.startswith(os.pardir + os.sep)
    chosen = (relative if below else absolute).replace(os.sep, "/")
    quoted = quote(chosen.encode("utf-8", "surrogateescape"))
    return (quoted, True) if below else (f"file://{quoted}", False)


def artifact(path: str) -> om.ArtifactLocation:
    """``path`` relative to the current directory if it lies below it, else as an absolute URI."""
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        here = "" if os.path.isabs(path) else os.sep
    uri, below = _uri(path, here)
    return om.ArtifactLocation(uri=uri, uri_base_id=ROOT if below else None)
