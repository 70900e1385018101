"""Headers for browsers whose value they do not understand, or that allow everything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nginxaudit.checks.headers.values import added
from nginxaudit.hit import CheckContext, Hit, arg

_WORDS = {
    "x-frame-options": ("DENY", "SAMEORIGIN"),
    "x-content-type-options": ("nosniff",),
    "referrer-policy": (
        "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin",
        "strict-origin-when-cross-origin", "unsafe-url",
    ),
    "cross-origin-opener-policy": ("unsafe-none", "same-origin", "same-origin-allow-popups", "noopener-allow-popups"),
    "cross-origin-embedder-policy": ("unsafe-none", "require-corp", "credentialless"),
    "cross-origin-resource-policy": ("same-origin", "same-site", "cross-origin"),
}  # fmt: skip
_POLICY = "content-security-policy"
_KEYWORDS = re.compile(
    r"(?i)(self|none|unsafe-inline|unsafe-eval|unsafe-hashes|strict-dynamic|report-sample|wasm-unsafe-eval"
    r"|nonce-\S+|sha(256|384|512)-\S+)"
)
_SOURCES = frozenset(
    {
        "child-src", "connect-src", "default-src", "fenced-frame-src", "font-src", "frame-src", "img-src", "manifest-src",
        "media-src", "object-src", "prefetch-src", "script-src", "script-src-attr", "script-src-elem", "style-src",
        "style-src-attr", "style-src-elem", "worker-src", "base-uri", "form-action", "frame-ancestors", "navigate-to",
    }
)  # fmt: skip
_OTHERS = frozenset(
    {
        "block-all-mixed-content", "plugin-types", "referrer", "reflected-xss", "report-to", "report-uri", "require-sri-for",
        "require-trusted-types-for", "sandbox", "trusted-types", "upgrade-insecure-requests", "webrtc",
    }
)  # fmt: skip


def security_header_invalid(ctx: CheckContext) -> Iterable[Hit]:
    """Values that browsers ignore, or that permit what the header is to forbid."""
    for node in added(ctx):
        header = node.args[0].lower()
        if header not in _WORDS and header not in (_POLICY, "permissions-policy"):
            continue
        values = ctx.model.possible_values(str(node.args[1]), node).constants
        for value in sorted(values):
            problem, remedy = next(_problems(header, value), ("", ""))
            if problem:
                yield Hit(arg(node, node.args[1]), f"{node.args[0]}: {problem}", node, help=remedy)
                break


def _problems(header: str, value: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a value, and the remedy."""
    if not value.strip():
        return  # nginx sends no header then
    if header == _POLICY:
        yield from _of_policy(value)
    elif header == "permissions-policy":
        if "=" not in value:
            yield (
                "browsers ignore the Feature-Policy syntax: all features stay allowed",
                "Write feature=() or feature=(self), separated by commas.",
            )
    else:
        known = {word.lower() for word in _WORDS[header]}
        words = [each.partition(";")[0].strip().lower() for each in value.split(",")]
        if header == "x-frame-options" and words[0].startswith("allow-from"):
            return  # a rule of its own
        if not known & set(words):
            yield (
                f'browsers ignore the value "{value}": the header has no effect',
                f"Use a valid value: {', '.join(_WORDS[header])}.",
            )


def _of_policy(value: str) -> Iterator[tuple[str, str]]:
    """The mistakes of a Content-Security-Policy."""
    directives: dict[str, list[str]] = {}
    for part in re.split(r"[;,]", value):
        name, *words = part.split() or [""]
        directives.setdefault(name.lower(), words)
    for name, words in directives.items():
        if name and name not in _SOURCES and name not in _OTHERS:
            yield f'browsers ignore the unknown directive "{name}"', "Correct its name."
        keyword = next((word for word in words if name in _SOURCES and _KEYWORDS.fullmatch(word)), None)
        if keyword is not None:
            yield (
                f"{keyword} without quotes is a host name, not a keyword",
                f"Write '{keyword}', with single quotes.",
            )
    scripts = directives.get("script-src", directives.get("default-src", ()))
    if "*" in scripts and not any(word.lower() == "'strict-dynamic'" for word in scripts):
        yield (
            "* allows scripts from any host: injected scripts are not blocked",
            "List the hosts, or use nonces.",
        )
