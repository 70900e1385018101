"""``nginxaudit scan --diff``: a patch of files that may be a stranger's, which has to keep their bytes.

Nothing of it is changed. On a terminal the patch of a file with bytes that a terminal obeys is not shown. Where standard output is
no file, a patch with lines that the runner of GitHub Actions obeys is put between two commands that tell it to obey nothing: a
pipe may be its log, and a container is not told. Programs that apply patches pass over lines before and after one.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nginxaudit.cli.streams import say
from nginxaudit.source.read import is_below

if TYPE_CHECKING:
    from nginxaudit.cli.output import Output
    from nginxaudit.source.write import Change


def write_patch(changes: Sequence[Change], output: Output) -> None:
    """Write ``changes`` as a unified diff. Raises `click.UsageError` when that fails."""
    from nginxaudit.engine.fix.patch import unified_diff
    from nginxaudit.report.logs import between_stops, is_obeyed
    from nginxaudit.report.sanitize import acts_on_terminal

    base = _base(changes)
    shown: list[str] = []
    for change in changes:
        text = "".join(unified_diff(change.before, change.after, _name(change, base)))
        if output.is_terminal and acts_on_terminal(text):
            say(
                f"not shown {change.path}: its patch has control characters that a terminal obeys: write it with "
                "--output FILE, or to a pipe",
                error=True,
            )
        else:
            shown.append(text)
    obeyed = output.may_be_log and any(map(is_obeyed, shown))
    output.write_bytes(between_stops(shown) if obeyed else shown)


def _base(changes: Sequence[Change]) -> str:
    """The directory that names are relative to; standard error says which, where it is not the working directory."""
    here = os.path.realpath(".")
    files = [change.real for change in changes if change.real]
    if all(is_below(file, [here]) for file in files):
        return here
    base = os.path.commonpath([os.path.dirname(file) for file in files])
    say(
        f"the names in the patch are relative to {base}: apply it with patch -p0 -d {shlex.quote(base)}",
        error=True,
    )
    return base


def _name(change: Change, base: str) -> str:
    """What a patch calls a file. A tab ends a name with spaces; one with what is not seen is quoted as git does it."""
    name = os.path.relpath(change.real, base) if change.real else change.path
    quoted = "".join(map(_quoted, name))
    if quoted != name:
        return f'"{quoted}"'
    return f"{name}\t" if " " in name else name


def _quoted(character: str) -> str:
    from nginxaudit.report.sanitize import visible

    if character in '"\\':
        return f"\\{character}"
    if visible(character) == character and character not in "\t\n":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
