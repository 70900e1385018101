"""Where variables are used, and which of their values keep requests out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nginxaudit.model.expressions import Condition, condition, map_expression
from nginxaudit.model.regex import matches
from nginxaudit.model.scope import enclosing, family_of
from nginxaudit.model.variables import references
from nginxaudit.syntax.tree import Directive, Token

if TYPE_CHECKING:
    from nginxaudit.model.model import Model

_DEPTH = 4  # maps one after the other
_OTHER_LINES = frozenset({"default", "include", "hostnames", "volatile"})


def variable_uses(model: Model) -> dict[tuple[str, str], list[tuple[Directive, Token]]]:
    """Where variables are used, by family and lower-case name. To be asked by `Model.once`."""
    found: dict[tuple[str, str], list[tuple[Directive, Token]]] = {}
    for node, token in model.texts:
        family = family_of(node)
        for reference in references(token):
            found.setdefault((family, reference.name), []).append((node, token))
    return found


def turns_away(block: Directive) -> bool:
    """Whether what enters a block gets an error or is sent elsewhere."""
    answer = block.first("return")
    if answer is None or not answer.args:
        return False
    code = answer.args[0]
    return not code.isdigit() or int(code) >= 300


def holds(asked: Condition, value: str) -> bool | None:
    """Whether a condition on one variable holds for its value; None where that is not known."""
    if not asked.operator:
        return value not in ("", "0")
    if asked.is_match:
        found = matches(asked.right, value, caseless=asked.operator.endswith("*"))
        return None if found is None else found is not asked.negated
    if "$" in asked.right or asked.operator not in ("=", "!="):
        return None
    return (asked.right == value) is (asked.operator == "=")


def refused(model: Model, name: str, value: str, server: Directive | None, depth: int = _DEPTH) -> bool:
    """Whether an ``if`` turns requests away for which the variable has this value, itself or through maps.

    ``server`` None: in any server.
    """
    if "$" in value:
        return False
    if any(holds(asked, value) for asked in model.once(_refusing).get((name, server), ())):
        return True
    if depth == 0:
        return False
    return any(
        refused(model, block.args[1][1:].lower(), _mapped(block, value), server, depth - 1)
        for block in model.once(_maps).get(name, ())
    )


def _refusing(model: Model) -> dict[tuple[str, Directive | None], list[Condition]]:
    """Conditions on which requests are turned away, by the variable that they ask and the server; None: any server."""
    found: dict[tuple[str, Directive | None], list[Condition]] = {}
    for node in model.config.named("if"):
        asked = condition(node) if turns_away(node) else None
        if asked is not None and asked.left.startswith("$"):
            name = asked.left[1:].lower()
            for server in dict.fromkeys((enclosing(node, "server"), None)):
                found.setdefault((name, server), []).append(asked)
    return found


def _maps(model: Model) -> dict[str, list[Directive]]:
    """Maps by the variable that they look up, where it is the whole text."""
    found: dict[str, list[Directive]] = {}
    for block in model.config.named("map"):
        if block.is_block and len(block.args) > 1:
            parts = references(block.args[0])
            if len(parts) == 1 and (parts[0].start, parts[0].end) == (0, len(block.args[0])):
                found.setdefault(parts[0].name, []).append(block)
    return found


def _mapped(block: Directive, value: str) -> str:
    """What a map makes of a value; "$" for what is not known."""
    lines = [line for line in block.children if line.args and line.name not in _OTHER_LINES]
    for line in lines:
        if not line.name.startswith("~") and line.name.lower().removeprefix("\\") == value.lower():
            return str(line.args[0])
    for line in lines:
        if line.name.startswith("~"):
            caseless, pattern = map_expression(line.name)
            found = matches(pattern, value, caseless=caseless)
            if found is not False:
                return str(line.args[0]) if found else "$"
    return rest_of(block)


def rest_of(block: Directive) -> str:
    """The value of a map for what no line names."""
    default = block.first("default")
    return str(default.args[0]) if default is not None and default.args else ""


def set_elsewhere(model: Model, name: str, node: Directive) -> list[str]:
    """Values that other ``set`` lines of the server give a variable; the empty one where there is none."""
    lines = model.once(_sets).get((name, enclosing(node, "server")), ())
    return [str(each.args[1]) for each in lines if each is not node] or [""]


def _sets(model: Model) -> dict[tuple[str, Directive | None], list[Directive]]:
    found: dict[tuple[str, Directive | None], list[Directive]] = {}
    for node in model.config.named("set"):
        if len(node.args) > 1:
            found.setdefault((node.args[0][1:].lower(), enclosing(node, "server")), []).append(node)
    return found
