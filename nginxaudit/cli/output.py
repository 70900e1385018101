"""Where a command writes to: standard output, or a file that is put in place when it is complete."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO, TypeVar

import click

from nginxaudit.cli.streams import writing

COLORS: dict[str, bool | None] = {"auto": None, "always": True, "never": False}
_F = TypeVar("_F", bound=Callable[..., Any])


def output_options(formats: Sequence[str]) -> Callable[[_F], _F]:
    """Options for how and where a command writes: ``format_name``, ``output``, ``color``."""
    choices = (
        click.option(
            "--format",
            "-f",
            "format_name",
            type=click.Choice(formats),
            default="text",
            show_default=True,
            help="How it is written.",
        ),
        click.option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output."),
        click.option(
            "--color",
            type=click.Choice(list(COLORS)),
            default="auto",
            show_default=True,
            help="Colours in the text.",
        ),
    )

    def add(command: _F) -> _F:
        for choice in reversed(choices):
            command = choice(command)
        return command

    return add


class Output:
    """Where the report goes. A file is opened before the work begins and put in place when complete."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Output:
        if self._path is None:
            if sys.stdout is None:
                raise click.UsageError("standard output is closed: give --output FILE")
        else:
            try:
                if os.path.isdir(self._path):
                    raise IsADirectoryError(21, "it is a directory")
                if os.path.exists(self._path) and not os.access(self._path, os.W_OK):
                    raise PermissionError(13, "permission denied")
                self._temporary = f"{self._path}.{os.getpid()}.tmp"
                self._file = open(self._temporary, "w", encoding="utf-8", newline="\n")
            except OSError as error:
                reason = error.strerror or str(error)
                raise click.UsageError(f"--output {self._path}: cannot be written: {reason}") from None
        return self

    def write(self, render: Callable[[TextIO], None]) -> None:
        """Let ``render`` write to where the output goes. Raises `click.UsageError` when that fails."""
        stream = self._file or sys.stdout
        if stream is sys.stdout and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        with writing(f"--output {self._path}" if self._path else "standard output"):
            render(stream)
            stream.flush()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._file is None or self._path is None:
            return
        if kind is None:
            self._file.close()
            os.replace(self._temporary, self._path)
            return
        with contextlib.suppress(OSError):  # on a full disk what is left in the buffer fails once more
            self._file.close()
        os.unlink(self._temporary)
