"""Traces for Mermaid, which GitHub draws in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.mermaid import plain
from nginxaudit.views.trace.view import ShownStep, TraceView, Way
from nginxaudit.views.trace.words import summary


def write(views: Iterable[TraceView], stream: TextIO) -> None:
    """Write one ``flowchart`` with a subgraph per request."""
    stream.write("flowchart TD\n")
    for number, view in enumerate(views):
        stream.write(f'  subgraph g{number}["{plain(view.title)}"]\n')
        stream.writelines(f"    {line}\n" for line in _Drawing(f"n{number}_").lines(view.way))
        stream.write("  end\n")
    stream.write("  classDef outcome fill:#e3f4e8,stroke:#2e7d4f,color:#1f2933\n")


class _Drawing:
    """Numbers the boxes of one request."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"

    def lines(self, way: Way, before: str = "", label: str = "") -> Iterator[str]:
        """Boxes and arrows of one way and those behind it."""
        for step in way.steps:
            name = self._name()
            yield f'{name}["{_box(step)}"]'
            yield from _arrow(before, name, label)
            before, label = name, ""
        for each in way.ways:
            yield from self.lines(each, before, each.assumption)
        if way.outcome is not None:
            name = self._name()
            yield f'{name}(["{plain(summary(way.outcome))}"]):::outcome'
            yield from _arrow(before, name, label)


def _arrow(before: str, name: str, label: str) -> Iterator[str]:
    if before:
        yield f'{before} -->|"{plain(label)}"| {name}' if label else f"{before} --> {name}"


def _box(step: ShownStep) -> str:
    words = [f"{step.phase}: {step.text}", step.why, step.place]
    return "<br/>".join(plain(visible(word)) for word in words if word)
