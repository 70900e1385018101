"""What in a configuration is a secret, by its form or by its name: the one place that knows.

Everything that shows a configuration, or words of it, asks here; so does the rule that reports secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets.forms import known_forms
from nginxaudit.nginx.secrets.named import named_secrets
from nginxaudit.nginx.secrets.names import Kind, is_personal, kind_of

__all__ = [
    "MASK",
    "Kind",
    "evident_secrets",
    "is_dummy",
    "is_personal",
    "kind_of",
    "mask_secrets",
    "mask_spans",
    "secrets_in",
]

MASK = "*"
_LEAST_EVIDENT = 6  # characters: shorter values under a name are masked, but not reported
_SUSPECT = r"[=@]|[:,(] ?[\"']|[A-Za-z0-9_+/-]{16}|(?i:basic|bearer|token|negotiate) |\{[A-Z]|\$[\dap]"  # in a sentence
_DUMMY = (
    r"(?P<same>.)(?P=same)*\Z|.*(?:your|change|replace|example|dummy|sample|placeholder|redacted|insert|todo|xxxx|\*\*\*|\.\.\.)"
    r"|(?:test|secret|password|passwd|token|key|none|null|true|false)\d*\Z"
    r"|my[-_][a-z_-]*(?:secret|password|passwd|token|key)\Z"
)


class Secret(NamedTuple):
    """Where in a text a secret is (0-based, end exclusive), and whether it plainly is one or is masked to be on the safe side."""

    start: int
    end: int
    evident: bool


def read_secrets(text: str, *, prose: bool = False) -> Sequence[Secret]:
    """The secrets in ``text``, in order and apart; variables, placeholders and paths are none.

    ``text`` is a configuration or a part of it; with ``prose`` a sentence that may quote one.
    """
    if prose and compiled(_SUSPECT).search(text) is None:
        return ()
    low = lowered(text)
    found = [Secret(first, last, True) for first, last in known_forms(text, low)]
    for first, last, kind in named_secrets(text, low, prose=prose):
        found.append(Secret(first, last, kind is Kind.SECRET and last - first >= _LEAST_EVIDENT))
    found.sort()
    result: list[Secret] = []
    for secret in found:
        before = result[-1] if result else Secret(0, 0, False)
        if secret.start >= before.end:
            result.append(secret)
        else:
            result[-1] = Secret(before.start, max(before.end, secret.end), before.evident or secret.evident)
    return result


def secrets_in(text: str, *, prose: bool = False) -> Sequence[tuple[int, int]]:
    """Offsets of what `read_secrets` finds."""
    return [secret[:2] for secret in read_secrets(text, prose=prose)]


def lowered(text: str) -> str:
    """``text`` in lower case, every character at its place: the capital I with a dot has two lower ones."""
    return text.replace("\u0130", "I").lower()


def is_dummy(value: str) -> bool:
    """Whether a value is plainly no real secret: a word to be replaced, one character repeated."""
    return compiled(_DUMMY, re.IGNORECASE).match(value) is not None


def mask_secrets(text: str, *, prose: bool = False) -> str:
    """``text`` with every character of its secrets replaced by ``*``: its length and its lines stay the same."""
    return mask_spans(text, secrets_in(text, prose=prose))


def mask_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """``text`` with the characters of ``spans``, which are in order and apart, replaced by ``*``; line ends stay."""
    parts: list[str] = []
    at = 0
    for first, last in spans:
        parts += [text[at:first], compiled(r"[^\r\n]").sub(MASK, text[first:last])]
        at = last
    return "".join([*parts, text[at:]]) if parts else text
