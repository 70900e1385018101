"""Regular expressions: what they match beside what is meant, and how long they take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, Place, arg
from nginxaudit.model import Model, access
from nginxaudit.model.expressions import Written, condition
from nginxaudit.model.location import Location
from nginxaudit.model.variables import references
from nginxaudit.nginx.patterns import compiled
from nginxaudit.pcre import Expression, parse
from nginxaudit.pcre.nodes import Chars, Choice, Group, Node, Repeat, Sequence, members
from nginxaudit.syntax.tree import Directive, Token

_HANDLERS = ("fastcgi_pass", "uwsgi_pass", "scgi_pass", "perl", "proxy_pass")


def unanchored_regex_location(ctx: CheckContext) -> Iterable[Hit]:
    """A location for a file type that matches in the middle of a path, too."""
    for written in of_kind(ctx, "location"):
        expression = written.expression
        if expression is None or expression.starts_anchored or not expression.exact or expression.looks:
            continue
        if _ends_with_extension(expression.root) and not _may_go_on(ctx.model, written.directive):
            runs = any(written.directive.first(name) for name in _HANDLERS)
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            location = ctx.model.location_of(written.directive)
            yield Hit(
                arg(written.directive, written.token),
                f'the regex "{written.text}" is not anchored with $: it also matches in the middle of a path',
                written.directive,
                severity=Severity.WARNING if runs else None,
                help="Add $ to the end of the regex if the path should end there.",
                make_fix=partial(_tied_to_end, written.directive, ctx.model),
                witness=detours.also_here(ctx, location, ".bak", "/x") if location is not None else None,
            )


def _may_go_on(model: Model, node: Directive) -> bool:
    """Whether more of the path may follow: the location keeps somebody out, or the path behind a script is path info.

    What a location keeps out ``/.htpasswd`` is to be kept out of, too.
    """
    if access.keeps_out(node):
        return True
    if model.effective(node, "fastcgi_split_path_info") and node.first("fastcgi_pass"):
        return True
    return uses_path_info(model, node)


def uses_path_info(model: Model, node: Directive) -> bool:
    """Whether the scripts of a location are called with something behind their name, and told what it is."""
    told = (each for name in _PARAMETERS for each in model.effective(node, name))
    if any("path_info" in token.lower() for each in told for token in each.args):
        return True
    server = model.server_of(node)
    return server is not None and server.directive in model.once(_with_path_info)


_PARAMETERS = ("fastcgi_param", "uwsgi_param", "scgi_param")
_BEHIND_SCRIPT = r"\.\w+(?:/\S|\$\{?(?:uri|request_uri|document_uri|fastcgi_path_info|\d))"
"""A script with something behind it, as ``/index.php$uri`` or ``/index.php/$1``."""


def _with_path_info(model: Model) -> set[Directive]:
    """The servers that hand paths to a script with something behind its name."""
    found: set[Directive] = set()
    for name in ("try_files", "rewrite", "error_page"):
        for node in model.config.named(name):
            server = model.server_of(node)
            words = node.args[1:] if name == "rewrite" else node.args
            if server is not None and any(
                token.startswith("/") and compiled(_BEHIND_SCRIPT).search(token) for token in words
            ):
                found.add(server.directive)
    return found


def _tied_to_end(node: Directive, model: Model) -> Edits:
    """The end of the path after the regular expression."""
    location = model.location_of(node)
    if location is None or location.directive is not node or model.unknown_inside(node):
        return None  # what is not read may keep out, or split the path
    expression = parse(location.pattern, caseless=location.modifier == "~*")
    token = node.args[-1]
    if expression is None or (isinstance(expression.root, Choice) and len(node.args) < 2):
        return None
    end = "$"
    if isinstance(expression.root, Choice):
        return (edits.before_text(node, token, "(?:"), edits.behind_text(node, token, f"){end}"))
    return (edits.behind_text(node, token, end),)


def _ends_with_extension(node: Node) -> bool:
    """Whether every way ends with a literal dot and a literal file type."""
    match node:
        case Choice(branches=branches):
            return all(_ends_with_extension(branch) for branch in branches)
        case Group(item=item):
            return _ends_with_extension(item)
        case Sequence(items=items):
            return _is_extension(items)
    return False


def _is_extension(items: tuple[Node, ...]) -> bool:
    """``\\.`` and then nothing but letters: characters, or a choice of them."""
    for at in range(len(items) - 1, -1, -1):
        item = items[at]
        if isinstance(item, Chars) and item.kind == "literal" and item.chars == 1 << ord("."):
            return at < len(items) - 1
        if not _is_word(item):
            return False
    return False


def _is_word(node: Node) -> bool:
    match node:
        case Chars(chars=chars, kind="literal"):
            return all(char.isalnum() for char in members(chars))
        case Group(item=item):
            return _is_word(item)
        case Choice(branches=branches):
            return all(_is_word(branch) for branch in branches)
        case Sequence(items=items):
            return bool(items) and all(map(_is_word, items))
        case Repeat(item=item, high=1):
            return _is_word(item)
    return False


_STRONG = r"\.[*+]|\\[.dwsDWS]|\([^()|]+\|[^()]+\)|\[[A-Za-z0-9]-[A-Za-z0-9]|^\^|[A-Za-z0-9/)]\$$"
"""What stands in expressions and hardly ever in a path."""
_SIGNS = frozenset(".\\([^$")
"""Each of its parts has one of these."""


def _looks_like_expression(text: str) -> bool:
    return not _SIGNS.isdisjoint(text) and re.search(_STRONG, text) is not None


def regex_without_modifier(ctx: CheckContext) -> Iterable[Hit]:
    """A location, or a comparison, whose text is an expression but is compared as it is."""
    for location in ctx.model.locations:
        if not (location.is_prefix or location.is_exact) or location.pattern == "/":
            continue
        if location.directive.args and _looks_like_expression(location.pattern):
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                arg(location.directive, location.directive.args[-1]),
                f'"{location.pattern}" looks like a regex but is compared literally: ~ is missing',
                location.directive,
                help=f"Write location ~ {location.pattern}; regex locations are checked in the order of the file.",
                make_fix=partial(_as_regex, location, ctx.model),
                witness=detours.compared_literally(ctx, location),
            )
    yield from _compared(ctx)


def _compared(ctx: CheckContext) -> Iterator[Hit]:
    for node in ctx.model.config.named("if"):
        asked = condition(node)
        if asked is None or asked.token is None or asked.operator not in ("=", "!="):
            continue
        text = asked.right
        if "$" not in text.rstrip("$") and _looks_like_expression(text):
            yield Hit(
                arg(node, asked.token),
                f'"{text}" looks like a regex, but {asked.operator} compares it literally',
                node,
                help=f"Write {'~' if asked.operator == '=' else '!~'} {text}",
                make_fix=partial(_compare_by_expression, node),
            )


def _as_regex(location: Location, model: Model) -> Edits:
    """The modifier for an expression; a location stays tied to the ends of the path that it was tied to."""
    node = location.directive
    if not _may_be_expression(location, model):
        return None
    token = node.args[-1]
    start = "^" if location.pattern.startswith("/") else ""
    end = "$" if location.is_exact and not location.pattern.endswith("$") else ""
    text = edits.written(node, token)
    at = edits.inner_start(token) - token.start
    body = f"{text[:at]}{start}{text[at:]}"
    closing = len(body) - (token.end - edits.inner_end(token))
    body = f"{body[:closing]}{end}{body[closing:]}"
    gap = " " if end and not token.quoted and node.source.text[token.end : token.end + 1] == "{" else ""
    first = node.args[0].start
    return (edits.replaced(node.source, first, token.end, f"~ {body}{gap}"),)


def _may_be_expression(location: Location, model: Model) -> bool:
    """Whether nginx would load the location with ``~``: some things are refused there, others would mean nothing."""
    node = location.directive
    glued = len(node.args) == 1 and location.modifier != ""
    expression = parse(location.pattern, caseless=False)
    if glued or expression is None or isinstance(expression.root, Choice) or location.children:
        return False
    if "\n" in node.source.text[node.args[0].start : node.args[-1].end] or node.first("alias"):
        return False
    return all(each.path is None or each.runtime for each in model.passes_in(node))


def _compare_by_expression(node: Directive) -> Edits:
    asked = condition(node)
    token = next((each for each in node.args if each in ("=", "!=") and not each.quoted), None)
    if asked is None or token is None or parse(asked.right, caseless=False) is None:
        return None
    return (edits.exchanged(node, token, token.replace("=", "~")),)


def map_key_looks_like_regex(ctx: CheckContext) -> Iterable[Hit]:
    """A key of a map that is an expression without ``~``."""
    for block in ctx.model.config.named("map"):
        if not block.is_block or len(block.args) < 2:
            continue
        hosts = block.first("hostnames") is not None
        for line in block.children:
            if line.args and _is_mistaken_key(str(line.name), hosts):
                yield Hit(
                    Place(line.source, line.start, line.name_end, line.via),
                    f'the key "{line.name}" looks like a regex but is compared literally: ~ is missing',
                    line,
                    help=f"Write ~{line.name}",
                    make_fix=partial(_marked, line),
                )


def _marked(node: Directive) -> Edits:
    """``~`` before the key of a map, if it is an expression that nginx can read."""
    if parse(str(node.name), caseless=False) is None:
        return None
    return (edits.before_text(node, node.word, "~"),)


def _is_mistaken_key(key: str, hosts: bool) -> bool:
    if key.startswith("~") or key.removeprefix("\\") in ("default", "include", "hostnames", "volatile"):
        return False
    if hosts and (key.startswith("*.") or key.endswith(".*")):
        return False
    if " " in key or ("(" in key and ";" in key):
        return False  # the text of a User-Agent
    return bool(re.search(_KEY, key))


_KEY = r"^\^|\.\*|\\\.|[A-Za-z0-9/]\$$|^/[^|]*\|/"


def undefined_capture_reference(ctx: CheckContext) -> Iterable[Hit]:
    """``$1`` to ``$9`` where no expression has so many groups."""
    config = ctx.model.config
    if not any(compiled(_NUMBERED).search(source.text) for source in config.sources.values()):
        return
    captures: _Captures | None = None
    for name in _WITH_VALUES:
        for node in config.named(name):
            numbered = [
                token
                for token in (node.args[1:2] if name == "rewrite" else node.args)
                if "$" in token and compiled(_NUMBERED).search(token)
            ]
            if numbered and ctx.model.family_of(node) == "http":
                captures = captures or _Captures(ctx)
                groups = captures.highest(node)
                for token in numbered:
                    yield from _undefined(node, token, groups)
    for written in of_kind(ctx, "map") if config.named("map") else ():
        for token in written.directive.args[:1]:
            if compiled(_NUMBERED).search(token):
                groups = written.expression.groups if written.expression is not None else None
                yield from _undefined(written.directive, token, groups)


_WITH_VALUES = (
    "rewrite", "return", "set", "add_header", "proxy_pass", "proxy_set_header", "try_files", "alias", "root", "fastcgi_param",
)  # fmt: skip
_NUMBERED = r"\$\{?[0-9]"


def _undefined(node: Directive, token: Token, groups: int | None) -> Iterator[Hit]:
    """The first number in ``token`` that is above that of the ``groups``; nothing where that is not known."""
    if groups is None:
        return
    for reference in references(token):
        if reference.name.isdigit() and int(reference.name) > groups:
            has = f"at most {groups} capture{'s' * (groups > 1)}" if groups else "no captures"
            yield Hit(
                arg(node, token),
                f"${reference.name} is always empty: the regexes that can precede it have {has}",
                node,
                help="Correct the number, or add the missing parentheses.",
            )
            return


class _Captures:
    """How many groups the expressions have that a request can have met before a directive is read."""

    def __init__(self, ctx: CheckContext) -> None:
        self._model = ctx.model
        self._of_maps: int | None = 0  # evaluated anywhere; None: nobody knows
        self._servers: dict[Directive | None, list[Written]] = {}
        self._by_groups: dict[Directive, list[tuple[int | None, Directive]]] = {}
        self._rewrites: dict[Directive, Written] = {}
        for written in ctx.model.expressions:
            if written.kind == "map":
                self._of_maps = _more(self._of_maps, written.expression)
            else:
                server = ctx.model.enclosing(written.directive, "server")
                self._servers.setdefault(server, []).append(written)
            if written.kind == "rewrite":
                self._rewrites[written.directive] = written

    def highest(self, node: Directive) -> int | None:
        """Groups of the expression with most of them; None if that is not known."""
        own = self._rewrites.get(node)
        if own is not None and not any(not each.name.isdigit() for each in references(node.args[1])):
            return _more(0, own.expression)  # it has just matched
        server = self._model.enclosing(node, "server")
        if server is None or self._model.unknown_inside(server):
            return None
        if self._model.unread_files("http") and not self._model.is_part("http"):
            return None  # of a fragment: maps that are elsewhere are not evaluated in between
        failed = self._failed(node)
        own_groups = next((groups for groups, each in self._ranked(server) if each is not failed), 0)
        return None if self._of_maps is None or own_groups is None else max(own_groups, self._of_maps)

    def _ranked(self, server: Directive) -> list[tuple[int | None, Directive]]:
        """The expressions of a server by their number of groups, those that nobody understands first."""
        if server not in self._by_groups:
            found = [
                (each.expression.groups if each.expression is not None else None, each.directive)
                for each in self._servers.get(server, ())
            ]
            found.sort(key=lambda each: 99 if each[0] is None else each[0], reverse=True)
            self._by_groups[server] = found
        return self._by_groups[server]

    def _failed(self, node: Directive) -> Directive | None:
        """The ``if`` around ``node`` that is entered only when its expression did not match."""
        block = self._model.enclosing(node, "if")
        asked = condition(block) if block is not None else None
        return block if asked is not None and asked.is_match and asked.negated else None


def _more(known: int | None, expression: Expression | None) -> int | None:
    return None if known is None or expression is None else max(known, expression.groups)


def of_kind(ctx: CheckContext, kind: str) -> Iterator[Written]:
    """The regular expressions that stand in one kind of place."""
    return (written for written in ctx.model.expressions if written.kind == kind)
