"""The page: everything is on it, nothing of a configuration becomes markup, and it works in a browser."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import examine
from nginxaudit.engine.settings import Settings
from nginxaudit.views.graph.view import views_of
from tests.report.samples import full, one, rendered, troubled
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
        r'(?:src|href)="(?!https://(?:github\.com|nginx\.org|nginxaudit\.github\.io)/)', text
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


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(
    ("fragment", "said"),
    [("", "12 of 12 shown"), ("#severity=warning", "6 of 12 shown"), ("#category=upstream&text=serch", "2 of 12 shown"), ("#text=nothing+such", "0 of 12 shown")],
)  # fmt: skip
def test_filters_work_in_a_browser(fragment: str, said: str, tmp_path: Path) -> None:
    examination = examine([str(FIXTURE)], Settings(nginx_version="1.31.4"))
    views = views_of(examination.models, examination.report.active)
    path = tmp_path / "report.html"
    path.write_text(rendered("html", examination.report, views=views), encoding="utf-8")
    dom = shown(f"file://{path}{fragment}")
    assert said in dom
    assert len(re.findall(r"<article [^>]*hidden", dom)) == 12 - int(said.split()[0])
    assert "<svg" in dom and "payments" in dom
