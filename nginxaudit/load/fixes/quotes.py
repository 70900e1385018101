"""Values of several words that need quotes."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits
from nginxaudit.syntax.tree import Directive

_FREE_TEXT = {
    "root": 0, "alias": 0, "auth_basic": 0, "proxy_set_body": 0, "ssl_ciphers": 0, "proxy_ssl_ciphers": 0,
    "set": 1, "proxy_set_header": 1, "grpc_set_header": 1, "add_header": 1, "add_trailer": 1,
    "fastcgi_param": 1, "uwsgi_param": 1, "scgi_param": 1, "return": 1,
}  # fmt: skip
"""Directives whose last argument may hold spaces, with the number of arguments before it."""
_WORDS_BEHIND = ("always", "if_not_empty")


def in_quotes(node: Directive) -> Edits:
    """The words of a value in one pair of quotes."""
    start = _FREE_TEXT.get(node.name)
    if start is None or node.is_block or len(node.args) < start + 2:
        return None
    if node.name == "return" and (not node.args[0].isdigit() or node.args[0].startswith("3")):
        return None  # a URL has no spaces
    words = node.args[start:]
    if words[-1] in _WORDS_BEHIND:
        words = words[:-1]
    text = node.source.text[words[0].start : words[-1].end]
    quote = '"' if '"' not in text else "'"
    if len(words) < 2 or "\n" in text or quote in text or text.endswith("\\"):
        return None
    if node.args[0].lower() == "strict-transport-security":
        text = "; ".join(word.strip(",") for word in words)
    return (edits.replaced(node.source, words[0].start, words[-1].end, f"{quote}{text}{quote}"),)
