"""``--fix`` and ``--diff``: what is written, what is not, and what is said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

TEXT = """events {}
http {
    # kept as it is
    server {
        listen 8080;\t# the port
        location / {
            proxy_pass http://127.0.0.1:9001;
            health_check;
        }
    }
}
"""
FIXED = TEXT.replace("            health_check;\n", "")
SUGGESTIONS = ("--unsafe-fixes", "--no-settings", "--select", "health-check-requires-plus")


def _config(directory: Path, text: str = TEXT, name: str = "nginx.conf") -> Path:
    path = directory / name
    path.write_bytes(text.encode())
    return path


def test_a_fix_is_written_and_keeps_mode_and_everything_else(tmp_path: Path) -> None:
    path = _config(tmp_path, TEXT.replace("\n", "\r\n"))
    path.chmod(0o640)
    run = nginxaudit("scan", "--fix", *SUGGESTIONS, str(path))
    assert run.returncode == 0, run.stderr
    assert "fixed 1 finding in 1 file" in run.stderr
    assert path.read_bytes() == FIXED.replace("\n", "\r\n").encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["nginx.conf"]


def test_without_being_told_so_suggestions_are_not_applied(tmp_path: Path) -> None:
    path = _config(tmp_path)
    run = nginxaudit("scan", "--fix", *SUGGESTIONS[1:], str(path))
    assert run.returncode == 1
    assert path.read_text() == TEXT


def test_a_diff_changes_nothing_and_can_be_applied(tmp_path: Path) -> None:
    path = _config(tmp_path)
    run = nginxaudit("scan", "--diff", *SUGGESTIONS, "nginx.conf", cwd=tmp_path)
    assert run.returncode == 1
    assert path.read_text() == TEXT
    assert run.stdout.startswith("--- nginx.conf\n+++ nginx.conf\n@@ ")
    assert "\n-            health_check;\n" in run.stdout
    assert nginxaudit("scan", "--diff", *SUGGESTIONS, "nginx.conf", cwd=tmp_path).stdout == run.stdout


def test_text_of_standard_input_comes_out_fixed(tmp_path: Path) -> None:
    run = nginxaudit("scan", "--fix", *SUGGESTIONS, "-", stdin=TEXT)
    assert run.stdout == FIXED
    assert "fixed 1 finding" in run.stderr
    assert nginxaudit("scan", "--fix", *SUGGESTIONS, "-", stdin=FIXED).stdout == FIXED


def test_a_dump_is_not_fixed() -> None:
    run = nginxaudit(
        "scan", "--fix", *SUGGESTIONS, "-", stdin=f"# configuration file /etc/nginx/nginx.conf:\n{TEXT}\n"
    )
    assert run.returncode == 2
    assert "give the files themselves" in run.stderr


def test_a_read_only_file_stops_all_of_it(tmp_path: Path) -> None:
    main = "events {}\nhttp {\n    include a.conf;\n    include b.conf;\n}\n"
    server = "server {\n    listen 80%s;\n    location / {\n        proxy_pass http://127.0.0.1:1;\n        health_check;\n    }\n}\n"
    path = _config(tmp_path, main)
    texts = {name: server % number for number, name in enumerate(("a.conf", "b.conf"), 80)}
    for name, text in texts.items():
        _config(tmp_path, text, name)
    (tmp_path / "b.conf").chmod(0o444)
    run = nginxaudit("scan", "--fix", *SUGGESTIONS, str(path))
    assert run.returncode == 2
    assert "b.conf: it is read-only; nothing was written" in run.stderr
    assert {name: (tmp_path / name).read_text() for name in texts} == texts


def test_a_link_out_of_the_tree_is_not_written(tmp_path: Path) -> None:
    inside, outside = tmp_path / "conf", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    real = _config(outside, TEXT)
    (inside / "nginx.conf").symlink_to(real)
    nginxaudit("scan", "--fix", *SUGGESTIONS, str(inside))
    assert real.read_text() == TEXT
    run = nginxaudit("scan", "--fix", *SUGGESTIONS, str(inside / "nginx.conf"))
    assert run.returncode == 2
    assert f"nginx.conf: it is a symbolic link to {real}" in run.stderr
    assert real.read_text() == TEXT


def test_a_link_inside_the_tree_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "available").mkdir()
    real = _config(tmp_path / "available", TEXT.partition("http {\n")[2].rpartition("}")[0], "site")
    (tmp_path / "enabled").symlink_to("available/site")
    _config(tmp_path, "events {}\nhttp {\n    include enabled;\n}\n")
    assert nginxaudit("scan", "--fix", *SUGGESTIONS, str(tmp_path)).returncode == 0
    assert (tmp_path / "enabled").is_symlink()
    assert real.read_text() == FIXED.partition("http {\n")[2].rpartition("}")[0]


def test_a_shared_snippet_says_what_else_it_touches(tmp_path: Path) -> None:
    servers = "".join(
        f"    server {{\n        listen 808{n};\n        location / {{\n            include pass.conf;\n        }}\n    }}\n"
        for n in range(3)
    )
    path = _config(tmp_path, f"events {{}}\nhttp {{\n{servers}}}\n")
    _config(tmp_path, "proxy_pass http://127.0.0.1:9001;\nhealth_check;\n", "pass.conf")
    run = nginxaudit("scan", "--fix", *SUGGESTIONS, str(path))
    assert "the file stands in 3 places" in run.stderr
    assert (tmp_path / "pass.conf").read_text() == "proxy_pass http://127.0.0.1:9001;\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--unsafe-fixes",), "add --fix"),
        (("--fix", "--diff"), "give one of them"),
        (("--watch", "--fix"), "cannot be used"),
    ],
)
def test_options_that_contradict_are_refused(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    run = nginxaudit("scan", *options, str(_config(tmp_path)))
    assert run.returncode == 2
    assert said in run.stderr


def test_suppressions_that_silence_nothing_are_fixed(tmp_path: Path) -> None:
    text = (
        "events {}\nhttp {\n    # nginxaudit: ignore[missing-listen, autoindex-enabled] opened by systemd\n    server {\n"
        "        # nginxaudit: ignore[autoindex-enabled] nothing here\n        server_name a;\n    }\n}\n"
    )
    path = _config(tmp_path, text)
    run = nginxaudit("scan", "--fix", "--no-settings", str(path))
    assert path.read_text() == (
        "events {}\nhttp {\n    # nginxaudit: ignore[missing-listen] opened by systemd\n    server {\n"
        "        server_name a;\n    }\n}\n"
    ), run.stderr
