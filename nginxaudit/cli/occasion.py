"""When a command ran, and what was written to run it: for reports that are kept."""

from __future__ import annotations

import os
import time

import click

WRITTEN = "nginxaudit.written"  # the words of the command line, in the `meta` of click's contexts


def command_line() -> str:
    """The command line as a shell would read it; "" outside of a command."""
    import shlex

    ctx = click.get_current_context(silent=True)
    return shlex.join(ctx.meta.get(WRITTEN, ())) if ctx is not None else ""


def today() -> str:
    """The day in UTC; ``SOURCE_DATE_EPOCH`` is another, for reports that should come out the same."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(given) if given.isdecimal() and len(given) < 12 else time.time()
    return time.strftime("%Y-%m-%d (UTC)", time.gmtime(seconds))
