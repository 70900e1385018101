"""The groups for a terminal: a table of the servers of each, and sentences on what happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nginxaudit.report.paint import console_for
from nginxaudit.report.sanitize import visible
from nginxaudit.views.upstreams.view import UpstreamView

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 110
_ROLES = {"primary": "green", "backup": "yellow", "down": "dim"}
_SEVERITIES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}


def write(views: Sequence[UpstreamView], stream: TextIO, color: bool | None) -> None:
    """Write one paragraph per group."""
    console = console_for(stream, color, _WIDTH)
    for number, view in enumerate(views):
        if number:
            console.print()
        title = Text(visible(view.name), "bold")
        title.append(f"  {view.topology}", "bold magenta")
        title.append(f"  {view.family} · {visible(view.method)} · {visible(view.file)}:{view.line}", "dim")
        console.print(title)
        _print_servers(console, _servers(view))
        console.print(_facts(view))


def _print_servers(console: Console, table: Table) -> None:
    """The table as wide as its words: addresses are never cut, a narrow terminal continues them in its next line."""
    narrow = console.width
    wide = console.measure(table, options=console.options.update_width(10_000)).maximum
    console.width = max(narrow, wide + len(table.columns))
    console.print(table)
    console.width = narrow


def _servers(view: UpstreamView) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("server", "role"):
        table.add_column(name, no_wrap=True)
    for name in ("weight", "max_fails", "fail_timeout", "max_conns"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for peer in view.peers:
        table.add_row(
            Text(visible(peer.address)),
            Text(peer.role, _ROLES.get(peer.role, "")),
            str(peer.weight),
            str(peer.max_fails),
            f"{peer.fail_timeout}s",
            str(peer.max_conns or "–"),
            Text(visible(peer.others)),
        )
    return table


def _facts(view: UpstreamView) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(view):
        table.add_row(name, value)
    return table


def _rows(view: UpstreamView) -> Iterator[tuple[str, Text]]:
    yield "meant as", Text(visible(view.intent))
    yield "failures", Text(visible(view.failures))
    if view.checks:
        yield "checks", Text(visible(view.checks))
    yield "state", Text(visible(view.state))
    for retry in view.retries or ("–",):
        yield "retries", Text(visible(retry))
    for hang in view.hangs:
        yield "hang", Text(visible(hang))
    for user in view.users or ("nothing",):
        yield "used by", Text(visible(user))
    for finding in view.findings:
        line = Text(f"{finding.severity.label}[{finding.rule}] ", _SEVERITIES[finding.severity.label])
        line.append(visible(finding.claim), "")
        yield "finding", line
