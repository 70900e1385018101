"""Hostile input costs no more time than its size, and no file more than once.

What is bounded is processor time and memory of the process, and counted work: how busy a machine is says nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import examine
from nginxaudit.engine.settings import Settings
from nginxaudit.source.limits import Limits
from nginxaudit.syntax import parse
from tests.fuzz.clock import slowness
from tests.growth.measure import run
from tests.security.damaged import damaged
from tests.support.command import nginxaudit

SCAN = ("scan", "--jobs", "1", "--format", "concise")


def counted(paths: list[str], settings: Settings | None = None) -> tuple[int, int]:
    """Directives of all configurations together, and findings."""
    examination = examine(paths, settings or Settings())
    return sum(model.config.count for model in examination.models), len(examination.report.findings)


@pytest.mark.slow
def test_a_directory_of_damaged_files_that_include_each_other(tmp_path: Path) -> None:
    damaged(tmp_path)
    sample = run([*SCAN, "."], tmp_path)
    assert sample.seconds < 5 * slowness()
    assert sample.memory < 175  # MiB beyond the 25 that a process of its own begins with


@pytest.mark.slow
def test_a_file_is_diagnosed_once_however_often_it_is_included(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(tmp_path, 60)
    read: list[str] = []
    original = parse.read_statements
    monkeypatch.setattr(
        parse, "read_statements", lambda source, *args: read.append(source.path) or original(source, *args)
    )
    models = examine([str(tmp_path)], Settings()).models
    assert len(read) == len(set(read)) == 60
    (model,) = models  # the first file includes all others, and none is a configuration of its own beside it
    assert len(model.config.sources) == 60
    assert set(model.config.entered.values()) == {1}, "a configuration with a cycle does not load"


def test_what_a_text_says_by_itself_is_told_once(tmp_path: Path) -> None:
    """Many configurations share a broken file: each has its includes, but one tells what is wrong in the file."""
    (tmp_path / "shared.inc").write_text("gzip on  ;  \n" * 50 + "server { { {\n")
    for number in range(20):
        (tmp_path / f"r{number}.conf").write_text(
            "events {}\nhttp { include shared.inc; include gone.inc; }\n"
        )
    settings = Settings(select=("ALL",))
    examination = examine([str(tmp_path)], settings)
    assert len(examination.models) == 20
    assert sum(len(model.config.texts) for model in examination.models) == 21
    told = [each for each in examination.report.findings if each.span.file.endswith("shared.inc")]
    alone = examine([str(tmp_path / "r0.conf")], settings).report.findings
    assert [(each.rule, each.span, each.message) for each in told] == [
        (each.rule, each.span, each.message) for each in alone if each.span.file.endswith("shared.inc")
    ]
    gone = [each for each in examination.report.findings if each.rule == "include-not-found"]
    assert len(gone) == 20, "where an include leads is a matter of each configuration"


# -- files that include files


def doubling(tree: Path, depth: int) -> None:
    """Each file includes the next one twice: 2 to the power of ``depth`` times the last one."""
    (tree / "nginx.conf").write_text("events {}\nhttp { include 0.inc; server { return 204; } }\n")
    for number in range(depth):
        (tree / f"{number}.inc").write_text(f"include {number + 1}.inc;\n" * 2)
    (tree / f"{depth}.inc").write_text("deny 10.0.0.1;\n")


@pytest.mark.slow
def test_files_that_double_each_other(tmp_path: Path) -> None:
    doubling(tmp_path, 30)
    limits = Limits(max_repeats=5_000)
    directives, _ = counted([str(tmp_path / "nginx.conf")], Settings(limits=limits))
    assert directives <= 5_000 + 200
    sample = run([*SCAN, "nginx.conf"], tmp_path)
    assert sample.seconds < 15 * slowness()
    done = nginxaudit("scan", "--format", "json", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 3
    rules = {each["rule"] for each in json.loads(done.stdout)["findings"]}
    assert rules >= {"limit-exceeded", "missing-listen"}


@pytest.mark.slow
def test_the_budget_is_that_of_the_run(tmp_path: Path) -> None:
    """Many configurations that share files cost as much as one that includes them often."""
    (tmp_path / "shared.inc").write_text("deny 10.0.0.1;\n" * 100)
    for number in range(50):
        (tmp_path / f"r{number:02}.conf").write_text("events {}\nhttp { include shared.inc; }\n")
    free, _ = counted([str(tmp_path)])
    assert free == 50 * (103 - 0), free
    limited, _ = counted([str(tmp_path)], Settings(limits=Limits(max_repeats=1_000)))
    assert limited <= 50 * 3 + 100 + 1_000
    done = nginxaudit("scan", "--format", "json", ".", cwd=tmp_path)
    assert "limit-exceeded" not in done.stdout


@pytest.mark.slow
def test_a_snippet_of_thousands_of_servers_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "proxy.inc").write_text("proxy_set_header A $host;\n" * 20)
    servers = "".join(
        f"server {{ listen 80; server_name s{n}.com; location / {{ include proxy.inc; proxy_pass http://10.0.0.1; }} }}\n"
        for n in range(3_000)
    )
    (tmp_path / "nginx.conf").write_text(f"events {{}}\nhttp {{\n{servers}}}\n")
    examination = examine([str(tmp_path / "nginx.conf")], Settings(select=("limit-exceeded",)))
    assert not examination.report.findings
    assert examination.models[0].config.count == 3_000 * 26 + 2


# -- which files are configurations of their own


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "include b.conf;", "b": ""}, ["a"]),
        ({"a": "", "b": "include a.conf;"}, ["b"]),
        ({"a": "include b.conf;", "b": "include a.conf;"}, ["a"]),
        ({"a": "include a.conf;"}, ["a"]),
        ({"a": "include b.conf;", "b": "include c.conf;", "c": "include b.conf;"}, ["a"]),
        ({"a": "include b.conf;", "b": "include a.conf;", "c": "include a.conf;"}, ["c"]),
        ({"a": "", "b": "", "c": "include [ab].conf;"}, ["c"]),
        ({"a": "", "b": "include gone.conf;"}, ["a", "b"]),
        ({"a": "include *.conf;", "b": "include *.conf;", "c": ""}, ["a"]),
    ],
    ids=lambda each: str(len(each)),
)
@pytest.mark.parametrize(
    "text", ["events {{}}\nhttp {{ {} }}\n", "{}\nadd_header A b;\n"], ids=["roots", "fragments"]
)
def test_what_includes_each_other(
    text: str, files: dict[str, str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files in a circle the first one is analysed: none of them must be passed over in silence."""
    monkeypatch.chdir(tmp_path)
    for name, includes in files.items():
        Path(f"{name}.conf").write_text(text.format(includes))
    examination = examine(["."], Settings())
    assert list(dict.fromkeys(model.config.main.path for model in examination.models)) == [
        f"{name}.conf" for name in expected
    ]
    assert {status.path for status in examination.report.files} == {f"{name}.conf" for name in files}


def test_a_file_beyond_the_depth_of_includes_is_analysed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(100):
        Path(f"{number:03}.conf").write_text(f"include {number + 1:03}.conf;\nserver {{ return 204; }}\n")
    examination = examine(["."], Settings())
    assert len(examination.report.files) == 100
    assert sum(each.rule == "missing-listen" for each in examination.report.findings) == 100
