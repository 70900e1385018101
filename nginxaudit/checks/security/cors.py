"""Origins that may read responses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nginxaudit.checks.headers.values import added
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model.expressions import Written, condition, map_expression
from nginxaudit.model.regex import matches
from nginxaudit.model.uses import refused, rest_of, set_elsewhere, turns_away, variable_uses
from nginxaudit.model.variables import references
from nginxaudit.nginx import variable
from nginxaudit.pcre import Expression
from nginxaudit.syntax.tree import Directive

_SCHEME = r"^.*?:\\?/\\?/"
_LITERAL_DOT = re.compile(r"\\\.|\[\.\]|\.(?![*+?{])")
_HOST = re.compile(r"(?<![a-z0-9-])[a-z0-9-]+(?:\\\.[a-z0-9-]+)+", re.I)
_ANY_ORIGIN = ("https://evil.test", "http://127.0.0.1:8080", "https://a-b.example")
_HEADERS = {"$http_origin": "Origin", "$http_referer": "Referer"}
_ORIGINS = (*_HEADERS, "$http_referrer")
_WHOLE = {
    "$http_origin": r"Anchor the regex at both ends and escape all dots: ^https://example\.com$",
    "$http_referer": r"Anchor the regex, end the host with a slash and escape all dots: ^https://example\.com/",
    "$http_referrer": "Use $http_referer.",
}
"""What to write instead, by what the expression is compared with."""

_EMPTY = "The check treats all requests of browsers alike; other clients can send the header and pass it."


def cors_origin_reflection(ctx: CheckContext) -> Iterable[Hit]:
    """Every origin is answered as an allowed one."""
    for node in ctx.model.config.named("add_header"):
        if len(node.args) < 2 or node.args[0].lower() != "access-control-allow-origin" or node.parent is None:
            continue
        origins = ctx.model.taint.origins(node.args[1], node)
        if not any(origin.variable == "$http_origin" for origin in origins) or not _unchecked(ctx, node):
            continue
        from nginxaudit.checks.security import origins as others  # only who has such a finding pays for it

        credentials = any(
            each.args[0].lower() == "access-control-allow-credentials" and each.args[1].lower() == "true"
            for each in ctx.model.effective(node.parent, "add_header")
            if len(each.args) > 1
        )
        yield Hit(
            arg(node, node.args[1]),
            "Access-Control-Allow-Origin reflects every Origin"
            + (", with credentials" if credentials else ""),
            node,
            severity=Severity.ERROR if credentials else Severity.INFO,
            help="Set the origin with a map that lists the allowed origins and has an empty default.",
            witness=others.reflected(ctx, node),
        )


def _unchecked(ctx: CheckContext, node: Directive) -> bool:
    """The origin gets here without a comparison: directly, by ``set``, or by a map that takes every one."""
    if _in_comparison(ctx, node):
        return False
    for reference in references(node.args[1]):
        if reference.name == "http_origin":
            return True
        for definition in ctx.model.variable_definitions("http").get(reference.name, ()):
            if definition.name == "set" and "http_origin" in definition.args[1].lower():
                return not _in_comparison(ctx, definition)
            if definition.name == "map":
                return any(map(_takes_all_origins, definition.children))
    return False


def _takes_all_origins(line: Directive) -> bool:
    """Whether a line of a map gives every origin: the default, or an expression that matches all of them."""
    if not any("http_origin" in token.lower() for token in line.args):
        return False
    if not line.name.startswith("~"):
        return line.name == "default"
    caseless, pattern = map_expression(line.name)
    return all(matches(pattern, origin, caseless=caseless) for origin in _ANY_ORIGIN)


def _in_comparison(ctx: CheckContext, node: Directive) -> bool:
    """Whether ``node`` is in an ``if`` that asks for the origin, itself or in a variable that depends on it."""
    block = node.parent
    if block is None or block.name != "if":
        return False
    names = {reference.name for token in block.args for reference in references(token)}
    if "http_origin" in names:
        return True
    defined = ctx.model.variable_definitions("http")
    if ctx.model.unread_files("http") and any(
        name not in defined and variable(name, "http") is None for name in names
    ):
        return True  # what they depend on is written elsewhere
    return any(_depends_on_origin(definition) for name in names for definition in defined.get(name, ()))


def _depends_on_origin(definition: Directive) -> bool:
    if definition.name == "map":
        return any("http_origin" in token.lower() for token in definition.args[:1])
    block = definition.parent
    return (
        block is not None
        and block.name == "if"
        and any("http_origin" in token.lower() for token in block.args)
    )


def weak_origin_check(ctx: CheckContext) -> Iterable[Hit]:
    """Regular expressions over Origin and Referer that other sites also match."""
    for written in ctx.model.expressions:
        subject = written.subject.lower().replace("{", "").replace("}", "")
        expression = written.expression
        if (
            written.kind not in ("if", "map")
            or subject not in _ORIGINS
            or expression is None
            or not expression.exact
        ):
            continue
        if expression.matches_every_path:
            continue
        if subject == "$http_referrer":
            problem = "$http_referrer is always empty: browsers spell the header Referer"
        elif not expression.starts_anchored and _names_host(expression):
            problem = "the regex is not anchored with ^: https://notexample.com or https://evil.test/?x=… can also match"
        elif not _ends_host(expression) and _names_host(expression):
            problem = (
                "the regex is not anchored with $, so https://example.com.evil.test also matches"
                if subject == "$http_origin"
                else "the regex has no / after the host, so https://example.com.evil.test/ also matches"
            )
        elif (other := _other_site(written, subject)) is not None:
            problem = f"{other} also matches: the regex allows any text before the host"
        else:
            continue
        if subject in _HEADERS and (_keeps_out(ctx, written) or _only_logged(ctx, written)):
            continue
        from nginxaudit.checks.security import origins as others  # only who has such a finding pays for it

        yield Hit(
            arg(written.directive, written.token),
            problem,
            written.directive,
            help=_WHOLE[subject],
            witness=others.accepted(ctx, written, _HEADERS[subject], _host_in(written))
            if subject in _HEADERS
            else None,
            why=_EMPTY if subject == "$http_referrer" else "",
        )


def _names_host(expression: Expression) -> bool:
    """Whether a dot means a literal dot, escaped or not: an expression without one picks parts of any text."""
    return _LITERAL_DOT.search(expression.text) is not None


def _ends_host(expression: Expression) -> bool:
    """Whether nothing that matches has a longer host: the end of the text or of the host is asked for."""
    return expression.ends_anchored or "/" in re.sub(_SCHEME, "", expression.text)


def _host_in(written: Written) -> str:
    """The first host that the expression names; empty for none."""
    return next((found.replace("\\", "") for found in _HOST.findall(written.text)), "")


def _other_site(written: Written, subject: str) -> str | None:
    """A page or an origin of another site that the expression matches; None where none was found."""
    for found in _HOST.findall(written.text):
        host = found.replace("\\", "")
        domain = ".".join(host.rsplit(".", 2)[-2:])
        tried = [f"https://evil{domain}"]
        if subject == "$http_referer":
            tried = [f"https://evil{domain}/", f"https://evil.test/{host}/", f"https://evil.test/x.{host}/"]
        for site in tried:
            if matches(written.text, site, caseless=written.caseless):
                return site
    return None


def _keeps_out(ctx: CheckContext, written: Written) -> bool:
    """What matches is refused, and all else is not: who matches by chance gets less, not more."""
    node = written.directive
    if written.kind == "map":
        block = node.parent
        return block is not None and _worse(ctx, block.args[-1], node.args[0], [rest_of(block)], None)
    asked = condition(node)
    if asked is None or asked.left.lower() not in _ORIGINS:
        return False
    if turns_away(node):
        return not asked.negated
    server = ctx.model.enclosing(node, "server")
    for each in node.named("set"):
        if len(each.args) < 2:
            continue
        others = set_elsewhere(ctx.model, each.args[0][1:].lower(), each)
        if asked.negated and all(
            _worse(ctx, each.args[0], other, [each.args[1]], server) for other in others
        ):
            return True
        if not asked.negated and _worse(ctx, each.args[0], each.args[1], others, server):
            return True
    return False


def _worse(
    ctx: CheckContext, variable: str, value: str, others: Sequence[str], server: Directive | None
) -> bool:
    """Requests for which the variable has ``value`` are turned away, those with any of ``others`` are not."""
    name = variable[1:].lower()
    return refused(ctx.model, name, value, server) and not any(
        "$" in other or refused(ctx.model, name, other, server) for other in others
    )


def _only_logged(ctx: CheckContext, written: Written) -> bool:
    """The variable that the check decides is used only in logs."""
    node = written.directive
    block = node.parent
    if written.kind == "map":
        names = [block.args[-1][1:].lower()] if block is not None else []
    elif any(child.name != "set" for child in node.children):
        return False
    else:
        names = [each.args[0][1:].lower() for each in node.named("set") if each.args]
    uses = [
        use
        for name in names
        for use, _ in ctx.once(variable_uses).get(("http", name), ())
        if use is not block
    ]
    return bool(uses) and all(use.name in ("access_log", "log_format") for use in uses)


def cors_wildcard_credentials(ctx: CheckContext) -> Iterable[Hit]:
    """Origins that browsers refuse: any together with credentials, several, or none that can be one."""
    for block in dict.fromkeys(node.parent for node in added(ctx, "access-control-allow-origin")):
        if block is None:
            continue
        headers = [node for node in ctx.model.effective(block, "add_header") if len(node.args) > 1]
        origins = [node for node in headers if node.args[0].lower() == "access-control-allow-origin"]
        credentials = next(
            (
                node
                for node in headers
                if node.args[0].lower() == "access-control-allow-credentials"
                and node.args[1].lower() == "true"
            ),
            None,
        )
        if origins[0].parent is not block:
            continue
        value = origins[0].args[1].strip()
        if value == "*" and credentials is not None:
            problem = "browsers block requests with credentials if the allowed origin is *"
        elif len(origins) > 1:
            problem = "browsers reject two Access-Control-Allow-Origin headers"
        elif "$" not in value and ("," in value or " " in value or value.count("/") > 2):
            problem = "Access-Control-Allow-Origin takes one origin, not a list or a path"
        else:
            continue
        from nginxaudit.checks.security import origins as others  # only who has such a finding pays for it

        yield Hit(
            whole(origins[0]),
            problem,
            origins[0],
            related=(
                *((("credentials are allowed here", whole(credentials)),) if credentials is not None else ()),
                *(("second header", whole(other)) for other in origins[1:]),
            ),
            help="Set one origin with a map of the allowed origins.",
            witness=others.answered_with(ctx, origins[0]),
        )
