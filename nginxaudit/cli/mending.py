"""``nginxaudit scan --fix`` and ``--diff``: mend, show or write, and say what was done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from nginxaudit.cli.streams import writing

if TYPE_CHECKING:
    from nginxaudit.engine.fix.fixing import Fixed
    from nginxaudit.engine.settings import Settings


def mend(
    paths: Sequence[str], settings: Settings, *, unsafe: bool, stdin: bytes | None, only_diff: bool
) -> Fixed:
    """Mend ``paths`` and write the files, or with ``only_diff`` what would change to standard output.

    Text from standard input is written to standard output. Raises `click.UsageError` when a file cannot be written;
    then none is.
    """
    from msgspec.structs import replace

    from nginxaudit.engine.fix.fixing import fence_of, fix, unified_diff
    from nginxaudit.engine.run.audit import default_paths
    from nginxaudit.report.sanitize import visible
    from nginxaudit.source.text import SourceText
    from nginxaudit.source.write import Change, WriteError, write_changes

    _refuse_dumps(stdin)
    fixed = fix(paths, settings, unsafe=unsafe, stdin=stdin)
    changes = list(fixed.changes)
    if only_diff:
        if fixed.stdin is not None and stdin is not None:
            before = SourceText("", stdin.decode("utf-8", "surrogateescape"))
            changes.append(Change("", settings.stdin_filename or "<stdin>", before.text, fixed.stdin))
        _write(unified_diff([replace(each, path=visible(each.path)) for each in changes]))
    else:
        try:
            write_changes(changes, fence_of(paths or default_paths(settings)))
        except WriteError as error:
            raise click.UsageError(f"--fix: {error}") from None
        if stdin is not None:
            _write([stdin.decode("utf-8", "surrogateescape") if fixed.stdin is None else fixed.stdin])
    _tell(fixed, only_diff)
    return fixed


def _refuse_dumps(stdin: bytes | None) -> None:
    from nginxaudit.source.dump import is_dump

    if stdin is not None and is_dump(stdin.decode("utf-8", "surrogateescape")):
        raise click.UsageError(
            "--fix: a dump of nginx -T holds many files and is not changed: give the files themselves"
        )


def _write(texts: Iterable[str]) -> None:
    with writing():
        for text in texts:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()


def _tell(fixed: Fixed, only_diff: bool) -> None:
    """What was mended, to standard error: standard output holds the report, the diff or the text."""
    from nginxaudit.report.sanitize import visible

    word = "would fix" if only_diff else "fixed"
    for finding in fixed.applied:
        assert finding.fix is not None
        place = f"{finding.span.file}:{finding.span.line}"
        click.echo(visible(f"{word} {place}: {finding.rule}: {finding.fix.title}"), err=True)
    for finding, reason in fixed.rejected:
        place = f"{finding.span.file}:{finding.span.line}"
        text = f"not fixed {place}: {finding.rule}: {reason}"
        click.echo(visible(text), err=True)
    count = len(fixed.applied)
    files = len(fixed.changes) + (fixed.stdin is not None)
    click.echo(f"{word} {count} finding{'s' * (count != 1)} in {files} file{'s' * (files != 1)}", err=True)
