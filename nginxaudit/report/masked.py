"""Text of a configuration as reports may show it: secrets are masked, everything stays at its place."""

from __future__ import annotations

from nginxaudit.finding import Fix
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.source.text import SourceText

_AROUND = 4096  # code points looked at on either side of the text: a directive is rarely longer


def shown(source: SourceText, start: int, end: int) -> str:
    """The code points ``start`` to ``end`` (exclusive) of ``source``, secrets replaced by ``*`` one for one.

    Whole lines are looked at, as a value alone does not tell what it is.
    """
    text = source.text
    first = text.rfind("\n", max(start - _AROUND, 0), start) + 1 or max(start - _AROUND, 0)
    last = text.find("\n", end, end + _AROUND)
    last = min(end + _AROUND, len(text)) if last < 0 else last
    return mask_secrets(text[first:last])[start - first : end - first]


def shareable(fix: Fix | None) -> Fix | None:
    """``fix``, None where the text that it puts in holds a secret: it is applied here, not passed on."""
    if fix is not None and any(mask_secrets(edit.text) != edit.text for edit in fix.edits):
        return None
    return fix
