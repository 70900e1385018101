"""A drill as text: the worst first, what is equal once, timelines that are true to the numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nginxaudit.views.drill import plots, words
from tests.report.drills import configuration, drilled, rendered

PASS = "proxy_pass http://shop;"


def test_the_same_use_from_many_places_is_told_once(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration(*[PASS] * 10, f"{PASS} proxy_next_upstream off;"))
    assert sorted(len(block.places) for block in result.blocks) == [1, 10]
    text = rendered("text", result)
    assert text.count("rolling: each in turn  loses") == 2
    assert "and 4 more in the same way" in text
    assert len(list(result.results)) == 11


@pytest.mark.slow
def test_the_worst_comes_first(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration(PASS, f"{PASS} proxy_next_upstream off;"), ("refuse", "rolling"))
    shares = [block.badness for block in result.blocks]
    assert shares == sorted(shares, reverse=True)
    for block in result.blocks:
        keys = [(s.passed, not s.fixable) for s in block.stories]
        assert keys == sorted(keys), "what settings would fix, then the rest, then what passed"


def test_scenarios_that_end_alike_are_one_line(tmp_path: Path) -> None:
    servers = "".join(f"server 10.0.0.{number}:80; " for number in range(1, 6))
    result = drilled(tmp_path, configuration(PASS, servers=servers), ("refuse",))
    stories = {story.title: len(story.results) for story in result.blocks[0].stories}
    assert stories == {"refuse: any of 5 servers": 5, "refuse: all primaries": 1}


def test_the_change_is_told_with_its_numbers(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration(PASS))
    (story,) = result.blocks[0].stories
    (remedy,) = story.worst.verdict.remedies
    text = rendered("text", result)
    assert f"{remedy.lost_before} lost → {remedy.lost_after}" in text
    assert re.search(r"because\s+fail_timeout=30s: ", text)
    assert re.search(r'change\s+fail_timeout=8s  on every server in upstream "shop"', text)
    assert "1 scenario: 1 loses requests; 1 of these would lose fewer" in text


def test_what_passed_has_a_timeline_only_when_asked_for(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration(PASS), ("slow",))
    assert "127.0" not in rendered("text", result)
    text = rendered("text", result)
    assert "scenarios: none loses requests." in text
    assert "10.0.0.1:80   " not in text
    everything = rendered("text", result, show_all=True)
    assert "10.0.0.1:80   " in everything
    assert re.search(r"verdict\s+loses nothing; the slowest waited", everything)


def test_a_plot_shows_when_and_how_much(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration(PASS), ("refuse",))
    block = result.blocks[0]
    worst = next(each for each in block.results if each.scenario.scope == "primaries")
    rows = {row.name: row for row in plots.plot(worst, block.group, 100, plots.BLOCKS)}
    scenario = worst.scenario
    before = slice(0, scenario.begin * 100 // scenario.duration)
    during = slice(scenario.begin * 100 // scenario.duration + 1, scenario.end * 100 // scenario.duration - 1)
    assert set(rows["ok"].cells[before]) == {"█"}
    assert set(rows["ok"].cells[during]) == {" "}
    assert set(rows["failed"].cells[before]) == {" "}
    assert set(rows["failed"].cells[during]) == {"█"}
    assert int(rows["failed"].total) == worst.outcome.failed
    assert set(rows["10.0.0.1:80"].cells[before]) == {"▄"}, "half of the traffic"
    marks = rows["10.0.0.1:80"].marks
    assert set(range(during.start, during.stop)) <= marks
    assert not marks & set(range(*before.indices(100)))
    assert plots.axis(worst, 100, plain=False).count("━") == len(marks)


def test_backups_and_servers_that_are_down_are_named(tmp_path: Path) -> None:
    servers = "server 10.0.0.1:80; server 10.0.0.2:80 backup; server 10.0.0.3:80 down;"
    text = rendered("text", drilled(tmp_path, configuration(PASS, servers=servers)), show_all=True)
    assert "10.0.0.2:80 (backup)" in text
    assert "10.0.0.3:80 (down)" in text


def test_few_are_seen_and_none_is_blank() -> None:
    assert plots.levels([0, 0.01, 25, 50, 99], 50, plots.BLOCKS) == " ▁▄██"
    assert plots.buckets([4, 0, 0, 4], 2) == [2, 2]
    assert plots.buckets([4, 8], 4) == [4, 4, 8, 8]


@pytest.mark.parametrize(
    ("part", "said"), [(0, "0.0%"), (0.0004, "<0.1%"), (0.5, "50.0%"), (0.9999, ">99.9%"), (1, "100.0%")]
)
def test_a_percentage_is_0_only_for_nothing(part: float, said: str) -> None:
    assert words.share(part) == said


def test_an_output_without_block_characters(tmp_path: Path) -> None:
    text = rendered("text", drilled(tmp_path, configuration(PASS)), encoding="ascii")
    assert "\\u2588" not in text
    assert re.search(r"ok +#{20,}", text)


@pytest.mark.slow
def test_it_fits_the_width(tmp_path: Path) -> None:
    text = rendered("text", drilled(tmp_path, configuration(PASS), None), show_all=True)
    assert max(map(len, text.splitlines())) <= 110


def test_of_many_servers_those_that_fail_are_shown(tmp_path: Path) -> None:
    servers = "".join(f"server 10.0.0.{number}:80 weight={number}; " for number in range(1, 21))
    result = drilled(tmp_path, configuration(PASS, servers=servers), ("refuse",))
    block = result.blocks[0]
    last = next(each for each in block.results if each.scenario.target == "10.0.0.20:80")
    rows = [row for row in plots.plot(last, block.group, 60, plots.BLOCKS) if row.kind == "server"]
    assert len(rows) == plots.MOST_SERVERS + 1
    assert rows[-2].name == "10.0.0.20:80"
    assert rows[-2].marks
    assert max(rows[-2].cells) > "▂", "to a scale of their own: it is a tenth of the traffic"
    assert rows[-1].name == "8 more"
    assert sum(int(row.total) for row in rows) == sum(each.attempts for each in last.outcome.servers)


CHECKED = (
    "server 10.0.0.1:80; server 10.0.0.2:80; check interval=1000 fall=2 rise=2 type=http; sticky cookie id;"
)


def test_what_a_check_has_noticed_is_marked(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration(PASS, servers=CHECKED), ("5xx",))
    text = rendered("text", result)
    assert (
        "shop  active-active with health checks  http · round robin · check · sticky cookie · 1 worker"
        in text
    )
    assert "*: an active check noticed it" in text.replace("\n", " ").replace("  ", " ")
    assert re.search(r"5xx: .* \d\.\ds\* ", text)
    assert re.search(r"note +sticky does not ask the module of check", text)
    assert re.search(r"note +check: a probe every 1s; a server is out at most 2.5s", text)
    without = drilled(tmp_path, configuration(PASS), ("5xx",))
    assert "active check" not in rendered("text", without)


def test_who_is_never_out_has_no_mark(tmp_path: Path) -> None:
    servers = CHECKED.replace("type=http", "type=tcp")
    result = drilled(tmp_path, configuration(PASS, servers=servers), ("slow",))
    assert re.search(r"slow: any of 2 servers .* never ", rendered("text", result))
