"""TLS towards clients: sockets, ciphers, stapling, client certificates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.tls.suites import suite_lists
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx import Asked
from nginxaudit.nginx.ciphers import is_level_0, is_wide, left_to_library, weak_families
from nginxaudit.nginx.names import BALANCED
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.since import TLS13_BY_DEFAULT
from nginxaudit.syntax.tree import Directive, Token

_SAFE_BY_DEFAULT = (1, 27, 3)  # since then TLSv1.2 and TLSv1.3 alone
_AFTER_SNI = (1, 29, 0)
_BEFORE_NAME = (
    "ssl_protocols",
    "ssl_ecdh_curve",
    "ssl_session_cache",
    "ssl_session_tickets",
    "ssl_early_data",
    "ssl_conf_command",
)
"""What the default server of a socket decides before, or while, the name is known."""

LIST = r"[\"']?([^\"'\\,\s]+)[\"']?"
_GOOD_CIPHERS = "HIGH:!aNULL:!MD5"
_AEAD = r"(?i)GCM|CHACHA20|CCM"


def tls_servers(ctx: CheckContext, family: str = "http") -> Iterator[Server]:
    """Servers on a socket that speaks TLS."""
    speaking = _members(ctx, family, tls=True)
    return (server for server in ctx.model.servers(family) if server in speaking)


def _members(ctx: CheckContext, family: str, *, tls: bool) -> set[Server]:
    """Servers on a socket that speaks TLS, or on one that does not."""
    sockets = ctx.model.sockets(family).values()
    return {server for socket in sockets if socket.ssl is tls for server, _ in socket.members}


def text_of(node: Directive) -> str:
    """The arguments as one text."""
    return " ".join(node.args)


def weak_tls_ciphers(ctx: CheckContext) -> Iterable[Hit]:
    """Suites without encryption or authentication, or that can be broken."""
    for name in ("ssl_ciphers", "proxy_ssl_ciphers", "grpc_ssl_ciphers", "uwsgi_ssl_ciphers"):
        for node in suite_lists(ctx, name):
            if "PROFILE=" in node.args[0]:
                continue
            found = weak_families(node.args[0])
            if found:
                yield Hit(
                    arg(node, node.args[0]),
                    f"{name} enables weak suites: {listed(list(found))} (through {listed(list(dict.fromkeys(found.values())))})",
                    node,
                    severity=None if name == "ssl_ciphers" else Severity.INFO,
                    help="Remove them from the list; HIGH:!aNULL:!MD5 contains none of them.",
                    make_fix=partial(_without_weak, node, node.args[0]),
                    cause=ctx.cause(name, str(node.args[0])),  # one line, written in many servers
                )
            elif what := _left_open(name, node.args[0]):
                yield Hit(
                    arg(node, node.args[0]),
                    f"{name} {what[0]}",
                    node,
                    severity=Severity.INFO,
                    confidence=Confidence.LOW,
                    help=what[1],
                    why=what[2],
                )


def _left_open(name: str, text: str) -> tuple[str, str, str] | None:
    """What a list permits beyond suites that are surely weak, the remedy, and the reason."""
    if left_to_library(text):
        return (
            "ALL leaves the choice to OpenSSL: old versions include suites without authentication",
            "Write HIGH:!aNULL:!MD5, or name the suites.",
            "An upgrade or another build of the library changes what ALL means.",
        )
    if name == "ssl_ciphers" and is_level_0(text):
        return (
            "with @SECLEVEL=0 also permits certificates with short keys and MD5 or SHA-1 signatures",
            "Delete @SECLEVEL=0.",
            "nginx then loads a 512-bit RSA key, which can be factored, without an error.",
        )
    return None


def _without_weak(node: Directive, token: Token) -> Edits:
    """The words that bring weak suites in taken out, and whole families excluded."""
    found = compiled(LIST).fullmatch(edits.written(node, token))
    if found is None:
        return None
    words, excluded = found[1].split(":"), []
    while weak := weak_families(":".join(words)):
        for family, word in sorted(weak.items()):
            if is_wide(word):
                words.append("!eNULL" if family == "NULL" else f"!{family}")
                continue
            words = [each for each in words if each != word]
            if "-" not in word and "+" not in word:
                excluded.append(f"!{word}")
    words += [word for word in excluded if word not in words]
    text = ":".join(words) if any(word[:1] not in "!-+@" for word in words) else _GOOD_CIPHERS
    start = token.start + found.start(1)
    return (edits.replaced(node.source, start, start + len(found[1]), text),)


def tls_ciphers_unset(ctx: CheckContext) -> Iterable[Hit]:
    """TLS with the default list of ciphers; asked for only, once."""
    for server in tls_servers(ctx):
        block = server.directive
        unknown = ctx.model.unknown_inside(block) or ctx.model.may_be_set(block, "ssl_ciphers")
        if not unknown and not ctx.model.effective(block, "ssl_ciphers"):
            yield Hit(
                name_of(server.directive),
                "ssl_ciphers is not set: the default HIGH:!aNULL:!MD5 contains suites without forward secrecy",
                server.directive,
                help="Set ssl_ciphers in http.",
            )
            return


def tls13_ciphers_in_ssl_ciphers(ctx: CheckContext) -> Iterable[Hit]:
    """Suites of TLS 1.3, which this directive does not choose."""
    for node in ctx.model.config.named("ssl_ciphers"):
        found = [word for word in re.split(r"[:, ]+", text_of(node)) if word.startswith("TLS_")]
        if found:
            yield Hit(
                arg(node, node.args[0]),
                f"{found[0]} has no effect in ssl_ciphers: it is a TLS 1.3 suite",
                node,
                help="Use ssl_conf_command Ciphersuites …, or remove it: all TLS 1.3 suites are enabled by default.",
            )


def server_cipher_preference(ctx: CheckContext) -> Iterable[Hit]:
    """The server chooses among ciphers that are all good; asked for only."""
    for node in ctx.model.config.named("ssl_prefer_server_ciphers"):
        if node.args[:1] != ["on"] or node.parent is None:
            continue
        lists = ctx.model.effective(node.parent, "ssl_ciphers")
        words = [
            word
            for each in lists
            for word in re.split(r"[:, ]+", text_of(each))
            if word and word[0] not in "!-+@"
        ]
        if words and all(re.search(_AEAD, word) for word in words):
            yield Hit(
                whole(node),
                "ssl_prefer_server_ciphers is not needed: all suites of the list are modern",
                node,
                help="Write ssl_prefer_server_ciphers off;",
            )


def tls_protocols_unset(ctx: CheckContext) -> Iterable[Hit]:
    """TLS with the protocols of an nginx whose default has old ones; once."""
    if ctx.target.since(_SAFE_BY_DEFAULT):
        return
    for server in tls_servers(ctx):
        node = server.directive
        if (
            ctx.model.effective(node, "ssl_protocols")
            or ctx.model.unknown_inside(node)
            or ctx.model.unread_files("http")
        ):
            continue
        if not ctx.model.flag(node, "ssl_reject_handshake", False):
            yield Hit(
                name_of(node),
                "ssl_protocols is not set: before nginx 1.27.3 TLSv1 and TLSv1.1 are enabled by default",
                node,
                help=f"Add {_protocols(ctx.target)} to http.",
                make_fix=partial(_protocols_set, node, ctx.target),
            )
            return


def _protocols(target: Asked) -> str:
    """Those of the default that are not broken: TLS 1.3 is not switched on where it is off."""
    off = not target.is_range and not target.since(TLS13_BY_DEFAULT)
    return "ssl_protocols TLSv1.2;" if off else "ssl_protocols TLSv1.2 TLSv1.3;"


def _protocols_set(server: Directive, target: Asked) -> Edits:
    block = server.parent
    return (
        (edits.first_in(block, _protocols(target)),) if block is not None and block.name == "http" else None
    )


def listen_443_without_ssl(ctx: CheckContext) -> Iterable[Hit]:
    """The port of https without TLS, or a certificate for a server that nobody speaks TLS with."""
    sockets = ctx.model.sockets("http")
    plain = _members(ctx, "http", tls=False)
    for server in ctx.model.servers("http"):
        node = server.directive
        if server not in plain or server.listen_unknown or ctx.model.value(node, "ssl") == "on":
            continue
        spoken = any(sockets[listen.key].ssl for listen in server.listens)
        for listen in server.listens:
            socket = sockets[listen.key]
            if (
                listen.port == 443
                and not socket.ssl
                and not listen.proxy_protocol
                and listen.directive is not None
            ):
                hit = Hit(
                    whole(listen.directive),
                    "listen 443 without ssl",
                    listen.directive,
                    help="Write listen 443 ssl;",
                    make_fix=partial(_with_ssl, listen.directive, socket, ctx.model),
                )
                yield unless(
                    ctx.model.is_part("http"), "another server enables ssl for this address and port", hit
                )
                break
        else:
            certificate = node.first("ssl_certificate")
            if certificate is not None and not spoken and server.listens:
                hit = Hit(
                    whole(certificate),
                    "ssl_certificate is not used: no listen of this server has ssl",
                    certificate,
                    help="Add ssl to listen, or remove ssl_certificate.",
                )
                yield unless(
                    ctx.model.is_part("http"), "another server enables ssl for this address and port", hit
                )


def _with_ssl(node: Directive, socket: Socket, model: Model) -> Edits:
    """``ssl`` on the socket, when every server of it has a certificate."""
    ready = all(_has_certificate(server, model) for server in socket.servers)
    return (edits.appended(node, "ssl"),) if ready else None


def _has_certificate(server: Server, model: Model) -> bool:
    return all(model.effective(server.directive, name) for name in ("ssl_certificate", "ssl_certificate_key"))


def tls_settings_ignored_on_vhost(ctx: CheckContext) -> Iterable[Hit]:
    """Settings of a server that the default server of its socket decides."""
    reported: set[Directive] = set()
    names = [name for name in _BEFORE_NAME if ctx.model.config.named(name)]
    for family in BALANCED if names else ():
        for socket in ctx.model.sockets(family).values():
            if not socket.ssl or len(socket.servers) < 2:
                continue
            default = socket.default
            for server in socket.servers:
                for name in names:
                    own = server.directive.named(name)
                    if server is default or not own or own[0] in reported:
                        continue
                    there = ctx.model.effective(default.directive, name)
                    if _values(own) != _values(there):
                        reported.add(own[0])
                        yield _ignored(ctx, own[0], default, there)


def _values(nodes: list[Directive]) -> list[str]:
    return sorted(token.lower() for node in nodes for token in node.args)


def _ignored(ctx: CheckContext, node: Directive, default: Server, there: list[Directive]) -> Hit:
    place = (
        ("set in the default server", whole(there[0]))
        if there
        else ("the default server", name_of(default.directive))
    )
    return Hit(
        whole(node),
        f"{node.name} may be ignored: nginx may use the value of the default server",
        node,
        related=(place,),
        severity=Severity.INFO if ctx.target.since(_AFTER_SNI) else None,
        help="Set it in http, or in the default server of the address and port.",
    )


def http2_misdirected_request(ctx: CheckContext) -> Iterable[Hit]:
    """A default server that refuses unknown names, and gets their requests on reused connections."""
    for socket in ctx.model.sockets("http").values():
        server = socket.default
        node = server.directive
        if (
            not socket.ssl
            or not ctx.model.flag(node, "ssl_reject_handshake", False)
            or len(socket.servers) < 2
        ):
            continue
        spoken = any(listen.http2 for _, listen in socket.members) or ctx.model.flag(node, "http2", False)
        if not spoken or ctx.model.unknown_inside(node):
            continue
        blocks = (node, *(location.directive for location in server.all_locations()))
        if not any(each.args[:1] in (["421"], ["444"]) for block in blocks for each in block.named("return")):
            yield Hit(
                name_of(node),
                "default server does not answer 421 to requests on reused HTTP/2 connections",
                node,
                help="Add return 421; to the server.",
                make_fix=partial(_answering_421, server),
            )


def _answering_421(server: Server) -> Edits:
    """421 for everything, or for what no location of the server takes; not where it answers plain HTTP, too."""
    if not all(listen.ssl or listen.quic for listen in server.listens):
        return None
    if not server.locations:
        return (edits.last_in(server.directive, "return 421;"),)
    if any(location.is_prefix and location.pattern == "/" for location in server.locations):
        return None
    return (edits.last_in(server.directive, "location / {\n    return 421;\n}"),)


def client_certificate_not_enforced(ctx: CheckContext) -> Iterable[Hit]:
    """A certificate is asked for, and nobody looks whether it was good."""
    if any("ssl_client" in token for _, token in ctx.model.texts):
        return
    for node in ctx.model.config.named("ssl_verify_client"):
        if (
            node.args[:1] in (["optional"], ["optional_no_ca"])
            and not ctx.model.variables("http").code
            and (ctx.model.is_enclosed or not _unread(ctx.model, node))
        ):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            hit = Hit(
                whole(node),
                "$ssl_client_verify is never checked: clients without a valid certificate are served",
                node,
                help="Write ssl_verify_client on; or check $ssl_client_verify.",
                witness=openings.file_of(ctx, node),
            )
            yield unless(ctx.model.is_enclosed, "another file checks it", hit)


def _unread(model: Model, node: Directive) -> bool:
    return model.unread_files(model.family_of(node))


def tls_early_data_replay(ctx: CheckContext) -> Iterable[Hit]:
    """Requests that may be replayed without the backend knowing."""
    reported: set[Directive] = set()
    for each in ctx.model.passes:
        found = ctx.model.effective(each.scope, "ssl_early_data") if each.protocol == "proxy" else []
        if not found or found[0].args[:1] != ["on"] or found[0] in reported:
            continue
        headers = {
            node.args[0].lower() for node in ctx.model.effective(each.scope, "proxy_set_header") if node.args
        }
        if "early-data" not in headers and not any("ssl_early_data" in token for _, token in ctx.model.texts):
            reported.add(found[0])
            yield Hit(
                whole(found[0]),
                "early data can be replayed, and the backend does not receive Early-Data to detect it",
                found[0],
                related=(("the backend", whole(each.directive)),),
                help="Add proxy_set_header Early-Data $ssl_early_data;",
            )
