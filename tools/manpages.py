"""Manual pages, made of the help texts of the commands.

    python -m tools.manpages DIRECTORY

writes nginxaudit.1 and a page for each command to DIRECTORY; `man -l DIRECTORY/nginxaudit-scan.1` shows one.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from nginxaudit import HOME, __version__
from nginxaudit.cli.main import main as program

_PROGRAM = "nginxaudit"
_PLAIN = frozenset({"Options", "Commands", "Other options"})


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    context = click.Context(program, info_name=_PROGRAM)
    names = program.list_commands(context)
    yield f"{_PROGRAM}.1", _page(program, context, [f"{_PROGRAM}-{name}" for name in names])
    for name in names:
        command = program.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context)
        yield f"{_PROGRAM}-{name}.1", _page(command, own, [_PROGRAM])


def _page(command: click.Command, context: click.Context, others: Sequence[str]) -> str:
    name = context.command_path.replace(" ", "-")
    short = (command.short_help or "Static analyser for NGINX configurations").rstrip(".")
    formatter = Roff()
    command.format_help(context, formatter)
    links = ", ".join(f"\\fB{_escaped(other)}\\fR(1)" for other in others)
    return "\n".join(
        [
            f'.TH {_escaped(name.upper())} 1 "" "{_PROGRAM} {__version__}" "User Commands"',
            ".SH NAME",
            f"{_escaped(name)} \\- {_escaped(short[:1].lower() + short[1:])}",
            formatter.getvalue().rstrip("\n"),
            ".SH SEE ALSO",
            f"{links}, {_escaped(HOME)}",
            "",
        ]
    )


class Roff(click.HelpFormatter):
    """What click writes as help, in the language of manual pages."""

    def __init__(self) -> None:
        super().__init__(width=80)
        self._described = self._listed = False

    def _line(self, text: str) -> None:
        self.write(f"{text}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The synopsis."""
        self._line(".SH SYNOPSIS")
        self._line(f"\\fB{_escaped(prog)}\\fR {_escaped(args)}")

    def write_text(self, text: str) -> None:
        """The description; a list below a heading becomes a section."""
        for paragraph in filter(str.strip, re.split(r"\n\s*\n", text)):
            kept, _, body = paragraph.rpartition("\b\n")
            if not self._described:
                self._described = True
                self._line(".SH DESCRIPTION")
            if not kept and "\b\n" not in paragraph:
                self._line(".PP")
                self._line(_escaped(" ".join(body.split())))
                continue
            first, *rest = body.split("\n")
            self._line(f".SH {_escaped(first.rstrip(':').upper())}")
            self._line(".nf")
            for line in rest:
                self._line(_escaped(line.rstrip()))
            self._line(".fi")

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Options under a heading."""
        if name in _PLAIN and not self._listed:
            self._line(f".SH {name.upper()}")
        else:
            if not self._listed:
                self._line(".SH OPTIONS")
            self._line(f".SS {_escaped(name)}")
        self._listed = True
        yield

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Options or commands with what they mean."""
        for term, meaning in rows:
            self._line(".TP")
            self._line(f"\\fB{_escaped(term)}\\fR")
            self._line(_escaped(" ".join(meaning.split())) or "\\&")


def _escaped(text: str) -> str:
    """``text`` as roff shows it: its backslashes and dashes, and no line that begins a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def write(directory: Path) -> list[Path]:
    """Write all pages."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def run(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.manpages", description="Write the manual pages.")
    parser.add_argument("directory", type=Path)
    written = write(parser.parse_args(arguments).directory)
    print(f"wrote {len(written)} pages")


if __name__ == "__main__":
    run()
