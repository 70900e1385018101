"""Which parts of a value are secret: what is written out, without variables, placeholders, paths and plain words."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets.names import Kind

Spans = Iterator[tuple[int, int]]

_VARIABLE = r"(?:\$\{\w+\}|\$[A-Za-z_]\w*)+|\{\{[^{}]*\}\}|<%[^<>%]*%>|%\(\w+\)s|@@\w+@@|__[A-Z][A-Z0-9_]*__|\$\{[^{}$]*\}"
_APART = rf"(?<![A-Za-z0-9]){_VARIABLE}"
_PLAIN = frozenset(
    {
        "", "0", "1", "on", "off", "true", "false", "yes", "no", "none", "null", "nil", "default", "self", "always", "unset",
        "undefined", "optional", "required", "enabled", "disabled", "deny", "allow", "any", "all", "basic", "bearer", "include",
        "omit", "same-origin",
    }
)  # fmt: skip
_PLACE = (
    r"(?:/|\.{1,2}/)?(?:[\w@.-]+/)*[\w@.-]+\.(?:pem|key|crt|cer|der|p12|jwks?|json|txt|conf|htpasswd|pass|secret|env|ya?ml|js|lua|sock)\Z"
    r"|/(?:etc|var|usr|run|srv|opt|home|tmp|root|mnt|data|app|ssl|certs?|secrets?|proc|dev|conf|nginx|www)(?:/[\w@.-]*)*\Z"
    r"|[a-z][a-z0-9+]*://|unix:"
)
_SCHEME = r"\s*\"?\s*(?:(?:Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|Hawk|JWT|OAuth|SSWS)\b|[A-Za-z][\w-]{1,24}(?=\s))[\s,;]*"
_PAIR = r"(?<![^\s=;,\"'])([^\s=;,\"']++)=([^;\s\"']*)"  # from the begin of a word only: one without = is read once
_ATTRIBUTES = frozenset({"path", "domain", "expires", "max-age", "samesite", "priority"})
_REGEX = r"\[[^\]]*+\]?|\(\?[^)>]*>?|\\.|[A-Za-z0-9+/=_-]{4,}"


def secret_parts(text: str, start: int, end: int, kind: Kind, *, is_regex: bool = False) -> Spans:
    """Offsets of what is secret in the value from ``start`` to ``end`` of ``text``."""
    if kind is Kind.AUTHORIZATION:
        scheme = compiled(_SCHEME).match(text, start, end)
        start = scheme.end() if scheme else start
    if is_regex:
        yield from _pairs(text, start, end) if kind is Kind.COOKIE else _of_regex(text, start, end)
    elif kind is Kind.COOKIE:
        yield from _of_cookie(text, start, end)
    else:
        yield from written_out(text, start, end)


def written_out(text: str, start: int, end: int, *, joined: bool = False) -> Spans:
    """What is no variable and no placeholder.

    A variable directly behind letters is a part of the secret, as ``S3cr$t`` is a mistake in a password, unless ``joined``.
    """
    value = text[start:end]
    if value.lower() in _PLAIN or compiled(_PLACE).match(value):
        return
    at = start
    for match in compiled(_VARIABLE if joined else _APART).finditer(text, start, end):
        yield from _literal(text, at, match.start())
        at = match.end()
    yield from _literal(text, at, end)


def _literal(text: str, start: int, end: int) -> Spans:
    """A part between variables, if there is a letter or a digit in it."""
    part = text[start:end]
    if any(map(str.isalnum, part)):
        yield start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _of_cookie(text: str, start: int, end: int) -> Spans:
    value = text[start:end]
    if "=" in value or not any(map(str.isdigit, value)) or " " in value.strip():
        yield from _pairs(text, start, end)
    else:
        yield from written_out(text, start, end)


def _pairs(text: str, start: int, end: int) -> Spans:
    """The values of cookies, without what is said about them."""
    for match in compiled(_PAIR).finditer(text[start:end]):
        if match[1].lower() not in _ATTRIBUTES:
            yield from written_out(text, start + match.start(2), start + match.end(2))


def _of_regex(text: str, start: int, end: int) -> Spans:
    """The words that a regular expression looks for."""
    for match in compiled(_REGEX).finditer(text, start, end):
        if match[0][0] not in "[(\\" and match[0].lower() not in _PLAIN:
            yield match.span()
