"""A drill as a page: everything is on it, it loads and runs nothing, and texts of strangers stay texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html import unescape
from pathlib import Path

import pytest

from nginxaudit.views.drill.chart import chart
from nginxaudit.views.drill.words import change_line
from tests.report.drills import SERVERS, configuration, drilled, rendered
from tests.support.browser import Page, needs_browser, shown

NASTY = "</style><script>document.title=1</script><img/src=x/onerror=alert(1)>'\u202e"


@pytest.mark.slow
def test_every_scenario_has_a_row_a_chart_and_what_would_help(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration("proxy_pass http://shop;"), ("refuse", "hang", "rolling"))
    text = rendered("html", result)
    page = Page(text)
    stories = result.blocks[0].stories
    assert page.tags.count("details") - len(result.blocks) == len(stories) == text.count('<th scope="row">')
    assert text.count('role="img"') == len(stories)
    plain = unescape(text)
    assert any(story.worst.verdict.remedies for story in stories)
    for story in stories:
        for number, remedy in enumerate(story.worst.verdict.remedies):
            assert all(f"<code>{step.text}</code> {step.where}" in plain for step in remedy.steps)
            assert change_line(remedy, story, number) in plain
        opened = f'<details class="fixable" open><summary><strong>{story.title}</strong>'
        assert (opened in text) is story.fixable


def test_it_needs_nothing_from_anywhere(tmp_path: Path) -> None:
    text = rendered("html", drilled(tmp_path, configuration("proxy_pass http://shop;")))
    assert not re.search(r"(?:src|href)=|@import|url\(|<script", text)
    assert "default-src 'none'" in text


def test_texts_of_strangers_stay_texts(tmp_path: Path) -> None:
    plain = Page(rendered("html", drilled(tmp_path, configuration("proxy_pass http://shop;"))))
    quoted = f'"{NASTY}"'
    text = configuration(f"proxy_pass http://{NASTY};", name=quoted).replace(
        "location /0", f'location "/{NASTY}"'
    )
    text = text.replace(f"proxy_pass http://{NASTY}", f'proxy_pass "http://{NASTY}"')
    hostile = drilled(tmp_path, text)
    assert hostile.blocks or hostile.skipped
    page = rendered("html", hostile)
    assert "&lt;script&gt;" in page
    assert set(Page(page).tags) <= set(plain.tags)
    assert Page(page).attributes <= plain.attributes
    assert "\u202e" not in page


def test_a_hostile_name_in_a_block(tmp_path: Path) -> None:
    """A name that nginx accepts as a host, in a group that is drilled."""
    text = configuration('proxy_pass "http://a<b>&amp;";', name='"a<b>&amp;"')
    result = drilled(tmp_path, text)
    assert len(result.blocks) == 1
    page = rendered("html", result)
    results = result.blocks[0].results
    lossy = sum(not each.verdict.passed for each in results)
    assert lossy == len(results) == 1
    assert '<p class="facts">1 scenario: 1 loses requests</p></summary>' in page
    assert '<details class="upstream" open><summary><h2>a&lt;b&gt;&amp;amp; <small>' in page
    assert "<b>" not in page


def test_a_chart_is_true_to_the_numbers(tmp_path: Path) -> None:
    result = drilled(tmp_path, configuration("proxy_pass http://shop;", servers=SERVERS), ("refuse",))
    block = result.blocks[0]
    worst = next(each for each in block.results if each.scenario.scope == "primaries")
    root = ElementTree.fromstring(chart(worst, block.group))
    (failed,) = root.findall("path[@class='failed']")
    numbers = [float(each) for each in re.findall(r"[\d.]+", failed.get("d", ""))]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    turns = zip(points, points[1:] + points[:1], strict=True)
    area = abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in turns)) / 2
    fault = next(root.iter("rect"))
    assert fault.get("class") == "fault"
    scenario, outcome = worst.scenario, worst.outcome
    second = float(fault.get("width", 0)) * 1000 / (scenario.end - scenario.begin)
    request = second * float(fault.get("height", 0)) / 20  # of 20 a second
    assert area == pytest.approx(outcome.failed * request, rel=0.01)
    assert not root.findall("path[@class='gaveup']")
    totals = [each.text for each in root.findall("text[@class='total']")]
    assert totals == [str(worst.outcome.requests), *(str(each.attempts) for each in worst.outcome.servers)]


@pytest.mark.slow
@needs_browser
def test_in_a_browser(tmp_path: Path) -> None:
    """A real browser builds the page as it was meant: nothing of a name becomes an element."""
    page = tmp_path / "drill.html"
    text = configuration('proxy_pass "http://a<i>";', name='"a<i>"')
    page.write_text(rendered("html", drilled(tmp_path, text, ("refuse", "rolling"))), encoding="utf-8")
    dom = shown(page.as_uri())
    assert "<i>" not in dom
    assert "a&lt;i&gt;" in dom
    assert dom.count('<details class="') == 4
    assert dom.count('role="img"') == 3
