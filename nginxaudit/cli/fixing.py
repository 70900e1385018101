"""``nginxaudit scan --fix`` and ``--diff``: fix, show or write, and say what was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nginxaudit.cli.patches import write_patch
from nginxaudit.cli.streams import CommandError, say

if TYPE_CHECKING:
    from nginxaudit.cli.output import Output
    from nginxaudit.engine.fix.fixing import Fixed
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.settings import Settings


def tried(
    paths: Sequence[str],
    settings: Settings,
    *,
    unsafe: bool,
    stdin: bytes | None,
    writes: bool,
    jobs: int | None,
) -> Fixed:
    """Fix ``paths`` in memory. Raises `CommandError` for what is not fixed when that ``writes``."""
    from nginxaudit.engine.fix.fixing import fix
    from nginxaudit.engine.run.audit import default_paths
    from nginxaudit.source.directory import WriteError, require_direct

    _refuse_dumps(stdin)
    if writes:
        for path in paths or default_paths(settings):
            try:
                require_direct(path)
            except WriteError as error:
                raise CommandError(f"--fix: {path}: {error}") from None
    return fix(paths, settings, unsafe=unsafe, stdin=stdin, jobs=jobs)


def show_diff(fixed: Fixed, settings: Settings, stdin: bytes | None, output: Output) -> None:
    """Write what would change to ``output``, as a patch."""
    from nginxaudit.source.write import Change

    changes = list(fixed.changes)
    if fixed.stdin is not None and stdin is not None:
        before = stdin.decode("utf-8", "surrogateescape")
        changes.append(Change("", settings.stdin_filename or "<stdin>", before, fixed.stdin))
    write_patch(changes, output)
    _tell(fixed, only_diff=True)


@contextmanager
def applied(
    fixed: Fixed, paths: Sequence[str], settings: Settings, stdin: bytes | None, *, left: bool = True
) -> Iterator[None]:
    """Within, the changed files are written; when the block fails, the old ones are put back.

    Text from standard input is written to standard output. What is not fixed is said where ``left`` is wanted, too. Raises `CommandError` when a file cannot be written;
    then none is.
    """
    from nginxaudit.engine.fix.fixing import fence_of
    from nginxaudit.engine.run.audit import default_paths
    from nginxaudit.source.directory import WriteError
    from nginxaudit.source.write import written

    try:
        with written(fixed.changes, fence_of(paths or default_paths(settings))):
            if stdin is not None:
                _write_text(stdin.decode("utf-8", "surrogateescape") if fixed.stdin is None else fixed.stdin)
            yield
    except WriteError as error:
        raise CommandError(f"--fix: {error}") from None
    if left or fixed.applied:
        _tell(fixed, only_diff=False, left=left)


def say_why_not_fixed(report: Report) -> None:
    """What was not analysed, and so not fixed, to standard error: where no report says it."""
    from nginxaudit.report.coverage import crash_line, gaps

    if report.incomplete:
        for gap in gaps(report):
            say(f"not analysed: {gap}", error=True)
    for crash in report.crashes:
        say(crash_line(crash), error=True)


def _refuse_dumps(stdin: bytes | None) -> None:
    from nginxaudit.source.dump import is_dump

    if stdin is not None and is_dump(stdin.decode("utf-8", "surrogateescape")):
        raise CommandError(
            "--fix: a dump of nginx -T holds many files and is not changed: give the files themselves"
        )


def _write_text(text: str) -> None:
    """The text of standard input, fixed. What a terminal or a log obeys is not shown there: it would not be the text."""
    from nginxaudit.cli.output import Output
    from nginxaudit.report.logs import is_obeyed
    from nginxaudit.report.sanitize import acts_on_terminal

    with Output(None) as output:
        if output.is_terminal and acts_on_terminal(text):
            raise CommandError(
                "--fix: the text has control characters that a terminal obeys: redirect standard output to a file"
            )
        if output.is_log and is_obeyed(text):
            raise CommandError(
                "--fix: the text has lines that GitHub Actions takes for commands: redirect standard output to a file"
            )
        output.write_bytes([text])


def _tell(fixed: Fixed, *, only_diff: bool, left: bool = True) -> None:
    """What was fixed, to standard error: standard output holds the report, the diff or the text."""
    from nginxaudit.engine.fix.fixing import ENOUGH

    word = "would fix" if only_diff else "fixed"
    for finding in fixed.applied:
        assert finding.fix is not None
        place = f"{finding.span.file}:{finding.span.line}"
        say(f"{word} {place}: {finding.rule}: {finding.fix.title}", error=True)
    for finding, reason in fixed.rejected if left else ():
        place = f"{finding.span.file}:{finding.span.line}"
        text = f"not fixed {place}: {finding.rule}: {reason}"
        say(text, error=True)
    waiting = sum(reason == ENOUGH for _, reason in fixed.rejected)
    if waiting:
        say(f"stopped early: {waiting} more could be fixed, run it again", error=True)
    count = len(fixed.applied)
    files = len(fixed.changes) + (fixed.stdin is not None)
    say(f"{word} {count} finding{'s' * (count != 1)} in {files} file{'s' * (files != 1)}", error=True)
