"""Where a command writes to: standard output, or a file that is put in place when it is complete."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from nginxaudit.cli.streams import CommandError, writing

if TYPE_CHECKING:
    from nginxaudit.source.replace import WriteTarget
    from nginxaudit.source.text import SourceText

COLORS: dict[str, bool | None] = {"auto": None, "always": True, "never": False}
_STDOUT = (None, "-", "/dev/stdout")
_F = TypeVar("_F", bound=Callable[..., Any])


_EXTENSIONS = {
    ".json": "json", ".sarif": "sarif", ".html": "html", ".htm": "html", ".txt": "text", ".md": "markdown",
    ".mmd": "mermaid", ".mermaid": "mermaid", ".xml": "junit", ".svg": "svg", ".dot": "dot", ".gv": "dot",
}  # fmt: skip
"""The format that the extension of a file's name stands for, where nothing else is asked for."""


def format_of_name(path: str | None, formats: Sequence[str]) -> str | None:
    """The format, one of ``formats``, that the extension of ``path`` means; None where it means none."""
    name = _EXTENSIONS.get(os.path.splitext(path or "")[1].lower())
    return name if name in formats else None


title_option = click.option("--title", default="", metavar="TEXT", help="The title of the page, in html.")


def report_options(formats: Sequence[str]) -> Callable[[_F], _F]:
    """Like `output_options`, for a command that may write several reports at once."""
    return _adder(
        click.option(
            *_FORMAT,
            type=click.Choice(formats),
            help="Format of standard output (default: text, or github inside GitHub Actions).",
        ),
        click.option(
            "--output",
            "-o",
            "outputs",
            multiple=True,
            metavar="[FORMAT:]FILE",
            help="Write a report to FILE in FORMAT (default: --format, else the extension of FILE decides). Repeat for "
            "several reports; standard output is also written when every FILE has a FORMAT.",
        ),
        *_color(),
    )


def output_options(formats: Sequence[str]) -> Callable[[_F], _F]:
    """Options for how and where a command writes: ``format_name``, ``output``, ``color``."""
    add = _adder(
        click.option(
            *_FORMAT,
            type=click.Choice(formats),
            help="Output format (default: from the extension of --output, else text).",
        ),
        click.option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output."),
        *_color(),
    )

    def with_format(command: _F) -> _F:
        @wraps(command)
        def filled(*arguments: Any, **options: Any) -> Any:
            name = options["format_name"] or format_of_name(options["output"], formats) or "text"
            return command(*arguments, **{**options, "format_name": name})

        return add(cast(_F, filled))

    return with_format


list_option = click.option(
    "--format",
    "-f",
    "format_name",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the list is written.",
)
"""Option of commands that list what nginxaudit knows: ``format_name``."""

_FORMAT = ("--format", "--output-format", "-f", "format_name")


def _color() -> Iterator[Callable[[_F], _F]]:
    yield click.option(
        "--color",
        type=click.Choice(list(COLORS)),
        default="auto",
        show_default=True,
        help="Colours in the text; auto follows NO_COLOR and FORCE_COLOR.",
    )
    yield click.option("--no-color", "color", flag_value="never", help="Like --color never.")


def _adder(*choices: Callable[[Any], Any]) -> Callable[[_F], _F]:
    def add(command: _F) -> _F:
        for choice in reversed(choices):
            command = choice(command)
        return command

    return add


class Output:
    """Where a report goes. A file is opened before the work begins and put in place when it is complete.

    What is no regular file (``/dev/null``, a FIFO) is written to as it comes.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path in _STDOUT else path
        self._target: WriteTarget | None = None
        self._stream: TextIO | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is not standard output."""
        return self._path is not None

    @property
    def key(self) -> object:
        """Equal for outputs to the same file; None where several reports do no harm to each other."""
        return "stdout" if self._target is None else self._target.key

    def __enter__(self) -> Output:
        if self._path is None:
            if sys.stdout is None:
                raise CommandError("standard output is closed: give --output FILE")
            return self
        from nginxaudit.source.replace import open_target

        with _refused(f"--output {self._path}"):
            self._target = open_target(self._path, follow=True)
        # The buffer of the target is the only one: what is written is there when it is flushed.
        self._stream = io.TextIOWrapper(self._target.file, encoding="utf-8", newline="\n")
        return self

    def require_apart(self, sources: Iterable[SourceText]) -> None:
        """Raise `CommandError` where the file is one of ``sources``: a report never replaces what it is about."""
        if self._path is None:
            return
        real = os.path.realpath(self._path)
        if any(source.real == real for source in sources):
            raise CommandError(
                f"--output {self._path}: it is a file of the configuration that is read: give another path"
            )

    def write(self, render: Callable[[TextIO], None], format_name: str = "text") -> None:
        """Let ``render`` write to where the output goes, in a format; no log of a CI server obeys what it writes.

        Raises `CommandError` when that fails.
        """
        from nginxaudit.report.logs import write_inert
        from nginxaudit.report.sanitize import PLAIN

        stream = self._stream or sys.stdout
        if stream is sys.stdout and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)
        with self._writing():
            write_inert(render, stream, format_name)
            stream.flush()

    def write_bytes(self, texts: Iterable[str]) -> None:
        """Write ``texts`` as they are, bytes that were no UTF-8 included. Raises `CommandError` when that fails."""
        stream = self._stream or sys.stdout
        with self._writing():
            stream.flush()
            for text in texts:
                stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            stream.buffer.flush()

    @property
    def is_terminal(self) -> bool:
        """Whether somebody sees at once what is written."""
        return self._path is None and sys.stdout.isatty()

    @property
    def may_be_log(self) -> bool:
        """Whether what is written may be the log of a CI server, which need not say so: it obeys certain lines."""
        return self._path is None and not _is_regular(sys.stdout)

    @property
    def is_log(self) -> bool:
        """Whether a job of GitHub Actions may read what is written."""
        return self.may_be_log and in_actions()

    def _writing(self) -> AbstractContextManager[None]:
        return writing(f"--output {self._path}" if self._path else "standard output")

    def commit(self) -> None:
        """Put a file in place. Raises `CommandError`."""
        if self._target is not None:
            with _refused(f"--output {self._path}"):
                self._target.commit()
            self._close()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self._close()

    def _close(self) -> None:
        if self._stream is not None and self._target is not None:
            with contextlib.suppress(OSError):  # on a full disk what is left in the buffer fails once more
                self._stream.close()
            self._target.close()
        self._stream = self._target = None


class Reports:
    """Several reports of one run, each to a file or to standard output."""

    def __init__(
        self, format_name: str | None, outputs: Sequence[str], formats: Sequence[str], *, stdout: bool = True
    ) -> None:
        """Without ``stdout`` no report goes there that is not asked for by an ``--output``."""
        default = format_name or _usual_format()
        targets = [_target(value, format_name, formats) for value in outputs]
        if stdout and all(own and path not in _STDOUT for _, path, own in targets):
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
            keys = [output.key for _, output in self._outputs if output.key is not None]
            if len(set(keys)) < len(keys):
                raise click.UsageError("--output: two reports cannot be written to the same file")
            self._stack = stack.pop_all()
        return self

    def require_apart(self, sources: Collection[SourceText]) -> None:
        """Raise `CommandError` where one of the files is one of ``sources``."""
        for _, output in self._outputs:
            output.require_apart(sources)

    def write(self, render: Callable[[str, TextIO], None]) -> None:
        """Let ``render`` write each format to where it goes."""
        self.write_files(render)
        self.write_stdout(render)

    def write_files(self, render: Callable[[str, TextIO], None]) -> None:
        """Let ``render`` write what goes to files; `commit`, or the end, puts them in place."""
        for name, output in self._outputs:
            if output.is_file:
                output.write(partial(render, name), name)

    def write_stdout(self, render: Callable[[str, TextIO], None]) -> None:
        """Let ``render`` write what goes to standard output."""
        for name, output in self._outputs:
            if not output.is_file:
                output.write(partial(render, name), name)

    def commit(self) -> None:
        """Put the files in place."""
        for _, output in self._outputs:
            output.commit()

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def write_text(
    path: str,
    text: str,
    *,
    typed: bool = False,
    replaces: Callable[[bytes], bool] | None = None,
    kind: str = "",
) -> None:
    """Write the file ``path``. Raises `CommandError`.

    ``typed``: the user gave the name, so that a link to a file beside it is meant. ``replaces`` says of the content
    of a file that exists whether it is of the ``kind`` that is replaced; without it every file is.
    """
    from nginxaudit.source.directory import WriteError
    from nginxaudit.source.replace import open_target

    with _refused(path), open_target(path, follow=typed) as target:
        before = target.content()
        if before is not None and replaces is not None and not replaces(before):
            raise WriteError(f"it exists and is not {kind}: remove it, or give another path")
        target.file.write(text.encode("utf-8"))
        target.commit()


@contextlib.contextmanager
def _refused(where: str) -> Iterator[None]:
    from nginxaudit.source.directory import WriteError

    try:
        yield
    except WriteError as error:
        raise CommandError(f"{where}: cannot be written: {error}") from None


def _usual_format() -> str:
    return "github" if in_actions() else "text"


def in_actions() -> bool:
    """Whether this is a job of GitHub Actions, which obeys certain lines of its log."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _is_regular(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _target(value: str, format_name: str | None, formats: Sequence[str]) -> tuple[str, str | None, bool]:
    """Format, file and whether the format was named, of one ``--output``."""
    name, colon, file = value.partition(":")
    if colon and name in formats:
        return name, file, True
    return format_name or format_of_name(value, formats) or _usual_format(), value, False
