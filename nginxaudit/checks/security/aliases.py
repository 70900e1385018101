"""Aliases with which other files than the meant ones are reached."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.routing.serving import served_blocks
from nginxaudit.finding import Applicability, Confidence, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.access import access_of, keeps_out
from nginxaudit.model.location import Location
from nginxaudit.model.server import Server
from nginxaudit.model.variables import references
from nginxaudit.pcre import parse
from nginxaudit.syntax.tree import Directive, Token


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
