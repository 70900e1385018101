"""Files that nginx looks for on disk more often than it needs to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, whole
from nginxaudit.model.expressions import Condition, condition
from nginxaudit.syntax.tree import Directive

_FILE_TESTS = ("-f", "!-f", "-e", "!-e", "-d", "!-d")

_EVERY_PATH = ("^", "^.*$", ".*", "^.*", "^(.*)$", "^/(.*)$", ".", "(.*)", "^(.+)$")
_REQUESTED = ("$request_filename", "$document_root$uri", "$document_root/$uri")
_TRIED = {"!-e": "$uri $uri/", "!-f": "$uri"}


def if_file_exists(ctx: CheckContext) -> Iterable[Hit]:
    """Files that are looked for with ``if`` to hand the rest to a front controller."""
    for node in ctx.model.config.named("if"):
        asked = condition(node)
        if asked is None or asked.operator not in _FILE_TESTS or "$" not in asked.right:
            continue
        if not any(
            child.name in ("rewrite", "proxy_pass", "fastcgi_pass", "uwsgi_pass") for child in node.children
        ):
            continue
        yield Hit(
            whole(node),
            "if (-f …) tests for a file; try_files does this without an if",
            node,
            help="Write try_files $uri $uri/ /index.php?$args; (or a named location) instead.",
            make_fix=partial(_tried, node, asked),
        )


_REWRITES = frozenset({"rewrite", "return", "set", "if", "break"})


def _tried(node: Directive, asked: Condition) -> Edits:
    """``try_files`` in the place of an ``if`` that does nothing but hand on to one path."""
    location = node.parent
    if location is None or node.inner != "if-in-location":
        return None
    if asked.operator not in _TRIED or asked.right not in _REQUESTED or location.first("try_files"):
        return None
    behind = location.children[location.children.index(node) + 1 :]
    if any(child.name in _REWRITES or child.name.endswith("_by_lua_block") for child in behind):
        return None  # they would run for files that are not there, too, before try_files looks
    target = _handed_to(node)
    close = node.statement.close
    if target is None or close is None or edits.holds_comment(node):
        return None
    text = f"try_files {_TRIED[asked.operator]} {target}?$args;"
    return (edits.replaced(node.source, node.start, close + 1, text),)


def _handed_to(node: Directive) -> str | None:
    """The path that an ``if`` rewrites every path to; the arguments stay behind it."""
    if len(node.children) != 1:
        return None
    child = node.children[0]
    if child.name != "rewrite" or child.args[2:] != ["last"] or child.args[0] not in _EVERY_PATH:
        return None
    target = str(child.args[1])
    return target if re.fullmatch(r"/[A-Za-z0-9/_.-]*", target) else None


def access_log_variable_path(ctx: CheckContext) -> Iterable[Hit]:
    """A log whose file is opened and closed for every request."""
    for node in ctx.model.config.named("access_log"):
        if not node.args or "$" not in node.args[0] or node.args[0].startswith("syslog:"):
            continue
        cache = ctx.model.value(node, "open_log_file_cache")
        if cache is None or cache == "off":
            yield Hit(
                arg(node, node.args[0]),
                "access_log with variables, but without open_log_file_cache",
                node,
                help="Write open_log_file_cache max=100 inactive=1m;",
            )


def try_files_without_open_file_cache(ctx: CheckContext) -> Iterable[Hit]:
    """Files that are looked for anew at every request; asked for only."""
    for node in ctx.model.config.named("try_files"):
        cache = ctx.model.value(node, "open_file_cache")
        if cache is None and ctx.model.may_be_set(node, "open_file_cache"):
            continue
        if (cache is None or cache == "off") and any(
            not token.startswith(("=", "@")) for token in node.args[:-1]
        ):
            yield Hit(
                whole(node),
                f"try_files {listed([str(token) for token in node.args[:-1]])} without open_file_cache",
                node,
                help="Enable open_file_cache; changed files are then noticed after open_file_cache_valid.",
            )
