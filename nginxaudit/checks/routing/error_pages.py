"""Error pages that are sent with another status, or not at all."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.scope import is_directive
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import PASS_DIRECTIVES
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import Outcome
from nginxaudit.request.showing import ask_of, witness
from nginxaudit.request.uri import encoded
from nginxaudit.request.walk import trace
from nginxaudit.syntax.tree import Directive

_DENIED = frozenset({"401", "403"})
_DENYING = ("auth_basic", "auth_request", "auth_jwt", "deny")
_MOST = 4  # paths tried for one page


def error_page_masks_status(ctx: CheckContext) -> Iterable[Hit]:
    """Server errors, and refusals, that clients see as success."""
    for node in ctx.model.config.named("error_page"):
        if not is_directive(node) or len(node.args) < 3:
            continue
        *codes, change, page = (str(token) for token in node.args)
        kept = change == "=" and _succeeds(ctx.model, node, page)
        failed = any(code.startswith("5") and len(code) == 3 for code in codes)
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        if failed and (change == "=200" or (kept and not _passes(ctx.model, node, page))):
            yield Hit(
                arg(node, node.args[-2]),
                "error_page returns 200 for server errors",
                node,
                help=f"Remove {change} to send the page with the status of the error.",
                witness=detours.masked(ctx, node),
            )
        elif (change == "=200" or kept) and _DENIED.intersection(codes) and _denies(ctx.model, node):
            yield Hit(
                arg(node, node.args[-2]),
                "error_page returns 200 for denied requests",
                node,
                help=f"Remove {change}, or redirect to {page}.",
                why="Scripts and caches do not see that access was denied: they take the page for what was requested, and store it.",
                witness=detours.masked(ctx, node),
            )


def _target(model: Model, node: Directive, page: str) -> Directive | None:
    """The location that a page of this server is in."""
    server = model.server_of(node)
    if server is None or not page.startswith("/") or "$" in page or model.unknown_inside(server.directive):
        return None
    found = server.match(page.partition("?")[0])
    return found.location.directive if found.location is not None else None


def _succeeds(model: Model, node: Directive, page: str) -> bool:
    """Whether a page has status 200 of its own: a file, or what a backend sends."""
    target = _target(model, node, page)
    if target is None or any(target.named("if")) or target.first("rewrite"):
        return False
    answer = target.first("return")
    return answer is None or (len(answer.args) > 0 and answer.args[0] == "200")


def _passes(model: Model, node: Directive, page: str) -> bool:
    target = _target(model, node, page)
    return target is not None and any(map(target.first, (*PASS_DIRECTIVES, "try_files")))


def _denies(model: Model, node: Directive) -> bool:
    """Whether clients are refused where the page holds."""
    block = node.parent
    if block is None:
        return False
    inner = any(each.name in _DENYING for each in block.walk())
    return inner or any(
        each.args[:1] != ["off"] for name in _DENYING for each in model.effective(block, name)
    )


def error_page_hidden_by_return(ctx: CheckContext) -> Iterable[Hit]:
    """Pages that the server's own ``return`` answers, too: it runs again for the internal redirect to the page."""
    for node in ctx.model.config.named("return"):
        block = node.parent
        server = ctx.model.server_of(node)
        if server is None or block is None or server.family != "http" or not node.args:
            continue
        if block is not server.directive and (block.name != "if" or block.parent is not server.directive):
            continue
        code = str(node.args[0])
        if not code.isdigit() or code[0] not in "45" or code == "444" or len(node.args) > 1:
            continue
        page = next((each for each in server.directive.named("error_page") if code in each.args[:-1]), None)
        if page is None or not page.args[-1].startswith("/") or "$" in page.args[-1]:
            continue
        found = _hidden(ctx.model, server, node, int(code))
        if found is not None:
            yield Hit(
                whole(page),
                f"error_page {code} has no effect: return of the server also answers {page.args[-1]}",
                page,
                related=(("runs again for the page", whole(node)),),
                help="Use a named location, error_page CODE @page; it skips the rewrite phase of the server.",
                witness=found,
            )


def _hidden(model: Model, server: Server, node: Directive, code: int) -> Witness | None:
    """A request for which the ``return`` runs and its page is not sent."""
    paths = ["/", *filter(None, map(path_of, server.locations))]
    for path in dict.fromkeys(paths[:_MOST]):
        ask = ask_of(server, encoded(path))
        if ask is None:
            continue
        walked = trace(model, ask)
        ends = [each for each in walked.outcomes if each.status == code]
        if ends and any(step.node is node for step in walked.steps) and all(_is_bare(each) for each in ends):
            return witness(ask)
    return None


def _is_bare(outcome: Outcome) -> bool:
    """Whether nginx sends its built-in page."""
    return outcome.file is None and outcome.passed is None and outcome.body is None
