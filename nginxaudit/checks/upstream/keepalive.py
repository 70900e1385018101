"""Pools of connections to servers, and the locations that cannot use them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec import Struct

from nginxaudit import edits
from nginxaudit.finding import Applicability, Confidence, Edit, Fix
from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.nginx.since import KEEPALIVE_BY_DEFAULT
from nginxaudit.syntax.tree import Directive

_TITLE = "Keep connections open (trade-off: a request on a connection that the backend is closing may fail)"
_NO_KEEPALIVE = frozenset({"uwsgi", "scgi"})


def upstream_keepalive_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """A pool of connections that some location cannot use."""
    for upstream in ctx.model.upstreams("http"):
        pool = upstream.keepalive
        if pool is None or pool.args[:1] == ["0"]:
            continue
        found = [
            (each, *why) for each in ctx.model.passes_to(upstream) if (why := _reason(ctx, each)) and why[0]
        ]
        if not found:
            continue
        (each, reason, node, confidence), *others = found
        related = (("because of this directive", whole(node)),) if node is not None else ()
        hit = Hit(
            whole(each.directive),
            f'connections to "{upstream.name}" are not reused: {reason}',
            each.directive,
            related=(
                ("the pool", whole(pool)),
                *related,
                *(("also not reused here", whole(other.directive)) for other, *_ in others),
            ),
            confidence=confidence,
            help=_help(each),
            make_fix=partial(_all_kept, [each for each, *_ in found], upstream, ctx.model),
        )
        yield unless(node is None and _may_be_kept(ctx.model, each), "a block around it changes that", hit)


def _may_be_kept(model: Model, each: Pass) -> bool:
    """Whether what is not written in the blocks that are known may be in one that is not."""
    names = {"proxy": ("proxy_http_version", "proxy_set_header"), "fastcgi": ("fastcgi_keep_conn",)}
    return any(model.may_be_set(each.scope, name) for name in names.get(each.protocol, ()))


def _help(each: Pass) -> str:
    if each.protocol == "fastcgi":
        return "Add fastcgi_keep_conn on;"
    if each.protocol in _NO_KEEPALIVE:
        return "Delete keepalive from the upstream."
    return 'Add proxy_http_version 1.1; and proxy_set_header Connection ""; next to the other proxy_set_header lines that apply here.'


def keeps_connections(ctx: CheckContext, each: Pass) -> bool:
    """Whether connections of a pass are put into the pool of its group."""
    return not _reason(ctx, each)[0]


def _reason(ctx: CheckContext, each: Pass) -> tuple[str, Directive | None, Confidence | None]:
    if each.protocol in _NO_KEEPALIVE:
        return f"{each.protocol} opens a connection for every request", None, None
    if each.protocol == "fastcgi":
        if ctx.model.flag(each.scope, "fastcgi_keep_conn", False) is False:
            return "fastcgi_keep_conn is off", None, None
        return "", None, None
    if each.protocol != "proxy":
        return "", None, None
    modern = ctx.target.since(KEEPALIVE_BY_DEFAULT)
    versions = ctx.model.effective(each.scope, "proxy_http_version")
    version = str(versions[0].args[0]) if versions and versions[0].args else ("1.1" if modern else "1.0")
    if version == "1.0":
        return "HTTP/1.0 is used", versions[0] if versions else None, None
    if version != "1.1":
        return "", None, None
    return _connection_header(ctx, each, modern)


def _connection_header(
    ctx: CheckContext, each: Pass, modern: bool
) -> tuple[str, Directive | None, Confidence | None]:
    headers = ctx.model.effective(each.scope, "proxy_set_header")
    own = [node for node in headers if len(node.args) > 1 and node.args[0].lower() == "connection"]
    if not own:
        if modern:
            return "", None, None
        cause = headers[0] if headers else None
        why = "nginx sends Connection: close"
        if cause is not None and cause.parent is each.scope:
            why += " (proxy_set_header here drops inherited headers)"
        return why, cause, None
    value = own[-1].args[1]
    if value == "close" or value.lower() == "$http_connection":
        return f"the Connection header is {value}", own[-1], None
    if value.startswith("$"):
        values = ctx.model.possible_values(value, each.scope)
        if "close" in values.constants:
            return f"{value} is close for requests without Upgrade", own[-1], Confidence.MEDIUM
    return "", None, None


# -- the fix


def _all_kept(passes: list[Pass], upstream: Upstream, model: Model) -> Fix | None:
    """One fix for all passes that lack something; those that have none are left."""
    fixes = [fix for each in passes if (fix := kept(each, upstream, model)) is not None]
    if not fixes:
        return None
    made = dict.fromkeys(edit for fix in fixes for edit in fix.edits)
    return Fix(
        fixes[0].title, Applicability.UNSAFE, tuple(sorted(made, key=lambda edit: (edit.file, edit.start)))
    )


def kept(each: Pass, upstream: Upstream, model: Model) -> Fix | None:
    """What the pass lacks to use the pool of its group."""
    if each.protocol in _NO_KEEPALIVE:
        return _without_pool(upstream, model)
    if each.scope.inner != "location":
        return None  # the lines are not allowed in "if" and limit_except
    if binds_logins(each, upstream):
        return None  # a connection that is used again would carry the login of another client
    if each.protocol == "fastcgi":
        made = _set(each, model, "fastcgi_keep_conn", "on")
        title = "Write fastcgi_keep_conn on (trade-off: an idle connection occupies a worker of the pool)"
        return Fix(title, Applicability.UNSAFE, made)
    return _http11(each, upstream, model)


_NTLM = r"(?i)\b(?:ntlm|negotiate|kerberos|exchange|owa|ews|mapi|rpc|autodiscover|activesync|sharepoint|_vti_bin|iis)\b"


def binds_logins(each: Pass, upstream: Upstream) -> bool:
    """Whether the servers are known for logins that hold for a connection (NTLM, Negotiate), not for a request."""
    names = " ".join([upstream.name, *each.scope.args]).replace("_", " ").replace("-", " ")
    return compiled(_NTLM).search(names) is not None


def _without_pool(upstream: Upstream, model: Model) -> Fix | None:
    """``keepalive`` taken out where no pass can use it."""
    pool = upstream.keepalive
    able = any(each.protocol not in _NO_KEEPALIVE for each in model.passes_to(upstream))
    made = None if pool is None or able else edits.deletion(pool)
    return Fix("Delete keepalive", Applicability.UNSAFE, made) if made else None


def _set(each: Pass, model: Model, name: str, value: str) -> tuple[Edit, ...]:
    """``name value`` where the pass stands; what stands there already is corrected."""
    own = [node for node in model.effective(each.scope, name) if node.parent is each.scope and node.args]
    if own:
        return (edits.exchanged(own[0], own[0].args[0], value),)
    return (edits.after(each.directive, f"{name} {value};"),)


class _Change(Struct):
    """Words exchanged, and lines put in."""

    edits: list[Edit]
    lines: list[str]


def _http11(each: Pass, upstream: Upstream, model: Model) -> Fix | None:
    """HTTP/1.1 and an empty Connection header.

    Never safe: servers see another protocol, and a connection that they close when it is used again costs requests
    that are not repeated.
    """
    change = _Change([], [])
    shared = _is_shared(each, upstream, model)
    _version(each, model, change)
    if not _connection(each, model, change, shared=shared):
        return None
    text = "\n".join(change.lines)
    if mask_secrets(text) != text:
        return None  # no secret is written a second time
    if change.lines:
        change.edits.append(edits.after(each.directive, text))
    return Fix(_TITLE, Applicability.UNSAFE, tuple(change.edits)) if change.edits else None


def _version(each: Pass, model: Model, change: _Change) -> None:
    """Version 1.1, unless it is in effect."""
    written = model.effective(each.scope, "proxy_http_version")
    if written and written[0].args[:1] == ["1.0"]:
        if written[0].parent is each.scope:
            change.edits.append(edits.exchanged(written[0], written[0].args[0], "1.1"))
        else:
            change.lines.append("proxy_http_version 1.1;")
    elif not written and not model.target.since(KEEPALIVE_BY_DEFAULT):
        change.lines.append("proxy_http_version 1.1;")


def _connection(each: Pass, model: Model, change: _Change, *, shared: bool) -> bool:
    """No Connection header, inherited headers repeated beside it. False: leave it to its author."""
    headers = [node for node in model.effective(each.scope, "proxy_set_header") if len(node.args) > 1]
    named = {node.args[0].lower(): node for node in headers}
    inherited = [node for node in headers if node.parent is not each.scope]
    if shared and inherited:
        return False  # in another place it inherits others
    if len(inherited) == len(headers) and model.may_be_set(each.scope, "proxy_set_header"):
        return False  # the headers of a block that is not here, Host for one, would be dropped
    own = named.get("connection")
    if own is None:
        if "upgrade" in named:
            return False  # WebSockets need one
        if not model.target.since(KEEPALIVE_BY_DEFAULT):
            change.lines += [*map(_line, inherited), 'proxy_set_header Connection "";']
        return True
    if own.args[1] == "close" and not inherited:
        change.edits.append(edits.exchanged(own, own.args[1], '""'))
        return True
    return not own.args[1]


def _line(node: Directive) -> str:
    return f"{node.source.text[node.start : node.args[-1].end]};"


def _is_shared(each: Pass, upstream: Upstream, model: Model) -> bool:
    """Whether the line of the pass stands in a file that is included in several places."""
    line = each.directive.statement
    return sum(other.directive.statement is line for other in model.passes_to(upstream)) > 1
