"""Standard output as a shell gives it: closed, full, or with a reader that leaves early; and lines for people."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click


class CommandError(click.ClickException):
    """What stops a command though it was called rightly: settings, files, a full disk. It is shown without the usage."""

    exit_code = 2


_PATIENCE = 0.5  # seconds in which a pipe that nobody writes to is closed


@contextmanager
def writing(where: str = "standard output") -> Iterator[None]:
    """Within, a reader that leaves early (``| head``) is no error: the exit code stays the verdict.

    Raises `CommandError` when ``where`` cannot be written for another reason, a full disk say.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and not is_unicode(sys.stdout):
        from nginxaudit.report.sanitize import PLAIN

        sys.stdout.reconfigure(errors=PLAIN)
    try:
        yield
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        raise CommandError(f"{where}: cannot be written: {error.strerror or error}") from None


def is_unicode(stream: io.TextIOWrapper) -> bool:
    """Whether ``stream`` can hold every text."""
    return stream.encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def print_out(text: str, *, color: bool | None = None) -> None:
    """Print a text of ours, a page of help say, on standard output. Raises `CommandError`."""
    with writing():
        click.echo(text, color=color)


def say(text: str, *, error: bool = False) -> None:
    """Print one line for people, on standard error with ``error``; it may quote a path, a key or a name of a stranger.

    Raises `CommandError`.
    """
    from nginxaudit.report.logs import without_commands
    from nginxaudit.report.sanitize import visible

    with writing("standard error" if error else "standard output"):
        click.echo(without_commands(visible(text)), err=error)


def is_fed() -> bool:
    """Whether somebody writes to standard input, or has: a pipe that is not at its end, or a file with something in it."""
    if sys.stdin is None:
        return False
    try:
        status = os.fstat(sys.stdin.fileno())
        if stat.S_ISREG(status.st_mode):
            return status.st_size > os.lseek(sys.stdin.fileno(), 0, os.SEEK_CUR)
        if not stat.S_ISFIFO(status.st_mode):
            return False
        ready, _, _ = select.select([sys.stdin], [], [], _PATIENCE)
        return not ready or _holds_data(sys.stdin.buffer)
    except (OSError, ValueError):  # closed, or not a file at all
        return False


def _holds_data(stream: BinaryIO) -> bool:
    return isinstance(stream, io.BufferedReader) and bool(stream.peek(1))


def discard_output() -> None:
    """Send what is left in standard output's buffer nowhere: Python would complain while exiting."""
    if sys.stdout is not None:  # closed by the shell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
