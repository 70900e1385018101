"""Standard output as a shell gives it: closed, full, or with a reader that leaves early; and lines for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


class CommandError(click.ClickException):
    """What stops a command though it was called rightly: settings, files, a full disk. It is shown without the usage."""

    exit_code = 2


@contextmanager
def writing(where: str = "standard output") -> Iterator[None]:
    """Within, a reader that leaves early (``| head``) is no error: the exit code stays the verdict.

    Raises `CommandError` when ``where`` cannot be written for another reason, a full disk say.
    """
    try:
        yield
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        raise CommandError(f"{where}: cannot be written: {error.strerror or error}") from None


def say(text: str, *, error: bool = False) -> None:
    """Print one line for people, on standard error with ``error``; it may quote a path, a key or a name of a stranger.

    Raises `CommandError`.
    """
    from nginxaudit.report.logs import without_commands
    from nginxaudit.report.sanitize import visible

    with writing("standard error" if error else "standard output"):
        click.echo(without_commands(visible(text)), err=error)


def discard_output() -> None:
    """Send what is left in standard output's buffer nowhere: Python would complain while exiting."""
    if sys.stdout is not None:  # closed by the shell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
