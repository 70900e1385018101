"""A drill for a terminal: a table of what happens, then the scenarios that lose, over time and with what would help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nginxaudit.report.masked import veiled
from nginxaudit.report.paint import console_for
from nginxaudit.report.sanitize import encoding_of, visible
from nginxaudit.views.drill import plots
from nginxaudit.views.drill.view import Drilled, Section, Story
from nginxaudit.views.drill.words import (
    BY_CHECK,
    change_line,
    closing_line,
    kind_line,
    load_line,
    loss_line,
    moments,
    needs_server,
    nginx_line,
    out_cell,
    refusal_line,
    sessions_line,
    settings_line,
    share,
    spread,
)

_WIDTH = 110
_ROOM_FOR_SMALL = 16  # cells that a small timeline needs to tell anything
_COLUMNS = 84  # cells that the other columns of the table take
_COLORS = {"ok": "green", "failed": "red", "gave up": "magenta", "retried": "yellow", "server": "cyan"}
_LEGEND = (
    "out: time until a failing server is marked unavailable. back: time from recovery until it receives requests again. "
    "wait: the longest that a client waited beyond the usual."
)
_NAME = 24
_TOTAL = 7
_MOST_PLACES = 6


def write(drilled: Drilled, stream: TextIO, color: bool | None, *, show_all: bool) -> None:
    """Write a paragraph per group and use, the worst first."""
    console = console_for(stream, color, _WIDTH)
    try:
        plots.BLOCKS.encode(encoding_of(stream))
        ramp = plots.BLOCKS
    except UnicodeEncodeError:
        ramp = plots.PLAIN
    if drilled.blocks:
        console.print(Text(f"{load_line(drilled.load)}; {nginx_line(drilled.target)}.", "dim"))
        checked = any(block.group.checks for block in drilled.blocks)
        console.print(Text(f"{_LEGEND} {BY_CHECK}" if checked else _LEGEND, "dim"))
        console.print()
    for block in drilled.blocks:
        _block(block, drilled, console, ramp, show_all=show_all)
    for skipped in drilled.skipped:
        place = f"{skipped.location}  " if skipped.location else ""
        line = Text(f"{_seen(skipped.upstream)}  ", "bold")
        line.append("not drilled: ", "bold yellow" if skipped.location else "dim")
        line.append(f"{_seen(skipped.reason)}  ")
        line.append(f"{_seen(place)}{_seen(skipped.file)}:{skipped.line}", "dim")
        console.print(line)
    if drilled.skipped:
        console.print()
    console.print(Text(closing_line(drilled), "bold"))


def _seen(text: str) -> str:
    return visible(veiled(text))


def _block(block: Section, drilled: Drilled, console: Console, ramp: str, *, show_all: bool) -> None:
    title = Text(_seen(block.upstream), "bold")
    title.append(f"  {block.topology}", "bold magenta")
    title.append(f"  {_seen(settings_line(block))}", "dim")
    console.print(title)
    console.print(_facts(_about(block)))
    stories = block.stories
    console.print(_overview(stories, console.width, ramp))
    for story in stories:
        if story.passed and story.worst.outcome.lost and not show_all:
            console.print(Text(_seen(f"{story.title} {story.worst.verdict.text}"), "dim"))
    console.print()
    for story in stories:
        if show_all or not story.passed:
            _story(story, block, drilled, console, ramp, show_all=show_all)


def _facts(rows: Iterator[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, value)
    return table


def _about(block: Section) -> Iterator[tuple[str, Text]]:
    for number, place in enumerate(block.places[:_MOST_PLACES]):
        yield "" if number else "used by", Text(_seen(f"{place.location} · {place.file}:{place.line}"))
        if place.remark:
            yield "", Text(f"  {place.remark}", "yellow")
    if len(block.places) > _MOST_PLACES:
        yield "", Text(f"and {len(block.places) - _MOST_PLACES} more in the same way", "dim")
    for place in block.places:
        if place.refused:
            yield "note", Text(_seen(refusal_line(place)), "yellow")
    for note in block.group.notes:
        yield "note", Text(_seen(note))


def _overview(stories: tuple[Story, ...], width: int, ramp: str) -> Table:
    """What happens in every scenario, a line for those that end alike."""
    room = width - _COLUMNS
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("scenario", min_width=20)
    for name in ("lost", "", "retried", "out", "back", "wait"):
        table.add_column(name, justify="right", no_wrap=True)
    if room >= _ROOM_FOR_SMALL:
        table.add_column("lost over time", no_wrap=True)
    for story in stories:
        outcomes = [each.outcome for each in story.results]
        style = "green" if story.passed else "red" if story.fixable else "yellow"
        cells: list[RenderableType] = [
            Text(_seen(story.title), style),
            Text(spread(each.lost for each in outcomes), style),
            Text(share(max(each.lost / max(1, each.requests) for each in outcomes)), style),
            spread(each.retried for each in outcomes),
            out_cell(outcomes),
            moments((each.back for each in outcomes), "–"),
            f"+{moments((each.latency.worst for each in outcomes), '')}",
        ]
        if room >= _ROOM_FOR_SMALL:
            cells.append(Text(plots.small(story.worst, min(room, 48), ramp), "red"))
        table.add_row(*cells)
    return table


def _story(
    story: Story, block: Section, drilled: Drilled, console: Console, ramp: str, *, show_all: bool
) -> None:
    head = Text(f"{_seen(story.title)}  ", "bold red" if story.fixable else "bold")
    if not story.passed:
        head.append(f"loses {loss_line(story)}")
    console.print(head)
    console.print(Padding(Text(kind_line(story.worst.scenario.kind, drilled.load), "dim"), (0, 0, 0, 2)))
    if show_all or story.fixable or story.worst.scenario.kind == "rolling":
        for line in _plot(story, block, console.width, ramp):
            console.print(line, no_wrap=True, overflow="crop")
    console.print(Padding(_facts(_verdict(story)), (0, 0, 0, 2)))
    console.print()


def _plot(story: Story, block: Section, width: int, ramp: str) -> Iterator[Text]:
    result = story.worst
    cells = max(10, min(100, width - _NAME - _TOTAL - 4))
    if len(story.results) > 1:
        yield Text(f"  {_seen(result.scenario.name)}", "dim")
    for row in plots.plot(result, block.group, cells, ramp):
        name = _seen(row.name)
        name = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
        line = Text(f"  {name:<{_NAME}} ")
        for index, cell in enumerate(row.cells):
            failing = index in row.marks
            shown = "·" if failing and cell == " " and ramp is plots.BLOCKS else cell
            line.append(shown, "red" if failing else _COLORS[row.kind])
        line.append(f"{row.total:>{_TOTAL}}", "dim")
        yield line
    indent = " " * (_NAME + 3)
    yield Text(f"{indent}{plots.axis(result, cells, plain=ramp is plots.PLAIN)}", "dim")
    yield Text(f"{indent}{plots.labels(result, cells)}", "dim")


def _verdict(story: Story) -> Iterator[tuple[str, Text]]:
    verdict = story.worst.verdict
    if verdict.passed:
        yield "verdict", Text(_seen(verdict.text))
    if moved := sessions_line(story):
        yield "sessions", Text(moved)
    for cause in verdict.causes:
        line = Text(f"{_seen(cause.setting)}: ", "bold")
        line.append(_seen(cause.text), "not bold")
        yield "because", line
    for number, remedy in enumerate(verdict.remedies):
        line = Text()
        for step in remedy.steps:
            line.append(_seen(step.text), "bold")
            line.append(f"  {_seen(step.where)}\n", "not bold")
        line.append(change_line(remedy, story, number), "green" if remedy.fixes else "yellow")
        if remedy.trade_off:
            line.append(f"; trade-off: {_seen(remedy.trade_off)}")
        yield "or" if number else "new server" if needs_server(remedy) else "change", line
    if not verdict.passed and not any(remedy.fixes for remedy in verdict.remedies):
        yield "", Text("nothing that was tried fixes it completely", "yellow")
