"""What in a line of a configuration is a secret: known forms of tokens, and words that secrets follow.

No guessing by entropy. Prefixes of tokens are the ones their issuers publish for secret scanners
(docs.github.com "Supported secret scanning patterns", docs.gitlab.com "Token prefixes", AWS IAM "Unique
identifiers", Slack "Token types", Stripe "API keys"); ``Basic`` and ``Bearer`` are RFC 7617 and RFC 6750;
JWT is RFC 7519.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

MASK = "*"

_VALUE = r"[^\s\"';{}&$<>()]"
_FORMS = r"""
      \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | \bgh[pousr]_[A-Za-z0-9]{30,}
    | \bgithub_pat_[A-Za-z0-9_]{30,}
    | \bglpat-[A-Za-z0-9_\-]{20,}
    | \bxox[abprs]-[A-Za-z0-9-]{10,}
    | \b[sr]k_live_[A-Za-z0-9]{16,}
    | \bAIza[0-9A-Za-z_\-]{35}\b
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | ^[ \t]*[A-Za-z0-9+/]{60,76}={0,2}[ \t]*$  # a line of a PEM
    | -----BEGIN[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY-----[^"']*
    """
_AFTER = rf"""
      \b(?:Basic|Bearer|Token|ApiKey)[ \t]+(?P<scheme>(?-i:(?=[a-z_-]*[A-Z0-9=]))[A-Za-z0-9+/=._~-]{{8,}})
    | ://[^\s/:@"'$\[]*:(?P<url>(?:(?!/){_VALUE})+?)@
    | [?&](?:api[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret|secret|passw(?:or)?d|token|key)=(?P<query>{_VALUE}{{6,}})
    | \bclient_secret["']?\s*[=:\s]\s*["']?(?P<client>{_VALUE}{{6,}})
    | \b(?:X-)?(?:api|access|auth|secret|private)-?(?:key|token|secret)["']?[ \t]+["']?(?P<header>{_VALUE}{{8,}})
    | \$\w*(?:secret|passw(?:or)?d|api_?key|auth_?token|access_?token|private_?key)["']?[ \t]+["']?(?P<variable>{_VALUE}{{6,}})
    | \b(?:secure_link_secret|auth_basic_password|redis_pass)[ \t]+["']?(?P<directive>{_VALUE}+)
    """
# Nearly all texts have none of these: looking for words is ten times as fast as the expressions.
_HINTS = (
    "key", "token", "secret", "passw", "basic", "bearer", "@", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "github_pat", "glpat-", "xox", "k_live_", "aiza", "eyj", "redis_pass",
)  # fmt: skip
_PEM = r"^[ \t]*[A-Za-z0-9+/]{60}"
_DUMMY = (
    r"(?P<same>.)(?P=same)*\Z|.*(?:your|change|replace|example|dummy|sample|placeholder|redacted|insert|todo|xxxx|\*\*\*|\.\.\.)"
    r"|(?:test|secret|password|passwd|token|key|none|null|true|false)\d*\Z"
)
_PATH = r"(?:/|\.{1,2}/|[A-Za-z]:\\)[\w./-]+\Z|[\w./-]+\.(?:pem|key|crt|jwk|json|txt)\Z"


@cache
def _expression(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The expression, compiled when it is needed: most runs need none."""
    return re.compile(pattern, flags)


def secrets_in(text: str) -> Sequence[tuple[int, int]]:
    """Offsets (0-based, end exclusive) of secrets in ``text``, in order; variables, placeholders and paths are none."""
    return _spans(text) if _has_hint(text.lower()) or _has_pem(text) else ()


def _has_hint(low: str) -> bool:
    for hint in _HINTS:  # noqa: SIM110 - asked for every text of a report: any() takes twice as long
        if hint in low:
            return True
    return False


def _has_pem(text: str) -> bool:
    return (
        len(text) >= 60
        and max(map(len, text.split()), default=0) >= 60
        and bool(_expression(_PEM, re.MULTILINE).search(text))
    )


def _spans(text: str) -> list[tuple[int, int]]:
    found = [match.span() for match in _expression(_FORMS, re.VERBOSE | re.MULTILINE).finditer(text)]
    for match in _expression(_AFTER, re.VERBOSE | re.IGNORECASE).finditer(text):
        name = match.lastgroup or ""
        if not _expression(_PATH).match(match[name]):
            found.append(match.span(name))
    spans: list[tuple[int, int]] = []
    end = 0
    for first, last in sorted(found):
        if last > end:
            spans.append((max(first, end), last))
            end = last
    return spans


def is_dummy(value: str) -> bool:
    """Whether a value is plainly no real secret: a word to be replaced, one character repeated."""
    return _expression(_DUMMY, re.IGNORECASE).match(value) is not None


def mask_secrets(text: str) -> str:
    """``text`` with every character of its secrets replaced by ``*``: its length and its lines stay the same."""
    parts: list[str] = []
    at = 0
    for first, last in secrets_in(text):
        parts += [text[at:first], re.sub(r"[^\r\n]", MASK, text[first:last])]
        at = last
    return "".join([*parts, text[at:]]) if parts else text
