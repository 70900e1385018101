"""``error_page`` (``ngx_http_special_response_handler`` in src/http/ngx_http_special_response.c)."""

from __future__ import annotations

from nginxaudit.request.evaluate import known, shown, value
from nginxaudit.request.flight import Flight, Goto, Reply, Result
from nginxaudit.request.uri import is_number, split_args
from nginxaudit.syntax.tree import Directive

_AS_BAD = frozenset({494, 495, 496, 497})  # nginx's own codes that clients see as 400
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def special(flight: Flight, status: int) -> Result:
    """What becomes of a request that ends with ``status``: an error page, a named location, or nginx's own text."""
    flight.err_status = status
    block = flight.block
    pages = [node for node in flight.model.effective(block, "error_page") if len(node.args) > 1]
    if not flight.error_page and pages and flight.changes_left:
        assert block is not None
        if not flight.model.flag(block, "recursive_error_pages", False):
            flight.error_page = True
        for node in pages:
            if str(status) in [str(word) for word in node.args[:-1]]:
                return _page(flight, node, status)
    if status in _AS_BAD:
        flight.err_status = 400
    return Reply(status)


def has_page(flight: Flight, block: Directive, status: int) -> bool:
    """Whether some error page is for a status (``proxy_intercept_errors``)."""
    return any(
        str(status) in [str(word) for word in node.args[:-1]]
        for node in flight.model.effective(block, "error_page")
    )


def _page(flight: Flight, node: Directive, status: int) -> Result:
    overwrite = _overwrite(node, status)
    if overwrite is not None:
        flight.err_status = overwrite
    target = str(node.args[-1])
    found = value(flight, target)
    text = shown(found)
    if text.startswith("/"):
        whole = known(flight, target, node)
        uri, args = split_args(whole)
        if flight.method != "HEAD":
            flight.method = "GET"
        flight.note("error page", node, f"internal redirect to {whole}", _why(status, overwrite))
        return Goto(uri, args)
    if text.startswith("@"):
        flight.note("error page", node, f"on to {text}", _why(status, overwrite))
        return Goto(known(flight, target, node), named=True)
    if overwrite not in _REDIRECTS:
        flight.err_status = 302
    flight.redirect = found
    flight.note("error page", node, f"{flight.err_status} to {text}", f"it is for {status}")
    return Reply(flight.err_status)


def _overwrite(node: Directive, status: int) -> int | None:
    """The status that clients see; 0: that of the page; None: the error's."""
    word = str(node.args[-2])
    if word.startswith("="):
        return int(word[1:]) if is_number(word[1:]) else 0
    return 400 if status in _AS_BAD else None


def _why(status: int, overwrite: int | None) -> str:
    if overwrite is None:
        return f"it is for {status}, which stays the status"
    return f"it is for {status}; the status is " + (str(overwrite) if overwrite else "that of the page")
