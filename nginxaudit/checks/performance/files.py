"""Files that nginx looks for on disk more often than it needs to."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg, listed, whole
from nginxaudit.model.expressions import condition

_FILE_TESTS = ("-f", "!-f", "-e", "!-e", "-d", "!-d")


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
            "try_files looks for files and has the fallback in one step",
            node,
            help="Write try_files $uri $uri/ /index.php?$args; (or a named location) instead.",
        )


def access_log_variable_path(ctx: CheckContext) -> Iterable[Hit]:
    """A log whose file is opened and closed for every request."""
    for node in ctx.model.config.named("access_log"):
        if not node.args or "$" not in node.args[0] or node.args[0].startswith("syslog:"):
            continue
        cache = ctx.model.value(node, "open_log_file_cache")
        if cache is None or cache == "off":
            yield Hit(
                arg(node, node.args[0]),
                "the file of this log is opened and closed for every request",
                node,
                help="Write open_log_file_cache max=100 inactive=1m;",
            )


def try_files_without_open_file_cache(ctx: CheckContext) -> Iterable[Hit]:
    """Files that are looked for anew at every request; asked for only."""
    for node in ctx.model.config.named("try_files"):
        cache = ctx.model.value(node, "open_file_cache")
        if (cache is None or cache == "off") and any(
            not token.startswith(("=", "@")) for token in node.args[:-1]
        ):
            yield Hit(
                whole(node),
                f"every request asks the file system for {listed([str(token) for token in node.args[:-1]])}",
                node,
                help="open_file_cache remembers the answers; deployments are then seen later.",
            )
