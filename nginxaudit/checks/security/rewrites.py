"""What the rewrite phase takes away from access rules and limits, which come after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.checks.security.bypasses import Guarded, fits, guarded_locations
from nginxaudit.finding import Severity, Witness
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import ABSOLUTE, REDIRECTS
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import Outcome
from nginxaudit.request.showing import ask_of, gives, shows
from nginxaudit.request.uri import encoded
from nginxaudit.syntax.tree import Directive

_LIMITS = ("limit_req", "limit_conn")


def rewrite_bypasses_access_rules(ctx: CheckContext) -> Iterable[Hit]:
    """A rewrite that leaves a location before its access rules are checked."""
    for guarded in ctx.once(guarded_locations):
        if guarded.rule.name == "return":
            continue
        for node in _rewrites(guarded.location.directive):
            witness = _past(ctx.model, guarded, node)
            if witness is None:
                continue
            redirects = _redirects(node)
            yield Hit(
                whole(node),
                f"rewrite {'redirects' if redirects else 'leaves this location'} before {guarded.rule.name} is checked: "
                f"any client gets {'the redirect' if redirects else 'what the new location serves'}",
                node,
                related=(("this rule does not apply", whole(guarded.rule)),),
                severity=Severity.INFO if redirects and "$1" in node.args[1] else None,
                why="The rewrite phase runs before the access phase: nginx sends the redirect before it checks addresses and passwords."
                if redirects
                else "",
                help="Put the rules into the location that serves the request, or use rewrite … break if this location serves it.",
                witness=witness,
            )
            break


def _rewrites(block: Directive) -> Iterator[Directive]:
    for node in block.children:
        if node.name == "rewrite" and len(node.args) > 1:
            if _redirects(node) or node.args[2:] != ["break"]:
                yield node
        elif node.name == "if":
            yield from _rewrites(node)


def _redirects(node: Directive) -> bool:
    return node.args[1].lower().startswith(ABSOLUTE) or node.args[2:] in (["redirect"], ["permanent"])


def _past(model: Model, guarded: Guarded, node: Directive) -> Witness | None:
    location, redirects = guarded.location.directive, _redirects(node)

    def holds(outcome: Outcome) -> bool:
        if redirects:
            return outcome.location is location and outcome.redirect is not None
        return outcome.location is not location and gives(outcome)

    asks = [ask_of(guarded.server, encoded(path)) for path in _paths(guarded.location, node)]
    return shows(model, guarded.server, asks, holds)


def _paths(location: Location, node: Directive) -> Iterator[str]:
    """Paths that reach a location and may be rewritten there."""
    first = path_of(location)
    tried = [sample(str(node.args[0])), *([first, f"{first}x"] if first is not None else [])]
    for path in tried:
        if path.startswith("/") and fits(location, path) and matches(str(node.args[0]), path):
            yield path


def limit_not_reached(ctx: CheckContext) -> Iterable[Hit]:
    """Limits of a block whose requests are answered, or go elsewhere, before they are counted."""
    blocks = dict.fromkeys(node.parent for name in _LIMITS for node in ctx.model.config.named(name))
    for block in blocks:
        if block is None or block.inner not in ("server", "location") or ctx.model.family_of(block) != "http":
            continue
        limit = next(node for name in _LIMITS for node in block.named(name))
        server = ctx.model.server_of(block)
        answer = next((node for node in block.children if _answers(node)), None)
        if server is None or answer is None or ctx.model.unknown_inside(block, direct=True):
            continue
        if block.inner == "location" and block.first("location") is not None:
            continue  # what is inside inherits the limit
        witness = _unlimited(ctx.model, server, block)
        if witness is not None:
            yield Hit(
                whole(answer),
                f"{limit.name} has no effect: {answer.name} answers before the limit is checked",
                answer,
                related=(("this limit is not checked", whole(limit)),),
                severity=Severity.INFO if _is_redirect(answer) else None,
                help="Answer with a content handler such as try_files or proxy_pass, or delete the limit.",
                witness=witness,
            )


def _answers(node: Directive) -> bool:
    """A directive that answers every request of its block, with something that a limit could protect."""
    if node.name != "return" or not node.args:
        return False
    code = node.args[0]
    return not code.isdigit() or code[0] == "2" or code in REDIRECTS


def _is_redirect(node: Directive) -> bool:
    return not node.args[0].isdigit() or node.args[0] in REDIRECTS


def _unlimited(model: Model, server: Server, block: Directive) -> Witness | None:
    location = model.location_of(block) if block.inner == "location" else None
    path = "/" if location is None else path_of(location)
    if path is None:
        return None

    def holds(outcome: Outcome) -> bool:
        inside = outcome.location is block if location is not None else outcome.location is None
        return inside and outcome.status is not None and outcome.status < 400

    return shows(model, server, [ask_of(server, encoded(path))], holds)
