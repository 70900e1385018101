"""MIME types that are given twice: nginx warns, and one of them has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.finding import Severity
from nginxaudit.load.base import Mistake, Use, reads
from nginxaudit.load.forms import blocks_among_data
from nginxaudit.syntax.tree import Directive, Token

_DEFAULT = {
    "gzip_types": "text/html",
    "sub_filter_types": "text/html",
    "ssi_types": "text/html",
}
_RULE = "duplicate-mime-type"


@reads(
    "gzip_types",
    "sub_filter_types",
    "ssi_types",
    "charset_types",
    "addition_types",
    "xslt_types",
    "brotli_types",
)
def lists_of_types(use: Use) -> Iterator[Mistake]:
    """``gzip_types type …``: each type once, and not the one that is always in it."""
    seen: dict[str, Token] = {}
    for token in use.args:
        kind = token.lower()
        if kind in seen:
            yield _twice(token, f'"{token}" is listed twice')
        elif kind == _DEFAULT.get(use.name):
            yield _twice(token, f'"{token}" is always among the "{use.name}"')
        seen.setdefault(kind, token)


reads("types", family="http stream")(blocks_among_data)


@reads("types")
def extensions(use: Use) -> Iterator[Mistake]:
    """``types { type extension … }``: each extension once; the last line wins."""
    seen: dict[str, Directive] = {}
    for line in use.node.children:
        for token in line.args if line.name != "include" else ():
            earlier = seen.setdefault(token.lower(), line)
            if earlier is not line:
                yield _twice(
                    token,
                    f'the extension "{token}" is given twice: "{line.name}" replaces "{earlier.name}"',
                    line,
                    (("first here", earlier),),
                )


def _twice(
    token: Token, message: str, node: Directive | None = None, related: tuple[tuple[str, Directive], ...] = ()
) -> Mistake:
    return Mistake(
        _RULE, message, token, "Delete one of them.", node, related, rejected=False, severity=Severity.WARNING
    )
