"""Where requests are passed to and what is done to them on the way: proxy, fastcgi, uwsgi, scgi, grpc, memcached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit.hit import Edits
from nginxaudit.load.base import (
    INVALID,
    LoadState,
    Mistake,
    Use,
    finally_,
    invalid,
    reads,
    repeated,
    unknown_parameter,
)
from nginxaudit.load.fields.zones import excluded
from nginxaudit.load.forms import network_error
from nginxaudit.load.scripts import expression, regex_captures, script, scripts, uses
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.nginx import parse_address
from nginxaudit.nginx.names import PROTOCOLS
from nginxaudit.syntax.tree import Directive, Token


@reads(*(f"{name}_pass" for name in PROTOCOLS), family="http stream")
def pass_(use: Use) -> Iterable[Mistake]:
    """The target of a pass directive, as far as it has variables; memcached has its key in one."""
    if use.name == "memcached_pass":
        uses(use, "memcached_key", use.node.word)
    return scripts(use, use.args)


@finally_
def targets(load: LoadState) -> Iterator[Mistake]:
    """Targets of pass directives, which may name groups that are defined later."""
    named = [each for each in load.model.passes if not each.runtime and each.directive.args]
    with_port = {(each.family, each.host) for each in named if each.target.port is not None}
    for each in named:
        yield from _target(load, each, elsewhere=(each.family, each.host) in with_port)


def _target(load: LoadState, each: Pass, *, elsewhere: bool) -> Iterator[Mistake]:
    """``elsewhere``: another target has the same host with a port. If it comes first nginx takes that port here, too."""
    token = each.directive.args[0]
    node = each.directive
    if "$" in token or token.filled:
        return
    if each.target_kind == "invalid":
        reason = each.target.reason
        if "http://" in reason or "scheme" in reason:
            yield Mistake(
                "proxy-pass-missing-uri-scheme",
                f"{reason}: {token}",
                token,
                _scheme_help(each),
                node,
                make_fix=partial(_with_scheme, each),
            )
        else:
            yield Mistake(INVALID, reason, token, node=node)
        return
    if each.target_kind == "upstream" and each.target.explicit_port and each.target.upstream:
        yield Mistake(
            "upstream-port-in-target",
            f'"{each.host}" is an upstream: a port is not allowed after its name',
            token,
            "Set the port in the server lines of the upstream.",
            node,
            (("defined here", each.target.upstream.directive),),
            make_fix=partial(_without_port, load.model, each),
        )
    lone_name = each.target_kind == "hostname" and "." not in each.host and each.host != "localhost"
    if (
        each.target_kind in ("address", "hostname")
        and each.target.port is None
        and not (lone_name or elsewhere)
    ):
        yield Mistake(INVALID, f'no port in "{token}"', token, "Write host:port.", node)
    if each.protocol == "proxy" and each.target.path is not None and each.family == "http":
        yield from _uri_not_allowed(node, token)


def _with_scheme(each: Pass, node: Directive) -> Edits:
    from nginxaudit.load.fixes.targets import with_scheme

    return with_scheme(each, node)


def _without_port(model: Model, each: Pass, node: Directive) -> Edits:
    from nginxaudit.load.fixes.targets import without_port

    return without_port(model, each, node)


def _scheme_help(each: Pass) -> str:
    return {"proxy": "Begin with http:// or https://.", "grpc": "Use grpc://, grpcs:// or none."}.get(
        each.protocol, "Write the address without a scheme."
    )


def _uri_not_allowed(node: Directive, token: Token) -> Iterator[Mistake]:
    scope = node.parent
    if scope is None:
        return
    where = ""
    if scope.inner == "limit_except":
        where = "a limit_except block"
    elif scope.inner == "if-in-location":
        where = 'an "if"'
    elif scope.inner == "location" and scope.args:
        if scope.args[0].startswith("~"):
            where = "a regex location"
        elif scope.args[0].startswith("@"):
            where = "a named location"
    if where:
        yield Mistake(
            "proxy-pass-uri-not-allowed",
            f'"proxy_pass" cannot have a URI part ({token}) in {where}',
            token,
            "Remove everything after the host, or change the URI with rewrite.",
            node,
        )


@reads("proxy_redirect")
def proxy_redirect(use: Use) -> Iterator[Mistake]:
    """``proxy_redirect default | off | from to``."""
    if len(use.args) == 2:
        yield from _pattern(use, use.args[0], "~*", "~")
        yield from script(use, use.args[1])
    elif use.args[0] == "default":
        yield from _default_redirect(use)
    elif use.args[0] != "off":
        yield unknown_parameter(use.args[0], use.name, ("default", "off"))
    yield from _off_alone(use)


def _default_redirect(use: Use) -> Iterator[Mistake]:
    parent = use.node.parent
    before = [
        node
        for node in (parent.named("proxy_pass") if parent else ())
        if parent and parent.children.index(node) < parent.children.index(use.node)
    ]
    if not before:
        yield invalid(use.args[0], '"proxy_redirect default" must follow the proxy_pass of the same block')
    elif before[0].args and "$" in before[0].args[0]:
        yield invalid(use.args[0], '"proxy_redirect default" cannot be used with variables in proxy_pass')


def _off_alone(use: Use) -> Iterator[Mistake]:
    """``off`` cannot be combined with other lines of the same name in a block."""
    siblings = use.node.parent.named(use.name) if use.node.parent else []
    if len(siblings) < 2 or siblings[0] is use.node:
        return
    if any([str(arg) for arg in node.args] == ["off"] for node in siblings):
        message = f'"{use.name} off" conflicts with another "{use.name}" in this block'
        yield repeated(use, siblings[0], message, "Keep the one you need.")


@reads("proxy_cookie_domain", "proxy_cookie_path")
def cookie(use: Use) -> Iterator[Mistake]:
    """``proxy_cookie_path off | from to``."""
    if len(use.args) == 2:
        yield from _pattern(use, use.args[0], "~*" if use.name.endswith("path") else "~", "~")
        yield from script(use, use.args[1])
    elif use.args[0] != "off":
        yield unknown_parameter(use.args[0], use.name, ("off",))
    yield from _off_alone(use)


@reads("proxy_cookie_flags")
def cookie_flags(use: Use) -> Iterator[Mistake]:
    """``proxy_cookie_flags off | cookie [flag …]``."""
    if len(use.args) == 1:
        if use.args[0] != "off":
            yield unknown_parameter(use.args[0], use.name, ("off",))
    else:
        yield from _pattern(use, use.args[0], "~")
        for token in use.args[1:]:
            yield from script(use, token)
    yield from _off_alone(use)


def _pattern(use: Use, token: Token, *signs: str) -> Iterator[Mistake]:
    for sign in signs:
        if token.startswith(sign):
            yield from expression(use, token, token[len(sign) :])
            return
    yield from script(use, token)


@reads(*(f"{name}_bind" for name in PROTOCOLS), family="http stream")
def bind(use: Use) -> Iterator[Mistake]:
    """``proxy_bind address [transparent] | off``."""
    address, *rest = use.args
    if address != "off" or rest:
        if "$" in address:
            yield from script(use, address)
        else:
            if not _is_ip_address(address):
                yield invalid(address, f'invalid IP address "{address}"')
        for token in rest:
            if token != "transparent":
                yield unknown_parameter(token, use.name, ("transparent",))


def _is_ip_address(text: str) -> bool:
    """With or without port; IPv6 also without brackets (``ngx_parse_addr_port``)."""
    try:
        address = parse_address(text)
        return address.kind in ("inet", "inet6") and address.port != 0
    except ValueError:
        return ":" in text and not network_error(text) and "/" not in text


@reads(*(f"{name}_store" for name in PROTOCOLS))
def store(use: Use) -> Iterator[Mistake]:
    """``proxy_store on | off | path``."""
    yield from script(use, use.args[0])
    if use.args[0] != "off":
        yield from excluded(use, f"{use.name.removesuffix('_store')}_cache")


@reads("fastcgi_param", "uwsgi_param", "scgi_param", by_words=True)
def param(use: Use) -> Iterator[Mistake]:
    """``fastcgi_param name value [if_not_empty]``."""
    yield from script(use, use.args[1])
    for token in use.args[2:]:
        if token != "if_not_empty":
            yield unknown_parameter(token, use.name, ("if_not_empty",))


@reads("proxy_set_body", "proxy_method")
def body(use: Use) -> Iterable[Mistake]:
    """Texts with variables that are sent to the server."""
    return script(use, use.args[0])


@reads("fastcgi_split_path_info")
def split_path_info(use: Use) -> Iterator[Mistake]:
    """``fastcgi_split_path_info regex``, which needs two captures."""
    pattern = use.args[0]
    yield from expression(use, pattern)
    if regex_captures(pattern) not in (2, None):
        yield invalid(pattern, "the regex must have two captures: the script and the rest of the path")
