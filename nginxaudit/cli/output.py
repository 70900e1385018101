"""Where a command writes to: standard output, or a file that is put in place when it is complete."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TextIO, TypeVar

import click

from nginxaudit.cli.streams import writing

COLORS: dict[str, bool | None] = {"auto": None, "always": True, "never": False}
_F = TypeVar("_F", bound=Callable[..., Any])


def report_options(formats: Sequence[str]) -> Callable[[_F], _F]:
    """Like `output_options`, for a command that may write several reports at once."""
    return _adder(
        click.option(
            "--format",
            "-f",
            "format_name",
            type=click.Choice(formats),
            help="How standard output is written (default: text, or github inside GitHub Actions).",
        ),
        click.option(
            "--output",
            "-o",
            "outputs",
            multiple=True,
            metavar="[FORMAT:]FILE",
            help="Write a report to FILE, in --format or the FORMAT named. Repeat for several; standard output "
            "is written, too, when every FILE has its own FORMAT.",
        ),
        _color(),
    )


def output_options(formats: Sequence[str]) -> Callable[[_F], _F]:
    """Options for how and where a command writes: ``format_name``, ``output``, ``color``."""
    return _adder(
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
        _color(),
    )


def _color() -> Callable[[_F], _F]:
    return click.option(
        "--color",
        type=click.Choice(list(COLORS)),
        default="auto",
        show_default=True,
        help="Colours in the text; auto heeds NO_COLOR and FORCE_COLOR.",
    )


def _adder(*choices: Callable[[Any], Any]) -> Callable[[_F], _F]:
    def add(command: _F) -> _F:
        for choice in reversed(choices):
            command = choice(command)
        return command

    return add


class Output:
    """Where the report goes. A file is opened before the work begins and put in place when complete.

    What is no regular file (``/dev/null``, a FIFO) is written to, never replaced; a link stays a link.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._temporary: str | None = None

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
                self._real = os.path.realpath(self._path)
                if os.path.isfile(self._real) or not os.path.exists(self._real):
                    self._temporary = f"{self._real}.{os.getpid()}.tmp"
                self._file = _opened(self._temporary, self._real)
            except OSError as error:
                reason = error.strerror or str(error)
                raise click.UsageError(f"--output {self._path}: cannot be written: {reason}") from None
        return self

    def write(self, render: Callable[[TextIO], None], *, lines: bool = False) -> None:
        """Let ``render`` write to where the output goes; ``lines`` says that it is text for a log.

        Raises `click.UsageError` when that fails.
        """
        stream = self._file or sys.stdout
        if lines and self._file is None and in_actions():
            render = partial(_inert, render)
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
            if self._temporary is not None:
                os.replace(self._temporary, self._real)
            return
        with contextlib.suppress(OSError):  # on a full disk what is left in the buffer fails once more
            self._file.close()
        if self._temporary is not None:
            os.unlink(self._temporary)


class Reports:
    """Several reports of one run, each to a file or to standard output."""

    def __init__(self, format_name: str | None, outputs: Sequence[str], formats: Sequence[str]) -> None:
        default = format_name or _usual_format()
        targets = [_target(value, default, formats) for value in outputs]
        if all(own for _, _, own in targets):
            targets.append((default, None, False))
        self._outputs = [(name, Output(path)) for name, path, _ in targets]

    @property
    def formats(self) -> list[str]:
        """Formats that are written."""
        return [name for name, _ in self._outputs]

    def __enter__(self) -> Reports:
        with contextlib.ExitStack() as stack:
            for _, output in self._outputs:
                stack.enter_context(output)
            self._stack = stack.pop_all()
        return self

    def write(self, render: Callable[[str, TextIO], None]) -> None:
        """Let ``render`` write each format to where it goes."""
        for name, output in self._outputs:
            output.write(partial(render, name), lines=name in ("text", "concise"))

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def _usual_format() -> str:
    return "github" if in_actions() else "text"


def in_actions() -> bool:
    """Whether this is a job of GitHub Actions, which obeys certain lines of its log."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _inert(render: Callable[[TextIO], None], stream: TextIO) -> None:
    from nginxaudit.report.sanitize import without_commands

    text = io.StringIO()
    render(text)
    stream.write(without_commands(text.getvalue()))


def _opened(temporary: str | None, real: str) -> TextIO:
    """A file to write to: a new one where it can be put in place, and nobody's link is followed then."""
    if temporary is None:
        return open(real, "w", encoding="utf-8", newline="\n")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    return open(temporary, "x", encoding="utf-8", newline="\n")


def _target(value: str, default: str, formats: Sequence[str]) -> tuple[str, str | None, bool]:
    """Format, file (None: standard output) and whether the format was named, of one ``--output``."""
    name, colon, file = value.partition(":")
    if colon and name in formats:
        return name, None if file == "-" else file, True
    return default, None if value == "-" else value, False
