"""A repository of somebody who wants to see, run or break more than is his."""

from __future__ import annotations

import os
import socket
from pathlib import Path

OUTSIDE = "canary-of-a-file-outside"
LISTED = "canary-in-a-name-outside"

_INCLUDES = (
    "/etc/shadow",
    "/etc/*",
    "/dev/zero",
    "/proc/self/environ",
    "../outside/secret.conf",
    "../outside/*.conf",
    "conf.d/../../outside/secret.conf",
    "*/../../outside/*.conf",
    "link.conf",
    "directory/secret.conf",
    "directory/*.conf",
    "direc*/*.conf",
    "d*/*",
    "fifo",
    "fif?",
    "socket",
    "conf.d/*.conf",
    "loop/" * 20 + "loop/conf.d/own.conf",
    "loo*/" * 30 + "*.conf",
    "*/" * 60 + "none.conf",
    '"a\0b"',
    "x" * 5000,
    "~/.ssh/config",
    "$HOME/.bashrc",
    "`id`",
    "|id",
    "http://127.0.0.1:9/x.conf",
    "file:///etc/passwd",
)


def hostile(directory: Path) -> Path:
    """A git checkout below ``directory``; beside it a directory with secrets, above it a configuration."""
    outside, repository = directory / "outside", directory / "repository"
    for each in (outside, repository / "conf.d", repository / ".git", repository / "sites-enabled"):
        each.mkdir(parents=True)
    _write(outside / "secret.conf", f"{OUTSIDE} on;\n")
    _write(outside / f"{LISTED}.conf", f"{OUTSIDE} on;\n")
    _write(outside / "nginxaudit.toml", f'{OUTSIDE} = "on"\n')
    _write(outside / "page.md", f"{OUTSIDE}\n")
    _write(
        directory / "nginx.conf", f"# {OUTSIDE}\nevents {{}}\nhttp {{ include repository/conf.d/*.conf; }}\n"
    )
    _write(directory / "nginxaudit.toml", f'{OUTSIDE} = "on"\n')
    _write(repository / ".git" / "HEAD", "ref: refs/heads/main\n")
    # A NUL would make the whole file a binary one.
    includes = "".join(f"  include {path};\n" for path in _INCLUDES if "\0" not in path)
    _write(repository / "nginx.conf", f"events {{}}\nhttp {{\n{includes}  server {{ return 204; }}\n}}\n")
    _write(repository / "conf.d" / "own.conf", "server { listen 8080; }\n")
    _write(repository / "conf.d" / "part.conf", "location /a { return 204; }\n")
    (repository / "link.conf").symlink_to("../outside/secret.conf")
    (repository / "conf.d" / "evil.conf").symlink_to("../../outside/secret.conf")
    (repository / "sites-enabled" / "passwd").symlink_to("/etc/passwd")
    (repository / "directory").symlink_to("../outside")
    (repository / "loop").symlink_to(".")
    (repository / "loop2").symlink_to(".")
    os.mkfifo(repository / "fifo")
    os.mkfifo(repository / "conf.d" / "fifo.conf")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(repository / "socket"))
    return repository


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
