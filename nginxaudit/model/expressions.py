"""Every regular expression of a configuration: where it stands, and on what it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.model.scope import family_of, is_directive
from nginxaudit.nginx.names import BALANCED, REGEX_OPERATORS
from nginxaudit.pcre import MAX_LENGTH, Expression, parse
from nginxaudit.syntax.tree import Directive, Token

if TYPE_CHECKING:
    from nginxaudit.model.model import Model


class Written(Struct, frozen=True, dict=True):
    """One expression as it is written.

    ``kind`` is location, rewrite, if, server_name, map, referer or proxy (``proxy_redirect`` and its like);
    ``subject`` is the text that it is tried on, such as ``$uri`` (empty where that is not one variable).
    ``directive`` is the one it stands in (for a key of a map: the line), ``token`` the word that holds it.
    """

    kind: str
    directive: Directive
    token: Token
    text: str
    caseless: bool
    subject: str = ""
    limit: int = MAX_LENGTH  # bytes; longer ones are not analysed

    @property
    def too_long(self) -> bool:
        """Whether it is longer than what is analysed."""
        return len(self.text.encode("utf-8", "surrogateescape")) > self.limit

    @cached_property
    def expression(self) -> Expression | None:
        """What it says; None for what is not understood."""
        return parse(self.text, caseless=self.caseless, limit=self.limit)


class Condition(Struct, frozen=True):
    """What an ``if`` asks: ``$name``, ``$name = text``, ``-f path``. Empty where a part is missing."""

    left: str
    operator: str = ""
    right: str = ""
    token: Token | None = None  # the word with ``right``

    @property
    def is_match(self) -> bool:
        """A regular expression is tried."""
        return self.operator in REGEX_OPERATORS

    @property
    def negated(self) -> bool:
        """It holds where the comparison or test does not."""
        return self.operator.startswith("!")


def condition(node: Directive) -> Condition | None:
    """What an ``if`` asks, without its parentheses; None for what nginx refuses."""
    words = list(node.args)
    if not words or not words[0].startswith("(") or not words[-1].endswith(")"):
        return None
    texts = [str(word) for word in words]
    texts[0] = texts[0][1:]
    texts[-1] = texts[-1][:-1]
    # A parenthesis may stand alone: "( $a = b )".
    if len(texts) > 1 and not texts[0]:
        texts, words = texts[1:], words[1:]
    if len(texts) > 1 and not texts[-1] and len(words[-1]) == 1:
        texts, words = texts[:-1], words[:-1]
    if len(texts) == 1 and len(texts[0]) > 1:
        return Condition(texts[0])
    if len(texts) == 2:
        return Condition("", texts[0], texts[1], words[1])
    if len(texts) == 3:
        return Condition(texts[0], texts[1], texts[2], words[2])
    return None


def expressions(model: Model) -> Iterator[Written]:
    """All expressions of http and stream, kind by kind, each in reading order."""
    limit = model.limits.max_regex_size
    return (each if limit == each.limit else replace(each, limit=limit) for each in _expressions(model))


def _expressions(model: Model) -> Iterator[Written]:
    yield from _locations(model)
    for node in _directives(model, "rewrite"):
        if len(node.args) > 1:
            yield Written("rewrite", node, node.args[0], str(node.args[0]), caseless=False, subject="$uri")
    for node in _directives(model, "if"):
        asked = condition(node)
        if asked is not None and asked.is_match and asked.token is not None:
            yield Written("if", node, asked.token, asked.right, asked.operator.endswith("*"), asked.left)
    yield from _server_names(model)
    yield from _map_keys(model)
    yield from _others(model)


def _locations(model: Model) -> Iterator[Written]:
    for location in model.locations:
        if location.is_regex:
            token = location.directive.args[-1]
            caseless = location.modifier == "~*"
            yield Written("location", location.directive, token, location.pattern, caseless, "$uri")


def _server_names(model: Model) -> Iterator[Written]:
    for node in _directives(model, "server_name"):
        for token in node.args:
            if token.startswith("~") and len(token) > 1:
                text = token[1:]
                # The name is in lower case; capital letters in the expression make nginx ignore case.
                yield Written("server_name", node, token, text, text.lower() != text, "$host")


def _map_keys(model: Model) -> Iterator[Written]:
    for block in _directives(model, "map"):
        for line in block.children:
            if line.name.startswith("~") and line.args:
                caseless, text = map_expression(line.name)
                yield Written(
                    "map", line, line.word, text, caseless, str(block.args[0]) if block.args else ""
                )


def map_expression(key: str) -> tuple[bool, str]:
    """Whether case does not matter, and the expression, of a key of a map that begins with ``~``."""
    return (True, key[2:]) if key.startswith("~*") else (False, key[1:])


def _others(model: Model) -> Iterator[Written]:
    for node in _directives(model, "valid_referers"):
        for token in node.args:
            if token.startswith("~"):
                yield Written("referer", node, token, token[1:], caseless=True, subject="$http_referer")
    for name in ("proxy_redirect", "proxy_cookie_domain", "proxy_cookie_path"):
        for node in _directives(model, name):
            if node.args and node.args[0].startswith("~"):
                caseless, text = map_expression(node.args[0])
                yield Written("proxy", node, node.args[0], text, caseless)


def _directives(model: Model, name: str) -> Iterator[Directive]:
    return (node for node in model.config.named(name) if is_directive(node) and family_of(node) in BALANCED)
