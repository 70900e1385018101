"""Order and defaults of the fields in the rows of ``data/*.json``."""

from __future__ import annotations

from typing import Any

DIRECTIVE_FIELDS: dict[str, Any] = {
    "module": None, "contexts": None, "min_args": 0, "max_args": None, "flag": False, "type": "custom",
    "block": False, "since": None, "repeatable": None, "repeat": None, "inherits": None, "default": None,
    "configure": None, "values": None, "bounds": None, "history": None, "default_changes": None,
    "third_party": None, "plus_only": False, "until": None, "removed_in": None, "pseudo": False,
    "counts": None, "inherits_with": None, "inheritable": None, "also_in": None, "plus_since": None,
    "oss_since": None, "deprecated_in": None, "replacement": None, "ignored_since": None, "status": None,
    "order": None, "note": None,
}  # fmt: skip
MODULE_FIELDS: dict[str, Any] = {
    "module": None, "contexts": None, "min_args": 0, "max_args": None, "third_party": None, "type": "custom",
    "flag": False, "block": False, "counts": None,
}  # fmt: skip
"""Directives of third-party modules: what their command tables say, and nothing more."""
PARAMETER_FIELDS: dict[str, Any] = {
    "module": None, "parameter": None, "kind": None, "default": None, "since": None, "plus_only": False,
    "unit": None, "values": None, "conflicts_with": [], "requires": [], "also_in": None, "until": None,
    "removed_in": None, "plus_since": None, "oss_since": None, "deprecated_in": None, "replacement": None,
    "note": None,
}  # fmt: skip
VARIABLE_FIELDS: dict[str, Any] = {
    "family": None, "module": None, "prefix": False, "since": None, "plus_only": False,
    "third_party": False, "also_in": None, "until": None, "deprecated": False,
}  # fmt: skip
BALANCER_FIELDS: dict[str, Any] = {
    "module": None,
    "accepts": None,
    "rejects": [],
    "backup": False,
    "history": None,
}
