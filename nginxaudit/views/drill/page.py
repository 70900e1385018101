"""A drill as a page: the numbers, the timelines, and what would help. It loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TextIO

from nginxaudit.report.masked import veiled
from nginxaudit.report.sanitize import visible
from nginxaudit.views.drill.chart import chart
from nginxaudit.views.drill.view import Drilled, Section, Skipped, Story
from nginxaudit.views.drill.words import (
    change_line,
    closing_line,
    kind_line,
    load_line,
    loss_line,
    moments,
    needs_server,
    nginx_line,
    out_cell,
    place_line,
    refusal_line,
    settings_line,
    share,
    spread,
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HEADS = ("Scenario", "Lost", "", "Retried", "Out", "Back", "Longest wait", "Others bear")
_KEY = (
    ("ok", "answered"), ("failed", "failed"), ("gaveup", "given up by clients"), ("retried", "tried again"),
    ("server", "attempts at a server"), ("backup", "at a backup"), ("fault", "fault is on"),
)  # fmt: skip
_EDGES = (
    "Left edge: red where other settings would lose fewer requests, yellow where they do not help, green where nothing is lost. "
    "Out: time until a failing server is marked unavailable. Back: time from recovery until it receives requests again. "
    "Others bear: their traffic, compared with before."
)
_MOST_PLACES = 12
_MOST_OPEN = 3  # upstreams: with more of them the reader opens those of interest


def write(drilled: Drilled, stream: TextIO, title: str = "") -> None:
    """Write the whole page, under the heading ``title``."""
    heading = _text(title or "What is lost when a server dies, hangs, or is restarted")
    stream.write(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title or 'nginxaudit drill')}: {_text(closing_line(drilled))}</title><style>{_style()}</style></head>\n<body>"
        f"<header><h1>{heading}</h1><p>{_text(closing_line(drilled))}</p>"
        f'<p class="facts">{_text(load_line(drilled.load))}; {_text(nginx_line(drilled.target))}. Simulated.</p>'
        f'<p class="key">{"".join(_keys())}</p><p class="facts">{_EDGES}</p></header>\n<main>'
    )
    stream.writelines(_skipped(each) for each in drilled.skipped)
    for block in drilled.blocks:
        stream.writelines(_block(block, drilled))
    stream.write("</main>\n</body></html>\n")


@cache
def _style() -> str:
    return files("nginxaudit.views.drill").joinpath("style.css").read_text(encoding="utf-8")


def _text(text: str) -> str:
    return escape(visible(veiled(text)))


def _keys() -> Iterator[str]:
    for name, words in _KEY:
        yield f'<span><svg viewBox="0 0 12 12"><rect class="{name}" width="12" height="12"/></svg>{words}</span>'


def _skipped(each: Skipped) -> str:
    kind = "gaps" if each.location else "gaps soft"
    place = f"{each.location}, {each.file}:{each.line}" if each.location else f"{each.file}:{each.line}"
    return f'<p class="{kind}"><strong>{_text(each.upstream)}</strong> was not drilled: {_text(each.reason)} ({_text(place)})</p>\n'


def _gist(stories: Sequence[Story]) -> str:
    """What a folded upstream says of its scenarios."""
    results = [result for story in stories for result in story.results]
    losing = sum(not result.verdict.passed for result in results)
    verb = "loses" if losing == 1 else "lose"
    scenarios = "1 scenario" if len(results) == 1 else f"{len(results)} scenarios"
    return f"{scenarios}: {losing} {verb} requests" if losing else f"{scenarios}: none loses requests"


def _block(block: Section, drilled: Drilled) -> Iterator[str]:
    failed = any(not story.passed for story in block.stories)
    opened = " open" if (failed and len(drilled.blocks) <= _MOST_OPEN) or len(drilled.blocks) == 1 else ""
    yield (
        f'<details class="upstream"{opened}><summary><h2>{_text(block.upstream)} <small>{_text(block.topology)} · {_text(settings_line(block))}'
        f'</small></h2><p class="facts">{_text(_gist(block.stories))}</p></summary><ul class="places">'
    )
    yield from (f"<li>{_text(place_line(place))}</li>" for place in block.places[:_MOST_PLACES])
    if len(block.places) > _MOST_PLACES:
        yield f"<li>and {len(block.places) - _MOST_PLACES} more in the same way</li>"
    yield "</ul>"
    for text in (*(refusal_line(place) for place in block.places if place.refused), *block.group.notes):
        yield f'<p class="note">{_text(text)}</p>'
    stories = block.stories
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>'
    yield from map(_row, stories)
    yield "</tbody></table></div>\n"
    for story in stories:
        yield from _story(story, block, drilled)
    yield "</details>\n"


def _class(story: Story) -> str:
    return "passed" if story.passed else "fixable" if story.fixable else "lossy"


def _row(story: Story) -> str:
    outcomes = [each.outcome for each in story.results]
    overloads = [each.survivor_overload for each in outcomes if each.survivor_overload is not None]
    cells = (
        spread(each.lost for each in outcomes),
        share(max(each.lost / max(1, each.requests) for each in outcomes)),
        spread(each.retried for each in outcomes),
        out_cell(outcomes),
        moments((each.back for each in outcomes), "–"),
        f"+{moments((each.latency.worst for each in outcomes), '')}",
        f"× {max(overloads):.1f}" if overloads else "–",
    )
    return f'<tr class="{_class(story)}"><th scope="row">{_text(story.title)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _story(story: Story, block: Section, drilled: Drilled) -> Iterator[str]:
    head = "loses nothing" if not story.worst.outcome.lost else f"loses {loss_line(story)}"
    opened = " open" if story.fixable else ""
    yield f'<details class="{_class(story)}"{opened}><summary><strong>{_text(story.title)}</strong> {_text(head)}</summary>'
    yield f'<p class="facts">{_text(kind_line(story.worst.scenario.kind, drilled.load))}'
    if len(story.results) > 1:
        yield f"; drawn: {_text(story.worst.scenario.name)}"
    yield f"</p>{chart(story.worst, block.group)}"
    yield from _verdict(story)
    yield "</details>\n"


def _verdict(story: Story) -> Iterator[str]:
    verdict = story.worst.verdict
    if verdict.passed:
        yield f"<p>{_text(verdict.text)}</p>"
    for cause in verdict.causes:
        yield f"<p><strong>Because</strong> <code>{_text(cause.setting)}</code>: {_text(cause.text)}</p>"
    for number, remedy in enumerate(verdict.remedies):
        word = "Or" if number else "New server" if needs_server(remedy) else "Change"
        steps = "<br>".join(f"<code>{_text(step.text)}</code> {_text(step.where)}" for step in remedy.steps)
        price = f"; trade-off: {_text(remedy.trade_off)}" if remedy.trade_off else ""
        kind = "fixes" if remedy.fixes else "helps"
        yield (
            f'<div class="remedy {kind}"><strong>{word}</strong><div>{steps}<br>'
            f"<em>{_text(change_line(remedy, story, number))}</em>{price}</div></div>"
        )
    if not verdict.passed and not any(remedy.fixes for remedy in verdict.remedies):
        yield '<p class="facts">Nothing that was tried fixes it completely.</p>'
