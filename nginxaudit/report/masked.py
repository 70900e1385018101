"""Text of a configuration as reports may show it: secrets are masked, everything stays at its place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace

from nginxaudit.finding import Edit, Fix
from nginxaudit.nginx.secrets import mask_secrets, secrets_in
from nginxaudit.source.text import SourceText

_T = TypeVar("_T", bound=Struct)


@lru_cache(maxsize=4096)
def veiled(text: str) -> str:
    """A label without secrets, those before an address (``user:password@host``) among them."""
    return mask_secrets(text)


def veiled_data(value: Any) -> Any:
    """Plain data with every text in it veiled."""
    if isinstance(value, str):
        return veiled(value)
    if isinstance(value, dict):
        return {key: veiled_data(item) for key, item in value.items()}
    return [veiled_data(item) for item in value] if isinstance(value, list) else value


def veiled_fields(item: _T) -> _T:
    """A record with every text in it veiled; what is no text or tuple of texts stays."""
    return replace(item, **{each.name: _veiled(getattr(item, each.name)) for each in fields(item)})


def _veiled(value: Any) -> Any:
    if isinstance(value, str):
        return veiled(value)
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return tuple(map(veiled, value))
    return value


def shareable(fix: Fix | None, sources: Mapping[str, SourceText]) -> Fix | None:
    """``fix``, None where the text that it puts in has a secret: it is applied here, not passed on."""
    if fix is not None and any(_has_secret(edit, sources.get(edit.file)) for edit in fix.edits):
        return None
    return fix


def _has_secret(edit: Edit, source: SourceText | None) -> bool:
    if not edit.text or edit.text.isspace():
        return False
    if secrets_in(edit.text):
        return True
    if source is None:
        return False
    return any(
        source.text[first:last] in edit.text for first, last, _ in source.secrets(edit.start, edit.end)
    )
