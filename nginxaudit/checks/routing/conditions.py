"""``if``: what nginx makes of it in a location, and what there is instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity, Witness
from nginxaudit.hit import CheckContext, Hit, listed, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition
from nginxaudit.syntax.tree import Directive

_SAFE = frozenset({"return", "rewrite", "set", "break", "limit_rate", "limit_rate_after"})


def if_is_evil(ctx: CheckContext) -> Iterable[Hit]:
    """An ``if`` of a location with more in it than rewriting: it becomes a location of its own."""
    for node in ctx.model.config.named("if"):
        location = node.parent
        if node.inner != "if-in-location" or location is None:
            continue
        unsafe = [child for child in node.children if not _is_safe(child, node)]
        if not unsafe:
            if location.first("try_files") and not _leaves(node):
                from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

                tried = location.named("try_files")[0]
                yield Hit(
                    name_of(node),
                    "try_files of the location is skipped when the condition of this if is true",
                    node,
                    related=(("skipped", whole(tried)),),
                    help="Use a map for the value, or move the if to the server.",
                    cause=ctx.cause(*location.args, *tried.args),
                    witness=detours.skipped(ctx, node, tried),
                )
            continue
        names = listed(list(dict.fromkeys(str(child.name) for child in unsafe)))
        clash = _clash(ctx.model, location, node)
        yield Hit(
            name_of(node),
            f'"if" with {names} acts as a separate location'
            + (f": {clash}" if clash else ": only return and rewrite are safe in it"),
            node,
            related=tuple((str(child.name), whole(child)) for child in unsafe[:3]),
            severity=None if clash else Severity.INFO,
            help="Use a map for the value, or rewrite to a separate location.",
            witness=_shown(ctx, location, node) if clash else None,
        )


def _shown(ctx: CheckContext, location: Directive, node: Directive) -> Witness | None:
    """A request that meets what does not work."""
    from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

    tried, header = location.first("try_files"), location.first("add_header")
    if tried is not None:
        return detours.skipped(ctx, node, tried)
    if header is not None and header.args and node.first("add_header"):
        return detours.dropped(ctx, node, str(header.args[0]))
    return None


def _leaves(node: Directive) -> bool:
    """Whether every request that enters an ``if`` goes elsewhere, or is answered."""
    return any(
        child.name == "return"
        or (
            child.name == "rewrite"
            and child.args[:1] in (["^"], [".*"], ["^.*"], ["^(.*)$"], ["(.*)"])
            and child.args[2:] != ["break"]
        )
        for child in node.children
    )


def _is_safe(child: Directive, block: Directive) -> bool:
    if child.name not in _SAFE:
        return "_by_lua" in child.name or child.name == "include"
    breaks = child.name == "rewrite" and child.args[2:] == ["break"]
    return not breaks or not any(other.name.endswith("_pass") for other in block.children)


def _clash(model: Model, location: Directive, node: Directive) -> str:
    """What does not work because of this ``if``; empty where nothing is known to."""
    if location.first("try_files"):
        return "try_files of the location is skipped when it is true"
    if any(
        not _is_safe(child, each) for each in _also_true(model, location, node) for child in each.children
    ):
        return "of several true conditions, only the last one takes effect"
    if _headers(node) and _headers(location) - _headers(node) and not _leaves(node):
        return "headers of the location are dropped when it is true"
    return ""


def _also_true(model: Model, location: Directive, node: Directive) -> Iterator[Directive]:
    """The other conditions that may be true for one request with ``node``: after one that leaves, none is asked."""
    conditions = location.named("if")
    at = conditions.index(node)
    for each in (*(each for each in conditions[:at] if not _leaves(each)), *conditions[at + 1 :]):
        if not _exclusive(model, each, node) and (conditions.index(each) < at or not _leaves(node)):
            yield each


def _headers(block: Directive) -> set[str]:
    return {node.args[0].lower() for node in block.named("add_header") if node.args}


def _exclusive(model: Model, one: Directive, other: Directive) -> bool:
    """Whether never both are true: they compare a variable that stays as it is with two different texts."""
    first, second = condition(one), condition(other)
    if first is None or second is None or first.left.lower() != second.left.lower():
        return False
    compared = first.operator == second.operator == "=" and first.right != second.right
    changes = any(each.name == "set" for each in model.variable_definitions().get(first.left[1:].lower(), ()))
    return compared and not changes and "$" not in first.right + second.right


def server_if_host(ctx: CheckContext) -> Iterable[Hit]:
    """Names that are told apart by ``if`` instead of by servers."""
    for node in ctx.model.config.named("if"):
        asked = condition(node)
        if node.inner != "if-in-server" or asked is None or asked.left not in ("$host", "$http_host"):
            continue
        statement = node.statement
        text = node.source.text[statement.start : (statement.close or statement.end) + 40]
        if "managed by Certbot" in text or _only_refuses(node):
            continue
        yield Hit(
            whole(node),
            "host name checked with if for every request instead of a server with server_name",
            node,
            help="Add a server with this server_name.",
        )


def _only_refuses(node: Directive) -> bool:
    return bool(node.children) and all(
        child.name == "return" and child.args and child.args[0].startswith("4") for child in node.children
    )
