"""Modules that are loaded and not used."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.model.scope import family_of
from nginxaudit.model.uses import variable_uses
from nginxaudit.nginx.directives import directives, module_facts
from nginxaudit.nginx.modules import module_of, module_of_file
from nginxaudit.nginx.names import BALANCED
from nginxaudit.nginx.variables import variable_of
from nginxaudit.syntax.tree import Directive

_NO_DIRECTIVES = frozenset({"ndk"})
"""Modules that others need."""


def unused_module(ctx: CheckContext) -> Iterable[Hit]:
    """``load_module`` of a known module of which no directive and no variable is used."""
    model = ctx.model
    nodes = [node for node in model.config.named("load_module") if node.args]
    if not nodes or not model.config.is_whole or model.config.barren_includes or model.templates:
        return
    used = _used(ctx, model)
    stems = {_stem(node) for node in nodes}
    for node in nodes:
        stem = _stem(node)
        wanted = _wanted(stem, stems)
        if wanted and used.isdisjoint(wanted):
            yield Hit(
                arg(node, node.args[0]),
                f"{stem} is loaded, but the configuration uses none of its directives or variables",
                node,
                help="Delete the line, or use the module.",
            )


def _stem(node: Directive) -> str:
    return posixpath.basename(node.args[0]).removesuffix(".so")


def _wanted(stem: str, stems: set[str]) -> set[str]:
    """What shows that the module in a file is used; nothing where that is not known."""
    if stem in ("ngx_stream_module", "ngx_mail_module"):
        family = stem.split("_")[1]
        needed = any(other != stem and other.startswith(f"ngx_{family}_") for other in stems)
        return set() if needed else {family}
    module = module_of_file(stem)
    if module is None or module in _NO_DIRECTIVES:
        return set()
    family = "stream" if "_stream_" in stem else "http"
    return {f"{family} {module}" if module else _normal(stem)}


def _used(ctx: CheckContext, model: Model) -> set[str]:
    """Modules of nginx by their name in C, third-party modules by family and name, and families with a block."""
    found = {str(node.name) for node in model.config.top.children}  # stream, mail
    for name, family in {(str(node.name), family_of(node)) for node in model.config.top.walk()}:
        families = (family,) if family in BALANCED else BALANCED
        facts = (*directives(name), *module_facts(name))
        own = module_of(name)
        modules = {fact.third_party for fact in facts if fact.third_party} | ({own} if own else set())
        found |= {f"{each} {module}" for each in families for module in modules}
        found |= {_normal(fact.module) for fact in facts}
    for family, name in model.once(variable_uses):
        fact = variable_of(name, family, ctx.target)
        if fact is not None:
            found |= {_normal(fact.module), f"{family} {fact.third_party}"}
    return found


def _normal(name: str) -> str:
    """The name of a module as it is in its file and in its source: ``ngx_http_xslt_filter_module`` is one."""
    return name.replace("_filter_module", "_module")
