"""Nothing in a configuration, a name or a page is obeyed by the log of a CI server or by a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from nginxaudit.report import FORMATS
from nginxaudit.report.logs import is_obeyed, without_commands
from nginxaudit.report.sanitize import acts_on_terminal
from nginxaudit.views.drill import FORMATS as DRILLS
from nginxaudit.views.graph import FORMATS as GRAPHS
from nginxaudit.views.upstreams import FORMATS as UPSTREAMS
from tests.security.runner import obeyed
from tests.support.command import nginxaudit

SPACES = "\t\x0b\x0c\x85\xa0\u1680\u2000\u2001\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space of Unicode, besides the ordinary one."""
WORDS = (
    "\xa0::stop-commands::evil", "\u3000::add-mask::evil", " ::set-output name=a::evil", "::add-path::evil", "\x85::group::evil",
    "x\r::save-state name=a::evil", "x\n::add-matcher::evil", "##[add-path]evil", "a##[set-env name=PATH]evil", "\u2003::echo::on",
    "%0A::add-mask::evil", "##vso[task.setvariable variable=a]evil",
)  # fmt: skip
OURS = {"error", "warning", "notice"}


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def hostile() -> str:
    """A configuration with every word in names, values and comments, at the begin of lines too."""
    parts = []
    for number, word in enumerate(WORDS):
        text = quoted(word)
        parts.append(
            f"""
    # nginxaudit: ignore[missing-listen] {word}
    # nginxaudit: ignore[{word}]
{word.lstrip()} x{number};
    {text} {text}; # {word}
    include {quoted(f"{word}.conf")};
    upstream {text} {{ server {text} {text}; server 127.0.0.1:8081; server 127.0.0.1:8082 {text} backup; }}
    map $uri $x{number} {{ {text} {text}; {text} 1; }}
    server {{
        listen 8080 {text};
        server_name {text};
        if ($uri = {text}) {{ return 301 {text}; }}
        location {text} {{ proxy_pass {quoted("http://" + word)}; alias {text}; rewrite {text} {text} {text}; }}
        location {quoted("/" + word)} {{ proxy_pass http://{text}; add_header {text} {text}; }}
    }}
"""
        )
    return "events {}\nhttp {" + "".join(parts) + "}\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nginx.conf").write_text(hostile(), encoding="utf-8", newline="")
    for word in WORDS:
        name = word.replace("/", "_")
        (tmp_path / f"{name}.conf").write_text("bogus\u00a0 x;", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def said(*arguments: str) -> tuple[str, str]:
    """What a command writes to standard output and standard error."""
    done = nginxaudit(*arguments)
    assert done.returncode in (0, 1, 2, 3), done.stderr
    return done.stdout, done.stderr


_REPORTS = [("scan", name) for name in FORMATS if name != "github"]
_REPORTS += [("graph", name) for name in GRAPHS] + [("upstreams", name) for name in UPSTREAMS]
_REPORTS += [("drill", name) for name in DRILLS]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), _REPORTS)
@pytest.mark.parametrize("actions", [False, True], ids=["anywhere", "actions"])
def test_no_format_is_obeyed(
    command: str, name: str, actions: bool, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if actions:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    more = ("--all", "--show-suppressed", "--fragments") if command == "scan" else ()
    out, err = said(command, "--format", name, *more, ".")
    assert "evil" in out
    assert not obeyed(out, err)
    assert "##vso[" not in out + err


def test_files_are_inert_too(tree: Path) -> None:
    """They are printed by the next step of a workflow."""
    said("scan", "--all", "-o", "text:report.txt", "-o", "json:report.json", "-o", "junit:report.xml", ".")
    Path("plain.conf").write_text('events {}\n"##[add-path]evil" x;\n')
    said("baseline", "write", "--baseline", "known.json", "plain.conf")
    for name in ("report.txt", "report.json", "report.xml", "known.json"):
        text = Path(name).read_text(encoding="utf-8")
        assert "evil" in text
        assert not obeyed(text)


def test_annotations_are_the_only_commands(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = said("scan", "--format", "github", ".")
    commands = obeyed(out)
    assert {name for name, _ in commands} <= OURS
    assert len(commands) == len(out.splitlines()) - 1
    assert not obeyed(err)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "--statistics", "."),
        ("scan", "--profile", "nginx.conf"),
        ("scan", "--diff", "--unsafe-fixes", "--output", "fix.patch", "nginx.conf"),
        ("scan", "--fix", "nginx.conf"),
        ("baseline", "write", "nginx.conf"),
        ("baseline", "check", "--baseline", "::group::known.json", "nginx.conf"),
        ("rules",),
        ("rules", "--coverage"),
        ("rules", "--format", "json"),
        ("explain", "missing-listen"),
        ("init", "::group::x"),
        ("completion", "bash"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_no_command_is_obeyed(arguments: tuple[str, ...], tree: Path) -> None:
    (tree / "::group::x").mkdir()
    entries = ", ".join(
        '{"rule": "%s", "fingerprint": "a", "file": "%s", "message": "%s"}' % ((f"::group::{number}",) * 3)
        for number in range(3)
    )
    (tree / "::group::known.json").write_text(f'{{"baseline_version": 1, "findings": [{entries}]}}')
    assert not obeyed(*said(*arguments))


@pytest.mark.parametrize(
    "word", ["::add-mask::evil", "\xa0::add-mask::evil", "##[add-path]evil", "x\n::add-path::evil"]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "{}"),
        ("scan", "--select", "{}", "nginx.conf"),
        ("scan", "--settings", "{}", "nginx.conf"),
        ("scan", "--output", "nowhere/{}", "nginx.conf"),
        ("scan", "--{}"),
        ("{}",),
        ("explain", "{}"),
        ("rules", "{}"),
        ("graph", "--server", "{}", "nginx.conf"),
        ("drill", "--rate", "{}", "nginx.conf"),
        ("baseline", "check", "--baseline", "{}", "nginx.conf"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_no_error_is_obeyed(
    arguments: tuple[str, ...],
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nginx.conf").write_text("events {}\n")
    done = nginxaudit(*(each.format(word) for each in arguments))
    assert done.returncode in (2, 3)
    assert done.stdout + done.stderr
    assert not obeyed(done.stdout, done.stderr)
    assert not [line for line in done.stderr.splitlines() if line.lstrip().startswith("::") or "##[" in line]


# -- patches

CONTEXT = (
    "events {}\nhttp {\n    server {\n        listen 8080;\n        root /srv;\n"
    "::stop-commands::evil x;\n        # ##[add-path]evil\n\xa0::add-mask::evil x;\n        # x\r::add-mask::evil\n"
    "        server_tokens on\n        index a; \n    }\n}\n"
)
PATCHED = ("scan", "--diff", "--unsafe-fixes", "--select", "ALL", "--ignore", "indentation", "nginx.conf")


def patch_of(directory: Path, *arguments: str, **env: str) -> bytes:
    """What ``--diff`` writes to a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "nginxaudit", *(arguments or PATCHED)],
        cwd=directory,
        capture_output=True,
        check=False,
        env={**os.environ, **env},
    )
    assert not obeyed(done.stderr.decode())
    return done.stdout


@pytest.mark.slow
def test_a_patch_is_inert_in_the_log_and_stays_a_patch(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_bytes(CONTEXT.encode())
    piped = patch_of(tmp_path)
    logged = patch_of(tmp_path, GITHUB_ACTIONS="true")
    for patch in (piped, logged):  # a container is not told that its output is a log
        assert obeyed(patch.decode()) == [("stop-commands", "")]
        first, *inner, last, rest = patch.decode().split("\n")
        assert re.fullmatch(r"::stop-commands::[0-9a-f]{32}", first)
        assert (last, rest) == (f"::{first[17:]}::", "")
        assert {"stop-commands", "add-path", "add-mask"} & {name for name, _ in obeyed("\n".join(inner))}
    patch_of(tmp_path, "scan", "--fix", *PATCHED[2:])
    fixed = file.read_bytes()
    assert fixed != CONTEXT.encode()
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    for patch in (piped, logged):
        for command in (["git", "apply", "-p0", "-"], ["patch", "-sp0"]):
            file.write_bytes(CONTEXT.encode())
            subprocess.run(command, cwd=tmp_path, input=patch, check=True)
            assert file.read_bytes() == fixed


@pytest.mark.slow
def test_a_patch_keeps_its_bytes(tmp_path: Path) -> None:
    """In a file, through a shell or ``--output``, and between the commands in a pipe."""
    text = CONTEXT.encode() + b"# \x1b[31m \xff \xc2\x9b\n"
    (tmp_path / "nginx.conf").write_bytes(text)
    command = [sys.executable, "-m", "nginxaudit", *PATCHED]
    piped = b"".join(patch_of(tmp_path).splitlines(keepends=True)[1:-1])
    for env in ({}, {"GITHUB_ACTIONS": "true"}):
        with open(tmp_path / "shell.patch", "wb") as file:
            subprocess.run(
                command,
                cwd=tmp_path,
                stdout=file,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **env},
                check=False,
            )
        assert (tmp_path / "shell.patch").read_bytes() == piped
        done = nginxaudit(*PATCHED[:-1], "--output", "own.patch", "nginx.conf", cwd=tmp_path, env=env)
        assert (done.returncode, done.stdout) == (1, "")
        assert (tmp_path / "own.patch").read_bytes() == piped
    assert (tmp_path / "nginx.conf").read_bytes() == text


@pytest.mark.slow
def test_an_ordinary_patch_is_the_same_everywhere(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(
        "events {}\nhttp { server { listen 8080; server_tokens on\n root /srv; } }\n"
    )
    plain = patch_of(tmp_path)
    assert plain.startswith(b"--- nginx.conf\n+++ nginx.conf\n")
    assert patch_of(tmp_path, GITHUB_ACTIONS="true") == plain


@pytest.mark.parametrize("outputs", [("-o", "a", "-o", "b"), ("-o", "json:a")])
def test_a_patch_has_one_place_and_no_format(outputs: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\n")
    done = nginxaudit(*PATCHED[:-1], *outputs, "nginx.conf", cwd=tmp_path)
    assert done.returncode == 2
    assert "give one --output FILE" in done.stderr
    assert not (tmp_path / "a").exists()


def on_terminal(*arguments: str, cwd: Path, stdin: bytes = b"") -> tuple[int, str]:
    """Exit code, and what a terminal is sent on standard output and standard error."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nginxaudit", *arguments],
        stdin=subprocess.PIPE,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1"},
    )
    os.close(follower)
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    read = b""
    while select.select([leader], [], [], 60)[0]:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        read += piece
    os.close(leader)
    return process.wait(), read.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "evil",
    [
        "\x1b[2J\x1b]0;title\x07",
        "\x9b31m",
        "\u202e",
        "\u2066",
        "x\roverwritten",
        "\x08",
        "\x7f",
        b"\x9b31m".decode("utf-8", "surrogateescape"),
    ],
    ids=ascii,
)
def test_a_terminal_is_sent_no_patch_that_acts_on_it(evil: str, tmp_path: Path) -> None:
    bad = f"events {{}}\nhttp {{\n    # {evil}\n    server_tokens on\n    root /srv;\n}}\n"
    (tmp_path / "bad.conf").write_bytes(bad.encode("utf-8", "surrogateescape"))
    (tmp_path / "good.conf").write_text(
        "events {}\nhttp {\n    # \u00fc\n    server_tokens on\n    root /srv;\n}\n"
    )
    arguments = ("scan", "--diff", "--select", "ALL", "bad.conf", "good.conf")
    code, text = on_terminal(*arguments, cwd=tmp_path)
    assert code == 1
    assert not acts_on_terminal(text)
    assert "+++ good.conf" in text and "+++ bad.conf" not in text
    assert "not shown bad.conf: its patch has control characters" in text and "--output FILE" in text
    piped = patch_of(tmp_path, *arguments)
    assert b"+++ bad.conf" in piped and evil.encode("utf-8", "surrogateescape") in piped


@pytest.mark.slow
def test_a_terminal_is_sent_no_mended_text_that_acts_on_it(tmp_path: Path) -> None:
    bad = "events {}\nhttp {\n    # \x1b[2J\n    server_tokens on\n    root /srv;\n}\n"
    code, text = on_terminal("scan", "--fix", "--unsafe-fixes", "-", cwd=tmp_path, stdin=bad.encode())
    assert code == 2
    assert not acts_on_terminal(text)
    assert "redirect standard output to a file" in text
    piped = nginxaudit("scan", "--fix", "--unsafe-fixes", "-", cwd=tmp_path, stdin=bad)
    assert "\x1b[2J" in piped.stdout and "server_tokens off;" in piped.stdout


@pytest.mark.slow
def test_mended_text_in_the_log(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nginxaudit", "scan", "--fix", "-"],
        cwd=tmp_path,
        input=CONTEXT.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "GITHUB_ACTIONS": "true"},
    )
    assert done.returncode == 2
    assert b"takes for commands" in done.stderr
    assert not obeyed(done.stdout.decode(), done.stderr.decode())


# -- the parts


@pytest.mark.parametrize("space", ["", " ", *SPACES], ids=ascii)
def test_lines_and_their_spaces(space: str) -> None:
    line = f"{space}::stop-commands::x"
    assert is_obeyed(line)
    assert not obeyed(without_commands(line))
    assert not obeyed(without_commands(f"a\n{line}\nb"))
    assert without_commands("a ::b::c") == "a ::b::c"


@pytest.mark.parametrize("name", [*FORMATS, *GRAPHS])
def test_escapes_are_those_of_the_format(name: str) -> None:
    """A reader of the format finds what was meant."""
    written = without_commands('"##[x]"', name)
    assert "##[" not in written
    expected = {"json": "\\u0023#[", "xml": "&#35;#["}
    kind = {"json": "json", "sarif": "json", "gitlab": "json", "rdjson": "json"}.get(name)
    kind = kind or {"text": "", "concise": "", "github": ""}.get(name, "xml")
    assert expected.get(kind, "\\x23#[") in written


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["::", "##", "#", "##x", "\n::", " ", "\xa0", "##[", "\r", ": :"])
def test_time_grows_with_the_text(unit: str) -> None:
    from time import process_time

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        begun = process_time()
        without_commands(text)
        is_obeyed(text)
        acts_on_terminal(text)
        return process_time() - begun

    small = min(seconds(100_000) for _ in range(3))
    assert min(seconds(400_000) for _ in range(3)) < 16 * small + 0.05
