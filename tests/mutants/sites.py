"""Where modules can be damaged, and the damaged modules."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.mutants.kinds import KINDS, Site
from tests.mutants.pages import Change, changes

ROOT = Path(__file__).parent.parent.parent
DAMAGED_ROOMS = ("nginxaudit/checks", "nginxaudit/load")
_RECORDS = ("Hit", "Mistake")  # classes whose fields end in a finding
_PAGES = "rules."
_LONGEST = 80


class Mutant(NamedTuple):
    """One change of one module. ``site`` counts the nodes of its tree, ``variant`` what the kind makes of that node.

    Of a page of a rule ``module`` is the category and the slug, ``function`` the slug; ``site`` counts its changes.
    """

    module: str
    kind: str
    site: int
    variant: int
    function: str  # qualified name; empty at the level of the module
    line: int
    was: str
    becomes: str

    @property
    def name(self) -> str:
        """As it is asked for: stays the same while the module does."""
        return f"{self.module.removeprefix('nginxaudit.')}:{self.kind}:{self.site}.{self.variant}"

    def __str__(self) -> str:
        return f"{self.name} (line {self.line}, {self.function or 'module'}): {self.was} → {self.becomes}"


def mutants() -> list[Mutant]:
    """All that can be made, in the order of the modules; those of pages come last."""
    of_code = [mutant for module in _modules() for mutant in _mutants_of(module)]
    return [*of_code, *(mutant for page in _pages() for mutant in _mutants_of_page(page))]


def change_of(mutant: Mutant) -> Change | None:
    """The change that ``mutant`` makes in the page of a rule; None for one of Python."""
    if not mutant.module.startswith(_PAGES):
        return None
    return list(changes(ROOT.joinpath(*mutant.module.split(".")).with_suffix(".md")))[mutant.site]


def chosen(all_of_them: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` of them, of every kind as many as there are."""
    chance = random.Random(seed)
    shuffled = chance.sample(all_of_them, len(all_of_them))
    piles = {kind: [each for each in shuffled if each.kind == kind] for kind in KINDS}
    taken: list[Mutant] = []
    while len(taken) < count and any(piles.values()):
        taken += [pile.pop() for pile in piles.values() if pile]
    return taken[:count]


def damaged(mutant: Mutant) -> ast.Module:
    """The tree of the module with the change."""
    tree = _tree(mutant.module)
    for at, site in enumerate(_sites(tree)):
        if at == mutant.site:
            new = list(KINDS[mutant.kind](site))[mutant.variant]
            _put(site, ast.copy_location(new, site.node))
            return ast.fix_missing_locations(tree)
    raise LookupError(f"{mutant.name}: the module has changed")


def path_of(module: str) -> Path:
    """The file of a module."""
    below = ROOT.joinpath(*module.split("."))
    return below / "__init__.py" if below.is_dir() else below.with_suffix(".py")


def module_of(path: Path) -> str:
    """The module in a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _modules() -> Iterator[str]:
    for room in DAMAGED_ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name != "__init__.py":
                yield module_of(path)


def _pages() -> list[Path]:
    return sorted((ROOT / "rules").glob("*/*.md"))


def _mutants_of_page(page: Path) -> Iterator[Mutant]:
    for at, change in enumerate(changes(page)):
        was, becomes = (
            _shortened(f"{'.'.join(change.keys)} = {value}") for value in (change.was, change.becomes)
        )
        yield Mutant(module_of(page), change.kind, at, 0, page.stem, 0, was, becomes)


def _mutants_of(module: str) -> Iterator[Mutant]:
    functions: dict[ast.AST, str] = {}
    tree = _tree(module)
    _name_functions(tree, "", functions)
    for at, site in enumerate(_sites(tree)):
        for kind, made in KINDS.items():
            for variant, new in enumerate(made(site)):
                line = getattr(site.node, "lineno", 0)
                function = functions.get(site.node, "")
                yield Mutant(module, kind, at, variant, function, line, _brief(site.node), _brief(new))


def _tree(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def _name_functions(node: ast.AST, name: str, into: dict[ast.AST, str]) -> None:
    for child in ast.iter_child_nodes(node):
        below = name
        if isinstance(child, ast.FunctionDef) and isinstance(node, ast.FunctionDef):
            below = name  # what is inside a function belongs to it
        elif isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            below = f"{name}.{child.name}" if name else child.name
        into[child] = below
        _name_functions(child, below, into)


def _sites(tree: ast.Module) -> Iterator[Site]:
    """All nodes that run: no docstrings, annotations, imports."""
    yield from _below(tree, "", "")


def _below(node: ast.AST, inherited: str, returns: str) -> Iterator[Site]:
    """``inherited``: the parameter inside whose value ``node`` stands."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_silent(node, field, child):
                parameter = _parameter(node, child)
                inside = parameter or inherited
                yield Site(child, node, parameter or field, inside, returns)
                own = child.returns if isinstance(child, ast.FunctionDef) else None
                yield from _below(child, inside, ast.unparse(own) if own else returns)


def _is_silent(parent: ast.AST, field: str, node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)) or field in ("annotation", "returns"):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(parent, ast.JoinedStr):
        return isinstance(node, ast.Constant)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)  # docstrings


def _parameter(node: ast.AST, child: ast.AST) -> str:
    """The field of a finding that ``child`` is given for."""
    if isinstance(node, ast.keyword):
        return node.arg or ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and child in node.args:
        names = _fields().get(node.func.id, ())
        at = node.args.index(child)
        return names[at] if at < len(names) else ""
    return ""


@cache
def _fields() -> dict[str, list[str]]:
    """The names of the fields of the classes that end in findings, wherever they stand."""
    found = {}
    for path in sorted((ROOT / "nginxaudit").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if any(f"class {name}(" in text for name in _RECORDS):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and node.name in _RECORDS:
                    found[node.name] = [
                        each.target.id for each in node.body if isinstance(each, ast.AnnAssign)
                    ]
    return found


def _put(site: Site, new: ast.AST) -> None:
    for field, value in ast.iter_fields(site.parent):
        if value is site.node:
            setattr(site.parent, field, new)
        elif isinstance(value, list) and site.node in value:
            value[value.index(site.node)] = new


def _brief(node: ast.AST) -> str:
    return _shortened(" ".join(ast.unparse(ast.fix_missing_locations(node)).split()))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
