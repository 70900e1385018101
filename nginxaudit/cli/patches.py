"""``nginxaudit scan --diff``: a patch of files that may be a stranger's, which has to keep their bytes.

Nothing of it is changed. On a terminal the patch of a file with bytes that a terminal obeys is not shown. Where standard output is
no file, a patch with lines that the runner of GitHub Actions obeys is put between two commands that tell it to obey nothing: a
pipe may be its log, and a container is not told. Programs that apply patches pass over lines before and after one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nginxaudit.cli.streams import say

if TYPE_CHECKING:
    from nginxaudit.cli.output import Output
    from nginxaudit.source.write import Change


def write_patch(changes: Sequence[Change], output: Output) -> None:
    """Write ``changes`` as a unified diff. Raises `click.UsageError` when that fails."""
    from nginxaudit.report.logs import between_stops, is_obeyed
    from nginxaudit.report.sanitize import acts_on_terminal

    shown: list[str] = []
    for change in changes:
        text = _patch_of(change)
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


def _patch_of(change: Change) -> str:
    from nginxaudit.engine.fix.patch import unified_diff
    from nginxaudit.report.sanitize import visible

    return "".join(unified_diff(change.before, change.after, visible(change.path)))
