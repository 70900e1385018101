"""Several processes say what one says, in the same order."""

from __future__ import annotations

import os
import resource
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.selection import options_of, selected
from nginxaudit.engine.run import jobs, parallel
from nginxaudit.engine.run.audit import examine
from nginxaudit.engine.run.tasks import Outcome, Task, prepare
from nginxaudit.engine.settings import Settings
from nginxaudit.model import Model
from tests.benchmarks.workloads import servers_text
from tests.support.clock import HANG
from tests.support.command import nginxaudit

FIXTURES = Path(__file__).parents[2] / "fixtures"
EVERYTHING = Settings(select=("ALL",), ignore=("drill",), fragments=True)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runner has threads of its own, which a command has not."""
    monkeypatch.setattr(jobs.threading, "active_count", lambda: 1)


def both(paths: list[str], count: int) -> tuple[Report, Report]:
    return examine(paths, EVERYTHING).report, examine(paths, EVERYTHING, jobs=count).report


def same(one: Report, other: Report) -> bool:
    return (one.findings, one.files, one.notes, one.crashes) == (
        other.findings,
        other.files,
        other.notes,
        other.crashes,
    )


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 5])
def test_many_small_configurations(count: int) -> None:
    paths = [str(FIXTURES), *map(str, sorted(FIXTURES.rglob("*.conf")))]
    one, several = both(paths, count)
    assert len(one.findings) > 50
    assert same(one, several)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_one_large_configuration(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nginx.conf").write_text(servers_text(80).replace("backup;", "max_fails=0;"))
    asked: list[int] = []
    spread = parallel._spread
    monkeypatch.setattr(parallel, "_spread", lambda *args: asked.append(args[2]) or spread(*args))
    one, several = both([str(tmp_path)], count)
    assert asked == [count - 1]
    assert len(one.findings) > 100
    assert same(one, several)


def test_snippets_that_are_included_from_many_places(tmp_path: Path) -> None:
    (tmp_path / "s.conf").write_text("proxy_pass http://nowhere_$host;\nadd_header A b;\n")
    servers = "".join(
        f"server {{ listen {8000 + n}; location / {{ include s.conf; }} }}\n" for n in range(300)
    )
    (tmp_path / "nginx.conf").write_text(f"events {{}}\nhttp {{\n{servers}}}\n")
    one, several = both([str(tmp_path)], 2)
    assert any(finding.related for finding in one.findings)
    assert same(one, several)


SPELLINGS = {
    "prefix": ("include sub/*.conf; include /etc/nginx/sub/*.conf;", None),
    "dot": ("include sub/a.conf; include ./sub//a.conf;", None),
    "dots": ("include sub/a.conf; include sub/../sub/a.conf;", None),
    "link to a file": ("include sub/a.conf; include link.conf;", ("link.conf", "sub/a.conf")),
    "link to a directory": ("include sub/a.conf; include other/a.conf;", ("other", "sub")),
    "dots behind a link": ("include sub/a.conf; include other/../a.conf;", ("other", "sub/deeper")),
    "two files": ("include a.conf; include other/../a.conf;", ("other", "sub/deeper")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("packed", [False, True], ids=["on disk", "in an archive"])
def test_a_file_that_has_several_names(
    packed: bool, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one text for each real file of a configuration, and one name for each text."""
    monkeypatch.chdir(tmp_path)
    includes, link = SPELLINGS[name]
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    servers = "".join(f"server {{ listen {8000 + n}; add_header A $uri; }}\n" for n in range(300))
    (tmp_path / "sub" / "a.conf").write_text(servers)
    if name == "two files":
        (tmp_path / "a.conf").write_text("# another file\n" + servers)
    if link is not None:
        (tmp_path / link[0]).symlink_to(link[1])
    (tmp_path / "nginx.conf").write_text(f"events {{}}\nhttp {{ {includes} }}\n")
    path = "nginx.conf"
    if packed:
        with tarfile.open("it.tar", "w") as archive:
            for each in filter(os.path.lexists, ("nginx.conf", "a.conf", "sub", "link.conf", "other")):
                archive.add(each)
        path = "it.tar"
    one, several = both([path], 2)
    assert len(one.findings) > 300
    assert same(one, several)
    assert len(one.files) == (3 if name == "two files" else 2)


def test_a_text_on_standard_input_that_has_the_name_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"events {{}}\nhttp {{ include *.conf;\n{servers_text(80).partition('http {')[2]}"
    (tmp_path / "nginx.conf").write_text(text)
    settings = Settings(stdin_filename="nginx.conf")
    one = examine(["-"], settings, stdin=BytesIO(text.encode())).report
    several = examine(["-"], settings, stdin=BytesIO(text.encode()), jobs=2).report
    assert "include-cycle" in {finding.rule for finding in one.findings}
    assert same(one, several)


def test_a_rule_that_breaks_in_another_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nginx.conf").write_text(servers_text(80))
    original = parallel.apply

    def broken(task: Task, model: Model, most: int, outcome: Outcome) -> None:
        from msgspec.structs import replace

        if task.rule.slug == "missing-listen":
            task = replace(task, on=(), check=lambda _: 1 / 0)
        original(task, model, most, outcome)

    monkeypatch.setattr(parallel, "apply", broken)
    report = examine([str(tmp_path)], jobs=2).report
    assert [crash.rule for crash in report.crashes] == ["missing-listen"]
    assert report.exit_code() == 4


def test_work_of_a_process_that_dies_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nginx.conf").write_text(servers_text(80))
    expected = examine([str(tmp_path)], EVERYTHING).report
    parent, original, died = os.getpid(), parallel._done, tmp_path / "died"

    def dying(*args: object) -> object:
        if os.getpid() != parent:
            died.touch()
            os._exit(9)
        until = time.monotonic() + HANG
        while not died.exists() and time.monotonic() < until:  # leave it a piece to die of
            time.sleep(0.01)
        return original(*args)

    monkeypatch.setattr(parallel, "_done", dying)
    assert same(expected, examine([str(tmp_path)], EVERYTHING, jobs=2).report)
    assert died.exists()


def test_results_of_other_processes_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done twice: what this process finds and what the others find is everything once."""
    (tmp_path / "nginx.conf").write_text(servers_text(80))
    parent, original, begun = os.getpid(), parallel._done, tmp_path / "begun"
    mine: list[object] = []

    def shared(*args: object) -> object:
        if os.getpid() != parent:
            begun.touch()
        else:
            mine.append(args[0])
            until = time.monotonic() + HANG
            while not begun.exists() and time.monotonic() < until:
                time.sleep(0.01)
        return original(*args)

    monkeypatch.setattr(parallel, "_done", shared)
    report = examine([str(tmp_path)], EVERYTHING, jobs=2).report
    pieces = list(parallel._pieces(examine([str(tmp_path)]).models, _tasks(), 2))
    assert len(mine) < len(pieces)
    assert len(report.findings) > 100


def _tasks() -> list[Task]:
    catalogue = builtin()
    rules = selected(catalogue, EVERYTHING)
    return [
        prepare(rule, options_of(rule, catalogue, EVERYTHING)) for rule in rules if rule.check.engine is None
    ]


@pytest.mark.slow
def test_processes_are_used_where_they_pay(tmp_path: Path) -> None:
    small = examine([str(FIXTURES / "deployments")]).models
    (tmp_path / "nginx.conf").write_text(servers_text(400))
    large = examine([str(tmp_path)]).models
    assert jobs.processes(None, small) == 1
    assert jobs.processes(None, large) == min(len(os.sched_getaffinity(0)), 8)
    assert jobs.processes(3, small) == 3


@pytest.mark.parametrize("call", ["fork", "pipe", "memfd_create"])
def test_whatever_the_system_refuses(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nginx.conf").write_text(servers_text(80))
    expected = examine([str(tmp_path)], EVERYTHING, jobs=1).report.findings

    def refused(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")  # as a sandbox does

    monkeypatch.setattr(os, call, refused)
    assert examine([str(tmp_path)], EVERYTHING, jobs=4).report.findings == expected


def test_files_are_left_for_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, children = os.fork, []

    def counted() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr(os, "fork", counted)
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno() + parallel._SPARE + 8, usual[1]))
    try:
        results = parallel._spread(lambda _: parallel._Found([], []), 200, 100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert 0 < len(children) < 9
    assert len(results) == 200


def test_thousands_of_pieces_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    mine: list[int] = []

    def do(number: int) -> Any:
        mine.append(number)
        time.sleep(0.0001)
        return parallel._Found([], [])

    results = parallel._spread(do, 5_000, 1)
    assert sorted(results) == list(range(5_000))
    assert 0 < len(mine) < 4_900


def test_words_that_are_no_utf8_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = servers_text(80).replace("server {", "server { b\udcffd on; listen x\udcff;", 5)
    (tmp_path / "nginx.conf").write_bytes(text.encode("utf-8", "surrogateescape"))
    expected = examine([str(tmp_path)], EVERYTHING, jobs=1).report.findings
    assert any("\udcff" in finding.message or "\\" in finding.message for finding in expected)
    original = parallel._decoded
    seen: list[bytes] = []
    monkeypatch.setattr(parallel, "_decoded", lambda data: [seen.append(data[:1]), original(data)][1])
    assert examine([str(tmp_path)], EVERYTHING, jobs=2).report.findings == expected
    assert seen


def test_threads_are_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.threading, "active_count", lambda: 2)
    assert jobs.processes(4, []) == 1


@pytest.mark.parametrize("number", ["0", "-1", "x", "1000", ""])
def test_wrong_numbers_of_jobs(number: str) -> None:
    done = nginxaudit("scan", "--jobs", number, "nginx.conf")
    assert done.returncode == 2
    assert "neither auto nor a number from 1 to 256" in done.stderr


def test_profile_tells_phases_and_rules() -> None:
    done = nginxaudit("scan", "--profile", "--format", "json", str(FIXTURES / "etc-nginx"))
    for phase in ("start-up", "read", "parse", "model", "rules", "checks", "findings", "report"):
        assert f"%  {phase:10} " in done.stderr
    assert "The slowest rules, of " in done.stderr and "the other " in done.stderr
    assert done.stdout.startswith("{")


def test_files_that_are_known_and_not_there_are_no_places(tmp_path: Path) -> None:
    servers = "".join(
        f"server {{ listen {8000 + n}; types {{ text/plain txt; }} location / {{ root /srv; }} }}\n"
        for n in range(300)
    )
    (tmp_path / "nginx.conf").write_text(f"events {{}}\nhttp {{\n    include mime.types;\n{servers}}}\n")
    one, several = both([str(tmp_path)], 2)
    assert any(finding.rule == "types-block-replaces-mime" for finding in one.findings)
    assert same(one, several)
    assert all(place.span.file for finding in one.findings for place in finding.related)
