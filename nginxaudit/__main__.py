"""The program: ``nginxaudit``, or ``python -m nginxaudit``."""

import gc
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line."""
    gc.disable()  # a short-lived process: its memory is freed at its end, not looked through before
    from nginxaudit.cli.main import run as run_command

    run_command()


if __name__ == "__main__":
    run()
