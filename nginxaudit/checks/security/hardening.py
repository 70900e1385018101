"""What a configuration shows or opens to unauthenticated clients."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, whole
from nginxaudit.model import Model
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    pass

from nginxaudit.checks.routing.serving import served_blocks
from nginxaudit.checks.security.access import AUTHENTICATION, is_restricted
from nginxaudit.model.scope import family_of
from nginxaudit.model.server import Server
from nginxaudit.nginx import parse_address
from nginxaudit.nginx.names import PASS_DIRECTIVES
from nginxaudit.syntax.tree import Token

_LISTINGS = ("download", "mirror", "pub", "repo", "archive", "dist", "files", "browse")
_LOOKING_UP = (
    "auth_oidc",
    "acme_issuer",
    "otel_exporter",
    "js_set",
    "js_periodic",
    "js_fetch_proxy",
    "ssl_ocsp",
)
"""Directives of which some look names up with the resolver."""
_CLOUD = frozenset({"169.254.169.253", "168.63.129.16", "169.254.169.254"})
"""Resolvers of clouds, reached from inside only."""


def server_tokens(ctx: CheckContext) -> Iterable[Hit]:
    """The version of nginx in headers and error pages; once.

    That it is not set at all is said when asked for: it holds for most configurations, and harms little.
    """
    written = [node for node in ctx.model.config.named("server_tokens") if node.args]
    shown = next((node for node in written if node.args[0].lower() in ("on", "build")), None)
    if shown is not None:
        from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

        yield Hit(
            whole(shown),
            "server_tokens sends the nginx version with every response",
            shown,
            help="Set server_tokens off;",
            witness=shortfalls.any_answer(ctx, shown),
            make_fix=partial(
                _all_hidden, [node for node in written if node.args[0].lower() in ("on", "build")]
            ),
        )
        return
    for block in ctx.model.config.named("http"):
        if not block.is_block or ctx.model.unknown_inside(block):
            continue
        if (
            ctx.options["unset"]
            and block.first("server_tokens") is None
            and any(
                not ctx.model.effective(server.directive, "server_tokens")
                for server in ctx.model.servers("http")
            )
        ):
            yield Hit(
                name_of(block),
                "server_tokens is not set: nginx sends its version with every response",
                block,
                help="Set server_tokens off; at the http level.",
                make_fix=partial(_version_hidden, block),
            )


def _all_hidden(shown: list[Directive]) -> Edits:
    """Each line that shows the version, of which one is reported."""
    return tuple(edits.exchanged(node, node.args[0], "off") for node in dict.fromkeys(shown))


def _version_hidden(block: Directive) -> Edits:
    """``server_tokens off`` in http."""
    return (edits.first_in(block, "server_tokens off;"),)


def autoindex_enabled(ctx: CheckContext) -> Iterable[Hit]:
    """Listings of directories."""
    for node in ctx.model.config.named("autoindex"):
        if not node.args or node.args[0].lower() != "on" or node.parent is None:
            continue
        block = node.parent
        if not any(_lists(ctx.model, each) for each in served_blocks(ctx.model, node)):
            continue
        path = " ".join(block.args).lower() if block.inner == "location" else ""
        meant = any(word in path for word in _LISTINGS) or _is_guarded(ctx, block)
        probable = (
            meant
            or ctx.model.unknown_inside(block, direct=True)  # rules may be in what could not be read
            or (block.inner != "http" and ctx.model.server_of(block) not in ctx.once(_with_backends))
        )
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        yield Hit(
            whole(node),
            "autoindex lists the files of these directories to any client",
            node,
            severity=Severity.INFO if probable else None,
            help="Delete it unless the listing is intended.",
            make_fix=None if meant else partial(_unlisted, node, block, ctx.model),
            witness=openings.listing(ctx, node),
        )


def _lists(model: Model, block: Directive) -> bool:
    """Whether clients see the listings of a block: it is neither internal nor closed to all but some."""
    location = model.location_of(block)
    inside = location is not None and location.directive is block and location.directive.first("internal")
    return not inside and not is_restricted(model, block)


def _with_backends(model: Model) -> set[Server | None]:
    """Servers that pass requests on: what a server of files alone lists, it lists on purpose."""
    return {model.server_of(node) for name in PASS_DIRECTIVES for node in model.config.named(name)}


def _unlisted(node: Directive, block: Directive, model: Model) -> Edits:
    """No listing."""
    outer = block.parent
    if outer is not None and model.flag(outer, "autoindex", False) is not False:
        return (edits.exchanged(node, node.args[0], "off"),)
    return edits.deletion(node)


def _is_guarded(ctx: CheckContext, block: Directive) -> bool:
    return any(ctx.model.effective(block, name) for name in ("deny", *AUTHENTICATION))


def external_resolver(ctx: CheckContext) -> Iterable[Hit]:
    """Names are looked up with a name server on the Internet."""
    for node in ctx.model.config.named("resolver"):
        if _asks_responders_only(ctx.model, node):
            continue
        for token in node.args:
            if "=" in token:
                continue
            try:
                address = parse_address(token, 53)
            except ValueError:
                continue
            if address.kind not in ("inet", "inet6") or address.host in _CLOUD:
                continue
            from ipaddress import ip_address

            if ip_address(address.host).is_global:
                yield Hit(
                    arg(node, token),
                    f"resolver {token} is a public DNS server",
                    node,
                    help="Use a resolver in your own network.",
                    make_fix=partial(_left_out, node, token),
                )
                break


def _asks_responders_only(model: Model, node: Directive) -> bool:
    """Whether a resolver looks up OCSP responders and nothing else: their answers are signed."""
    if family_of(node) != "http" or model.variables("http").code:
        return False
    return node in model.once(_for_stapling) and node not in model.once(_for_others)


def _for_stapling(model: Model) -> set[Directive]:
    """Resolvers of servers that staple."""
    blocks = (server.directive for server in model.servers("http"))
    return {
        node
        for block in blocks
        if model.flag(block, "ssl_stapling", False) is True
        for node in model.effective(block, "resolver")
    }


def _for_others(model: Model) -> set[Directive]:
    """Resolvers of passes with variables, of servers with ``resolve``, and of modules that send requests."""
    blocks = [each.scope for each in model.passes if each.runtime]
    blocks += [node for name in _LOOKING_UP for node in model.config.named(name)]
    blocks += [
        group.directive for group in model.upstreams("http") if any(peer.resolve for peer in group.peers)
    ]
    return {node for block in blocks for node in model.effective(block, "resolver")}


def _left_out(node: Directive, token: Token) -> Edits:
    """The name server on the Internet taken out, where one inside is left: which one to ask is not guessed."""
    if not any(map(_is_inside, node.args)):
        return None
    return (edits.without(node, token),)


def _is_inside(token: Token) -> bool:
    """Whether a name server surely has an address of one's own network."""
    from ipaddress import ip_address

    try:
        return not ip_address(parse_address(token, 53).host).is_global
    except ValueError:
        return False


_DOUBLED = r"(?<![:\w])//|/\{2"


_ODD_NAMES = {"ignore_invalid_headers": "X.User", "underscores_in_headers": "X_User"}
"""Headers that get to backends by a directive."""


def _answers_doubled_slashes(node: Directive) -> bool:
    """Whether requests with ``//`` are dealt with by an expression where slashes are not merged."""
    for each in node.parent.walk() if node.parent is not None else ():
        pattern = each.args[0] if each.name == "rewrite" and each.args else ""
        if each.name == "if" or (each.name == "location" and each.args[:1] in (["~"], ["~*"])):
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
