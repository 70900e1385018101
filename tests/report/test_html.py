"""The page: everything is on it, nothing of a configuration becomes markup, and it works in a browser."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from html import escape, unescape
from pathlib import Path

import pytest

from nginxaudit import __version__
from nginxaudit.engine.run.audit import examine
from nginxaudit.engine.settings import Settings
from nginxaudit.views.graph.view import views_of
from tests.report.samples import MAIN, full, one, rendered, troubled
from tests.support.browser import Page, needs_browser, shown

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "etc-nginx"
NASTY = "</pre></script><script>document.title='x'</script><img src=x onerror=alert(1)>\" onclick='y' \x1b[31m\u202e"


def test_every_finding_has_a_card_with_its_text() -> None:
    text = rendered("html", full())
    for finding in full().active:
        assert escape(finding.message) in text
        assert f">{finding.rule} ({finding.id})<" in text
    assert Page(text).tags.count("article") == len(full().active)
    assert "suppressed (inline): public files only" in rendered("html", full(), show_suppressed=True)


def test_it_needs_nothing_from_anywhere() -> None:
    text = rendered("html", full())
    assert not re.search(
        r'(?:src|href)="(?!#|https://(?:github\.com|nginx\.org|nginxaudit\.github\.io)/)', text
    )
    assert "default-src 'none'" in unescape(text)
    assert not re.search(r"@import|url\(", text)


def test_texts_of_strangers_stay_texts() -> None:
    plain = Page(rendered("html", full(), show_suppressed=True))
    hostile = one(f"a '{NASTY}';\n", "a", NASTY, path=f"x{NASTY}.conf", help=NASTY)
    text = rendered("html", hostile)
    assert set(Page(text).tags) <= set(plain.tags)
    assert Page(text).attributes <= plain.attributes
    assert "\x1b" not in text and "\u202e" not in text


def test_what_was_not_analysed_is_said_first() -> None:
    text = rendered("html", troubled())
    assert text.index("broken.conf") < text.index("<article")


def test_the_front_says_what_was_judged_by_what_and_when() -> None:
    options = {
        "title": "Audit & <more>",
        "date": "2026-01-02",
        "command": f"nginxaudit scan {NASTY} 'password=hunter2hunter2'",
    }
    text = rendered("html", full(), **options)
    front = text[: text.index("<form")]
    assert "<h1>Audit &amp; &lt;more&gt;</h1>" in front
    digest = sha256(MAIN.text.encode()).hexdigest()
    for words in (
        "2026-01-02",
        f"nginxaudit {__version__}",
        "nginx scan",
        full().facts.sentence,
        digest,
        "CWE-22",
    ):
        assert words in front.replace("nginxaudit scan", "nginx scan"), words
    assert "&lt;script&gt;" in front
    assert "Not analysed: none of the files" in front
    assert "Not analysed: none of" not in rendered("html", troubled())
    assert "<strong>no</strong>" in rendered("html", troubled())


def test_the_most_severe_come_first_and_every_link_leads_somewhere() -> None:
    text = rendered("html", full(), show_suppressed=True)
    cards = re.findall(r'<article id="([^"]+)" class="(\w+)( suppressed)?"', text)
    ranks = {"error": 0, "warning": 1, "info": 2}
    order = [(suppressed, ranks[severity]) for _, severity, suppressed in cards]
    assert order == sorted(order)
    assert len({name for name, _, _ in cards}) == len(cards) == len(full().findings)
    targets = re.findall(r' id="([^"]+)"', text)
    assert len(set(targets)) == len(targets)
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(targets)


_DRIVER = """
<script>{
const said = [], form = document.querySelector('form'), field = form.elements.text, count = document.getElementById('count');
const note = name => said.push([name, document.querySelectorAll('article:not([hidden])').length, count.textContent,
  (document.querySelector('article.current') || {}).id || '']);
const key = (key, on = document.body) => on.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const type = words => { field.value = words; field.dispatchEvent(new Event('input', { bubbles: true })); };
const at = hash => { history.replaceState(null, '', hash || '#'); form.reset(); window.dispatchEvent(new Event('hashchange')); };
note('all');
at('#severity=warning'); note('warnings');
at('#category=upstream&text=serch'); note('linked');
at(''); type('serch'); note('typed');
key('Enter', field); note('next');
type('nothing such'); note('missing');
at('#' + document.querySelector('article').id); note('anchor');
key('j'); note('j'); key('k'); note('k');
key('/'); said.push(['focus', document.activeElement === field]);
key('Escape', field); note('escape');
const out = document.createElement('output'); out.textContent = JSON.stringify(said); document.body.append(out);
}</script>
"""


@pytest.mark.slow
@needs_browser
def test_filters_search_and_keys_work_in_a_browser(tmp_path: Path) -> None:
    examination = examine([str(FIXTURE)], Settings(nginx_version="1.31.4"))
    views = views_of(examination.models, examination.report.active)
    text = rendered("html", examination.report, views=views)
    path = tmp_path / "report.html"
    driven = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    path.write_text(driven.replace("</body>", f"{_DRIVER}</body>"), encoding="utf-8")
    dom = shown(f"file://{path}")
    assert "<svg" in dom and "payments" in dom
    found = re.search(r"<output>(.*?)</output>", dom)
    assert found, "the driver ended early"
    steps = {name: rest for name, *rest in json.loads(unescape(found[1]))}
    total = len(examination.report.active)
    first, second = re.findall(r'<article id="([^"]+)"', text)[:2]
    warnings = sum(finding.severity.label == "warning" for finding in examination.report.active)
    assert steps["all"] == [total, f"{total} of {total} shown", ""]
    assert steps["warnings"][0] == warnings
    assert 0 < steps["linked"][0] < total
    assert steps["typed"][1].endswith(", at 1") and steps["typed"][2]
    assert steps["next"][2] != steps["typed"][2]
    assert steps["missing"] == [0, 'No finding contains "nothing such"', ""]
    assert steps["anchor"][::2] == [total, first]
    assert steps["j"][2] == second and steps["k"][2] == first
    assert steps["focus"] == [True]
    assert steps["escape"] == [total, f"{total} of {total} shown", ""]
