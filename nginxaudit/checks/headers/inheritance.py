"""Headers that nginx adds: which are lost, doubled, or cannot be sent as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, listed, name_of, whole
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Directive

SECURITY = frozenset(
    {
        "content-security-policy", "strict-transport-security", "x-frame-options", "x-content-type-options",
        "referrer-policy", "permissions-policy", "cross-origin-opener-policy", "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
    }
)  # fmt: skip
_PROTECTIVE = {"cache-control": ("no-store", "private"), "content-disposition": ("attachment",)}
_ADDED = ("add_header", "add_trailer")
_HIDES = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc")
_ANSWERS = ("return", "rewrite")


def add_header_inheritance(ctx: CheckContext) -> Iterable[Hit]:
    """A block with an ``add_header`` of its own loses all those of the blocks around it."""
    for name in _ADDED:
        blocks = dict.fromkeys(
            node.parent for node in ctx.model.config.named(name) if node.parent is not None
        )
        for block in blocks:
            if block.inner in ("server", "location", "if-in-location"):
                yield from _lost(ctx.model, block, name)


def _lost(model: Model, block: Directive, name: str) -> Iterator[Hit]:
    outer = block.parent
    if outer is None or merges(block, name):
        return
    own = {node.args[0].lower() for node in block.named(name) if node.args}
    dropped = [node for node in model.effective(outer, name) if node.args and node.args[0].lower() not in own]
    if not dropped:
        return
    serious = any(map(_is_serious, dropped)) and not any(block.first(each) for each in _ANSWERS)
    names = listed(list(dict.fromkeys(str(node.args[0]) for node in dropped)), limit=5)
    yield Hit(
        name_of(block),
        f"this block has an {name} of its own, so it sends none of the outer ones: {names}",
        block,
        related=(
            *((("the one of its own", whole(block.named(name)[0])),)),
            *(("not sent here", whole(node)) for node in dropped[:5]),
        ),
        severity=None if serious else Severity.INFO,
        help=f"Repeat them here, or (nginx 1.29.3) write {name}_inherit merge;",
    )


def merges(block: Directive, name: str) -> bool:
    """Whether the mode in effect keeps the outer lines, or drops them on purpose."""
    at: Directive | None = block
    while at is not None:
        mode = at.first(f"{name}_inherit")
        if mode is not None and mode.args:
            return mode.args[0] in ("merge", "off")
        at = at.parent
    return False


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
                        f"the value of {node.args[0]} goes over several lines: HTTP/2 and many proxies refuse such a header",
                        node,
                        help="Write it on one line, or build it from variables.",
                    )


def add_header_content_type(ctx: CheckContext) -> Iterable[Hit]:
    """A second Content-Type beside the one nginx sends."""
    for node in ctx.model.config.named("add_header"):
        if not node.args or node.args[0].lower() != "content-type" or node.parent is None:
            continue
        hidden = any(
            "content-type" in (word.lower() for word in hide.args)
            for protocol in _HIDES
            for hide in ctx.model.effective(node.parent, f"{protocol}_hide_header")
        )
        if not hidden:
            yield Hit(
                whole(node),
                "nginx sends a Content-Type anyway: the response has two of them",
                node,
                help="Use default_type or types, or hide the one of the backend.",
            )
