"""Headers for browsers whose value they do not understand, or that allow everything."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping

from msgspec import Struct

from nginxaudit.checks.headers.values import added
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.syntax.tree import Directive, Token

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
    for sent in _sent(ctx, (*_WORDS, _POLICY, "permissions-policy")):
        for value in sent.values(ctx):
            problem, remedy, why = next(_problems(sent.name.lower(), value), ("", "", ""))
            if problem:
                place = arg(sent.node, sent.token)
                yield Hit(place, f"{sent.name}: {problem}", sent.node, help=remedy, why=why)
                break


class _Sent(Struct, frozen=True):
    """A header that a directive adds to responses, and the argument that has its value."""

    node: Directive
    name: str
    text: str
    token: Token

    def values(self, ctx: CheckContext) -> list[str]:
        """The values that are known."""
        return sorted(ctx.model.possible_values(self.text, self.node).constants)


def _sent(ctx: CheckContext, headers: Container[str]) -> Iterator[_Sent]:
    """What ``add_header`` and, of headers-more, ``more_set_headers`` send of ``headers`` (in lower case)."""
    for node in added(ctx):
        if node.args[0].lower() in headers:
            yield _Sent(node, node.args[0], str(node.args[1]), node.args[1])
    for node in ctx.model.config.named("more_set_headers"):
        for token in node.args:
            name, colon, text = token.partition(":")
            if colon and name.strip().lower() in headers:
                yield _Sent(node, name.strip(), text.strip(), token)


def _problems(header: str, value: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a value, the remedy, and why it matters where that is not the usual reason."""
    if not value.strip():
        return  # nginx sends no header then
    if header == _POLICY:
        yield from _of_policy(value)
    elif header == "permissions-policy":
        if "=" not in value:
            yield (
                "browsers ignore the Feature-Policy syntax: all features stay allowed",
                "Write feature=() or feature=(self), separated by commas.",
                "",
            )
    else:
        known = {word.lower() for word in _WORDS[header]}
        words = [each.partition(";")[0].strip().lower() for each in value.split(",")]
        if header == "x-frame-options" and words[0].startswith("allow-from"):
            return  # a rule of its own
        if header == "referrer-policy" and [word for word in words if word in known][-1:] == ["unsafe-url"]:
            yield (
                "unsafe-url sends the full address of the page, with its arguments, to every other site",
                "Use strict-origin-when-cross-origin, or no-referrer.",
                "The address can contain session identifiers, tokens and search terms.",
            )
        if not known & set(words):
            yield (
                f'browsers ignore the value "{value}": the header has no effect',
                f"Use a valid value: {', '.join(_WORDS[header])}.",
                "",
            )


def _of_policy(value: str) -> Iterator[tuple[str, str, str]]:
    """The mistakes of a Content-Security-Policy."""
    directives = _directives(value)
    for name, words in directives.items():
        if name and name not in _SOURCES and name not in _OTHERS:
            yield f'browsers ignore the unknown directive "{name}"', "Correct its name.", ""
        keyword = next((word for word in words if name in _SOURCES and _KEYWORDS.fullmatch(word)), None)
        if keyword is not None:
            yield (
                f"{keyword} without quotes is a host name, not a keyword",
                f"Write '{keyword}', with single quotes.",
                f"Browsers look for a host called {keyword}: the keyword has no effect.",
            )
    anything = next((word for word in _scripts(directives) if word.lower() in _ANYTHING), None)
    if anything is not None and anything.lower() == "data:":
        yield (
            "data: allows scripts in data: URLs: injected scripts are not blocked",
            "Delete data: from the sources of scripts.",
            "An attacker who can inject HTML writes the whole script into the address.",
        )
    elif anything is not None:
        yield (
            f"{anything} allows scripts from any host: injected scripts are not blocked",
            "List the hosts, or use nonces.",
            "An attacker who can inject HTML loads a script from a host of their choice.",
        )
    if "*" in directives.get("frame-ancestors", ()):
        yield (
            "frame-ancestors * lets every site embed the page (clickjacking)",
            "Write frame-ancestors 'self', or list the sites.",
            "Another site can show the page in an invisible frame and make visitors click in it.",
        )


_ANYTHING = frozenset({"*", "http:", "https:", "data:"})


def _scripts(directives: Mapping[str, list[str]]) -> list[str]:
    """Sources of scripts that count: none beside ``strict-dynamic``."""
    scripts = directives.get("script-src", directives.get("default-src", []))
    return [] if any(word.lower() == "'strict-dynamic'" for word in scripts) else scripts


def csp_unsafe_inline(ctx: CheckContext) -> Iterable[Hit]:
    """Policies that permit inline scripts, or ``eval``."""
    for sent in _sent(ctx, (_POLICY,)):
        for value in sent.values(ctx):
            words = [word.lower() for word in _scripts(_directives(value))]
            unsafe = [word for word in ("'unsafe-inline'", "'unsafe-eval'") if word in words]
            if any(word.startswith(("'nonce-", "'sha")) for word in words):
                unsafe = [word for word in unsafe if word != "'unsafe-inline'"]  # it is ignored then
            if unsafe:
                effect = "inline scripts" if unsafe[0] == "'unsafe-inline'" else "eval() of text"
                yield Hit(
                    arg(sent.node, sent.token),
                    f"{sent.name} allows {effect} ({unsafe[0]}): injected scripts can run",
                    sent.node,
                    help="Use nonces or hashes for the scripts of the page.",
                )
                break


def _directives(value: str) -> dict[str, list[str]]:
    """The directives of a Content-Security-Policy; of equal ones the first."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"[;,]", value):
        name, *words = part.split() or [""]
        found.setdefault(name.lower(), words)
    return found
