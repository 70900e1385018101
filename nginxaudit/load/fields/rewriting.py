"""``if``, ``rewrite``, ``return``, ``set`` (src/http/modules/ngx_http_rewrite_module.c and its stream twins)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import Edits, FixIn
from nginxaudit.load.base import Mistake, Use, invalid, misspelt, reads, replaced_by
from nginxaudit.load.scripts import NEVER_DEFINED, expression, name_after_dollar, script, uses
from nginxaudit.nginx import Availability, variable
from nginxaudit.nginx.names import ABSOLUTE, REGEX_OPERATORS, REWRITE_FLAGS
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive, Token

_FILE_TESTS = frozenset({"-f", "!-f", "-d", "!-d", "-e", "!-e", "-x", "!-x"})
_OTHER_LANGUAGES = {"==": "=", "===": "=", "eq": "=", "<>": "!=", "=~": "~", "!==": "!="}
_GLUED = r"""\((\$\w+)(===|!==|==|=~|!=|!~\*|~\*|!~|=|~)("[^"\\]*"|'[^'\\]*'|[^\s"'\\=~][^\s"'\\]*)\)"""
"""A condition without spaces."""
_NEVER_IN_ARGUMENT = r"[=&;#\s]"
_NEVER_IN_HEADER = r"[^A-Za-z0-9_]"
_CONDITION = "if-invalid-condition"
_SHAPES = "Allowed: $variable, $variable = text, $variable != text, $variable ~ regex, -f file, -d file, -e file, -x file."

CHANGEABLE = frozenset(
    {
        "ancient_browser", "args", "invalid_referer", "limit_rate", "modern_browser", "msie", "proxy_host", "proxy_port",
        "ssl_alpn_protocol", "ssl_cipher", "ssl_ciphers", "ssl_client_cert", "ssl_client_escaped_cert",
        "ssl_client_fingerprint", "ssl_client_i_dn", "ssl_client_i_dn_legacy", "ssl_client_raw_cert",
        "ssl_client_s_dn", "ssl_client_s_dn_legacy", "ssl_client_serial", "ssl_client_sigalg",
        "ssl_client_v_end", "ssl_client_v_remain", "ssl_client_v_start", "ssl_client_verify", "ssl_curve",
        "ssl_curves", "ssl_early_data", "ssl_ech_outer_server_name", "ssl_ech_status", "ssl_protocol",
        "ssl_server_name", "ssl_session_id", "ssl_session_reused", "ssl_sigalg", "ssl_sigalgs", "uid_reset",
    }
)  # fmt: skip
"""Variables of nginx that a configuration may define anew (NGX_HTTP_VAR_CHANGEABLE in nginx 1.31.5)."""


MAYBE_NOT_BUILT = frozenset({"ngx_http_geoip_module", "ngx_stream_geoip_module"})
"""Modules without which their variables are free to be defined."""


@reads("return", by_words=True)
def http_return(use: Use) -> Iterator[Mistake]:
    """``return code [text]`` or ``return URL``."""
    code = use.args[0]
    if not (code.isascii() and code.isdigit()):
        if len(use.args) == 1 and code.startswith(ABSOLUTE):
            yield from script(use, code)
        else:
            yield invalid(
                code,
                f'invalid status code "{code}"',
                "Write a code from 0 to 999 first; a URL alone must begin with http://, https:// or $scheme.",
            )
        return
    if int(code) > 999:
        yield invalid(code, f"the status code {code} is above 999")
    for text in use.args[1:]:
        yield from script(use, text)


@reads("return", family="stream")
def stream_return(use: Use) -> Iterator[Mistake]:
    """``return value``."""
    yield from script(use, use.args[0])


@reads("rewrite", by_words=True)
def rewrite(use: Use) -> Iterator[Mistake]:
    """``rewrite regex replacement [flag]``."""
    pattern, replacement, *flags = use.args
    yield from expression(use, pattern)
    if not replacement:
        yield invalid(replacement, "the replacement of a rewrite cannot be empty")
    yield from script(use, replacement)
    for flag in flags:
        if flag not in REWRITE_FLAGS:
            yield misspelt(flag, f'invalid rewrite flag "{flag}"', str(flag), REWRITE_FLAGS)


@reads("set", family="http stream")
def set_variable(use: Use) -> Iterator[Mistake]:
    """``set $variable value``."""
    yield from name_after_dollar(use, use.args[0])
    yield from script(use, use.args[1])
    yield from definition(use, use.args[0], use.args[0][1:])


@reads("auth_request_set")
def auth_request_set(use: Use) -> Iterator[Mistake]:
    """``auth_request_set $variable value``."""
    yield from set_variable(use)


def definition(use: Use, token: Token, name: str) -> Iterator[Mistake]:
    """A variable of nginx itself cannot be defined again, with few exceptions."""
    fact = variable(name.lower(), use.family)
    if fact is None or fact.prefix or name.lower() in CHANGEABLE or name.lower() in NEVER_DEFINED:
        return
    if fact.available(use.load.target) is not Availability.YES or fact.module in MAYBE_NOT_BUILT:
        return
    yield Mistake(
        "set-builtin-variable",
        f'the duplicate "{name}" variable: built-in variables cannot be set',
        token,
        "Use another name.",
    )


@reads("if")
def condition(use: Use) -> Iterator[Mistake]:
    """``if (condition)``; the parentheses belong to the first and the last word."""
    words = list(use.args)
    if not words[0].startswith("(") or not words[-1].endswith(")"):
        yield _condition(words[0], "the condition must be in parentheses", _parenthesised)
        return
    texts = [str(word) for word in words]
    texts[0] = texts[0][1:]
    texts[-1] = texts[-1][:-1]
    pairs = [
        (text, word)
        for number, (text, word) in enumerate(zip(texts, words, strict=True))
        if text or not (number in (0, len(words) - 1) and len(word) == 1)
    ]
    if len(words) == 1 and len(words[0]) < 3:
        pairs = []
    if not pairs:
        yield _condition(words[0], "the condition is empty")
        return
    yield from _judge(use, [text for text, _ in pairs], [word for _, word in pairs])


def _judge(use: Use, texts: list[str], words: list[Token]) -> Iterator[Mistake]:
    first = texts[0]
    if len(first) > 1 and first.startswith("$"):
        if len(texts) not in (1, 3):
            yield _condition(words[0], f'"{" ".join(texts)}" is not a single comparison')
            return
        yield from _operand(use, first, words[0])
        if len(texts) == 3:
            yield from _comparison(use, texts, words)
    elif len(first) in (2, 3) and first.lstrip("!").startswith("-"):
        if len(texts) != 2:
            yield _condition(words[0], f'"{first}" needs exactly one path')
        elif first not in _FILE_TESTS:
            yield _condition(words[0], f'invalid file test "{first}"')
        else:
            yield from script(use, words[1], texts[1])
    else:
        yield _condition(words[0], f'"{first}" cannot begin a condition')


def _operand(use: Use, text: str, word: Token) -> Iterator[Mistake]:
    name = text[1:]
    plain = name.isascii() and name.replace("_", "a").isalnum()
    fact = None if plain else variable(name.lower(), use.family)
    if fact is not None and fact.prefix:
        yield from _named_by_client(word, text, fact.name)
    elif not plain:
        message = f'invalid variable name "{text}": spaces around the operator are missing'
        yield _condition(word, message, partial(_spaced, word))
    else:
        uses(use, name, word)


def _named_by_client(word: Token, text: str, prefix: str) -> Iterator[Mistake]:
    """A variable such as ``$arg_go-get``, whose name is the one of an argument, a cookie or a header.

    Every name is read; that of an argument or cookie may have any character but those that end it, while nginx
    looks for a header with underscores in the place of its dashes (``ngx_http_variable_unknown_header``).
    """
    signs = compiled(_NEVER_IN_ARGUMENT if prefix in ("arg_", "cookie_") else _NEVER_IN_HEADER)
    if signs.search(text[1:]):
        message = f'"{text}" is read as one variable name, which is always empty'
        yield Mistake(
            _CONDITION,
            message,
            word,
            _SHAPES,
            rejected=False,
            severity=Severity.WARNING,
            make_fix=partial(_spaced, word),
            why="nginx loads the configuration, and the condition is always false.",
        )


def _comparison(use: Use, texts: list[str], words: list[Token]) -> Iterator[Mistake]:
    operator, value = texts[1], texts[2]
    if operator in REGEX_OPERATORS:
        yield from expression(use, words[2], value)
    elif operator in ("=", "!="):
        yield from script(use, words[2], value)
    else:
        meant = _OTHER_LANGUAGES.get(operator)
        remedy = f'nginx writes it "{meant}".' if meant else _SHAPES
        make_fix = replaced_by(words[1], meant) if meant else None
        yield Mistake(_CONDITION, f'invalid operator "{operator}"', words[1], remedy, make_fix=make_fix)


def _condition(word: Token, message: str, make_fix: FixIn | None = None) -> Mistake:
    return Mistake(_CONDITION, message, word, _SHAPES, make_fix=make_fix)


def _spaced(word: Token, node: Directive) -> Edits:
    """Spaces around the operator of a condition that is written as one word."""
    found = compiled(_GLUED).fullmatch(edits.written(node, word)) if len(node.args) == 1 else None
    if found is None:
        return None
    operator = _OTHER_LANGUAGES.get(found[2], found[2])
    return (edits.exchanged(node, word, f"({found[1]} {operator} {found[3]})"),)


def _parenthesised(node: Directive) -> Edits:
    """Parentheses around a condition that has none."""
    first, last = node.args[0], node.args[-1]
    words = [edits.written(node, token) for token in node.args]
    if len(words) not in (1, 3) or not first.startswith("$") or any(map({"(", ")"}.intersection, words)):
        return None
    return (
        edits.replaced(node.source, first.start, first.start, "("),
        edits.replaced(node.source, last.end, last.end, ")"),
    )
