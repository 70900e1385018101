"""The program: ``nginxaudit``, or ``python -m nginxaudit``."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line, and end at once: the system frees memory faster than Python."""
    gc.disable()  # nothing of a short-lived process is worth being looked for
    from nginxaudit.cli.main import run as run_command

    code = run_command()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the shell
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
