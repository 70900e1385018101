"""What every output format has in common: its options, its signature, its name."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from msgspec import Struct

from nginxaudit.finding import Applicability, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding, Versions, Witness
    from nginxaudit.views.graph.view import GraphView

_MODULES = {
    "text": "text", "concise": "concise", "json": "json_v1", "sarif": "sarif_log", "github": "github",
    "gitlab": "gitlab", "junit": "junit", "checkstyle": "checkstyle", "rdjson": "rdjson",
    "markdown": "markdown", "html": "html",
}  # fmt: skip
FORMATS = tuple(_MODULES)
"""Names of the output formats, the default one first."""
WITH_GRAPHS = frozenset({"html"})
"""Formats that draw the graphs of the configurations."""


class RenderOptions(Struct, frozen=True):
    """How a report is to be written.

    ``fold`` shortens long repeats of one rule, ``verbose`` shows info findings in full, ``width`` wraps, all in the text
    format only. ``sort`` is one of `arranged.SORTS`, None the usual one of the format, and ``quiet`` leaves out all but
    findings and what was not analysed: in the formats for people, text and concise.
    ``color`` is decided by the stream and the environment when it is None. ``show_suppressed``
    shows suppressed findings to people; machine formats always hold them, marked as such.
    ``fail_on`` is the severity from which the exit code is 1, None for never. ``views`` are the graphs of
    the configurations, for formats in `WITH_GRAPHS`. ``title``, ``date`` and ``command`` (the command line) are for the
    title page of html.
    """

    fold: bool = True
    color: bool | None = None
    width: int | None = None
    show_suppressed: bool = False
    fail_on: Severity | None = Severity.WARNING
    views: tuple[GraphView, ...] = ()
    sort: str | None = None
    verbose: bool = False
    quiet: bool = False
    title: str = ""
    date: str = ""
    command: str = ""


Renderer: TypeAlias = "Callable[[Report, TextIO, RenderOptions], None]"
"""Writes a whole report to a stream. A `BrokenPipeError` of the stream is left to the caller."""


def renderer(name: str) -> Renderer:
    """Renderer of the format ``name``, one of `FORMATS`; its module is imported now."""
    if name not in _MODULES:
        raise ValueError(f"unknown output format {name!r}: it is one of {', '.join(FORMATS)}")
    found: Renderer = import_module(f"nginxaudit.report.{_MODULES[name]}").render
    return found


def render(name: str, report: Report, stream: TextIO, options: RenderOptions | None = None) -> None:
    """Write ``report`` to ``stream`` in the format ``name``, one of `FORMATS`."""
    renderer(name)(report, stream, options or RenderOptions())


def witness_of(witness: Witness) -> dict[str, Any]:
    """A witness as plain data, with the command line that sends it."""
    return {
        "method": witness.method,
        "url": witness.url,
        "headers": [list(each) for each in witness.headers],
        "from": witness.sender,
        "command": witness.command,
    }


def why_of(finding: Finding, rule: Rule | None) -> str:
    """Why ``finding`` matters: in its own words, else in those of the page of its rule."""
    return finding.why or ("" if rule is None else rule.why)


def remedy_of(finding: Finding, rule: Rule | None) -> str:
    """What to do about ``finding``: in its own words, else in those of the page of its rule."""
    return finding.help or ("" if rule is None else rule.remedy)


def fix_mark(finding: Finding) -> str:
    """What marks a finding that ``--fix`` removes, or ``--unsafe-fixes`` with it; "" for others."""
    if finding.fix is None or finding.suppressed:
        return ""
    return "[*]" if finding.fix.applicability is Applicability.SAFE else "[~]"


def versions_of(versions: Versions) -> dict[str, Any]:
    """Versions as plain data: ``except`` only where there are gaps."""
    gaps = [{"since": since, "before": before} for since, before in versions.gaps]
    return {"since": versions.since, "before": versions.before, **({"except": gaps} if gaps else {})}


def in_checkout(path: str, *, from_here: bool = False) -> str:
    """A ``path`` below the checkout as CI servers want it, relative to that; any other as it is.

    The checkout is what the variables of GitHub Actions or GitLab CI name, else the working directory. ``from_here``: it is
    relative to the working directory where that is in the checkout, too.
    """
    if not os.path.isabs(path) and not os.path.exists(path.partition("!")[0]):
        return path  # no file: standard input, a part of an archive
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return path
    roots = (os.environ.get("GITHUB_WORKSPACE"), os.environ.get("CI_PROJECT_DIR"), here)
    return _below(os.path.join(here, path), here, tuple(filter(None, roots)), from_here) or path


@lru_cache(maxsize=4096)
def _below(file: str, here: str, roots: tuple[str, ...], from_here: bool) -> str | None:
    """``file`` relative to the first of the ``roots`` that it is below of, with links as they are or followed."""
    for root in roots:
        for spelled in (os.path.normpath, os.path.realpath):
            path, top, start = spelled(file), spelled(root), spelled(here)
            if _is_in(path, top):
                return os.path.relpath(path, start if from_here and _is_in(start, top) else top)
    return None


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
