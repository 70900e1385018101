"""Who defines variables: every directive that makes a name usable with a ``$``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.model.regex import names as group_names
from nginxaudit.model.scope import family_of, is_directive
from nginxaudit.nginx.names import REGEX_OPERATORS
from nginxaudit.syntax.tree import Config, Directive

_FIRST = (
    "set", "auth_request_set", "perl_set", "js_set", "js_var", "auth_jwt_claim_set", "auth_jwt_header_set",
    "set_by_lua", "set_by_lua_file", "set_by_lua_block",
)  # fmt: skip
_SECOND = ("map", "split_clients", "keyval", "num_map")


def variable_name(token: str) -> str:
    """``$Name`` as nginx compares it: lower-case, without the sign. Empty if it is none.

    Braces are no part of the grammar where a variable is defined: ``${name}`` defines another one.
    """
    return token[1:].lower() if token.startswith("$") else ""


def definitions(config: Config, family: str) -> dict[str, list[Directive]]:
    """Directives that define each variable of ``family``, by lower-case name.

    Captures count too: named groups in the expressions of ``location``, ``server_name``,
    ``rewrite``, ``if`` and of map keys. Variables built into nginx are not listed.
    """
    found: dict[str, list[Directive]] = {}
    for name, directive in _all(config):
        if name and family_of(directive) == family:
            found.setdefault(name, []).append(directive)
    return found


def _all(config: Config) -> Iterator[tuple[str, Directive]]:
    for directive_name in _FIRST:
        for directive in _directives(config, directive_name):
            yield (variable_name(directive.args[0]) if directive.args else ""), directive
    for directive_name in _SECOND:
        for directive in _directives(config, directive_name):
            yield (variable_name(directive.args[1]) if len(directive.args) > 1 else ""), directive
            yield from _captures(directive, (key.name for key in directive.children))
    for directive in _directives(config, "geo"):
        yield (variable_name(directive.args[-1]) if directive.args else ""), directive
    for block in _directives(config, "geoip2"):
        yield from ((variable_name(line.name), line) for line in block.children)
    yield from _expressions(config)


def _expressions(config: Config) -> Iterator[tuple[str, Directive]]:
    for directive in _directives(config, "location"):
        if directive.args and directive.args[0].startswith("~"):
            yield from _captures(directive, directive.args)
    for directive in _directives(config, "server_name"):
        for name in directive.args:
            if name.startswith("~"):
                yield from _captures(directive, [name])
    for directive in _directives(config, "rewrite"):
        yield from _captures(directive, directive.args[:1])
    for directive in _directives(config, "if"):
        if any(arg in REGEX_OPERATORS for arg in directive.args):
            yield from _captures(directive, directive.args)


def _captures(directive: Directive, texts: Iterable[str]) -> Iterator[tuple[str, Directive]]:
    for text in texts:
        if "(?" in text:
            for name in group_names(text):
                yield name.lower(), directive


def _directives(config: Config, name: str) -> Iterator[Directive]:
    return (directive for directive in config.named(name) if is_directive(directive))
