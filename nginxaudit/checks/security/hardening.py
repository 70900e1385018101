"""What a configuration shows or opens to unauthenticated clients."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.routing.serving import served_blocks
from nginxaudit.checks.security.access import deny_others, is_restricted
from nginxaudit.finding import Applicability, Confidence, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.access import FAMILY_NAMES, access_of, keeps_out, listening
from nginxaudit.model.location import Location
from nginxaudit.model.scope import family_of
from nginxaudit.model.server import Server
from nginxaudit.model.variables import references
from nginxaudit.nginx import parse_address
from nginxaudit.nginx.names import PASS_DIRECTIVES
from nginxaudit.pcre import parse
from nginxaudit.syntax.tree import Directive, Token

_LISTINGS = ("download", "mirror", "pub", "repo", "archive", "dist", "files", "browse")
_AUTHENTICATION = ("auth_basic", "auth_request", "auth_jwt", "auth_oidc")
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


def alias_traversal(ctx: CheckContext) -> Iterable[Hit]:
    """``location /files`` with ``alias /dir/``: ``/files../`` is one directory up."""
    for location in ctx.model.locations:
        alias = location.directive.first("alias")
        if alias is None or not alias.args or location.directive.first("internal"):
            continue
        if not any(_comes_in(ctx.model, block) for block in served_blocks(ctx.model, alias)):
            continue
        if location.is_regex:
            yield from _captured_traversal(ctx, location, alias)
        if not location.is_prefix or not location.pattern or location.pattern.endswith("/"):
            continue
        path = str(alias.args[0])
        directory = path if path.endswith("/") else _directory(ctx.model, path, alias)
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        if directory is not None:
            yield Hit(
                whole(alias),
                f'path traversal: "{location.pattern}../x" escapes {directory} (the location lacks its trailing slash)',
                alias,
                related=(("the location", name_of(location.directive)),),
                help=f'Write "location {location.pattern}/", and redirect "{location.pattern}" to it.',
                make_fix=partial(_closed, ctx.model, location, alias),
                witness=openings.traversal(ctx, location, directory, "../x"),
            )
        elif "$" not in path and "." not in path.rpartition("/")[2]:
            yield Hit(
                whole(alias),
                f'"{location.pattern}-old" is served from {path}-old: the prefix also matches sibling directories',
                alias,
                related=(("the location", name_of(location.directive)),),
                severity=Severity.WARNING,
                confidence=Confidence.MEDIUM,
                help="End the location and the alias with a slash.",
                make_fix=partial(_closed, ctx.model, location, alias),
                witness=openings.traversal(ctx, location, path, "-old/x"),
            )


def _directory(model: Model, path: str, alias: Directive) -> str | None:
    """A directory with a slash at its end that a path with variables can be."""
    last = references(path)[-1:]
    if not last or last[0].end != len(path):
        return None
    ends = model.possible_values(path[last[0].start :], alias).constants
    found = min((each for each in ends if each.endswith("/")), default=None)
    return f"{path[: last[0].start]}{found}" if found is not None else None


def _comes_in(model: Model, block: Directive) -> bool:
    """Whether any client gets past the addresses that a block allows."""
    access = access_of(model, block)
    return (
        access.satisfy_any
        or not access.rules
        or any(rule.allow for rule in access.rules)
        or not any(rule.directive.args[:1] == ["all"] for rule in access.rules)
    )


def _captured_traversal(ctx: CheckContext, location: Location, alias: Directive) -> Iterable[Hit]:
    """``location ~ ^/img(.*)$`` with ``alias /data/img/$1``: what is captured may begin with two dots."""
    path = str(alias.args[0])
    expression = location.expression
    captures = list(references(path))
    if expression is None or expression.looks or len(captures) != 1 or path[: captures[0].start][-1:] != "/":
        return
    name = captures[0].name
    number = int(name) if name.isdigit() else expression.names.get(name, 0)
    node = expression.group(number) if number else None
    if node is None or not expression.group_may_start_with(number, "."):
        return
    opening = expression.text.rfind("(", 0, node.start)
    before = expression.text[opening - 1 : opening]
    if before in ("/", "", "^", "(", "|") or not before.isalnum():
        return
    from nginxaudit.checks.security import openings  # only who has such a finding pays for it

    directory = path[: captures[0].start]
    yield Hit(
        whole(alias),
        f"path traversal: ${name} can start with .., which escapes {directory}",
        alias,
        related=(("the location", name_of(location.directive)),),
        help="Add a slash before the capture group.",
        make_fix=partial(_closed, ctx.model, location, alias),
        witness=openings.traversal(ctx, location, directory, "../x"),
        why="nginx inserts the capture directly after the path: one that starts with .. leads to files outside the directory.",
    )


def _closed(model: Model, location: Location, alias: Directive) -> Edits | Fix:
    """A slash at the end of the location, and of the directory; before the group of an expression.

    The path without a slash still leads to the directory.
    """
    token = location.directive.args[-1]
    if location.is_regex:
        start = _captured_from(location, alias, token)
        source = location.directive.source
        made = () if start is None else (edits.replaced(source, start, start, "/"),)
        return Fix("Add a slash before the capture group", Applicability.UNSAFE, made) if made else None
    server, path = location.server, location.pattern
    if keeps_out(location.directive) or token.quoted or server is None:
        return None  # what begins like the directory would be open then
    closed = [edits.behind_text(location.directive, token, "/")]
    if path not in model.once(_exact_paths)[server]:
        text = f"location = {path} {{\n    return 301 {path}/$is_args$args;\n}}"
        closed.insert(0, edits.before(location.directive, text))
    if not alias.args[0].endswith("/"):
        closed.append(edits.behind_text(alias, alias.args[0], "/"))
    return tuple(closed)


def _exact_paths(model: Model) -> dict[Server, set[str]]:
    """The paths of exact locations, by server."""
    return {
        server: {each.pattern for each in server.all_locations() if each.is_exact}
        for server in model.servers("http")
    }


def _captured_from(location: Location, alias: Directive, token: Token) -> int | None:
    """Where the group begins whose text the alias ends with."""
    expression = parse(location.pattern, caseless=location.modifier == "~*")
    names = [each.name for each in references(alias.args[0])]
    if expression is None or len(names) != 1:
        return None
    number = int(names[0]) if names[0].isdigit() else expression.names.get(names[0], 0)
    group = expression.group(number) if number else None
    if group is None:
        return None
    opening = expression.text.rfind("(", 0, group.start)
    return edits.written_at(location.directive, token, location.pattern, opening)


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
        meant = (
            any(word in path for word in _LISTINGS)
            or _is_guarded(ctx, block)
            or ctx.model.unknown_inside(block, direct=True)  # rules may be in what could not be read
            or (block.inner != "http" and ctx.model.server_of(block) not in ctx.once(_with_backends))
        )
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        yield Hit(
            whole(node),
            "autoindex lists the files of these directories to any client",
            node,
            severity=Severity.INFO if meant else None,
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
    return any(ctx.model.effective(block, name) for name in ("deny", *_AUTHENTICATION))


def allow_without_deny(ctx: CheckContext) -> Iterable[Hit]:
    """Lists of allowed addresses that deny no client."""
    from nginxaudit.checks.witnesses import MOST_SHOWN, served  # only who has such a list pays for it

    reported = 0
    for block in dict.fromkeys(
        node.parent for node in ctx.model.config.named("allow") if node.parent is not None
    ):
        allowed = [node for node in block.named("allow") if node.args and node.args[0] != "all"]
        if not allowed or block.first("deny") or ctx.model.unknown_inside(block, direct=True):
            continue
        satisfy = ctx.model.value(block, "satisfy")
        if satisfy == "any" and any(_asks(ctx.model, block, name) for name in _AUTHENTICATION):
            continue  # the address or the password
        opening = next((node for node in block.named("allow") if node.args[:1] == ["all"]), None)
        shown = served(ctx.model, block)[0] if reported < MOST_SHOWN else None
        reported += 1
        if opening is not None:
            yield Hit(
                whole(opening),
                "allow all admits every client: the other allow rules restrict nothing",
                opening,
                related=tuple(("restricts nothing", whole(node)) for node in allowed[:3]),
                help="Replace it with deny all;, or delete the other allow rules.",
                why="nginx applies the first rule that matches, and allow all matches every client.",
                witness=shown,
            )
            continue
        yield Hit(
            whole(allowed[0]),
            'allow without "deny all" restricts nothing: all other clients are allowed as well',
            allowed[0],
            related=tuple(("also restricts nothing", whole(node)) for node in allowed[1:4]),
            help="Add deny all; after the last allow.",
            make_fix=partial(deny_others, block),
            witness=shown,
        )


def _asks(model: Model, block: Directive, name: str) -> bool:
    """Whether a directive for authentication is in effect and not off."""
    return any(node.args[:1] != ["off"] for node in model.effective(block, name))


def deny_for_one_family(ctx: CheckContext) -> Iterable[Hit]:
    """Rules that end with a deny for IPv4, in servers that IPv6 reaches as well."""
    from nginxaudit.checks.witnesses import served

    blocks = dict.fromkeys(node.parent for node in ctx.model.config.named("deny") if node.parent is not None)
    for block in blocks:
        server = ctx.model.server_of(block)
        families = listening(server) & {"inet", "inet6"}
        if server is None or len(families) < 2 or ctx.model.unknown_inside(block, direct=True):
            continue
        found = access_of(ctx.model, block)
        closed = [family for family in families if found.closed(family)]
        if len(closed) != 1 or found.open_to(families - set(closed)) == []:
            continue
        rule = found.first_universal(closed[0])
        (other,) = families - set(closed)
        if rule is None or any(other in each.families for each in found.rules if not each.allow):
            continue
        yield Hit(
            whole(rule.directive),
            f"{rule.text} covers only {FAMILY_NAMES[closed[0]]}: any client is allowed over {FAMILY_NAMES[other]}",
            rule.directive,
            help="Replace it with deny all;",
            witness=served(ctx.model, block, six=other == "inet6")[0],
        )


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
