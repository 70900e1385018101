"""The links of the built site: every one within it leads to a page, and to an anchor that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """Targets and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what it links to and what it is known by."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and name in ("id", "name"):
                self.anchors.add(value)


def broken(site: Path, home: str) -> tuple[int, list[str]]:
    """How many links within ``site``, which is published at ``home``, were followed, and those that lead nowhere."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    path_of_home = urlsplit(home).path
    followed, found = 0, []
    for page, parsed in pages.items():
        for link in parsed.links:
            target = _target(page, link, site, home, path_of_home)
            if target is None:
                continue
            followed += 1
            file, anchor = target
            if not file.exists() or (anchor and file in pages and anchor not in pages[file].anchors):
                found.append(f"{page.relative_to(site)}: {link}")
    return followed, found


def _target(page: Path, link: str, site: Path, home: str, path_of_home: str) -> tuple[Path, str] | None:
    """File and anchor that ``link`` on ``page`` leads to; None outside of the site."""
    parts = urlsplit(link)
    if link.startswith(home):
        path = site / link.removeprefix(home).split("#")[0].split("?")[0]
    elif parts.scheme or parts.netloc:
        return None
    elif parts.path.startswith("/"):
        path = site / parts.path.removeprefix(path_of_home)
    else:
        path = page.parent / parts.path if parts.path else page
    path = Path(os.path.normpath(unquote(str(path))))
    return (path / "index.html" if path.is_dir() else path), unquote(parts.fragment)


def missing(site: Path, urls: Iterator[str], home: str) -> list[str]:
    """Those of ``urls``, which nginxaudit prints, that are no page of ``site``."""
    return [url for url in urls if not (site / url.removeprefix(home) / "index.html").exists()]
