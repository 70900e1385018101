"""Includes that match nothing: where nginx is installed, and in a copy."""

from __future__ import annotations

from pathlib import Path

import nginxaudit

MAIN = (
    "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n    include /etc/nginx/sites-enabled/*;\n}\n"
)


def _found(file: Path) -> list[tuple[str, str]]:
    report = nginxaudit.audit([str(file)])
    return [
        (each.severity.label, each.message)
        for each in report.active
        if each.rule == "include-matches-nothing"
    ]


def test_empty_directories_of_an_installed_nginx_leave_it_without_servers(tmp_path: Path) -> None:
    dump = tmp_path / "dump.txt"
    dump.write_text(f"# configuration file /etc/nginx/nginx.conf:\n{MAIN}")
    assert _found(dump) == [
        ("warning", '"/etc/nginx/sites-enabled/*" matches no file (nginx ignores this silently)')
    ]


def test_a_copy_lacks_what_git_does_not_keep(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(MAIN)
    assert _found(tmp_path / "nginx.conf") == []
