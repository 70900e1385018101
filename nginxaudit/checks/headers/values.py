"""What the headers of responses say: obsolete, doubled, contradictory, too weak."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks import inherited
from nginxaudit.checks.headers.inheritance import SECURITY
from nginxaudit.checks.routing.serving import never_serves
from nginxaudit.finding import Applicability, Fix
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.listen import Listen
from nginxaudit.model.server import Server
from nginxaudit.syntax.tree import Directive

HSTS = "strict-transport-security"
_SINGLE = frozenset({HSTS, "x-frame-options", "x-content-type-options", "referrer-policy", "content-type"})
_OBSOLETE = {
    "expect-ct": "browsers ignore it",
    "public-key-pins": "browsers ignore it, and a wrong value could make sites unreachable",
    "p3p": "no browser reads it",
}


_DROPPED = frozenset({*_OBSOLETE, "x-xss-protection"})


def added(ctx: CheckContext, *headers: str) -> Iterator[Directive]:
    """The add_header directives for one of ``headers`` (in lower case)."""
    return (
        node
        for node in ctx.model.config.named("add_header")
        if len(node.args) > 1 and (not headers or node.args[0].lower() in headers)
    )


def header_missing_always(ctx: CheckContext) -> Iterable[Hit]:
    """Headers that protect, and are left out of error pages; once per block."""
    blocks: dict[Directive | None, list[Directive]] = {}
    for node in added(ctx):
        if node.args[0].lower() in SECURITY and node.args[2:] != ["always"] and "$" not in node.args[0]:
            blocks.setdefault(node.parent, []).append(node)
    for nodes in blocks.values():
        from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

        names = listed(list(dict.fromkeys(str(node.args[0]) for node in nodes)))
        yield Hit(
            whole(nodes[0]),
            f"{names} not sent with error pages: always is missing",
            nodes[0],
            related=tuple(("also without always", whole(node)) for node in nodes[1:5]),
            help="Add always after the value.",
            make_fix=partial(_always, nodes, ctx.model),
            witness=shortfalls.only_with_success(ctx, nodes[0]),
        )


def _always(nodes: list[Directive], model: Model) -> Edits:
    """``always`` for all these headers of a block, those with a variable left out: it may be empty for errors on purpose.

    Where a backend sends the header with its errors, clients get it twice.
    """
    lines = {node.statement: node for node in nodes if len(node.args) == 2 and not model.is_filled_in(node)}
    literal = [node for node in lines.values() if "$" not in node.args[1]]
    return tuple(edits.appended(node, "always") for node in literal or lines.values())


def duplicate_header(ctx: CheckContext) -> Iterable[Hit]:
    """A header that one block sets twice."""
    for name in ("add_header", "proxy_set_header", "grpc_set_header"):
        for block in dict.fromkeys(node.parent for node in ctx.model.config.named(name)):
            seen: dict[str, Directive] = {}
            for node in block.named(name) if block is not None else ():
                header = node.args[0].lower() if len(node.args) > 1 else ""
                if not header or (name == "add_header" and header not in _SINGLE):
                    continue
                first = seen.setdefault(header, node)
                if first is not node and not (node.args[1] == "" and name != "add_header"):
                    yield Hit(
                        whole(node),
                        f"{node.args[0]} is already set: {_consequence(ctx, name, header)}",
                        node,
                        related=(("the other one", whole(first)),),
                        help="Keep one of them.",
                        why=_reason(ctx, name, header),
                    )


def _consequence(ctx: CheckContext, name: str, header: str) -> str:
    if name == "add_header":
        return "the response contains it twice"
    if header == "host":
        return (
            "only the last one is sent"
            if ctx.target.since((1, 31, 4))
            else "backends answer 400 to two Host headers"
        )
    return "the backend receives both"


def _reason(ctx: CheckContext, name: str, header: str) -> str:
    """Why a header that is set twice matters, where that is not what clients make of it."""
    if name == "add_header":
        return ""
    if header == "host":
        return (
            "The other line has no effect."
            if ctx.target.since((1, 31, 4))
            else "HTTP allows one Host header only."
        )
    return "Applications use the first value, the last one, or both joined by a comma."


def obsolete_security_header(ctx: CheckContext) -> Iterable[Hit]:
    """Headers that do nothing, harm, or are misspelt."""
    for node in added(ctx):
        header, value = node.args[0].lower(), node.args[1].strip().lower()
        reason = _OBSOLETE.get(header, "")
        if header == "x-xss-protection" and value.startswith("1"):
            reason = "browsers removed the filter, and in old ones it could be used for attacks"
        elif header == "x-frame-options" and value.startswith("allow-from"):
            reason = "browsers ignore the whole header because of ALLOW-FROM"
        elif not reason and header not in SECURITY:
            meant = meant_header(header)
            reason = f"misspelled, the correct name is {meant}" if meant else ""
        if reason:
            yield Hit(
                arg(node, node.args[0]),
                f"{node.args[0]} gives no protection: {reason}",
                node,
                help="Delete it; Content-Security-Policy replaces it."
                if "misspelled" not in reason
                else "Correct the name.",
                make_fix=partial(_dropped_or_corrected, node, ctx.model),
            )


def _dropped_or_corrected(node: Directive, model: Model) -> Fix | None:
    """A header that nothing reads taken out, a misspelt name corrected: the header is in force then."""
    if node.parent is None or not edits.on_one_line(node):
        return None
    header = node.args[0].lower()
    if header in _DROPPED:
        return Fix(f"Delete {node.args[0]}", Applicability.UNSAFE, (edits.deleted(node),))
    meant = meant_header(header)
    if not meant or any(
        other.args[:1] and other.args[0].lower() == meant for other in node.parent.named(node.name)
    ):
        return None
    name = "-".join(word.capitalize() for word in meant.split("-"))
    return Fix(f"Write {name}", Applicability.UNSAFE, (edits.exchanged(node, node.args[0], name),))


def meant_header(name: str) -> str:
    """The header that protects and is called almost like ``name``; empty if there is none."""
    from difflib import get_close_matches  # only who has unknown headers pays for it

    return next(iter(get_close_matches(name, SECURITY, n=1, cutoff=0.93)), "")


def cache_control_conflict(ctx: CheckContext) -> Iterable[Hit]:
    """``expires`` and a Cache-Control of one block that say the opposite."""
    for node in added(ctx, "cache-control"):
        expires = node.parent.first("expires") if node.parent is not None else None
        if expires is None or not expires.args:
            continue
        time, value = expires.args[-1].lower(), node.args[1].lower()
        forbids = "no-store" in value or "no-cache" in value or "max-age=0" in value
        allows = re.search(r"max-age=[1-9]", value) is not None or "public" in value
        never = time.startswith("-") or time in ("epoch", "0")
        if (forbids and not never and time not in ("off", "0") and "$" not in time) or (allows and never):
            yield Hit(
                whole(node),
                f'contradictory Cache-Control headers: "{node.args[1]}" and the header of expires {time}',
                node,
                related=(("adds the other one", whole(expires)),),
                help="Keep one of the two.",
            )


def sends(ctx: CheckContext, server: Server, header: str) -> bool:
    """Whether some level of the server adds the header."""
    blocks = [server.directive, *(location.directive for location in server.all_locations())]
    for block in blocks:
        names = (node.args[0].lower() for node in ctx.model.effective(block, "add_header") if node.args)
        if header in names:
            return True
        if any(header in token.lower() for node in block.named("more_set_headers") for token in node.args):
            return True
        if block.first("security_headers") is not None:
            return True
    return False


def http3_alt_svc_missing(ctx: CheckContext) -> Iterable[Hit]:
    """HTTP/3 that no client learns about."""
    for server in ctx.model.servers("http"):
        quic = next((listen for listen in server.listens if listen.quic and listen.directive), None)
        if quic is None or quic.directive is None or ctx.model.unknown_inside(server.directive):
            continue
        if sends(ctx, server, "alt-svc"):
            continue
        hit = Hit(
            whole(quic.directive),
            "no Alt-Svc header: browsers do not discover HTTP/3 and keep using TCP",
            quic.directive,
            help=f"Write add_header Alt-Svc 'h3=\":{quic.port}\"; ma=86400' always;",
            make_fix=partial(_announced, server, quic, ctx.model),
        )
        yield unless(ctx.model.may_be_set(server.directive, "add_header"), "http adds the header", hit)


def _announced(server: Server, quic: Listen, model: Model) -> Edits:
    """An ``Alt-Svc`` header with the port of the socket."""
    last = server.directive.named("listen")[-1]
    text = f"add_header Alt-Svc 'h3=\":{quic.port}\"; ma=86400' always;"
    edit = inherited.added(server.directive, model, text, beside=last)
    return (edit,) if edit is not None else None


_UNPROTECTED = {
    "X-Content-Type-Options": "guess content types",
    "Content-Security-Policy": "run any script",
    "Referrer-Policy": "send the address of the page to other sites",
    "X-Frame-Options": "show the page in frames of other sites",
}
"""What browsers do without a header."""


def security_headers_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Servers of files without the usual headers; asked for only."""
    for server in ctx.model.servers("http"):
        node = server.directive
        if (
            ctx.model.unknown_inside(node)
            or never_serves(ctx.model, node)
            or node.first("return")
            or not ctx.model.effective(node, "root")
        ):
            continue
        lacking = [name for name in _UNPROTECTED if not sends(ctx, server, name.lower())]
        if "X-Frame-Options" in lacking and _frames_restricted(ctx, server):
            lacking.remove("X-Frame-Options")
        if lacking:
            hit = Hit(
                name_of(node),
                f"{listed(lacking)} not sent",
                node,
                help="Add them to the server, with always.",
                why=f"Without {'it' if len(lacking) == 1 else 'them'} browsers {listed([_UNPROTECTED[each] for each in lacking])}.",
            )
            yield unless(ctx.model.may_be_set(node, "add_header"), "http adds them", hit)


def _frames_restricted(ctx: CheckContext, server: Server) -> bool:
    """Whether a policy of the server says which sites may embed its pages, or may say so."""
    blocks = [server.directive, *(location.directive for location in server.all_locations())]
    policies = (node for block in blocks for node in ctx.model.effective(block, "add_header"))
    return any(
        "frame-ancestors" in node.args[1].lower() or "$" in node.args[1]
        for node in policies
        if len(node.args) > 1 and node.args[0].lower() == "content-security-policy"
    )
