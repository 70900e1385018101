"""Edits of one directive or block, as text: everything around it stays as it is.

Offsets are code points of the directive's source. A text may have several lines: each gets the
indentation and the line end of the place where it comes to stand.
"""

from __future__ import annotations

import re
from itertools import pairwise

from nginxaudit.finding import Edit
from nginxaudit.hit import Hit
from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Directive, Token

_ALIGNED = 2  # spaces from which on a value may stand in a column


def written(node: Directive, token: Token) -> str:
    """``token`` as it stands in the file, quotes included."""
    return node.source.text[token.start : token.end]


def fill(template: str, hit: Hit, node: Directive) -> str:
    """``template`` with its placeholders filled in."""
    place = hit.place
    values = {
        "found": place.source.text[place.start : place.end],
        "directive": str(node.name),
        "args": " ".join(written(node, token) for token in node.args),
        **{str(number): written(node, token) for number, token in enumerate(node.args[:9], 1)},
    }
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


def replaced(source: SourceText, start: int, end: int, text: str) -> Edit:
    """Put ``text`` in the place of ``start`` to ``end``."""
    return Edit(source.path, start, end, text)


def exchanged(node: Directive, token: Token, text: str) -> Edit:
    """Put ``text`` in the place of one word of ``node``."""
    return Edit(node.source.path, token.start, token.end, text)


def rewritten(node: Directive, text: str) -> Edit:
    """Put ``text``, without semicolon, in the place of the words of ``node``."""
    last = node.args[-1].end if node.args else node.name_end
    return Edit(node.source.path, node.start, last, aligned(node, text))


def aligned(node: Directive, line: str) -> str:
    """``line`` with its first words in the columns of ``node``; below another name only the first value is."""
    if "\n" in line or line.endswith(("{", "}")):
        return line
    text, made = node.source.text, ""
    for word, following in pairwise((node.word, *node.args[:2])):
        own, space, rest = line.partition(" ")
        gap = text[word.end : following.start]
        if not space or gap.strip(" \t") or own[:1] in ("'", '"'):
            break
        width = following.start - word.start - len(own)
        made += own + (gap if "\t" in gap else " " * max(width if len(gap) > 1 else 1, 1))
        line = rest.lstrip(" ")
        if own != text[word.start : word.end]:
            break
    return made + line


def _stands_in_column(node: Directive) -> bool:
    """Whether the values of ``node`` and of a neighbour are aligned: two spaces alone are a slip."""
    if node.is_block or not node.args or node.args[0].start - node.name_end < _ALIGNED or node.parent is None:
        return False
    width = node.args[0].start - node.start
    return any(
        other is not node and other.args and other.args[0].start - other.start == width
        for other in node.parent.children
        if other.source is node.source
    )


def appended(node: Directive, text: str) -> Edit:
    """Add ``text`` as a further argument."""
    last = node.args[-1].end if node.args else node.name_end
    return Edit(node.source.path, last, last, f" {text}")


def without(node: Directive, token: Token) -> Edit:
    """Take one argument out, and the blanks before it."""
    text, start = node.source.text, token.start
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    return Edit(node.source.path, start, token.end, "")


def deleted(node: Directive) -> Edit:
    """Take the whole directive out, with its line when nothing else stands there and the comments that are about it alone."""
    source, end = node.source, _end(node)
    text = source.text
    stop = text.find("\n", end)
    rest = text[end : stop if stop >= 0 else len(text)]
    start = node.start
    if _indent(source, start) is not None and _blank_or_comment(rest):
        end += len(rest.rstrip())
        if _stands_alone(text[stop + 1 :] if stop >= 0 else ""):
            start = _with_comments(source, start)
    return cut(source, start, end)


def _stands_alone(below: str) -> bool:
    """Whether a comment above a directive is about nothing that follows: an empty line, a comment or the end of the block."""
    line = below.partition("\n")[0].strip()
    return line[:1] in ("", "}", "#")


def _with_comments(source: SourceText, start: int) -> int:
    """Where the comments begin that stand directly above ``start``; those that hold code are left."""
    text = source.text
    line = text.rfind("\n", 0, start) + 1
    indent = text[line:start]
    first = start
    while line > 0:
        above = text.rfind("\n", 0, line - 1) + 1
        comment = text[above : line - 1].rstrip()
        if not comment.startswith(f"{indent}#") or comment.endswith((";", "{", "}")):
            break
        line, first = above, above + len(indent)
    return first if line > 0 else start  # what a file begins with is about the file


def deletion(node: Directive) -> tuple[Edit, ...] | None:
    """``node`` taken out; None when a comment stands inside it, which would be lost."""
    end = node.statement.end if node.statement.close is None else node.statement.close
    return None if "#" in node.source.text[node.start : end] else (deleted(node),)


def written_at(node: Directive, token: Token, text: str, offset: int) -> int | None:
    """Where the character at ``offset`` of ``text``, a part of ``token``, stands; None where escapes moved it."""
    at = written(node, token).find(text)
    return token.start + at + offset if at >= 0 and text.isascii() else None


def cut(source: SourceText, start: int, end: int) -> Edit:
    """Take ``start`` to ``end`` out, and the lines they are on when nothing else stands there."""
    text = source.text
    first, last = start, end
    while first > 0 and text[first - 1] in " \t":
        first -= 1
    while last < len(text) and text[last] in " \t\r":
        last += 1
    alone = (first == 0 or text[first - 1] == "\n") and (last == len(text) or text[last] == "\n")
    if alone:
        last = min(last + 1, len(text))
        above = text[text.rfind("\n", 0, max(first - 1, 0)) + 1 : first].strip()
        if not above or above.endswith("{"):  # no two empty lines, and none at the beginning of a block
            last += len(compiled(r"(?:[ \t]*\r?\n)?").match(text, last)[0])  # type: ignore[index]
        return Edit(source.path, first, last, "")
    if first == 0 or text[first - 1] == "\n":  # what follows takes its place, with its indentation
        while end < len(text) and text[end] in " \t":
            end += 1
        return Edit(source.path, start, end, "")
    return Edit(source.path, first, end, "")


def before(node: Directive, text: str) -> Edit:
    """Put ``text`` on lines of its own before ``node`` and the comments about it; on the same line when that holds more."""
    start = node.start
    indent = _indent(node.source, start)
    if indent is None:
        return Edit(node.source.path, start, start, f"{' '.join(text.splitlines())} ")
    start = _with_comments(node.source, start) - len(indent)
    return Edit(node.source.path, start, start, _lines(node.source, text, indent, node))


def after(node: Directive, text: str) -> Edit:
    """Put ``text`` on lines of its own behind ``node``, behind a comment on its line."""
    source, end = node.source, _end(node)
    indent = _indent(source, node.start)
    stop = source.text.find("\n", end)
    rest = source.text[end : stop if stop >= 0 else len(source.text)].strip()
    if indent is None or (rest and not rest.startswith("#")):
        return Edit(source.path, end, end, f" {' '.join(text.splitlines())}")
    if stop < 0:
        eol = line_end(source)
        at = len(source.text)
        return Edit(source.path, at, at, eol + _lines(source, text, indent, node).removesuffix(eol))
    return Edit(source.path, stop + 1, stop + 1, _lines(source, text, indent, node))


def first_in(block: Directive, text: str) -> Edit:
    """Put ``text`` at the beginning of ``block``, behind a comment on the line of its brace."""
    source, at = block.source, block.statement.end
    stop = source.text.find("\n", at)
    close = block.statement.close
    if stop < 0 or (close is not None and close < stop) or not _blank_or_comment(source.text[at:stop]):
        return Edit(source.path, at, at, f" {' '.join(text.splitlines())}")
    return Edit(
        source.path, stop + 1, stop + 1, _lines(source, text, inner_indent(block), *block.children[:1])
    )


def last_in(block: Directive, text: str) -> Edit:
    """Put ``text`` at the end of ``block``."""
    source, close = block.source, block.statement.close
    if close is None:
        return first_in(block, text)
    start = source.text.rfind("\n", 0, close) + 1
    if start > block.statement.end and not source.text[start:close].strip():
        return Edit(
            source.path, start, start, _lines(source, text, inner_indent(block), *block.children[-1:])
        )
    gap = "" if source.text[close - 1] in " \t" else " "
    return Edit(source.path, close, close, f"{gap}{' '.join(text.splitlines())} ")


def last_line(source: SourceText, text: str) -> Edit:
    """Put ``text`` on a line at the end of the file."""
    end, eol = len(source.text), line_end(source)
    gap = eol if source.text and not source.text.endswith("\n") else ""
    return Edit(source.path, end, end, f"{gap}{text}{eol}")


def inner_indent(block: Directive) -> str:
    """White space that lines inside ``block`` begin with, as its first line has it."""
    for child in (block.statement.block or ())[:1]:
        indent = _indent(block.source, child.start)
        if indent is not None:
            return indent
    own = _indent(block.source, block.start) or ""
    return own + ("\t" if "\t" in own or "\n\t" in block.source.text else "    ")


def line_end(source: SourceText) -> str:
    """How the lines of a file end: as its first one does."""
    at = source.text.find("\n")
    return "\r\n" if at > 0 and source.text[at - 1] == "\r" else "\n"


def holds_comment(node: Directive) -> bool:
    """Whether a comment may stand between the braces of ``node``: what is deleted must not take it along."""
    close = node.statement.close
    return close is not None and "#" in node.source.text[node.statement.end : close]


def _end(node: Directive) -> int:
    close = node.statement.close  # behind the text for a block that is never closed
    return node.statement.end if close is None else min(close + 1, len(node.source.text))


def _indent(source: SourceText, start: int) -> str | None:
    """White space before ``start``, None when something else comes before it on its line."""
    line = source.text.rfind("\n", 0, start) + 1
    blank = source.text[line:start].removeprefix("\ufeff")
    return None if blank.strip(" \t") else blank


def _lines(source: SourceText, text: str, indent: str, *beside: Directive) -> str:
    """``text`` as lines, in the columns of the directive ``beside`` which they stand."""
    eol = line_end(source)
    for node in beside:
        if node.source is source and _stands_in_column(node):
            text = "\n".join(
                aligned(node, line) if line.endswith(";") and line[:1].strip() else line
                for line in text.splitlines()
            )
    return "".join(f"{indent if line else ''}{line}{eol}" for line in text.splitlines())


def _blank_or_comment(text: str) -> bool:
    return not text.strip() or text.lstrip().startswith("#")


def on_one_line(node: Directive) -> bool:
    """Whether a directive without block has no line end inside, and so no comment that would go with it."""
    return "\n" not in node.source.text[node.start : node.statement.end]


def statement(node: Directive) -> str:
    """A directive without block as it is written, with its semicolon."""
    last = node.args[-1].end if node.args else node.name_end
    return f"{node.source.text[node.start : last]};"


def standing_in(block: Directive, node: Directive) -> Directive | None:
    """What of ``node`` stands in the text of ``block``: itself, or the include that brings it."""
    at: Directive | None = node
    while at is not None and not (at.source is block.source and at.via is block.via):
        at = at.via
    return at if at is not None and at.parent is block else None


def behind_text(node: Directive, token: Token, text: str) -> Edit:
    """Put ``text`` at the end of one word, inside its quotes."""
    at = inner_end(token)
    if text.endswith("$") and node.source.text[at : at + 1] == "{":
        text += " "  # "${" would begin the name of a variable
    return Edit(node.source.path, at, at, text)


def before_text(node: Directive, token: Token, text: str) -> Edit:
    """Put ``text`` at the beginning of one word, inside its quotes."""
    at = inner_start(token)
    return Edit(node.source.path, at, at, text)


def inner_end(token: Token) -> int:
    """Where the text of a word ends, before its closing quote."""
    return token.end - 1 if token.quoted else token.end


def inner_start(token: Token) -> int:
    """Where the text of a word begins, after its opening quote."""
    return token.start + 1 if token.quoted else token.start
