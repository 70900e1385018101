"""What a location does: which handler answers, what is never reached, where errors go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.hit import CheckContext, Hit, arg, listed, name_of, unless, whole
from nginxaudit.nginx.names import ABSOLUTE, ANSWERING, EXCHANGES, LUA, PASS_DIRECTIVES
from nginxaudit.syntax.tree import Config, Directive

HANDLERS = (
    *PASS_DIRECTIVES, "stub_status",
    "empty_gif", "mp4", "flv", "perl", "js_content", "content_by_lua", "content_by_lua_block", "content_by_lua_file", "api",
    "hls", "f4f",
)  # fmt: skip
"""Directives that make a location's content handler (``clcf->handler`` in nginx's modules)."""

_HANDLER_NAMES = frozenset(HANDLERS)
_CONTENT = (*EXCHANGES, "root", "alias", "try_files", "index", "autoindex", "stub_status")
_REWRITES = ("return", "rewrite", "set", "if", "break")


def handlers(block: Directive) -> list[Directive]:
    """The directives in ``block`` that make its content handler, in the order of their names."""
    return [node for name in HANDLERS for node in block.named(name)[:1]]


def has_handler(block: Directive) -> bool:
    """Whether a directive in ``block`` makes its content handler."""
    return not _HANDLER_NAMES.isdisjoint([child.name for child in block.children])


def multiple_content_handlers(ctx: CheckContext) -> Iterable[Hit]:
    """Two handlers in one location: the one written last answers."""
    several = _with_several_handlers(ctx.model.config)
    for location in ctx.model.locations if several else ():
        if location.directive in several:
            found = sorted(handlers(location.directive), key=location.directive.children.index)
            last = found[-1]
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                whole(found[0]),
                f"{found[0].name} has no effect: {last.name} below replaces it as content handler of the location",
                found[0],
                related=(("this handler is used", whole(last)),),
                help="Delete one of them, or use separate locations.",
                witness=detours.handled_by_last(ctx, location, last),
            )


def _with_several_handlers(config: Config) -> set[Directive | None]:
    """Blocks with handlers of different names."""
    seen: set[Directive | None] = set()
    several: set[Directive | None] = set()
    for name in HANDLERS:
        blocks = {node.parent for node in config.named(name)}
        several |= seen & blocks
        seen |= blocks
    return several


def unreachable_directive(ctx: CheckContext) -> Iterable[Hit]:
    """What stands behind, or beside, a ``return`` that always answers."""
    for node in ctx.model.config.named("return"):
        block = node.parent
        if block is None or block.inner not in ("server", "location") or not node.args:
            continue
        if may_be_skipped(block, node) or _goes_to_error_page(ctx, block, node):
            continue
        dead = list(_never_reached(block, node))
        if dead:
            names = listed(list(dict.fromkeys(str(each.name) for each in dead)))
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                whole(dead[0]),
                f"never reached because return always answers first: {names}",
                dead[0],
                related=(("answers every request", whole(node)),),
                help="Delete the unreachable directives, or move the return to the intended block.",
                witness=detours.answered_first(ctx, node),
            )


def may_be_skipped(block: Directive, node: Directive) -> bool:
    """A rewrite with ``break`` or ``last``, or a ``break``, before it ends the rewrites without it."""
    for each in block.children:
        if each is node:
            return False
        if may_end(each) or (each.name == "rewrite" and not is_redirect(each)):
            return True
    return False


def may_end(node: Directive) -> bool:
    """Whether a directive other than ``rewrite`` may end the rewrites of its block without an answer."""
    if node.name == "if":
        return any(inner.name in ("break", "rewrite", "proxy_pass") for inner in node.walk())
    return node.name == "break" or node.name.endswith(LUA)


def is_redirect(node: Directive) -> bool:
    """Whether a ``rewrite`` that matches sends a redirect."""
    if node.args[2:] in (["redirect"], ["permanent"]):
        return True
    return len(node.args) > 1 and str(node.args[1]).startswith(ABSOLUTE)


def _goes_to_error_page(ctx: CheckContext, block: Directive, node: Directive) -> bool:
    """``return 404;`` beside an ``error_page 404``: what stands here may serve that page."""
    code = node.args[0]
    if code[:1] in "345" and ctx.model.is_in_server and ctx.model.may_be_set(block, "error_page"):
        return True
    return any(code in each.args for each in ctx.model.effective(block, "error_page"))


def _never_reached(block: Directive, node: Directive) -> Iterator[Directive]:
    behind = False
    for each in block.children:
        if each is node:
            behind = True
        elif (behind and each.name in _REWRITES and each.name != "set") or (
            block.inner == "location"
            and (each.name in EXCHANGES or each.name in ("try_files", "stub_status"))
        ):
            yield each


def auth_request_undefined_location(ctx: CheckContext) -> Iterable[Hit]:
    """A subrequest for permission that ends in the location it comes from, or that anybody may call."""
    for node in ctx.model.config.named("auth_request"):
        if not node.args or node.args[0] == "off" or "$" in node.args[0]:
            continue
        server = ctx.model.server_of(node)
        if server is None or ctx.model.unknown_inside(server.directive):
            continue
        uri = str(node.args[0]).partition("?")[0]
        found = server.match(uri)
        if not found.certain:
            continue
        here = ctx.model.location_of(node)
        if (
            found.location is None
            or found.redirect
            or (found.location is here and here is not None and not here.is_exact)
        ):
            yield Hit(
                arg(node, node.args[0]),
                f"no dedicated location for auth_request {uri}: the subrequest is handled by "
                + ("the protected location itself" if found.location else "whatever the server serves there"),
                node,
                help=f"Add location = {uri} {{ internal; … }}",
            )


def limit_except_misuse(ctx: CheckContext) -> Iterable[Hit]:
    """``limit_except`` that limits nothing, or names a method that nginx does not know by this name."""
    for node in ctx.model.config.named("limit_except"):
        if not node.is_block or ctx.model.unknown_inside(node):
            continue
        if not node.children:
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                name_of(node),
                "limit_except is empty: no method is restricted",
                node,
                help="Write deny all; or auth_basic in the block.",
                witness=detours.unlimited(ctx, node.parent) if node.parent is not None else None,
            )


def error_page_not_intercepted(ctx: CheckContext) -> Iterable[Hit]:
    """Error pages for statuses that only the backend makes, and that pass by."""
    for each in ctx.model.passes:
        if each.protocol not in ANSWERING:
            continue
        pages = [
            node
            for node in ctx.model.effective(each.scope, "error_page")
            if any(code in ("404", "403", "401", "410") for code in node.args[:-1])
        ]
        if pages and ctx.model.flag(each.scope, f"{each.protocol}_intercept_errors", False) is False:
            hit = Hit(
                whole(pages[0]),
                f"error_page ignores errors of the backend: {each.protocol}_intercept_errors is off",
                pages[0],
                related=(("the backend", whole(each.directive)),),
                help=f"Write {each.protocol}_intercept_errors on;",
            )
            name = f"{each.protocol}_intercept_errors"
            assumed = not ctx.model.effective(each.scope, name) and ctx.model.may_be_set(each.scope, name)
            yield unless(assumed, "an enclosing block enables it", hit)


def location_prefix_no_boundary(ctx: CheckContext) -> Iterable[Hit]:
    """``location /admin`` matches ``/administrator``, too; asked for only."""
    for location in ctx.model.locations:
        node = location.directive
        if not location.is_prefix or location.pattern.endswith("/") or "." in location.pattern:
            continue
        if not node.args:
            continue
        guarded = any(node.first(name) for name in ("allow", "deny", "auth_basic", "auth_request"))
        if guarded or any(node.first(name) for name in EXCHANGES):
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                arg(node, node.args[-1]),
                f"location {location.pattern} also matches {location.pattern}-old and all other paths with this prefix",
                node,
                help=f"Write location {location.pattern}/ and add location = {location.pattern}.",
                witness=detours.also_here(ctx, location, "-old"),
            )


def duplicate_include(ctx: CheckContext) -> Iterable[Hit]:
    """One file that stands in a block twice."""
    for block, files in _included(ctx):
        for path, includes in files.items():
            if len(includes) > 1 and block.context != "types":
                yield Hit(
                    whole(includes[1]),
                    f"{path} is already included in this block: its content applies twice",
                    includes[1],
                    related=(("first included here", whole(includes[0])),),
                    help="Remove one of the two includes.",
                )


def _included(ctx: CheckContext) -> Iterator[tuple[Directive, dict[str, list[Directive]]]]:
    """For blocks with several includes: the files in them, with the includes that bring each."""
    blocks: dict[Directive, set[Directive]] = {}
    for include in ctx.model.config.named("include"):
        if include.parent is not None:
            blocks.setdefault(include.parent, set()).add(include)
    for block, includes in blocks.items():
        if len(includes) < 2:
            continue
        files: dict[str, list[Directive]] = {}
        for child in block.children:
            via = child.via
            if via is not None and via in includes:
                found = files.setdefault(child.source.path, [])
                if len(found) < 2 and via not in found:
                    found.append(via)
        yield block, files
