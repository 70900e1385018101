"""Everything on the site that is generated: rules, their indexes, documents of the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nginxaudit import HOME
from tools.docs.rule_pages import indexes, rule_pages

_ROOT = Path(__file__).resolve().parents[2]
# Documents of the repository that are pages of the site, too.
_DOCUMENTS = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "rules/README.md": "writing-rules.md",
}
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def generated() -> Iterator[tuple[str, str]]:
    """Path in the site and Markdown of every generated page."""
    yield from rule_pages()
    yield from indexes()
    for document, page in _DOCUMENTS.items():
        yield page, _with_links(document)


def _with_links(document: str) -> str:
    """A document of the repository, with its links leading to the site or to the repository."""
    file = _ROOT / document

    def there(match: re.Match[str]) -> str:
        target = (file.parent / match[1]).resolve().relative_to(_ROOT).as_posix()
        page = _DOCUMENTS.get(target)
        return f"]({page or f'{HOME}/blob/main/{target}'}{match[2] or ''})"

    return _LINK.sub(there, file.read_text(encoding="utf-8"))
