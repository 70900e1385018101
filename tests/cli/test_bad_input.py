"""Bad input, as a user gives it: a message with place and remedy, the right exit code, no traceback, no hang."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import nginxaudit
from nginxaudit.cli import main
from tests.support import command
from tests.support.clock import HANG

GOOD = b"events {}\nhttp {\n  server {\n    listen 80;\n    location / { return 204; }\n  }\n}\n"
FLAWED = b"events {}\nhttp {\n  server {\n    location / { return 204; }\n  }\n}\n"  # missing-listen
PROXYING = b"""events {}
http {
    upstream app { server 10.0.0.1; server 10.0.0.2; }
    server { listen 80; server_name a.example; location / { proxy_pass http://app; } location /old { return 200; } }
}
"""
ROUTES = b"""config = "nginx.conf"
[[route]]
url = "http://a.example/old"
expect = { status = 200 }
"""
SECONDS = 60  # of processor time, on the slowest machine
NOBODY = 65534


def scan(cwd: Path, *arguments: str, stdin: bytes | None = None) -> command.Done:
    """Run ``nginxaudit scan`` as a process of its own; asserts that no traceback reaches the user."""
    env = {"NO_COLOR": "1", "COLUMNS": "2000"}
    done = command.nginxaudit("scan", *arguments, cwd=cwd, stdin=stdin, env=env, seconds=SECONDS)
    done.stderr.encode()  # it is UTF-8, whatever it quotes
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    return done


def write(directory: Path, name: str, data: bytes) -> str:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return name


def make_fifo(directory: Path) -> str:
    os.mkfifo(directory / "it")
    return "it"


def make_socket(directory: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(directory / "it"))
    return "it"


def make_loop(directory: Path) -> str:
    (directory / "it").symlink_to("other")
    (directory / "other").symlink_to("it")
    return "it"


def make_directory(directory: Path) -> str:
    write(directory, "it/notes.txt", b"nothing for nginx\n")
    return "it"


UNREADABLE: dict[str, tuple[Callable[[Path], str], str, str]] = {
    "missing": (lambda _: "it", "there is no such file", "Check the path"),
    "directory without a config": (make_directory, "contains no nginx configuration", "Give the path"),
    "binary": (lambda d: write(d, "it", bytes(range(256))), "binary file", "text file"),
    "UTF-16": (lambda d: write(d, "it", GOOD.decode().encode("utf-16")), "UTF-16", "UTF-8 without BOM"),
    "50 MB": (lambda d: write(d, "it", b"# filler\n" * 5_600_000), "limit of 16 MiB", "Split"),
    "FIFO": (make_fifo, "a FIFO", "standard input"),
    "socket": (make_socket, "socket", "standard input"),
    "symlink loop": (make_loop, "form a loop", "Point one"),
    "device": (lambda _: "/dev/zero", "a character device", "standard input"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_said_and_the_rest_is_kept(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, reason, remedy = UNREADABLE[case]
    name = make(tmp_path)
    write(tmp_path, "flawed.conf", FLAWED)
    result = scan(tmp_path, name, "flawed.conf")
    assert result.returncode == 3
    rule = "limit-exceeded" if case == "50 MB" else "unreadable-file"
    assert f"error[{rule}]" in result.stdout
    assert reason in result.stdout
    assert remedy in result.stdout
    assert "warning[missing-listen]" in result.stdout, "nothing already found is lost"


@pytest.mark.parametrize("case", ["binary", "FIFO", "socket", "symlink loop", "50 MB"])
def test_an_include_that_cannot_be_read(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, reason, _ = UNREADABLE[case]
    make(tmp_path)
    write(tmp_path, "nginx.conf", b"events {}\nhttp {\n  include it;\n  server { return 204; }\n}\n")
    result = scan(tmp_path, "nginx.conf")
    assert result.returncode == 3
    assert "nginx.conf:3:11" in result.stdout, "the place of the include"
    assert reason in result.stdout
    assert "warning[missing-listen]" in result.stdout


def test_a_device_outside_the_tree_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", b"events {}\nhttp { include /dev/zero; server { return 204; } }\n")
    result = scan(tmp_path, "nginx.conf")
    assert "outside the scanned directory" in result.stdout
    assert "warning[missing-listen]" in result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_no_permission(tmp_path: Path) -> None:
    for directory in (tmp_path, *tmp_path.parents):
        if directory == Path(tempfile.gettempdir()):
            break
        directory.chmod(0o755)
    write(tmp_path, "tree/nginx.conf", FLAWED)
    write(tmp_path, "tree/closed/site.conf", GOOD)
    write(tmp_path, "tree/secret.conf", GOOD)
    (tmp_path / "tree/closed").chmod(0o700)
    (tmp_path / "tree/secret.conf").chmod(0o600)
    tree = str(tmp_path / "tree")
    nginxaudit.audit([tree])  # as root: everything that is imported late is imported now
    os.seteuid(NOBODY)
    try:
        report = nginxaudit.audit([tree])
    finally:
        os.seteuid(0)
    assert report.exit_code() == 3
    said = {finding.message: finding for finding in report.active}
    for name in ("closed", "secret.conf"):
        assert (
            said[f"{tree}/{name} could not be read: permission denied"].help
            == "Run as a user who may read it."
        )
    assert "missing-listen" in {finding.rule for finding in report.active}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "code", "expected"),
    [
        pytest.param(b"", 0, "1 file analysed", id="empty"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), 0, "No findings", id="CRLF"),
        pytest.param(GOOD.replace(b"80;", b"80; # caf\xe9"), 0, "No findings", id="invalid UTF-8 in a comment"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, 1, "error[invalid-encoding]", id="byte order mark"),
        pytest.param(b"events {} http {" + b"server {" * 100_000 + b"}" * 100_001, 3, "nested more than 100", id="nesting"),
        pytest.param(b"events {} http {" + b"location / {\n" * 100_000, 3, "nested more than 100", id="nesting, unclosed"),
        pytest.param(b"gzip " + b"{" * 100_000, 3, "100,000 syntax errors", id="braces only"),
        pytest.param(b"}" * 100_000, 3, "syntax errors", id="closing braces only"),
        pytest.param(b"gzip " + b"'" * 100_000, 3, "syntax errors", id="quotes only"),
        pytest.param(b"{" * 100_000, 3, "does not look like nginx", id="not a word"),
    ],
)  # fmt: skip
def test_odd_texts(data: bytes, code: int, expected: str, tmp_path: Path) -> None:
    write(tmp_path, "it.conf", data)
    result = scan(tmp_path, "it.conf")
    assert expected in result.stdout
    assert result.returncode == code


def test_include_cycles(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", b"events {}\nhttp { include a.conf; server { return 204; } }\n")
    write(tmp_path, "a.conf", b"include b.conf;\n")
    write(tmp_path, "b.conf", b"include a.conf;\n")
    result = scan(tmp_path, "nginx.conf")
    assert result.returncode == 1
    assert "error[include-cycle]" in result.stdout
    assert "b.conf:1:9" in result.stdout
    assert "warning[missing-listen]" in result.stdout


@pytest.mark.slow
def test_includes_that_double_at_every_level_end_at_a_limit(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", b"events {}\nhttp { include 0.conf; }\n")
    for level in range(30):
        write(tmp_path, f"{level}.conf", b"include %d.conf;\n" % (level + 1) * 2)
    write(tmp_path, "30.conf", b"# the end\n")
    result = scan(tmp_path, "nginx.conf")
    assert result.returncode == 3
    assert "files that are included again have more than 250,000 directives" in " ".join(
        result.stdout.split()
    )


@pytest.mark.slow
def test_a_glob_of_thousands_of_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        "nginx.conf",
        b"events {}\nhttp { server_names_hash_max_size 8192; include sites/*.conf; }\n",
    )
    for number in range(4_000):
        default = b" default_server" if number == 0 else b""
        text = b"server { listen 80%s; server_name s%d; return 204; }\n" % (default, number)
        write(tmp_path, f"sites/{number}.conf", text)
    result = scan(tmp_path, "nginx.conf")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (
        0,
        "No findings in 4,001 files analysed, for nginx 1.18.0 to 1.31.4",
    )


def test_an_empty_standard_input_is_not_clean(tmp_path: Path) -> None:
    result = scan(tmp_path, "-", stdin=b"")
    assert result.returncode == 3
    assert "standard input is empty" in result.stdout


@pytest.mark.slow
def test_a_reader_that_leaves_early_changes_no_exit_code(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", b"events {}\nhttp {\n" + b"server { return 204; }\n" * 20_000 + b"}\n")
    with subprocess.Popen(
        [sys.executable, "-m", "nginxaudit", "scan", "--all", "nginx.conf"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"nginxaudit ")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(HANG) == 1


_WRITERS = [
    "scan nginx.conf", "scan -f json nginx.conf", "scan -f sarif nginx.conf", "scan -f html nginx.conf",
    "scan --statistics nginx.conf", "scan --diff --unsafe-fixes nginx.conf", "scan --fix -",
    "graph nginx.conf", "graph -f svg nginx.conf", "graph -f html nginx.conf", "graph -f dot nginx.conf",
    "drill nginx.conf", "drill -f html nginx.conf", "upstreams nginx.conf", "trace nginx.conf http://a.example/",
    "trace -f html nginx.conf http://a.example/", "compare nginx.conf other.conf", "expect", "expect -f junit",
    "expect --suggest --nginx-conf nginx.conf", "baseline write nginx.conf", "baseline check nginx.conf",
    "baseline prune nginx.conf", "rules", "rules -f json", "rules --coverage", "rules --standards", "explain missing-listen",
    "explain -f json missing-listen", "advisories", "init", "init --json-schema", "completion bash",
    "", "--version", "--help", "scan --help",
]  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("arguments", _WRITERS)
def test_a_full_disk(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "nginx.conf", PROXYING)
    write(tmp_path, "other.conf", PROXYING.replace(b"return 200", b"return 404"))
    write(tmp_path, "nginxaudit-baseline.json", b'{"baseline_version": 1, "findings": []}')
    write(tmp_path, "nginx-routes.toml", ROUTES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["nginxaudit", *arguments.split()])
    with (
        open("/dev/full", "w") as full,
        open("nginx.conf" if arguments.endswith("-") else os.devnull) as given,
    ):
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stdin", given)
        assert main.run() == 2
    assert capsys.readouterr().err.endswith(
        "Error: standard output: cannot be written: No space left on device\n"
    )


@pytest.mark.parametrize(
    "output", ["nginx.conf", "./a/../nginx.conf", "{}/nginx.conf", "conf.d/x.inc", "link"]
)
@pytest.mark.parametrize(
    "arguments",
    ["scan", "scan --fix", "scan --diff", "graph", "drill", "upstreams", "trace nginx.conf http://a.example/", "compare other.conf"],
)  # fmt: skip
def test_a_report_replaces_no_configuration(
    arguments: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, "nginx.conf", PROXYING.replace(b"listen 80;", b"listen 80; include conf.d/*.inc;"))
    write(tmp_path, "conf.d/x.inc", b"server_tokens on;\n")
    write(tmp_path, "other.conf", PROXYING)
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("nginx.conf")
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.[ci][on]*") if path.is_file()}
    path = output.format(tmp_path)
    words = arguments.split()
    monkeypatch.setattr(
        sys, "argv", ["nginxaudit", *words, *(() if "trace" in words else ("nginx.conf",)), "-o", path]
    )
    assert main.run() == 2
    said = f"--output {path}: it is a file of the configuration that is read: give another path\n"
    assert capsys.readouterr().err.endswith(said)
    assert {path: path.read_bytes() for path in before} == before


class _Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("arguments", ["scan --nope", "scan --settings nope nginx.conf", "nope"])
def test_errors_that_cannot_be_shown(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["nginxaudit", *arguments.split()])
    monkeypatch.setattr(sys, "stderr", _Full())
    assert main.run() == 2


@pytest.mark.slow
def test_an_output_file_that_cannot_be_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", FLAWED)
    (tmp_path / "reports").mkdir()
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 1; exec "$0" -m nginxaudit scan -f sarif -o reports/it nginx.conf', sys.executable],
        cwd=tmp_path, stderr=subprocess.PIPE, timeout=HANG,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"--output reports/it: cannot be written: File too large" in done.stderr
    assert list((tmp_path / "reports").iterdir()) == []


def test_no_standard_output(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", FLAWED)
    done = subprocess.run(
        ["sh", "-c", '"$0" -m nginxaudit scan nginx.conf >&-', sys.executable],
        cwd=tmp_path, stderr=subprocess.PIPE, timeout=HANG,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"give --output FILE" in done.stderr


SETTINGS = {
    "broken TOML": (b"select = [\n", "not valid TOML"),
    "unknown key": (b'selct = ["ALL"]\n', 'selct: unknown setting; did you mean "select"?'),
    "unknown rule": (b'ignore = ["missing-lisen"]\n', 'did you mean "missing-listen"?'),
    "wrong type": (b"select = 3\n", "select"),
    "no text": (b"\xff\xfe", "UTF-8"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_broken_settings(case: str, tmp_path: Path) -> None:
    data, expected = SETTINGS[case]
    write(tmp_path, "nginx.conf", GOOD)
    write(tmp_path, "nginxaudit.toml", data)
    result = scan(tmp_path, "nginx.conf")
    assert result.returncode == 2
    assert "nginxaudit.toml" in result.stderr
    assert expected in result.stderr


def test_settings_that_are_no_file(tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", GOOD)
    make_fifo(tmp_path)
    for name, reason in (("it", "a FIFO"), ("/dev/zero", "a character device"), ("none", "no such file")):
        result = scan(tmp_path, "nginx.conf", "--settings", name)
        assert result.returncode == 2
        assert reason in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "xml"], "'xml' is not one of"),
        (["--select", "missing-lisen"], 'did you mean "missing-listen"?'),
        (["--ignore", "NGX9999"], "unknown rule 'NGX9999'"),
        (["--nginx-version", "abc"], "expected something like 1.28.0"),
        (["--topology", "a=b"], "active-active, active-passive"),
        (["--topolgy", "a=b"], '; did you mean "--topology"?'),
        (["--rules", "nowhere"], "nowhere: no such directory"),
        (["--output", "missing/report.txt"], "--output missing/report.txt: cannot be written"),
        (["--output", "."], "it is a directory"),
    ],
)
def test_wrong_usage(arguments: list[str], expected: str, tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", FLAWED)
    result = scan(tmp_path, "nginx.conf", *arguments)
    assert result.returncode == 2
    assert expected in result.stderr
    assert result.stdout == ""


PAGE = """+++
id = "XYZ0001"
severity = "warning"
confidence = "high"
rejected-by-nginx = false
{check}
+++
# A page of one's own

## What it does
{body}

## Why it matters
It does not.

## How to fix
Leave it.
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no front matter", "begins with TOML"),
        ("+++\nid = [\n+++\n", "security/own.md"),
        (PAGE.format(check='[check]\npython = "os:system"', body="Why."), "may not name Python code"),
    ],
)
def test_rule_pages_of_others_are_data_not_code(text: str, expected: str, tmp_path: Path) -> None:
    write(tmp_path, "nginx.conf", GOOD)
    write(tmp_path, "pages/security/own.md", text.encode())
    result = scan(tmp_path, "nginx.conf", "--rules", "pages")
    assert result.returncode == 2
    assert expected in result.stderr


def test_json_is_whole_even_for_unreadable_input(tmp_path: Path) -> None:
    result = scan(tmp_path, "missing.conf", "--format", "json")
    assert result.returncode == 3
    document = json.loads(result.stdout)
    assert [finding["rule"] for finding in document["findings"]] == ["unreadable-file"]
