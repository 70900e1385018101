"""Since when nginx understands what a fix writes: directives, their parameters, variables.

A fix is offered only where every version of the target has all of it, and says in its title which version it needs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from msgspec.structs import replace

from nginxaudit.finding import Edit, Fix
from nginxaudit.model import Model
from nginxaudit.nginx import (
    NEWEST,
    OLDEST,
    Asked,
    Availability,
    DirectiveFact,
    Nginx,
    ParameterFact,
    Stretch,
    Target,
    VariableFact,
    Version,
    after,
    context_family,
    directives,
    facts_of,
    format_version,
    merged,
    parameters_of,
    variable,
)
from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import Lexer
from nginxaudit.syntax.tree import Directive

_Use: TypeAlias = tuple[str, str]
"""A directive and one of its words, or "" for itself."""
_Fact: TypeAlias = DirectiveFact | ParameterFact | VariableFact
_EVER: Version = (0, 0, 0)
_NEVER: Version = (999, 0, 0)
_HAD = frozenset(
    {Availability.YES, Availability.THIRD_PARTY}
)  # a module that is not loaded is no question of versions
_VARIABLE = r"\$\{?(\w+)"


def dated(fix: Fix, model: Model) -> Fix | None:
    """``fix``, with the version that it needs in its title; None where a version of the target lacks what it writes."""
    target = model.target.target
    needed = OLDEST
    any_version = replace(target, version=NEWEST, oldest=_EVER)
    for use, family, is_there in _uses(fix, model):
        known = _stretches(*use, family, any_version)
        if is_there and known == _stretches(use[0], "", family, any_version):
            continue  # who has the directive has its word
        stretch = _with_all_of(target, known)
        if stretch is None:
            return None
        needed = max(needed, stretch.since)
    if needed == OLDEST:
        return fix
    return replace(fix, title=f"{fix.title} (nginx {format_version(needed)} or newer)")


def _with_all_of(target: Target, known: Sequence[Stretch]) -> Stretch | None:
    for stretch in known:
        if stretch.since <= target.first and after(target.version) <= stretch.before:
            return stretch
    return None


@lru_cache(maxsize=1024)
def _stretches(name: str, word: str, family: str, target: Target) -> tuple[Stretch, ...]:
    """Versions that understand a directive, or one word of it. Unknown ones do not depend on the version."""
    asked = Asked(target)
    kinds = list(_facts(name, word, family, asked)) if word else [_directives(name, family, asked)]
    if not word and not kinds[0] and directives(name):
        return ()  # a fork does not have it
    parts = asked.parts(
        lambda: all(not facts or any(fact.available(asked) in _HAD for fact in facts) for facts in kinds)
    )
    newest = after(NEWEST)
    return merged(
        Stretch(stretch.since, _NEVER if stretch.before == newest else stretch.before)
        for stretch, understood in parts
        if understood
    )


def _directives(name: str, family: str, target: Nginx) -> Sequence[DirectiveFact]:
    """What is known of it in ``family``: stream had some names later than http."""
    known = facts_of(name, target)
    return [fact for fact in known if family in map(context_family, fact.contexts)] or known


def _facts(name: str, word: str, family: str, target: Nginx) -> Iterator[Sequence[_Fact]]:
    """What is known of each thing that ``word`` is made of."""
    key = word.partition("=")[0]
    yield tuple(fact for fact in parameters_of(name, family, target) if fact.name in (word, key))
    for found in compiled(_VARIABLE).finditer(word):
        fact = variable(found[1], family)
        yield () if fact is None else (fact,)


# -- what is written


def _uses(fix: Fix, model: Model) -> Iterator[tuple[_Use, str, bool]]:
    """What ``fix`` writes in the statements that it touches and does not find there; the family, and whether the directive is there."""
    if not any(edit.text.strip() for edit in fix.edits):
        return
    touched: dict[tuple[str, int, int], tuple[str, list[Edit]]] = {}
    for edit in fix.edits:
        if edit.file in model.config.sources:
            start, end, family = _around(edit, model.once(_written).get(edit.file, []))
            touched.setdefault((edit.file, start, end), (family, []))[1].append(edit)
    texts = {path: model.config.sources[path].text for path, *_ in touched}
    old = {use for path, start, end in touched for use in _said(texts[path][start:end])}
    for (path, start, end), (family, edits) in touched.items():
        for use in _said(_edited(texts[path], start, end, edits)):
            if use not in old:
                yield use, family, (use[0], "") in old


def _written(model: Model) -> dict[str, list[Directive]]:
    """The directives of each file by their place, each once."""
    found: dict[str, dict[int, Directive]] = {}
    for node in model.config.top.walk():
        found.setdefault(node.source.path, {}).setdefault(node.start, node)
    return {path: [nodes[start] for start in sorted(nodes)] for path, nodes in found.items()}


def _around(edit: Edit, nodes: list[Directive]) -> tuple[int, int, str]:
    """The statement in which ``edit`` begins, up to its semicolon or brace, or the place of ``edit``; and the family."""
    at = bisect_right(nodes, edit.start, key=_start) - 1
    if at < 0:
        return edit.start, edit.end, context_family(nodes[0].context) if nodes else "http"
    node = nodes[at]
    family = context_family(node.context)
    if family == "main":
        family = context_family(node.inner or "main")
    end = node.statement.end
    if edit.start < end:
        return node.start, max(edit.end, end), family
    return edit.start, edit.end, family


def _start(node: Directive) -> int:
    return node.start


def _edited(text: str, start: int, end: int, edits: list[Edit]) -> str:
    parts, at = [], start
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:end]])


def _said(text: str) -> Iterator[_Use]:
    """Directives of ``text`` and their words."""
    name = ""
    for token in Lexer(SourceText("", text), []):
        if not token.quoted and token in (";", "{", "}"):
            name = ""
        elif not name:
            name = str(token)
            yield name, ""
        else:
            yield name, str(token)
