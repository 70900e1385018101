"""Access rules: which of them hold, and which only look as if they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from nginxaudit import edits
from nginxaudit.checks.routing.serving import never_reached
from nginxaudit.finding import Confidence, Severity, Witness
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.access import (
    access_of,
    is_local,
    listening,
    logins,
    read_network,
    rules,
)
from nginxaudit.nginx.names import REDIRECTS
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.access import Network

STATUS_PAGES = (
    "stub_status",
    "status",
    "api",
    "upstream_conf",
    "vhost_traffic_status_display",
    "check_status",
)
GUARDS = ("deny", "auth_basic", "auth_request")
_DOUBLED = r"(?<![:\w])//|/\{2"
_ODD_NAMES = {"ignore_invalid_headers": "X.User", "underscores_in_headers": "X_User"}
"""Headers that get to backends by a directive."""
_MANY_RULES = 200  # longer lists are block lists: only duplicates are looked for


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


def auth_basic_without_user_file(ctx: CheckContext) -> Iterable[Hit]:
    """``auth_basic`` without a file of users, or a file of users without ``auth_basic``."""
    for node in ctx.model.config.named("auth_basic"):
        block = node.parent
        if block is None or not node.args or node.args[0].lower() == "off" or "$" in node.args[0]:
            continue
        if ctx.model.effective(block, "auth_basic_user_file") or unread(ctx.model, block):
            continue
        if not any(inner.name == "auth_basic_user_file" for inner in block.walk()):
            hit = Hit(
                whole(node),
                "auth_basic has no effect without auth_basic_user_file: no password is required",
                node,
                help="Add auth_basic_user_file.",
                witness=_served(ctx, block),
            )
            yield unless(ctx.model.is_enclosed, "an enclosing block sets it", hit)
    for node in ctx.model.config.named("auth_basic_user_file"):
        block = node.parent
        if block is None or ctx.model.effective(block, "auth_basic") or unread(ctx.model, block):
            continue
        if not any(inner.name == "auth_basic" for inner in block.walk()):
            hit = Hit(
                whole(node),
                "auth_basic_user_file has no effect without auth_basic: no password is required",
                node,
                help='Add auth_basic "realm";',
                witness=_served(ctx, block),
            )
            yield unless(ctx.model.is_enclosed, "an enclosing block sets it", hit)


def _served(ctx: CheckContext, block: Directive) -> Witness | None:
    from nginxaudit.checks.security.openings import file_of  # only who has such a finding pays for it

    return file_of(ctx, block)


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


def unreachable_access_rule(ctx: CheckContext) -> Iterable[Hit]:
    """Rules after one that matches the same clients; once per block."""
    blocks = dict.fromkeys(node.parent for name in ("allow", "deny") for node in ctx.model.config.named(name))
    for block in blocks:
        if block is None or block.inner in ("upstream", "geo-block"):
            continue
        own = [node for node in block.children if node.name in ("allow", "deny") and node.args]
        for node, earlier in _decided_before(own):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            yield Hit(
                whole(node),
                f"{node.name} has no effect: {earlier.name} {earlier.args[0]} above already matches these clients",
                node,
                related=(("this rule matches first", whole(earlier)),),
                help="Delete it, or move it up.",
                witness=openings.decided(ctx, node, earlier),
            )
            break


def _decided_before(own: list[Directive]) -> Iterator[tuple[Directive, Directive]]:
    """Rules with an earlier one that is about all their clients."""
    seen: dict[str, Directive] = {}
    networks: list[tuple[Network, Directive]] = []
    for node in own:
        text = node.args[0]
        read = read_network(text)
        found = read[0] if read is not None else None
        if "all" in seen:
            yield node, seen["all"]
        elif text in seen:
            yield node, seen[text]
        elif found is not None and len(own) <= _MANY_RULES:
            wider = next((rule for other, rule in networks if _contains(other, found)), None)
            if wider is not None:
                yield node, wider
        seen.setdefault(str(text), node)
        if found is not None:
            networks.append((found, node))


def _contains(wide: Network, narrow: Network) -> bool:
    from ipaddress import IPv4Network, IPv6Network

    if isinstance(wide, IPv4Network) and isinstance(narrow, IPv4Network):
        return narrow.subnet_of(wide)
    if isinstance(wide, IPv6Network) and isinstance(narrow, IPv6Network):
        return narrow.subnet_of(wide)
    return False


def _is_asked(model: Model, node: Directive) -> bool:
    """Whether the password of an ``auth_basic`` is asked for anywhere: not switched off below, nor unneeded by every address."""
    server, block = model.server_of(node), node.parent
    if server is None or block is None:
        return True
    if block is server.directive and not model.unknown_inside(block):
        takes_all = any(each.is_prefix and each.pattern == "/" for each in server.locations)
        blocks = [] if takes_all else [block]
        blocks += [
            each.directive
            for each in server.all_locations()
            if node in model.effective(each.directive, "auth_basic")
        ]
    else:
        blocks = [block]
    families = listening(server)
    return any(access_of(model, each).never_asked(family) is None for each in blocks for family in families)


def auth_basic_over_http(ctx: CheckContext) -> Iterable[Hit]:
    """Passwords that are sent in plain text; once per server."""
    if ctx.model.config.named("set_real_ip_from"):
        return  # something before this nginx may speak TLS
    reported: set[object] = set()
    for node in ctx.model.config.named("auth_basic"):
        if not node.args or node.args[0].lower() == "off" or node.parent is None:
            continue
        server = ctx.model.server_of(node)
        if server is None or server in reported or server.listen_unknown or is_local(server):
            continue
        if not _is_asked(ctx.model, node):
            continue
        plain = [
            listen for listen in server.listens if not (listen.ssl or listen.quic or listen.proxy_protocol)
        ]
        sockets = ctx.model.sockets("http")
        plain = [listen for listen in plain if not sockets[listen.key].ssl and listen.kind != "unix"]
        if not plain or any(child.name == "if" for child in server.directive.children):
            continue
        reported.add(server)
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        yield Hit(
            whole(node),
            f"auth_basic on {plain[0].key} without TLS: credentials are sent unencrypted",
            node,
            related=(("listens without TLS", whole(plain[0].directive)),)
            if plain[0].directive is not None
            else (),
            help="Use auth_basic only in the TLS server, and redirect this server to it.",
            witness=openings.asked_in_plain(ctx, node),
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


def _answers_doubled_slashes(node: Directive) -> bool:
    """Whether requests with ``//`` are dealt with by an expression where slashes are not merged."""
    for each in node.parent.walk() if node.parent is not None else ():
        pattern = each.args[0] if each.name == "rewrite" and each.args else ""
        if each.name == "if" or (each.name == "location" and each.args[0] in ("~", "~*")):
            pattern = " ".join(each.args)
        if compiled(_DOUBLED).search(pattern):
            return True
    return False


def relaxed_request_parsing(ctx: CheckContext) -> Iterable[Hit]:
    """Requests that nginx and the backend may read differently."""
    settings = {
        "ignore_invalid_headers": (
            "off",
            "ignore_invalid_headers off passes invalid header names, which the backend may interpret differently",
        ),
        "merge_slashes": (
            "off",
            "merge_slashes off: //admin does not match location /admin, but the backend may treat it as /admin",
        ),
        "underscores_in_headers": (
            "on",
            "underscores_in_headers on: many backends treat X_User and X-User as the same header",
        ),
    }
    guarded = bool(ctx.model.config.named("deny") or ctx.model.config.named("auth_basic"))
    for name, (value, meaning) in settings.items():
        for node in ctx.model.config.named(name):
            if (
                node.args[:1]
                and node.args[0].lower() == value
                and (name != "merge_slashes" or (guarded and not _answers_doubled_slashes(node)))
            ):
                from nginxaudit.checks.routing import detours  # only who has such a finding pays for it
                from nginxaudit.checks.security import openings

                odd = _ODD_NAMES.get(name)
                yield Hit(
                    arg(node, node.args[0]),
                    meaning,
                    node,
                    severity=Severity.INFO if name == "underscores_in_headers" else None,
                    help="Delete it unless an application needs it.",
                    witness=detours.odd_header(ctx, node, odd) if odd else openings.unmerged(ctx, node),
                )
