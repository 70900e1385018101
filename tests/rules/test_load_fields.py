"""Grammars of the loader that are imported only where they have something to judge."""

from __future__ import annotations

from importlib import import_module

import pytest

from nginxaudit.load.base import FINALS, GRAMMARS
from nginxaudit.load.walk import FIELDS


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_imported_for_every_directive_that_it_judges(field: str) -> None:
    import_module(f"nginxaudit.load.fields.{field}")
    judged = {
        name
        for (_, name), grammars in GRAMMARS.items()
        if any(grammar.__module__.endswith(f".{field}") for grammar in grammars)
    }
    assert judged == set(FIELDS[field])


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_judges_nothing_in_the_end(field: str) -> None:
    import_module(f"nginxaudit.load.fields.{field}")
    assert not [final for final in FINALS if final.__module__.endswith(f".{field}")]
