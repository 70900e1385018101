"""Access rules: which of them hold, and which only look as if they did."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from nginxaudit import edits
from nginxaudit.checks.routing.serving import never_reached
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.access import (
    access_of,
    is_local,
    listening,
    logins,
    rules,
)
from nginxaudit.nginx.names import REDIRECTS, STATUS_PAGES
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    pass

AUTHENTICATION = ("auth_basic", "auth_request", "auth_jwt", "auth_oidc")
GUARDS = ("deny", "auth_basic", "auth_request")


def return_bypasses_access_rules(ctx: CheckContext) -> Iterable[Hit]:
    """A ``return`` answers before access rules are checked."""
    reported: set[Directive] = set()
    for node in ctx.model.config.named("return"):
        block = node.parent
        location = ctx.model.location_of(node)
        if block is None or ctx.model.family_of(node) != "http" or _gives_nothing(ctx.model, node):
            continue
        if location is not None and (location.is_named or location.directive.first("internal")):
            continue
        scope = block if block.name != "if" or block.parent is None else block.parent
        guards = [*_denials(ctx.model, block), *logins(ctx.model, block)]
        if not guards or scope in reported or _refuses_anyway(ctx.model, block, node):
            continue
        reported.add(scope)
        from nginxaudit.checks.witnesses import answered  # only who has such a finding pays for it

        found, asked = answered(ctx.model, node)
        yield Hit(
            whole(node),
            f"return answers before {guards[0].name} is checked: any client gets the response",
            node,
            related=(("this rule does not apply here", whole(guards[0])),),
            help="Answer with a content handler such as try_files or proxy_pass, which runs after the access rules.",
            confidence=Confidence.LOW if asked and found is None else None,
            witness=found,
        )


def _refuses_anyway(model: Model, block: Directive, node: Directive) -> bool:
    """Whether a ``return`` with an error is in a block that denies every client: ``deny all; return 404;``."""
    access = access_of(model, block)
    closed = all(access.closed(family) for family in listening(model.server_of(block)))
    return node.args[0][0] == "4" and closed and not any(rule.allow for rule in access.rules)


def is_restricted(model: Model, block: Directive) -> bool:
    """Whether ``block`` denies unauthenticated clients of every address family that can connect."""
    server = model.server_of(block)
    return is_local(server) or not access_of(model, block).open_to(listening(server))


def _denials(model: Model, block: Directive) -> list[Directive]:
    return [rule.directive for rule in rules(model, block) if not rule.allow]


def _gives_nothing(model: Model, node: Directive) -> bool:
    """Whether a ``return`` sends nothing that rules could protect: it leads elsewhere, is empty, or refuses.

    An error without a text may be answered by a page: one that another location makes, with the rules there, or that
    takes another status.
    """
    if not node.args:
        return True
    code, *text = node.args
    if not code.isdigit() or code in REDIRECTS or not any(text):
        pages = [page for page in model.effective(node, "error_page") if code in page.args]
        return not any(_is_answer(page) and not _is_guarded(model, page, node) for page in pages)
    return code[0] in "45"


def _is_answer(page: Directive) -> bool:
    """Whether a page replaces the error: its status is changed, or a named location makes it."""
    return page.args[-1].startswith("@") or any(word.startswith("=") for word in page.args)


def _is_guarded(model: Model, page: Directive, node: Directive) -> bool:
    """Whether a named location answers that has rules: nginx looks at them when it gets there."""
    server = model.server_of(node)
    location = server.named_locations.get(page.args[-1]) if server is not None else None
    if location is None:
        return False
    block = location.directive
    return bool(_denials(model, block) or logins(model, block) or block.first("limit_except"))


def unread(model: Model, block: Directive) -> bool:
    """Whether a part of the block, or of what is around it, could not be read."""
    inside = block is not model.config.top and model.unknown_inside(block)
    return inside or model.unread_around(block)


def status_page_exposed(ctx: CheckContext) -> Iterable[Hit]:
    """Pages about nginx itself that any client can read or change."""
    for name in STATUS_PAGES:
        for node in ctx.model.config.named(name):
            block = node.parent
            if block is None or block.inner not in ("server", "location") or node.args[:1] == ["off"]:
                continue
            if unread(ctx.model, block) or is_restricted(ctx.model, block):
                continue
            if never_reached(ctx.model, block):
                continue  # the page is never shown
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            writes = name == "upstream_conf" or "write=on" in node.args
            hit = Hit(
                whole(node),
                f"{'any client can change the configuration' if writes else 'this status page is public'}: no allow/deny restricts it",
                node,
                severity=Severity.ERROR if writes else None,
                why="The API adds, changes and removes servers of upstreams: a client can take the site down or direct its traffic elsewhere."
                if writes
                else "",
                help="Add allow for the permitted addresses, and deny all;",
                make_fix=partial(_restricted, node, block, ctx.model),
                witness=None if writes else openings.status_page(ctx, node),
            )
            yield unless(ctx.model.is_in_server, "the server has such rules", hit)


def _restricted(node: Directive, block: Directive, model: Model) -> Edits:
    """A status page only for this machine, or for those whom the location allows already.

    Rules of the outer blocks would be replaced by rules of the location: those are left to their author.
    """
    if block.inner != "location" or node.source is not block.source:
        return None
    own = [*block.named("allow"), *block.named("deny")]
    if any(rule.args[:1] == ["all"] for rule in own):
        return None
    if block.named("allow"):
        return deny_others(block)
    if own or access_of(model, block).rules:
        return None
    local = ["allow 127.0.0.1;"]
    if "inet6" in listening(model.server_of(block)):
        local.append("allow ::1;")
    return (edits.before(node, "\n".join([*local, "deny all;"])),)


def deny_others(block: Directive) -> Edits:
    """``deny all`` after the last ``allow`` of the block."""
    last = edits.standing_in(block, block.named("allow")[-1])
    return (edits.after(last, "deny all;"),) if last is not None else None


def satisfy_any_opens_access(ctx: CheckContext) -> Iterable[Hit]:
    """An address or a password is enough, and every address is allowed."""
    for node in ctx.model.config.named("satisfy"):
        block = node.parent
        if block is None or node.args[:1] != ["any"]:
            continue
        found = access_of(ctx.model, block)
        opening = [
            rule
            for family in sorted(listening(ctx.model.server_of(block)))
            if (rule := found.never_asked(family)) is not None
        ]
        if opening:
            logged = found.logins
            from nginxaudit.checks.witnesses import served

            shown, asked = served(ctx.model, block)
            yield Hit(
                whole(node),
                f"satisfy any with {opening[0].text} bypasses {logged[0].name}: every address is allowed",
                node,
                related=(
                    ("every address is allowed here", whole(opening[0].directive)),
                    ("this authentication is bypassed", whole(logged[0])),
                ),
                help="End the list with deny all;, or use satisfy all;",
                confidence=Confidence.LOW if asked and shown is None else None,
                witness=shown,
            )


def webdav_exposed(ctx: CheckContext) -> Iterable[Hit]:
    """Methods that write files, open to any client."""
    for node in ctx.model.config.named("dav_methods"):
        block = node.parent
        if block is None or node.args[:1] == ["off"] or block.named("limit_except"):
            continue
        if not (unread(ctx.model, block) or is_restricted(ctx.model, block)):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            hit = Hit(
                whole(node),
                f"WebDAV is public: any client can use {', '.join(node.args)}",
                node,
                help="Add limit_except GET { … }, access rules or authentication.",
                witness=openings.written(ctx, node),
            )
            yield unless(ctx.model.is_in_server, "the server restricts it", hit)


def exact_location_acl_bypass(ctx: CheckContext) -> Iterable[Hit]:
    """Rules for one path, while a wider location passes its neighbours on; asked for only."""
    for location in ctx.model.locations:
        node = location.directive
        if not location.is_exact or not any(node.first(name) for name in GUARDS):
            continue
        server = location.server
        wider = server.match(location.pattern + "/") if server is not None else None
        taker = wider.location if wider is not None else None
        if taker is None or is_restricted(ctx.model, taker.directive):
            continue
        if any(taker.directive.first(name) for name in ("proxy_pass", "fastcgi_pass", "uwsgi_pass")):
            from nginxaudit.checks.witnesses import served

            yield Hit(
                name_of(node),
                f"{location.pattern}/ and other spellings reach the backend without these access rules",
                node,
                related=(("this location passes them", name_of(taker.directive)),),
                help=f"Protect the prefix instead: location ^~ {location.pattern}",
                witness=served(ctx.model, taker.directive, location.pattern + "/")[0],
            )
