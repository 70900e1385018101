"""The groups for a terminal: a table of the servers of each, and sentences on what happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nginxaudit.report.paint import console_for
from nginxaudit.report.sanitize import visible
from nginxaudit.views.upstreams.view import UpstreamView

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
        console.print(_servers(view))
        console.print(_facts(view))


def _servers(view: UpstreamView) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("server", "role"):
        table.add_column(name)
    for name in ("weight", "max_fails", "fail_timeout", "max_conns"):
        table.add_column(name, justify="right")
    table.add_column("")
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
    table.add_column()
    for name, value in _rows(view):
        table.add_row(name, value)
    return table


def _rows(view: UpstreamView) -> Iterator[tuple[str, Text]]:
    yield "meant as", Text(visible(view.intent))
    yield "failures", Text(visible(view.failures))
    yield "state", Text(visible(view.state))
    for retry in view.retries or ("–",):
        yield "retries", Text(visible(retry))
    for user in view.users or ("nobody",):
        yield "used by", Text(visible(user))
    for finding in view.findings:
        line = Text(f"{finding.severity.label}[{finding.rule}] ", _SEVERITIES[finding.severity.label])
        line.append(visible(finding.claim), "")
        yield "finding", line
