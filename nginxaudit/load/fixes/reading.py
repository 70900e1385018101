"""What nginx cannot read: quotes, braces, semicolons. The reader has no directive for it: its place is all there is."""

from __future__ import annotations

from collections.abc import Callable

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Edits
from nginxaudit.load.usable import usable_facts
from nginxaudit.model import Model
from nginxaudit.nginx import PSEUDO_CONTEXTS
from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import end_of_unclosed
from nginxaudit.syntax.tree import Directive, Problem

_WORD = r"[^\s;{}]+"
_ENDED = r"\s*[;{]"


def fix(problem: Problem, model: Model) -> Edits | Fix:
    """What fixes ``problem``, if one thing surely does."""
    make_fix = _FIXES.get(problem.kind)
    return make_fix(problem, model) if make_fix is not None else None


def _without_mark(problem: Problem, _: Model) -> Edits:
    """The byte order mark deleted."""
    return (edits.replaced(problem.source, problem.start, problem.end, ""),)


def _semicolon(problem: Problem, model: Model) -> Fix | None:
    """The semicolon after the last word; unsafe where the directive is none of nginx as it stands then."""
    source, start, end = problem.source, problem.start, problem.end
    name = compiled(_WORD).match(source.text, start, end)
    if name is None or (source.template is not None and source.template.touches(start, end)):
        return None
    nodes = model.once(_beginning_at).get((source, start), ())
    known = nodes and all(node.context in PSEUDO_CONTEXTS or usable_facts(model, node) for node in nodes)
    if "\n" in source.text[start:end]:
        known = False  # the next line may be a directive that is not known
    return Fix(
        "Add the semicolon",
        Applicability.SAFE if known else Applicability.UNSAFE,
        (edits.replaced(source, end, end, ";"),),
    )


def _beginning_at(model: Model) -> dict[tuple[SourceText, int], list[Directive]]:
    """The directives that begin at each place, in all contexts of their file."""
    found: dict[tuple[SourceText, int], list[Directive]] = {}
    for node in model.config.top.walk():
        found.setdefault((node.source, node.start), []).append(node)
    return found


def _closing_quote(problem: Problem, _: Model) -> Edits:
    """The closing quote at the end of the line, before what ends the directive there."""
    source, start = problem.source, problem.start
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


def _quotes(problem: Problem, model: Model) -> Edits:
    """The regex in quotes, without the parenthesis of ``if``: backslashes mean the same inside of them."""
    source, start, end = problem.source, problem.start, problem.end
    word = source.text[start:end]
    first, last = model.once(_condition_ends)
    if word.endswith(")") and (source.path, end) in last:
        word, end = word[:-1], end - 1
    quote = '"' if '"' not in word else "'"
    if quote in word or word.endswith("\\") or (source.path, start) in first:
        return None
    return (edits.replaced(source, start, end, f"{quote}{word}{quote}"),)


def _brace(problem: Problem, model: Model) -> Edits:
    """The brace that is missing, where indentation says it belongs; the one that is too many deleted."""
    source, start, end = problem.source, problem.start, problem.end
    found = source.text[start:end]
    if found == "}":
        return (edits.cut(source, start, end),)
    if not found.endswith("{"):
        return None  # Lua code that is never closed, in which something else may be unclosed
    line = source.text.rfind("\n", 0, start) + 1
    indent = source.text[line:start] if not source.text[line:start].strip(" \t") else ""
    at = problem.related[0][2] if problem.related else len(source.text)
    return None if _is_in_lua(source, at, model) else (_closed_before(source, at, indent),)


def _condition_ends(model: Model) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """Where the first words of conditions begin, and where the last ones end."""
    nodes = [node for node in model.config.named("if") if node.args]
    return (
        {(node.source.path, node.args[0].start) for node in nodes},
        {(node.source.path, node.args[-1].end) for node in nodes},
    )


def _is_in_lua(source: SourceText, at: int, model: Model) -> bool:
    """Whether Lua code that is never closed would swallow a brace at ``at``."""
    return at > model.once(_first_open_code).get(source.path, at)


def _first_open_code(model: Model) -> dict[str, int]:
    """Where the first Lua code that is never closed begins, by file."""
    found: dict[str, int] = {}
    for each in model.config.problems:
        text = each.source.text
        if each.kind == "unmatched-braces" and not text[each.start : each.end].endswith(("{", "}")):
            found[each.source.path] = min(each.start, found.get(each.source.path, each.start))
    return found


def _closed_before(source: SourceText, at: int, indent: str) -> Edit:
    """``}`` on a line of its own, above blank lines and comments that come before ``at``."""
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


def _without_semicolon(problem: Problem, _: Model) -> Edits:
    """A semicolon that ends nothing deleted."""
    source, start, end = problem.source, problem.start, problem.end
    if source.text[start:end] != ";" or not problem.message.startswith('unexpected ";"'):
        return None  # a quote before it may be the mistake
    return (edits.cut(source, start, end),)


_FIXES: dict[str, Callable[[Problem, Model], Edits | Fix]] = {
    "invalid-encoding": _without_mark,
    "missing-semicolon": _semicolon,
    "unclosed-quote": _closing_quote,
    "regex-unquoted-brace": _quotes,
    "unmatched-braces": _brace,
    "unexpected-token": _without_semicolon,
}
