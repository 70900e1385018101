"""Headers that nginx adds: which are lost, doubled, or cannot be sent as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.inherited import again, merges
from nginxaudit.checks.routing.serving import always_returns
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.nginx.names import ANSWERING, REDIRECTS
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive, Token

SECURITY = frozenset(
    {
        "content-security-policy", "strict-transport-security", "x-frame-options", "x-content-type-options",
        "referrer-policy", "permissions-policy", "cross-origin-opener-policy", "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
    }
)  # fmt: skip
_PROTECTIVE = {"cache-control": ("no-store", "private"), "content-disposition": ("attachment",)}
_REMEMBERED = frozenset({"alt-svc"})
"""Headers that a client keeps for the whole origin: one response that has it is enough."""
_ADDED = ("add_header", "add_trailer")
_ANSWERS = ("return", "rewrite")
_GAP = r"(?s)\\[^nrt]|(?P<gap>(?:[ \t\r\n]|\\[nrt])++)"
_BREAK = r"[\r\n]|\\[nr]"


def add_header_inheritance(ctx: CheckContext) -> Iterable[Hit]:
    """A block with an ``add_header`` of its own loses all those of the blocks around it."""
    for name in _ADDED:
        blocks = dict.fromkeys(
            node.parent for node in ctx.model.config.named(name) if node.parent is not None
        )
        for block in blocks:
            if block.inner in ("server", "location", "if-in-location"):
                yield from _lost(ctx, block, name)


def _lost(ctx: CheckContext, block: Directive, name: str) -> Iterator[Hit]:
    model = ctx.model
    outer = block.parent
    if outer is None or merges(block, name):
        return
    dropped = unlike_own(model, block, name)
    if all(node.args[0].lower() in _REMEMBERED for node in dropped):
        return
    if not dropped:
        return
    from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

    serious = any(map(_is_serious, dropped)) and not any(block.first(each) for each in _ANSWERS)
    names = listed(list(dict.fromkeys(str(node.args[0]) for node in dropped)), limit=5)
    yield Hit(
        name_of(block),
        f"{name} here drops the inherited headers: {names}",
        block,
        related=(
            (f"{name} of this block", whole(block.named(name)[0])),
            *(("this line is dropped", whole(node)) for node in dropped[:5]),
        ),
        severity=None if serious else Severity.INFO,
        help=f"Repeat them here, or write {name}_inherit merge; (nginx 1.29.3).",
        make_fix=partial(again, block, name, model, unlike_own),
        witness=shortfalls.not_added(ctx, block, block.named(name)[0], dropped[0]),
    )


def unlike_own(model: Model, block: Directive, name: str) -> list[Directive]:
    """Outer headers of which ``block`` has none with the same name."""
    if block.parent is None:
        return []
    own = {node.args[0].lower() for node in block.named(name) if node.args}
    return [
        node for node in model.effective(block.parent, name) if node.args and node.args[0].lower() not in own
    ]


def _is_serious(node: Directive) -> bool:
    header = node.args[0].lower()
    value = node.args[1].lower() if len(node.args) > 1 else ""
    return header in SECURITY or any(word in value for word in _PROTECTIVE.get(header, ()))


def multiline_header_value(ctx: CheckContext) -> Iterable[Hit]:
    """A line break inside the value of a header."""
    for name in (*_ADDED, "proxy_set_header", "grpc_set_header"):
        for node in ctx.model.config.named(name):
            for token in node.args[1:2]:
                if "\n" in token or "\r" in token:
                    yield Hit(
                        arg(node, token),
                        f"value of {node.args[0]} spans several lines: HTTP/2 and many proxies reject such headers",
                        node,
                        help="Write the value on one line, or build it from variables.",
                        make_fix=partial(_joined, node, token),
                    )
    for name in ("more_set_headers", "more_set_input_headers"):
        for node in ctx.model.config.named(name):
            for token in node.args:
                header, colon, value = token.partition(":")
                if colon and ("\n" in value or "\r" in value):
                    yield Hit(
                        arg(node, token),
                        f"value of {header} spans several lines: HTTP/2 and many proxies reject such headers",
                        node,
                        help="Write the value on one line, or build it from variables.",
                    )


def _joined(node: Directive, token: Token) -> Edits:
    """The value on one line, with a space for each break; not where a line of it looks like a comment."""
    if not token.quoted or re.search(r"[\r\n][ \t]*#", token):
        return None
    text = edits.written(node, token)
    body = compiled(_GAP).sub(_space, text[1:-1])
    return (edits.exchanged(node, token, f"{text[0]}{body}{text[-1]}"),)


def _space(found: re.Match[str]) -> str:
    if found["gap"] is None or not compiled(_BREAK).search(found["gap"]):
        return found[0]
    return "" if found.start() == 0 or found.end() == len(found.string) else " "


def add_header_content_type(ctx: CheckContext) -> Iterable[Hit]:
    """A second Content-Type beside the one nginx sends."""
    for node in ctx.model.config.named("add_header"):
        if not node.args or node.args[0].lower() != "content-type" or node.parent is None:
            continue
        hidden = any(
            "content-type" in (word.lower() for word in hide.args)
            for protocol in ANSWERING
            for hide in ctx.model.effective(node.parent, f"{protocol}_hide_header")
        )
        if not hidden and not _answers_204(node.parent):
            hit = Hit(
                whole(node),
                "add_header adds a second Content-Type to the response",
                node,
                help="Use default_type or types, or hide the Content-Type of the backend.",
                make_fix=partial(_default_type, node, node.parent),
            )
            passed_on = any(each.protocol in ANSWERING for each in ctx.model.passes_in(node.parent))
            assumed = passed_on and ctx.model.may_be_set(node.parent, "proxy_hide_header")
            yield unless(assumed, "an enclosing block hides that of the backend", hit)


def _answers_204(block: Directive) -> bool:
    """Whether every response of a block is 204, which has no Content-Type of nginx."""
    answer = block.first("return")
    return answer is not None and answer.args[:1] == ["204"] and always_returns(block)


def _default_type(node: Directive, block: Directive) -> Edits:
    """``default_type``, where the block itself answers with a text; the types of files go by their names."""
    if block.inner not in ("server", "location") or len(node.args) < 2 or "$" in node.args[1]:
        return None
    answer = block.first("return")
    texts = answer is not None and len(answer.args) == 2 and answer.args[0] not in REDIRECTS
    if not texts or block.first("default_type") or not edits.on_one_line(node):
        return None
    return (edits.rewritten(node, f"default_type {edits.written(node, node.args[1])}"),)
