"""Requests that end elsewhere than the configuration reads: paths, redirects, statuses, headers that a backend gets."""

from __future__ import annotations

from urllib.parse import urlsplit

from nginxaudit.checks.witnesses import PLAIN, Try, asks, carrying, entered, may_try, shown
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext
from nginxaudit.model.expressions import Written, condition
from nginxaudit.model.location import Location
from nginxaudit.model.regex import matches
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import REDIRECTS
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import Ask, Outcome
from nginxaudit.request.showing import CLIENT, gives, witness
from nginxaudit.request.uri import encoded
from nginxaudit.syntax.tree import Directive

_MOST_HOPS = 8
_SPOOFED = "192.0.2.1"


# -- what a backend gets


def sent_as(ctx: CheckContext, node: Directive, tail: str, uri: str) -> Witness | None:
    """A request that is passed on with another path."""
    return shown(ctx, node, lambda end: end.upstream_uri == uri, (Try(tail=tail),))


def sent_to_one(ctx: CheckContext, node: Directive, uri: str) -> Witness | None:
    """A request whose path and arguments are dropped; what the name of the backend is made of has some value."""
    given = [entered(each.name, "x") for each in references(str(node.args[0]))]
    headers = tuple([header for each in given if each is not None for header in each.headers])
    args = "&".join([each.args for each in given if each is not None and each.args] or ["a=1"])
    tries = [Try(tail=tail, args=args, headers=headers) for tail in ("/x", "x", "")]
    return shown(ctx, node, lambda end: end.upstream_uri == uri, tries)


def decoded(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request with an escaped ``?`` that the backend gets as a question mark."""
    tries = [Try(target=target) for text in ("a?b", "/a?b") for target in carrying(ctx.model, node, text)]
    return shown(ctx, node, lambda end: "a?b" in (end.upstream_uri or ""), tries)


def host_of_backend(ctx: CheckContext, node: Directive, name: str) -> Witness | None:
    """A request of which the backend does not learn the host."""
    return shown(ctx, node, lambda end: ("Host", name) in end.upstream_headers)


def spoofed(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request in which a client writes what nginx should tell the backend."""
    header = str(node.args[0])
    value = "https" if header.lower().endswith("-proto") else _SPOOFED
    return shown(
        ctx, node, lambda end: (header, value) in end.upstream_headers, (Try(headers=((header, value),)),)
    )


def odd_header(ctx: CheckContext, node: Directive, name: str) -> Witness | None:
    """A request with a header whose name nginx would else ignore."""
    return shown(ctx, node, lambda end: (name, "1") in end.upstream_headers, (Try(headers=((name, "1"),)),))


def in_response(ctx: CheckContext, node: Directive, name: str) -> Witness | None:
    """A request that gets the header which was meant for the backend."""

    def ends(end: Outcome) -> bool:
        received = any(header.lower() == name.lower() for header, _ in end.upstream_headers)
        return any(header == name for header, _ in end.headers) and end.passed is not None and not received

    return shown(ctx, node, ends)


# -- which location


def also_here(ctx: CheckContext, location: Location, *tails: str) -> Witness | None:
    """A request that gets to a location although it goes on behind the text of it."""
    tries = [Try(tail=tail) for tail in tails]
    return shown(ctx, location.directive, lambda end: end.unknown is None, tries)


def taken(ctx: CheckContext, location: Location, taker: Location) -> Witness | None:
    """A request for one location that another one takes."""
    path = path_of(location)
    if path is None:
        return None
    tries = [Try(target=encoded(each)) for each in (path, f"{path}x")]
    return shown(ctx, taker.directive, lambda end: end.unknown is None, tries)


def mapped(ctx: CheckContext, node: Directive, tail: str, path: str) -> Witness | None:
    """A request for a file under a name that is glued together."""
    return shown(ctx, node, lambda end: end.file == path, (Try(tail=tail),))


def never_a_file(ctx: CheckContext, node: Directive, directory: str) -> Witness | None:
    """A request for which nginx looks at the directory, whatever file it names."""

    def ends(end: Outcome) -> bool:
        looked_at = f"{directory.rstrip('/')} is a directory"
        return looked_at in end.when and (end.redirect or "").endswith("/")

    return shown(ctx, node, ends, (*PLAIN, Try(tail="x.png")))


# -- statuses and redirects


def fails(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that ends in a cycle because of a rewrite."""
    tries = (Try(tail="x"), Try(tail="/x"), *PLAIN)
    return shown(ctx, node, lambda end: end.status == 500, tries, through=node)


def without_location(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that is redirected nowhere."""
    return shown(ctx, node, lambda end: str(end.status) in REDIRECTS and not end.redirect, through=node)


def stays_here(ctx: CheckContext, node: Directive, target: str) -> Witness | None:
    """A request that is redirected to a path which was meant to be a host."""
    away = tuple([f"{scheme}{target.lstrip('/')}" for scheme in ("http://", "https://")])

    def ends(end: Outcome) -> bool:
        found = end.redirect or ""
        return target in found and not found.startswith(away)

    return shown(ctx, node, ends, through=node)


def looping(ctx: CheckContext, block: Directive) -> Witness | None:
    """A request whose redirects lead back to it."""
    from nginxaudit.request.walk import trace

    for ask in asks(ctx.model, block, (*PLAIN, Try(tail="x"))):
        seen = {_place(ask)}
        at: Ask | None = ask
        for _ in range(_MOST_HOPS):
            if at is None or not may_try(ctx):
                break
            ends = trace(ctx.model, at, explain=False).outcomes
            targets = {each.redirect for each in ends}
            at = _followed(next(iter(targets))) if len(targets) == 1 else None
            if at is not None and _place(at) in seen:
                return witness(ask)
            if at is not None:
                seen.add(_place(at))
    return None


def _place(ask: Ask) -> tuple[bool, str, int, str]:
    return ask.tls, (ask.host or "").partition(":")[0], ask.port, ask.target


def _followed(url: str | None) -> Ask | None:
    """The request that a browser sends when it is redirected."""
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "$" in (url or ""):
        return None
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = parts.hostname
    return Ask(
        target, name, tls=tls, sni=name if tls else None, port=port or (443 if tls else 80), client=CLIENT
    )


_ANSWERS = ("the backend", "the subrequest")
"""How assumptions begin that are about an answer, not about files."""


def masked(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that is refused, or asks for what is not there, and is answered with 200."""

    def ends(end: Outcome) -> bool:
        return end.status == 200 and not any(words.startswith(_ANSWERS) for words in end.when)

    return shown(ctx, node, ends, (Try(tail="x"), *PLAIN), through=node)


# -- if and limit_except


def skipped(ctx: CheckContext, node: Directive, tried: Directive) -> Witness | None:
    """A request for which an ``if`` holds, so that what it would try is not there."""

    def ends(end: Outcome) -> bool:
        return end.status is not None and end.status >= 400

    return shown(ctx, node, ends, (Try(tail="x"), *PLAIN), through=node, without=tried)


def dropped(ctx: CheckContext, node: Directive, header: str) -> Witness | None:
    """A request for which an ``if`` holds, so that a header of the location is missing."""

    def ends(end: Outcome) -> bool:
        return gives(end) and not any(name == header for name, _ in end.headers)

    return shown(ctx, node, ends, through=node)


def unlimited(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request with a method that an empty ``limit_except`` lets through."""
    return shown(ctx, node, lambda end: end.passed is not None, (Try(method="DELETE"),))


# -- servers


def for_unknown(ctx: CheckContext, server: Directive) -> Witness | None:
    """A request for a name that no server has, which a server answers."""
    return shown(ctx, server, lambda end: end.unknown is None, (Try(host="unknown.example", named=True),))


def for_name(ctx: CheckContext, server: Directive, name: str) -> Witness | None:
    """A request for a name that a server answers."""
    return shown(ctx, server, lambda end: end.unknown is None, (Try(host=name, named=True),))


def in_plain(ctx: CheckContext, server: Directive, name: str) -> Witness | None:
    """A request without TLS that is served."""
    return shown(ctx, server, gives, (Try(host=name, tls=False), Try(host=name, tls=False, tail="x")))


# -- files


def unanswered(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request for a file that is not there, which ends in a cycle."""
    return shown(ctx, node, lambda end: end.status == 500, (Try(tail="x"), *PLAIN), through=node)


def found_and_passed(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request for a file that is there, and is passed on."""

    def ends(end: Outcome) -> bool:
        return end.passed is not None and any(words.endswith(" is a file") for words in end.when)

    return shown(ctx, node, ends, (Try(tail="x"), *PLAIN), through=node)


def outside_alias(ctx: CheckContext, node: Directive, directory: str) -> Witness | None:
    """A request that gets a file which is not in the directory."""

    def ends(end: Outcome) -> bool:
        return (
            end.status == 200
            and end.file is not None
            and not end.file.startswith(f"{directory.rstrip('/')}/")
        )

    return shown(ctx, node, ends, (Try(tail="x"), *PLAIN), through=node)


def without_root(ctx: CheckContext, location: Location) -> Witness | None:
    """A request for a file out of nginx's own directory."""
    tries = (Try(tail="x"), *PLAIN)
    return shown(ctx, location.directive, lambda end: (end.file or "").startswith("html/"), tries)


def compared_literally(ctx: CheckContext, location: Location) -> Witness | None:
    """A request that the text of a location would match as a regular expression, and that gets elsewhere."""
    text = sample(location.pattern)
    if location.server is None or not text:
        return None
    path = text if text.startswith("/") else f"/index{text}" if text.startswith(".") else f"/{text}"

    def ends(end: Outcome) -> bool:
        return end.unknown is None and end.location is not location.directive

    return shown(ctx, location.server.directive, ends, (Try(target=encoded(path)),))


def handled_by_last(ctx: CheckContext, location: Location, last: Directive) -> Witness | None:
    """A request that the handler written last answers."""
    passes = last.name.endswith("_pass")
    return shown(ctx, location.directive, lambda end: passes and end.passed is not None)


def answered_first(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that a ``return`` answers, whatever else is written beside it."""
    return shown(ctx, node, lambda end: end.status is not None, through=node)


def with_any_character(ctx: CheckContext, written: Written) -> Witness | None:
    """A request in which another character stands where a dot was meant."""
    text = sample(written.text)
    if matches(written.text, text, caseless=written.caseless) is not True:
        return None
    node = written.directive
    if written.kind == "server_name":
        return shown(ctx, node, lambda end: end.unknown is None, (Try(host=text, named=True),))
    if written.kind == "location":
        return shown(ctx, node, lambda end: end.unknown is None)
    asked = condition(node) if written.kind == "if" else None
    answer = node.first("return")
    if asked is None or asked.negated or answer is None:
        return None
    return shown(ctx, node, lambda end: end.status is not None, through=answer)
