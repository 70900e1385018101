"""Text of a configuration as reports may show it: secrets are masked, everything stays at its place."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace

from nginxaudit.finding import Fix
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets import MASK, mask_secrets
from nginxaudit.source.text import SourceText

_T = TypeVar("_T", bound=Struct)

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


_USER = r"(?<![^\s\"'/])([^\s/:@\"'$\[]*:)([^\s/@\"']+)(?=@)"


def veiled(text: str) -> str:
    """A label without secrets, those before an address (``user:password@host``) among them."""
    return compiled(_USER).sub(lambda match: match[1] + MASK * len(match[2]), mask_secrets(text))


def veiled_fields(item: _T) -> _T:
    """A record with every text in it veiled; what is no text or tuple of texts stays."""
    return replace(item, **{each.name: _veiled(getattr(item, each.name)) for each in fields(item)})


def _veiled(value: Any) -> Any:
    if isinstance(value, str):
        return veiled(value)
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return tuple(map(veiled, value))
    return value


def shareable(fix: Fix | None) -> Fix | None:
    """``fix``, None where the text that it puts in holds a secret: it is applied here, not passed on."""
    if fix is not None and any(mask_secrets(edit.text) != edit.text for edit in fix.edits):
        return None
    return fix
