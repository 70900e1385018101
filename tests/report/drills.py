"""Drills of small configurations, for the tests of their reports."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from nginxaudit.drill.load import Traffic
from nginxaudit.engine.run.audit import examine
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import Target
from nginxaudit.views.drill import render_drill
from nginxaudit.views.drill.view import Drilled, drilled_of

SERVERS = "server 10.0.0.1:80 fail_timeout=30s; server 10.0.0.2:80 fail_timeout=30s;"


def drilled(
    directory: Path, text: str, kinds: Sequence[str] | None = ("rolling",), load: Traffic | None = None
) -> Drilled:
    """``text`` is a whole configuration."""
    path = directory / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    examination = examine([str(path)], Settings())
    return drilled_of(
        examination.models, load or Traffic(rate=20.0), kinds, Target(), "*", examination.active
    )


def configuration(*locations: str, servers: str = SERVERS, name: str = "shop") -> str:
    """A group and locations, each with its directives."""
    inside = "\n".join(f"location /{number} {{ {text} }}" for number, text in enumerate(locations))
    return f"events {{}}\nhttp {{ upstream {name} {{ {servers} }}\nserver {{ listen 80;\n{inside}\n}} }}"


def rendered(name: str, result: Drilled, *, encoding: str = "utf-8", show_all: bool = False) -> str:
    """The report in the format ``name``, without colours."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace", newline="\n")
    render_drill(name, result, stream, color=False, show_all=show_all)
    stream.flush()
    return raw.getvalue().decode(encoding)
