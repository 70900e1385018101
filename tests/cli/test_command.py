"""The commands of the tests are forked off a process that has imported nginxaudit: they are what a process of its own is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import nginxaudit

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SITE = "events {}\nhttp {\n    server {\n        listen 80;\n        root /srv/\xe9;\n    }\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("--version",), None),
        (("scan", "--help"), None),
        (("scan", "--nope"), None),
        (("scan", "missing.conf"), None),
        (("scan", "-"), SITE),
        (("scan", "-"), SITE.encode("latin-1")),
        (("scan", "-"), None),
        (("scan", "--no-settings", "--all", "etc-nginx"), None),
        (("scan", "--no-settings", "-f", "sarif", "etc-nginx"), None),
        (("upstreams", "--no-settings", "etc-nginx"), None),
        (("graph", "--no-settings", "-f", "html", "etc-nginx"), None),
        (("explain", "missing-listen"), None),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else type(part).__name__,
)
def test_a_forked_command_says_what_a_process_of_its_own_says(
    arguments: tuple[str, ...], stdin: str | bytes | None
) -> None:
    forked, alone = (
        nginxaudit(*arguments, stdin=stdin, cwd=FIXTURES, forked=forked) for forked in (True, False)
    )
    assert (forked.returncode, forked.stdout, forked.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert forked.stdout or forked.stderr


def test_the_next_command_knows_nothing_of_the_last() -> None:
    narrow, wide, again = (
        nginxaudit("scan", "--help", env={"COLUMNS": number}) for number in ("40", "90", "40")
    )
    assert len(narrow.stdout.splitlines()) > len(wide.stdout.splitlines())
    assert narrow.stdout == again.stdout


@pytest.mark.slow
def test_what_python_reads_when_it_starts_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "é.conf").write_text("events {}\nhttp { server { return 204; } }\n")
    told = [
        nginxaudit("scan", "-f", "concise", "é.conf", cwd=tmp_path, env={"PYTHONIOENCODING": encoding}).stdout
        for encoding in ("utf-8", "ascii:backslashreplace")
    ]
    assert [text.partition(".conf")[0] for text in told] == ["é", "\\xe9"]
