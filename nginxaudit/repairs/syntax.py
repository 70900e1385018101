"""Repairs of what nginx cannot read: quotes, braces, semicolons, and words that are misspelt.

What the reader tells has no directive: its place is all there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from nginxaudit import edits
from nginxaudit.finding import Applicability, Confidence, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.load.fields.rewriting import OTHER_LANGUAGES
from nginxaudit.load.usage import usable_facts
from nginxaudit.load.words import NAME_HINTS, suggest_directive
from nginxaudit.model import Model
from nginxaudit.nginx import (
    PSEUDO_CONTEXTS,
    Availability,
    Target,
    directives,
    has_placeholder,
    known_names,
    variable,
    variables,
)
from nginxaudit.nginx.patterns import compiled
from nginxaudit.repairs.common import Edits, found_word
from nginxaudit.source.text import SourceText
from nginxaudit.suggest import near
from nginxaudit.syntax.lexer import end_of_unclosed
from nginxaudit.syntax.tree import Directive

NEAR_ENOUGH = 0.85  # from here on a misspelt name can only mean one thing
_WORD = r"[^\s;{}]+"
_UNKNOWN = r'unknown variable "\$(\w+)"'
_ENDED = r"\s*[;{]"
_GLUED = r"""\((\$\w+)(===|!==|==|=~|!=|!~\*|~\*|!~|=|~)("[^"\\]*"|'[^'\\]*'|[^\s"'\\=~][^\s"'\\]*)\)"""


def clear_match(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` was surely meant to be; None when nothing or two are that near."""
    found = near(word, known, 2, NEAR_ENOUGH)
    if len(found) == 2 and likeness(word, found[0]) == likeness(word, found[1]):
        return None
    return found[0] if found and found[0] != word else None


def likeness(word: str, other: str) -> float:
    """How much of two words is the same, from 0 to 1."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, other, word).ratio()


# -- the file as a whole


def without_bom(hit: Hit, model: Model) -> Edits:
    """The byte order mark taken out."""
    return (edits.replaced(hit.place.source, hit.place.start, hit.place.end, ""),)


def events_block(hit: Hit, model: Model) -> Fix | None:
    """``events {}`` in the main file, before what is there first of http, stream and mail.

    A file that is not called nginx.conf may be one that another one includes.
    """
    config, node = model.config, hit.node
    while node is not None and node is not config.top and node.source is not config.main:
        node = node.via
    if node is None:
        return None
    made = edits.before(node, "events {}") if node is not config.top else _at_end(config.main, "events {}")
    applicability = Applicability.SAFE if hit.confidence is None else Applicability.UNSAFE
    return Fix("Add events", applicability, (made,))


def _at_end(source: SourceText, text: str) -> Edit:
    end, eol = len(source.text), edits.line_end(source)
    gap = eol if source.text and not source.text.endswith("\n") else ""
    return edits.replaced(source, end, end, f"{gap}{text}{eol}")


# -- semicolons, quotes, braces


def semicolon(hit: Hit, model: Model) -> Fix | None:
    """The semicolon behind the last word; unsafe where the directive is none of nginx as it stands then."""
    place = hit.place
    text = place.source.text
    name = compiled(_WORD).match(text, place.start, place.end)
    if name is None or has_placeholder(text[place.start : place.end]):
        return None
    nodes = [
        node
        for node in model.config.named(name[0])
        if node.source is place.source and node.start == place.start
    ]
    known = nodes and all(node.context in PSEUDO_CONTEXTS or usable_facts(model, node) for node in nodes)
    if "\n" in text[place.start : place.end]:
        known = False  # the next line may be a directive that nobody knows
    return Fix(
        "Add the semicolon",
        Applicability.SAFE if known else Applicability.UNSAFE,
        (edits.replaced(place.source, place.end, place.end, ";"),),
    )


def closing_quote(hit: Hit, model: Model) -> Edits:
    """The closing quote at the end of the line, before what ends the directive there."""
    source, start = hit.place.source, hit.place.start
    text, end = source.text, end_of_unclosed(source.text, start)
    quote, value = text[start], text[start + 1 : end]
    line_end = text.find("\n", end)
    tail = text[end : line_end if line_end >= 0 else len(text)]
    if not value or (tail.strip() and not compiled(_ENDED).match(tail)):
        return None  # the quote may be one too many; the # may be a part of the text
    escaped = value.count("\\" + quote)
    if value.endswith("\\") or (value.endswith("\\" + quote) and escaped % 2):
        return None  # the backslash was not meant to escape the quote
    if tail.lstrip().startswith("{") and value.endswith(")") and value.count(")") > value.count("("):
        end -= 1  # it closes the condition
    return (edits.replaced(source, end, end, quote),)


def quoted_expression(hit: Hit, model: Model) -> Edits:
    """The expression in quotes, without the parenthesis of ``if``: backslashes mean the same inside of them."""
    source, start, end = hit.place.source, hit.place.start, hit.place.end
    word = source.text[start:end]
    conditions = [node.args for node in model.config.named("if") if node.source is source and node.args]
    if word.endswith(")") and any(words[-1].end == end for words in conditions):
        word, end = word[:-1], end - 1
    quote = '"' if '"' not in word else "'"
    if quote in word or word.endswith("\\") or any(words[0].start == start for words in conditions):
        return None
    return (edits.replaced(source, start, end, f"{quote}{word}{quote}"),)


def brace(hit: Hit, model: Model) -> Edits:
    """The brace that is missing, where indentation says it belongs; the one that is too many taken out."""
    source, start, end = hit.place.source, hit.place.start, hit.place.end
    found = source.text[start:end]
    if found == "}":
        return (edits.cut(source, start, end),)
    if not found.endswith("{"):
        return None  # Lua code that is never closed, in which something else may be unclosed
    line = source.text.rfind("\n", 0, start) + 1
    indent = source.text[line:start] if not source.text[line:start].strip(" \t") else ""
    at = hit.related[0][1].start if hit.related else len(source.text)
    return None if _is_in_lua(source, at, model) else (_closed_before(source, at, indent),)


def _is_in_lua(source: SourceText, at: int, model: Model) -> bool:
    """Whether Lua code that is never closed would swallow a brace at ``at``."""
    return any(
        each.source is source
        and each.kind == "unmatched-braces"
        and each.start < at
        and not source.text[each.start : each.end].endswith(("{", "}"))
        for each in model.config.problems
    )


def _closed_before(source: SourceText, at: int, indent: str) -> Edit:
    """``}`` on a line of its own, above blank lines and comments that stand before ``at``."""
    text, eol = source.text, edits.line_end(source)
    line = text.rfind("\n", 0, at) + 1
    if text[line:at].strip(" \t"):
        if at < len(text):
            return edits.replaced(source, at, at, "} ")
        return edits.replaced(source, at, at, f"{eol}{indent}}}")
    commented = True
    while line > 0:
        above = text.rfind("\n", 0, line - 1) + 1
        content = text[above:line].strip()
        comment = commented and content.startswith("#") and text[above:line].startswith(f"{indent}#")
        if content and not comment:
            break
        commented = bool(content)
        line = above
    return edits.replaced(source, line, line, f"{indent}}}{eol}")


def stray_semicolon(hit: Hit, model: Model) -> Edits:
    """A semicolon that ends nothing taken out."""
    source, start, end = hit.place.source, hit.place.start, hit.place.end
    if hit.node is not None or source.text[start:end] != ";" or not hit.message.startswith('unexpected ";"'):
        return None
    return (edits.cut(source, start, end),)


# -- names


def directive_name(hit: Hit, model: Model) -> Fix | None:
    """The name that was meant, when there is one only and it can stand here as it is written."""
    node = hit.node
    if node is None or hit.confidence is Confidence.LOW or node.name.lower() in NAME_HINTS:
        return None
    spelled = node.name.lower().replace("-", "_")
    meant = spelled if spelled in known_names() else _meant(spelled)
    if meant is None or meant != suggest_directive(str(node.name), node.context, model.target):
        return None
    fits = any(
        fact.block == node.is_block
        and node.context in fact.contexts_for(model.target)
        and fact.available(model.target) is Availability.YES
        and fact.arguments(model.target).accepts(len(node.args))
        for fact in directives(meant)
    )
    made = (edits.replaced(node.source, node.start, node.name_end, meant),)
    return Fix(f"Write {meant}", Applicability.UNSAFE, made) if fits else None


@cache
def _meant(spelled: str) -> str | None:
    return clear_match(spelled, known_names())


def variable_name(hit: Hit, model: Model) -> Fix | None:
    """The variable that was meant, when there is one only."""
    found, token = compiled(_UNKNOWN).match(hit.message), found_word(hit)
    if hit.node is None or found is None or token is None or not hit.help.startswith("Did you mean"):
        return None
    family = model.family_of(hit.node)
    spelled = found[1].lower()
    known = {*model.variable_definitions(family), *_builtin(family, model.target)}
    meant = clear_match(spelled, known)
    if meant is None:
        return None
    uses = re.finditer(rf"\$(\{{?){found[1]}(?![A-Za-z0-9_])", edits.written(hit.node, token))
    made = tuple(
        edits.replaced(hit.node.source, token.start + use.end(1), token.start + use.end(), meant)
        for use in uses
    )
    return Fix(f"Write ${meant}", Applicability.UNSAFE, made) if made else None


@cache
def _builtin(family: str, target: Target) -> tuple[str, ...]:
    return tuple(
        name
        for name in variables(family)
        if (fact := variable(name, family)) is not None
        and not fact.prefix
        and fact.available(target) is Availability.YES
    )


# -- conditions


def condition(hit: Hit, model: Model) -> Edits:
    """The operator as nginx writes it, blanks around it, parentheses around the whole."""
    node, word = hit.node, found_word(hit)
    if node is None or word is None:
        return None
    if str(word) in OTHER_LANGUAGES:
        return (edits.exchanged(node, word, OTHER_LANGUAGES[word]),)
    glued = compiled(_GLUED).fullmatch(edits.written(node, word))
    if glued is not None and len(node.args) == 1:
        operator = OTHER_LANGUAGES.get(glued[2], glued[2])
        return (edits.exchanged(node, word, f"({glued[1]} {operator} {glued[3]})"),)
    return _parenthesised(node)


def _parenthesised(node: Directive) -> Edits:
    first, last = node.args[0], node.args[-1]
    words = [edits.written(node, token) for token in node.args]
    if (
        len(words) not in (1, 3)
        or not first.startswith("$")
        or any("(" in word or ")" in word for word in words)
    ):
        return None
    return (
        edits.replaced(node.source, first.start, first.start, "("),
        edits.replaced(node.source, last.end, last.end, ")"),
    )
