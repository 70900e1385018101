"""Files: ``root``, ``alias``, ``try_files``, ``index``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.routing.locations import HANDLERS
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.server import Server
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import EXCHANGES, REDIRECTS
from nginxaudit.syntax.tree import Directive

_ANSWERS = (*HANDLERS, "return", "alias", "rewrite", "if", "include", "internal", "root", "deny")
_CURRENT = ("$uri", "$uri/", "${uri}", "${uri}/", "$document_uri", "$document_uri/")


def try_files_missing_fallback(ctx: CheckContext) -> Iterable[Hit]:
    """The last argument is where nginx goes when nothing exists; the current URI leads back here."""
    for node in ctx.model.config.named("try_files"):
        if len(node.args) < 2:
            continue
        last = node.args[-1]
        if last not in _CURRENT:
            continue
        location = ctx.model.location_of(node)
        if location is not None and (location.is_named or location.is_regex):
            continue
        if location is not None and last.endswith("/") and _catches_directories(location):
            continue
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        hit = Hit(
            arg(node, last),
            f"try_files fallback {last} leads back to this location (redirection cycle)",
            node,
            help="Add =404, a named location or an existing page as the last argument.",
            witness=detours.unanswered(ctx, node),
        )
        assumed = last.endswith("/") and ctx.model.is_in_server
        yield unless(assumed, "another location handles directories", hit)


def _catches_directories(location: Location) -> bool:
    """Another location may take what ends with a slash."""
    server = location.server
    if server is None:
        return True
    return any(
        each.is_regex or (each.pattern.endswith("/") and len(each.pattern) > len(location.pattern))
        for each in (location.children or server.locations)
        if each is not location
    )


def try_files_code_not_last(ctx: CheckContext) -> Iterable[Hit]:
    """A status or a named location that is taken for the name of a file."""
    for node in ctx.model.config.named("try_files"):
        for token in node.args[:-1]:
            code = token.startswith("=") and token[1:].isdigit()
            if code or (token.startswith("@") and _is_named_location(ctx, node, token)):
                yield Hit(
                    arg(node, token),
                    f"{token} is not the last argument of try_files: nginx checks it as a file name",
                    node,
                    help="Put it last in try_files.",
                )


def _is_named_location(ctx: CheckContext, node: Directive, name: str) -> bool:
    server = ctx.model.server_of(node)
    return server is not None and name in server.named_locations


def try_files_with_proxy(ctx: CheckContext) -> Iterable[Hit]:
    """Files that are looked for, and never sent, because the location passes all requests on."""
    for node in ctx.model.config.named("try_files"):
        block = node.parent
        if block is None or len(node.args) < 2 or node.args[-1].startswith("="):
            continue
        target = next((found for name in EXCHANGES if (found := block.first(name))), None)
        if target is None or target.name == "fastcgi_pass":
            continue
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        yield Hit(
            whole(node),
            f"try_files never sends a file: {target.name} in the same location handles every request",
            node,
            related=((f"{target.name} handles the request", whole(target)),),
            severity=Severity.INFO if node.args[-1].startswith("@") else None,
            help=f"Move {target.name} to a named location and make it the last argument of try_files.",
            witness=detours.found_and_passed(ctx, node),
        )


def try_files_with_alias(ctx: CheckContext) -> Iterable[Hit]:
    """``try_files`` under ``alias``: the prefix of the location gets in the way."""
    for node in ctx.model.config.named("try_files"):
        block = node.parent
        alias = block.first("alias") if block is not None else None
        location = ctx.model.location_of(node)
        if alias is None or location is None or location.directive is not block or len(node.args) < 2:
            continue
        ends = bool(alias.args) and alias.args[0].endswith("/")  # two slashes lead to the same file as one
        fits = location.is_regex or ends or not location.pattern.endswith("/")
        harmless = node.args[-1].startswith(("=", "@")) and fits
        if not harmless:
            yield _with_alias(ctx, node, alias, location.pattern)


def _with_alias(ctx: CheckContext, node: Directive, alias: Directive, prefix: str) -> Hit:
    from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

    if node.args[-1].startswith(("=", "@")):
        what = f"alias lacks the trailing slash of its location: {prefix}x is mapped to {''.join(alias.args[:1])}x"
        remedy = "Use a trailing slash in both the location and the alias, or in neither."
        why = ""
    else:
        what = "last argument of try_files is a URI of the server: the alias does not apply to it"
        remedy = "End try_files with =404 or a named location, or use root."
        why = "nginx looks for another location for this URI: single-page applications under a prefix get 404 or another page."
    return Hit(
        whole(node),
        what,
        node,
        related=(("alias", whole(alias)),),
        help=remedy,
        why=why,
        witness=detours.outside_alias(ctx, node, str(alias.args[0])) if alias.args else None,
    )


def root_in_location(ctx: CheckContext) -> Iterable[Hit]:
    """A root for one location, while others of the server have none."""
    roots = {node.parent: node for node in reversed(ctx.model.config.named("root"))}
    answering = _answering(ctx)
    for server in ctx.model.servers("http"):
        slashes = (each.directive for each in server.locations if each.pattern == "/" and each.is_prefix)
        root = next((roots[each] for each in slashes if each in roots), None)
        node = server.directive
        if root is None or ctx.model.effective(node, "root") or ctx.model.unknown_inside(node):
            continue
        others = [each for each in server.locations if _serves_files(each, answering)]
        if others:
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            hit = Hit(
                whole(root),
                "root is set only in location /: other locations serve files from nginx's html directory",
                root,
                related=tuple((f"{each.label} has no root", name_of(each.directive)) for each in others[:3]),
                help="Set root in the server.",
                witness=detours.without_root(ctx, others[0]),
            )
            yield unless(ctx.model.may_be_set(node, "root"), "http sets root", hit)


def _answering(ctx: CheckContext) -> set[Directive | None]:
    """Blocks where something answers before files are looked for, or says where they are."""
    return {node.parent for name in _ANSWERS for node in ctx.model.config.named(name)}


def _serves_files(location: Location, answering: set[Directive | None]) -> bool:
    """Nothing in the location answers before files are looked for."""
    return not (location.directive in answering or location.is_named or location.children)


def missing_root(ctx: CheckContext) -> Iterable[Hit]:
    """Files out of nginx's own html directory; asked for only."""
    answering = _answering(ctx)
    for server in ctx.model.servers("http"):
        node = server.directive
        if ctx.model.effective(node, "root") or ctx.model.unknown_inside(node):
            continue
        if ctx.model.may_be_set(node, "root"):
            continue
        if any(node.first(name) for name in ("return", "rewrite")):
            continue
        bare = [each for each in server.locations if _serves_files(each, answering)]
        if bare or _serves_itself(server):
            yield Hit(
                name_of(node),
                "no root is set: files are served from nginx's html directory",
                node,
                related=tuple((each.label, name_of(each.directive)) for each in bare[:3]),
                help="Set root in the server.",
            )


def _serves_itself(server: Server) -> bool:
    return not any(each.is_prefix and each.pattern == "/" for each in server.locations) and not any(
        server.directive.first(name) for name in HANDLERS
    )


def alias_slash_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """``location /images/`` with ``alias /data/images``: names are glued together."""
    for location in ctx.model.locations:
        alias = location.directive.first("alias")
        if alias is None or not alias.args or not location.is_prefix:
            continue
        path = alias.args[0]
        if location.pattern.endswith("/") and not path.endswith("/") and "$" not in path:
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                arg(alias, path),
                f"alias lacks the trailing slash: {location.pattern}x is mapped to {path}x",
                alias,
                related=(("the location", name_of(location.directive)),),
                help=f"Write alias {path}/;",
                make_fix=partial(_ended, alias, ctx.model),
                witness=detours.mapped(ctx, alias, "x", f"{path}x"),
            )


def _ended(node: Directive, model: Model) -> Edits:
    """The slash of the location after its alias.

    Files that were out of reach are served then. A name that ends with a sign may be meant to be continued.
    """
    token = node.args[0]
    if node.parent is None or model.is_filled_in(node) or not token[-1:].isalnum():
        return None
    return (edits.behind_text(node, token, "/"),)


def alias_in_regex_without_capture(ctx: CheckContext) -> Iterable[Hit]:
    """A directory as the alias of an expression: every path leads to the directory itself."""
    for location in ctx.model.locations:
        alias = location.directive.first("alias")
        if alias is None or not alias.args or not location.is_regex:
            continue
        path = alias.args[0]
        expression = location.expression
        if (
            path.endswith("/")
            and not list(references(path))
            and (expression is None or not expression.literal)
        ):
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                arg(alias, path),
                "alias in a regex location contains no capture of the rest of the path",
                alias,
                help=f"Capture the rest of the path and write alias {path}$1;",
                witness=detours.never_a_file(ctx, alias, str(path)),
            )


def index_absolute_not_last(ctx: CheckContext) -> Iterable[Hit]:
    """An absolute path in ``index`` ends the search."""
    for node in ctx.model.config.named("index"):
        for token in node.args[:-1]:
            if token.startswith("/") and "$" not in token:
                yield Hit(
                    arg(node, token),
                    f"{token} is not the last argument of index: the files after it are never tried",
                    node,
                    help="Put the absolute path last.",
                )
                break


def split_clients_missing_remainder(ctx: CheckContext) -> Iterable[Hit]:
    """Percentages that leave a rest, which gets an empty value where one is needed."""
    wanted = _pass_variables(ctx)
    for block in ctx.model.config.named("split_clients"):
        if not block.is_block or len(block.args) < 2 or ctx.model.unknown_inside(block):
            continue
        if block.first("*") or block.args[1].lower() not in wanted:
            continue
        try:
            total = sum(float(line.name.removesuffix("%")) for line in block.children)
        except ValueError:
            continue
        if total < 99.995:
            yield Hit(
                name_of(block),
                f"percentages add up to {total:g}%: {block.args[1]} is empty for the remaining clients",
                block,
                related=(("used here", whole(wanted[block.args[1].lower()])),),
                help="Add * with a value as the last line.",
            )


def _pass_variables(ctx: CheckContext) -> dict[str, Directive]:
    """Variables that are, or begin, the target of a pass or a redirect, with one directive that uses each."""
    found: dict[str, Directive] = {}
    for each in ctx.model.passes:
        head = each.text.partition("://")[2] or each.text
        for reference in list(references(head))[:1]:
            if reference.start == 0:
                found.setdefault(f"${reference.name}", each.directive)
    for node in ctx.model.config.named("return"):
        if len(node.args) == 2 and node.args[0] in REDIRECTS:
            for reference in list(references(node.args[1]))[:1]:
                if reference.start == 0:
                    found.setdefault(f"${reference.name}", node)
    return found
