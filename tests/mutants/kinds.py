"""What is damaged: for every node of a syntax tree the nodes that may be put in its place, by kind.

Nothing here knows a rule or a module. Which argument of ``Hit(…)`` is its message, say, is read from the class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

DAMAGED = "damaged"
_PLACES = {"whole": "name_of", "name_of": "whole", "arg": "whole"}
_OTHER_TEXTS = ("help", "related", "title", "family")
_WORDS = re.compile(r"[A-Za-z]\W? \W?[A-Za-z]")
_ORDERS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_LEVELS = {
    "Severity": {"INFO": "WARNING", "WARNING": "INFO", "ERROR": "WARNING"},
    "Confidence": {"LOW": "MEDIUM", "MEDIUM": "LOW", "HIGH": "LOW"},
}


class Site(NamedTuple):
    """A node with what is around it."""

    node: ast.AST
    parent: ast.AST
    parameter: str  # of a call, that it is the value of; for other nodes the field of the parent
    inside: str  # the parameter inside whose value it stands
    returns: str  # annotation of the function around it


Kind = Callable[[Site], Iterator[ast.AST]]


def _value_of(site: Site, name: str) -> bool:
    """Whether the node is the value of the parameter ``name``."""
    return isinstance(site.parent, (ast.Call, ast.keyword)) and site.parameter == name


def severity(site: Site) -> Iterator[ast.AST]:
    """Another severity, or the one of the page."""
    yield from _level(site, "Severity", "severity")


def confidence(site: Site) -> Iterator[ast.AST]:
    """Another confidence, or the one of the page."""
    yield from _level(site, "Confidence", "confidence")


def _level(site: Site, enum: str, field: str) -> Iterator[ast.AST]:
    node = site.node
    if _value_of(site, field) and not _is_constant(node, None):
        yield ast.Constant(None)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enum:
        yield ast.Attribute(node.value, _LEVELS[enum][node.attr], ast.Load())


def refusal(site: Site) -> Iterator[ast.AST]:
    """Refused by nginx or not, the other way round."""
    if _value_of(site, "rejected") and not _is_constant(site.node, None):
        yield _negated(site.node)


def message(site: Site) -> Iterator[ast.AST]:
    """Other words."""
    if _is_prose(site.node) and site.inside not in _OTHER_TEXTS and not _is_written(site):
        yield ast.Constant(DAMAGED)


def help_(site: Site) -> Iterator[ast.AST]:
    """No word on what to do."""
    if _value_of(site, "help") and not _is_constant(site.node, ""):
        yield ast.Constant("")


def related(site: Site) -> Iterator[ast.AST]:
    """No other places, or other words for one."""
    if _value_of(site, "related") and not (isinstance(site.node, ast.Tuple) and not site.node.elts):
        yield ast.Tuple([], ast.Load())
    if site.inside == "related" and _is_prose(site.node):
        yield ast.Constant(DAMAGED)


def place(site: Site) -> Iterator[ast.AST]:
    """A wider place, or a narrower one."""
    node = site.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PLACES:
        subject, *_ = node.args
        if node.func.id == "name_of":  # of a block without arguments it is the whole
            subject = ast.Attribute(subject, "parent", ast.Load())
        yield ast.Call(ast.Name(_PLACES[node.func.id], ast.Load()), [subject], [])
    if _value_of(site, "token") and not _is_constant(node, None):
        yield ast.Constant(None)


def subject(site: Site) -> Iterator[ast.AST]:
    """Another directive that the finding is about: its fingerprint, and where it can be suppressed."""
    if _value_of(site, "node") and not _is_constant(site.node, None):
        yield ast.Constant(None)


def fix(site: Site) -> Iterator[ast.AST]:
    """No fix, or one that writes something else."""
    node, parent = site.node, site.parent
    if (_value_of(site, "fix") or _value_of(site, "make_fix")) and not _is_constant(node, None):
        yield ast.Constant(None)
    if _is_text(node) and _is_written(site):
        yield ast.Constant(DAMAGED)
    if isinstance(parent, ast.Return) and "Edit" in site.returns and not _is_constant(node, None):
        yield ast.Constant(None)


def _is_written(site: Site) -> bool:
    """Whether it is given to a call that makes an edit."""
    if not isinstance(site.parent, ast.Call):
        return False
    name = ast.unparse(site.parent.func)
    return name in ("Edit", "Fix") or name.startswith("edits.")


def finding(site: Site) -> Iterator[ast.AST]:
    """A finding that is not yielded."""
    if isinstance(site.node, ast.Expr) and isinstance(site.node.value, (ast.Yield, ast.YieldFrom)):
        yield ast.Pass()


def condition(site: Site) -> Iterator[ast.AST]:
    """The opposite of a condition."""
    if site.parameter in ("test", "ifs") and isinstance(site.node, ast.expr):
        yield _negated(site.node)


def operand(site: Site) -> Iterator[ast.AST]:
    """One of several conditions that is not asked. What is only asked for the type checker is: is it None?"""
    if isinstance(site.node, ast.BoolOp):
        for left, value in enumerate(site.node.values):
            if not _asks_for_none(value):
                rest = [other for at, other in enumerate(site.node.values) if at != left]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(site.node.op, rest)


def _asks_for_none(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot))
    )


def quantifier(site: Site) -> Iterator[ast.AST]:
    """``any`` for ``all``, ``min`` for ``max``."""
    swapped = {"any": "all", "all": "any", "min": "max", "max": "min"}
    if isinstance(site.node, ast.Name) and isinstance(site.parent, ast.Call) and site.node.id in swapped:
        yield ast.Name(swapped[site.node.id], ast.Load())


def guard(site: Site) -> Iterator[ast.AST]:
    """A way out that is not taken."""
    if isinstance(site.node, (ast.Continue, ast.Break)):
        yield ast.Pass()
    if isinstance(site.node, ast.Return) and site.node.value is None:
        yield ast.Pass()


def duplicates(site: Site) -> Iterator[ast.AST]:
    """The same twice where it was once, or an order that is left to chance."""
    node = site.node
    if not isinstance(node, ast.Call) or len(node.args) != 1:
        return
    name = ast.unparse(node.func)
    literal = isinstance(node.args[0], (ast.Set, ast.Tuple, ast.List, ast.Dict))
    if name in ("dict.fromkeys", "set", "frozenset", "sorted") and not literal:
        yield ast.Call(ast.Name("list", ast.Load()), node.args[:1], [])


def bound(site: Site) -> Iterator[ast.AST]:
    """Below and at most, above and at least; the next number."""
    node, parent = site.node, site.parent
    if isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            if type(op) in _ORDERS:
                ops = [*node.ops[:at], _ORDERS[type(op)](), *node.ops[at + 1 :]]
                yield ast.Compare(node.left, ops, node.comparators)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and _orders(parent):
        yield ast.Constant(node.value + 1)


def _orders(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and any(type(op) in _ORDERS for op in node.ops)


# Whoever reads a report sees these.
_PLAIN: dict[str, Kind] = {
    "severity": severity,
    "confidence": confidence,
    "refusal": refusal,
    "message": message,
    "help": help_,
    "related": related,
    "place": place,
    "subject": subject,
    "fix": fix,
    "finding": finding,
    "condition": condition,
}
# Many of these change nothing that any configuration shows: an order, a bound that no value reaches.
FINE: dict[str, Kind] = {
    "operand": operand,
    "quantifier": quantifier,
    "guard": guard,
    "duplicates": duplicates,
    "bound": bound,
}
KINDS = _PLAIN | FINE


def _is_constant(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_prose(node: ast.AST) -> bool:
    """Whether it is words for people."""
    if isinstance(node, ast.JoinedStr):
        return any(_is_prose(part) for part in node.values)
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _WORDS.search(node.value.strip()) is not None
    )


def _negated(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.expr)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ast.Constant(not node.value)
    return ast.UnaryOp(ast.Not(), node)
