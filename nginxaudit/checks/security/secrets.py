"""Secrets in logs, cookies and the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, Place, arg, listed, whole
from nginxaudit.model.variables import references
from nginxaudit.nginx.secrets import is_dummy, is_personal
from nginxaudit.syntax.tree import Directive

_SENSITIVE = frozenset(
    {
        "request_body", "request_body_file", "http_authorization", "http_cookie", "http_proxy_authorization", "http_x_api_key",
        "sent_http_set_cookie", "upstream_http_set_cookie", "ssl_session_id",
    }
)  # fmt: skip
_OF_CLIENTS = ("cookie_", "arg_", "http_")


def log_sensitive_data(ctx: CheckContext) -> Iterable[Hit]:
    """Formats of logs with passwords, sessions or whole bodies, where they are used."""
    used = {
        token.lower()
        for node in ctx.model.config.named("access_log")
        if node.args[0:1] != ["off"]
        for token in node.args[1:2]
    }
    for node in ctx.model.config.named("log_format"):
        if not node.args or node.args[0].lower() not in used:
            continue
        for token in node.args[1:]:
            names = [
                reference.name
                for reference in references(token)
                if reference.name in _SENSITIVE
                or (reference.name.startswith(_OF_CLIENTS) and is_personal(f"${reference.name}"))
            ]
            if names:
                yield Hit(
                    arg(node, token),
                    f"log_format logs {listed([f'${name}' for name in dict.fromkeys(names)])}, which can contain credentials",
                    node,
                    severity=Severity.INFO if names == ["request_body_file"] else None,
                    help="Remove it, or log a hash of it.",
                )
                break


def sticky_cookie_insecure(ctx: CheckContext) -> Iterable[Hit]:
    """The cookie that binds a client to a server, readable for scripts or sent without TLS."""
    for node in ctx.model.config.named("sticky"):
        if node.args[:1] != ["cookie"] or len(node.args) < 2:
            continue
        words = node.args[2:]
        group = next((each for each in ctx.model.all_upstreams if each.directive is node.parent), None)
        servers = (
            {each.server for each in ctx.model.passes_to(group) if each.server}
            if group is not None
            else set()
        )
        tls = bool(servers) and all(any(listen.ssl for listen in server.listens) for server in servers)
        lacking = ["httponly"] if "httponly" not in words else []
        if "secure" not in words and (tls or any(word.lower() == "samesite=none" for word in words)):
            lacking.append("secure")
        if lacking:
            yield Hit(
                whole(node),
                f"sticky cookie without {listed(lacking)}",
                node,
                severity=None if "secure" in lacking else Severity.INFO,
                help=f"Add {' '.join(lacking)}.",
                make_fix=partial(_protected, node, lacking),
            )


def _protected(node: Directive, lacking: list[str]) -> Edits:
    """What the cookie lacks."""
    return (edits.appended(node, " ".join(lacking)),)


def secret_in_config(ctx: CheckContext) -> Iterable[Hit]:
    """Passwords and tokens written out, once per directive; what they are is not repeated."""
    for node in (each for name in _WITH_SECRETS for each in ctx.model.config.named(name) if each.args):
        text = node.source.text
        for first, last, evident in node.source.secrets(node.start, node.args[-1].end):
            if not evident or is_dummy(text[first:last]):
                continue
            yield Hit(
                Place(node.source, first, last, node.via),
                f"hard-coded secret in {node.name}: readable in the configuration, its backups and its repository",
                node,
                help="Move it into an included file with restricted permissions, or insert it on deployment. Then replace the secret.",
            )
            break


_WITH_SECRETS = (
    "proxy_set_header", "grpc_set_header", "fastcgi_param", "uwsgi_param", "scgi_param", "proxy_pass", "proxy_set_body",
    "set", "js_var", "env", "if", "auth_request_set", "perl_set",
)  # fmt: skip
"""What speaks to backends or keeps values. `add_header` and `return` speak to clients: what they say is no secret."""
