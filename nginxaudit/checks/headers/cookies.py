"""Cookies that nginx itself sets, or whose protection it removes."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg

_FLAGS = ("secure", "httponly")


def cookie_without_flags(ctx: CheckContext) -> Iterable[Hit]:
    """Set-Cookie headers without Secure or HttpOnly, and ``proxy_cookie_flags`` that take them away."""
    for node in ctx.model.config.named("add_header"):
        if len(node.args) < 2 or node.args[0].lower() != "set-cookie" or node.args[1].startswith("$"):
            continue
        attributes = {part.strip().lower() for part in node.args[1].split(";")[1:]}
        missing = [flag for flag in _FLAGS if flag not in attributes and "$" not in "".join(attributes)]
        if missing:
            yield Hit(
                arg(node, node.args[1]),
                f"the cookie is set without {' and '.join(_NAMES[flag] for flag in missing)}",
                node,
                help="Add the attributes after the value: ; Secure; HttpOnly.",
                why=_why(missing),
            )
    for node in ctx.model.config.named("proxy_cookie_flags"):
        removed = [token for token in node.args[1:] if token in ("nosecure", "nohttponly")]
        if removed:
            yield Hit(
                arg(node, removed[0]),
                f"proxy_cookie_flags removes {' and '.join(_NAMES[token[2:]] for token in removed)} from cookies of the backend",
                node,
                help="Write secure httponly instead, or delete the flag.",
                why=_why([token[2:] for token in removed]),
            )


def _why(missing: list[str]) -> str:
    return " ".join(_EFFECTS[flag] for flag in missing)


_EFFECTS = {
    "secure": "Without Secure the browser also sends the cookie over plain HTTP.",
    "httponly": "Without HttpOnly scripts of the page can read it.",
}
_NAMES = {"secure": "Secure", "httponly": "HttpOnly"}
