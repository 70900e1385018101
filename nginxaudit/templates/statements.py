"""What a statement of a template engine does to the text around it."""

from __future__ import annotations

from enum import Enum, auto

from nginxaudit.nginx.patterns import compiled


class Role(Enum):
    """What a mark stands for."""

    VALUE = auto()  # text that is not known
    NOTHING = auto()  # no text: a comment, an assignment
    IF = auto()  # what follows, up to ``END``, is there or not
    LOOP = auto()  # what follows is there any number of times
    ELSEWHERE = auto()  # what follows is placed wherever it is asked for: a macro
    HIDDEN = auto()  # what follows is not placed at all
    ELSE = auto()  # the next alternative
    END = auto()
    RAW = auto()  # what follows has no marks
    LITERAL = auto()  # a brace or a semicolon that the engine would take for its own


_JINJA = {
    "if": Role.IF, "unless": Role.IF, "ifequal": Role.IF, "ifnotequal": Role.IF, "ifchanged": Role.IF, "case": Role.IF,
    "block": Role.IF, "for": Role.LOOP, "tablerow": Role.LOOP,
    "macro": Role.ELSEWHERE, "call": Role.LOOP, "capture": Role.HIDDEN, "comment": Role.HIDDEN,
    "raw": Role.RAW, "verbatim": Role.RAW,
    "filter": Role.IF, "with": Role.IF, "autoescape": Role.IF, "trans": Role.IF, "apply": Role.IF,
    "else": Role.ELSE, "elif": Role.ELSE, "elsif": Role.ELSE, "elseif": Role.ELSE, "when": Role.ELSE, "pluralize": Role.ELSE,
    "include": Role.VALUE, "render": Role.VALUE, "section": Role.HIDDEN,
}  # fmt: skip
_GO = {
    "if": Role.IF, "with": Role.IF, "range": Role.LOOP, "block": Role.IF, "define": Role.ELSEWHERE, "scratch": Role.NOTHING,
}  # fmt: skip
_RUBY = {
    "if": Role.IF, "unless": Role.IF, "case": Role.IF, "while": Role.LOOP, "until": Role.LOOP, "for": Role.LOOP,
    "begin": Role.IF,
}  # fmt: skip
_RUBY_ELSE = frozenset({"else", "elsif", "elseif", "elif", "when", "in", "rescue", "ensure"})
_LOOPS = ("each", "times", "map", "step", "upto", "loop", "foreach")

_WORD = r"[\s+~-]*([#^/!>]?[\s]*[A-Za-z_][\w.-]*|[#^/!>&*$])?"
_ASSIGNMENT = r"[\s-]*\$\w+(?:\s*,\s*\$\w+)?\s*:?=[^=]"
_GO_STATEMENT = r"[\s-]*(?:if|with|range|block|define|template)\s+\S|[\s-]*range\s*$"
_LITERAL = r"""[\s-]*(?:"([{};]{1,2})"|'([{};]{1,2})'|`([{};]{1,2})`)[\s-]*\Z"""
_LINE_OPENS = r"\bdo(?:\s*\|[^|\n]*\|)?\s*\Z|\{(?:\s*\|[^|\n]*\|)?\s*\Z"


def _first_word(code: str) -> str:
    found = compiled(_WORD).match(code)
    return "".join((found[1] or "").split()) if found else ""


def role_of_block(code: str) -> Role:
    """Of what stands between ``{%`` and ``%}``: Jinja, Twig, Liquid, Django."""
    word = _first_word(code)
    if word.startswith("end"):
        return Role.END
    if word in (
        "set",
        "assign",
    ):  # with a value it is an assignment, without one what follows is kept for later
        return Role.NOTHING if "=" in code or word == "assign" else Role.HIDDEN
    return _JINJA.get(word, Role.NOTHING)


def role_of_braces(code: str) -> Role:
    """Of what stands between ``{{`` and ``}}``: a value of Jinja, or whatever Go, Mustache and Handlebars write so."""
    word = _first_word(code)
    sign = word[:1]
    if sign == "!" or code.lstrip(" -~\n\t").startswith("/*"):
        return Role.NOTHING
    if sign == "#" or (sign == "^" and len(word) > 1):
        name = word[1:]
        return Role.IF if sign == "^" or name in ("if", "unless", "with", "ifequal") else Role.LOOP
    if sign == "^" or word == "else":
        return Role.ELSE
    if sign == "/" or (word == "end" and compiled(r"[\s-]*end[\s-]*\Z").match(code) is not None):
        return Role.END
    if word in _GO and compiled(_GO_STATEMENT).match(code):
        return _GO[word]
    if compiled(_ASSIGNMENT).match(code) or word in ("break", "continue"):
        return Role.NOTHING
    return Role.LITERAL if literal(code) else Role.VALUE


def literal(code: str) -> str:
    """The brace or semicolon that a value consists of, as it has to be written for the engine; "" for others."""
    found = compiled(_LITERAL).match(code)
    return (found[1] or found[2] or found[3]) if found else ""


def role_of_code(code: str) -> Role:
    """Of what stands between ``<%`` and ``%>``: Ruby (ERB), Puppet (EPP), JavaScript (EJS)."""
    if code.startswith(("=", "-=")):
        return Role.VALUE
    if code.startswith(("#", "-#")):
        return Role.NOTHING
    code = code.strip(" \t\r\n-")
    if "\n" in code:
        return _role_of_lines(code)
    return _role_of_line(code)


def _role_of_line(code: str) -> Role:
    word = _first_word(code).partition(".")[0]
    if code.startswith("}"):
        rest = code[1:].strip()
        return Role.ELSE if rest.endswith("{") else Role.END
    if word == "end":
        return Role.END
    if word in _RUBY_ELSE:
        return Role.ELSE
    if compiled(r"\bend\Z").search(code):
        return Role.NOTHING
    if compiled(_LINE_OPENS).search(code):
        loop = any(name in code for name in _LOOPS) or word in ("for", "while")
        return Role.LOOP if loop else Role.IF
    return _RUBY.get(word, Role.NOTHING)


def _role_of_lines(code: str) -> Role:
    """Of several lines of code: of what they leave open, or close."""
    roles = [_role_of_line(line.strip()) for line in code.split("\n") if line.strip()]
    opened: list[Role] = []
    for role in roles:
        if role in (Role.IF, Role.LOOP):
            opened.append(role)
        elif role is Role.END:
            if not opened:
                return Role.END
            opened.pop()
        elif role is Role.ELSE and not opened:
            return Role.ELSE
    return opened[0] if opened else Role.NOTHING


def role_of_directive(code: str) -> Role:
    """Of what stands between ``%{`` and ``}``: Terraform."""
    word = _first_word(code)
    if word in ("endif", "endfor"):
        return Role.END
    return {"if": Role.IF, "for": Role.LOOP, "else": Role.ELSE}.get(word, Role.NOTHING)
