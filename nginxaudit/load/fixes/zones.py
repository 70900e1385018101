"""Zones that are too small, or that are declared under another name."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits
from nginxaudit.load.base import Reference
from nginxaudit.load.upstream_zone import SIZE
from nginxaudit.model import Model
from nginxaudit.nginx.patterns import compiled
from nginxaudit.suggest import clear_match
from nginxaudit.syntax.tree import Directive, Token

_LIMIT_ZONE = "1m"  # about 16,000 addresses
_PLAIN_NAME = r"[A-Za-z0-9_.-]+"


def larger(token: Token, node: Directive) -> Edits:
    """A usual size instead of the one that is too small, the last part of ``token``."""
    start, end = edits.inner_start(token), edits.inner_end(token)
    size = node.source.text[start:end].rpartition(":")[2]
    usual = SIZE if node.name == "zone" else _LIMIT_ZONE
    return (edits.replaced(node.source, end - len(size), end, usual),)


def declared(model: Model, reference: Reference, node: Directive) -> Edits:
    """The declared zone of nearly the same name; a size for the zone of an upstream."""
    if node.name == "zone":
        return (edits.appended(node, SIZE),)
    meant = clear_match(reference.name, _declared_beside(model, reference))
    if meant is None or compiled(_PLAIN_NAME).fullmatch(meant) is None:
        return None
    prefix = "zone=" if node.name == "limit_req" else ""
    return (edits.exchanged(node, reference.token, f"{prefix}{meant}"),)


def _declared_beside(model: Model, reference: Reference) -> list[str]:
    """Names of the zones that are declared for the same use, whether nginx accepts them or not."""
    name = reference.node.name
    declaring = f"{name}_path" if name.endswith("_cache") else f"{name}_zone"
    parameter = "keys_zone=" if name.endswith("_cache") else "zone="
    known = {
        word.removeprefix(parameter).partition(":")[0]
        for each in model.config.named(declaring)
        for word in each.args
        if word.startswith(parameter) and model.family_of(each) == reference.family
    }
    return sorted(known)
