"""Variables whose value at a place comes from code, or from the answer to a subrequest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nginxaudit.model.scope import enclosing, family_of
from nginxaudit.nginx.names import FAMILIES, LUA
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.model import Model

_BEFORE = (
    *(phase + kind for phase in ("server_rewrite", "rewrite", "access", "preread") for kind in LUA),
    "js_access",
    "js_preread",
)
"""Code that runs before a request is passed on, and may write variables of ``set``."""

_CONTENT = (*("content" + kind for kind in LUA), "js_content", "perl")
"""Code that answers, and may write variables before it goes on to another location."""

_ANSWERED = ("auth_request_set", "auth_jwt_claim_set", "auth_jwt_header_set")
_COMPUTED = frozenset(
    {
        *_ANSWERED, "js_set", "js_var", "perl_set", "set_by_lua", "set_by_lua_file", "set_by_lua_block", "keyval",
        "geoip2", "num_map",
    }
)  # fmt: skip
_ANYTHING = r"\brequire\b|\bdofile\b|\bloadfile\b|\bngx\.var\s*\[|\br\.variables\s*\[|\bimport\b"
"""Code that may write any variable without its name standing there."""


def is_filled(model: Model, name: str, scope: Directive) -> bool:
    """Whether something else than ``set``, ``map`` and their like gives the variable its value in ``scope``."""
    for directive in model.once(_computing).get((family_of(scope), name), ()):
        if directive.name in _ANSWERED:
            if directive in model.effective(scope, directive.name):
                return True
        elif directive.parent in (scope, *scope.ancestors()):
            return True
    return any(_may_write(each, name) for each in _code(model, scope))


def is_computed(model: Model, name: str, scope: Directive) -> bool:
    """Whether nothing is known of the value: it comes from code, a key-value store or another server."""
    return (family_of(scope), name) in model.once(_computing) or is_filled(model, name, scope)


def _computing(model: Model) -> dict[tuple[str, str], list[Directive]]:
    """By family and variable, what computes it: a variable may have thousands of ``set`` beside that."""
    found: dict[tuple[str, str], list[Directive]] = {}
    for family in FAMILIES:
        for name, directives in model.variable_definitions(family).items():
            computing = [directive for directive in directives if directive.name in _COMPUTED]
            if computing:
                found[family, name] = computing
    return found


def _code(model: Model, scope: Directive) -> Iterator[Directive]:
    """Code that runs before the requests of ``scope`` are passed on, or sends requests there."""
    for name in model.written(_BEFORE):
        yield from model.effective(scope, name)
    yield from model.once(_answering).get(enclosing(scope, "server"), ())


def _answering(model: Model) -> dict[Directive | None, list[Directive]]:
    """Code that answers, by server."""
    found: dict[Directive | None, list[Directive]] = {}
    for name in model.written(_CONTENT):
        for node in model.config.named(name):
            found.setdefault(enclosing(node, "server"), []).append(node)
    return found


def _may_write(node: Directive, name: str) -> bool:
    """Whether code may write a variable; that of files is not read."""
    if node.name.endswith("_file") or node.name.startswith("js_") or node.name == "perl":
        return True
    text = " ".join(map(str, node.args))
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None or bool(
        re.search(_ANYTHING, text)
    )
