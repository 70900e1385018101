"""``python -m nginxaudit``."""

from nginxaudit.cli.main import run

run()
