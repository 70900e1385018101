"""What a location or server of http serves and to whom: locations, files, headers, access."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.hit import Edits
from nginxaudit.load.base import (
    INVALID,
    LoadState,
    Mistake,
    Use,
    address,
    finally_,
    invalid,
    one_of,
    parsed,
    reads,
    unknown_parameter,
)
from nginxaudit.load.scripts import expression, script, scripts
from nginxaudit.model.location import MODIFIERS, read_modifier
from nginxaudit.nginx import parse_flag, parse_offset, parse_size, parse_time_ms, parse_time_s
from nginxaudit.syntax.tree import Directive

_NESTED = "nested-location-conflict"
_DAY = 24 * 60 * 60


@reads("location")
def location(use: Use) -> Iterator[Mistake]:
    """Modifier, expression, and the place inside another location."""
    if not use.node.is_block:
        return
    args = use.args
    if len(args) == 2 and args[0] not in MODIFIERS:
        yield invalid(args[0], f'invalid location modifier "{args[0]}"', "Allowed: =, ^~, ~ and ~*.")
        return
    modifier, pattern = read_modifier([str(arg) for arg in args])
    if modifier in ("~", "~*"):
        yield from expression(use, args[-1], pattern)
    outer = use.node.parent
    if outer is None or any(word.filled for word in outer.args):
        return
    if outer.inner == outer.name == "location":  # of a fragment the top has no name
        yield from _nested(use, modifier, pattern, outer)


def _nested(use: Use, modifier: str, pattern: str, outer: Directive) -> Iterator[Mistake]:
    outer_modifier, outer_pattern = read_modifier([str(arg) for arg in outer.args])
    message = ""
    if outer_modifier == "=":
        message = f'location "{pattern}" cannot be inside the exact location "{outer_pattern}"'
    elif outer_modifier == "@":
        message = f'location "{pattern}" cannot be inside the named location "{outer_pattern}"'
    elif modifier == "@":
        message = f'named location "{pattern}" can be on the server level only'
    elif modifier not in ("~", "~*") and not pattern.startswith(outer_pattern):
        message = f'location "{pattern}" is outside location "{outer_pattern}"'
    if message:
        yield Mistake(
            _NESTED,
            message,
            use.args[-1],
            "Move it out of the enclosing location.",
            None,
            (("inside this", outer),),
        )


@reads("error_page", by_words=True)
def error_page(use: Use) -> Iterator[Mistake]:
    """``error_page code … [=[code]] uri``."""
    *codes, uri = use.args
    yield from script(use, uri)
    if codes and codes[-1].startswith("="):
        answer = codes.pop()
        if not codes:
            yield invalid(answer, "error_page needs the codes it is for")
        elif len(answer) > 1 and not (answer[1:].isascii() and answer[1:].isdigit()):
            yield invalid(answer, f'invalid status code "{answer[1:]}"')
    for token in codes:
        if not (token.isascii() and token.isdigit()) or int(token) == 499 or not 300 <= int(token) <= 599:
            yield invalid(token, f'invalid status code "{token}": error_page accepts 300 to 599')


@reads("try_files", by_words=True)
def try_files(use: Use) -> Iterator[Mistake]:
    """``try_files file … uri | =code``."""
    *files, last = use.args
    yield from scripts(use, files)
    if last.startswith("="):
        code = last[1:]
        if not (code.isascii() and code.isdigit() and int(code) <= 999):
            yield invalid(last, f'invalid status code "{code}"')
    else:
        yield from script(use, last)


@reads("index", by_words=True)
def index(use: Use) -> Iterator[Mistake]:
    """``index file …``."""
    for token in use.args:
        if not token:
            yield invalid(token, "the name of an index file cannot be empty")
        yield from script(use, token)


@reads("root", "alias")
def root(use: Use) -> Iterator[Mistake]:
    """``root path`` and ``alias path``."""
    path = use.args[0]
    for name in ("document_root", "realpath_root"):
        if f"${name}" in path or f"${{{name}}}" in path:
            yield invalid(path, f'"${name}" cannot be used in "{use.name}", which defines it')
            return
    yield from script(use, path)
    parent = use.node.parent
    if use.name == "alias" and parent is not None and parent.args and parent.args[0].startswith("@"):
        yield invalid(path, '"alias" cannot be used in a named location', 'Use "root".')


@reads("add_header", "add_trailer", by_words=True)
def add_header(use: Use) -> Iterator[Mistake]:
    """``add_header name value [always]``."""
    yield from script(use, use.args[1])
    for token in use.args[2:]:
        if token != "always":
            yield Mistake(
                "value-needs-quotes",
                f'invalid parameter "{token}" of "{use.name}": only "always" is allowed after the value',
                token,
                f'Put the value in quotes: {use.name} {use.args[0]} "{" ".join(use.args[1:])}";',
                make_fix=_in_quotes,
            )


def _in_quotes(node: Directive) -> Edits:
    from nginxaudit.load.fixes.quotes import in_quotes

    return in_quotes(node)


@reads("expires", by_words=True)
def expires(use: Use) -> Iterator[Mistake]:
    """``expires [modified] time | @time | epoch | max | off``."""
    modified = len(use.args) == 2
    if modified and use.args[0] != "modified":
        yield invalid(use.args[0], f'"{use.args[0]}" cannot precede the time', 'Only "modified" can.')
        return
    token = use.args[-1]
    if "$" in token:
        yield from script(use, token)
        return
    if not modified and token in ("epoch", "max", "off"):
        return
    if token.startswith("@"):
        if modified:
            yield invalid(token, 'a time of day cannot be used with "modified"')
            return
        try:
            if parse_time_s(token[1:]) > _DAY:
                yield invalid(token, "a time of day must be less than 24 hours")
        except ValueError as error:
            yield invalid(token, str(error))
        return
    yield from parsed(parse_time_s, token, token[1:] if token.startswith(("+", "-")) else token)


@reads("keepalive_timeout")
def keepalive_timeout(use: Use) -> Iterator[Mistake]:
    """``keepalive_timeout time [header]``."""
    if use.node.context != "upstream":
        yield from parsed(parse_time_ms, use.args[0])
        for token in use.args[1:]:
            yield from parsed(parse_time_s, token)


@reads("directio")
def directio(use: Use) -> Iterator[Mistake]:
    """``directio size | off``."""
    if use.args[0] != "off":
        yield from parsed(parse_offset, use.args[0])


@reads("aio")
def aio(use: Use) -> Iterator[Mistake]:
    """``aio on | off | threads[=pool]``."""
    token = use.args[0]
    if token.startswith("threads="):
        yield from script(use, token, token[8:])
    elif token not in ("on", "off", "threads") and not (token == "sendfile" and not use.since(1, 21, 5)):
        yield invalid(
            token, f'invalid value "{token}" in "aio" directive', "Allowed: on, off, threads, threads=POOL."
        )


@reads("disable_symlinks")
def disable_symlinks(use: Use) -> Iterator[Mistake]:
    """``disable_symlinks off | on | if_not_owner [from=part]``."""
    modes = []
    for token in use.args:
        if token.startswith("from="):
            yield from script(use, token, token[5:])
        elif token in ("off", "on", "if_not_owner"):
            modes.append(token)
        else:
            yield unknown_parameter(token, use.name, ("off", "on", "if_not_owner", "from"))
            return
    if not modes:
        yield Mistake(INVALID, '"disable_symlinks" needs off, on or if_not_owner')
    elif len(modes) > 1:
        yield invalid(modes[1], f'"{modes[1]}" cannot be combined with "{modes[0]}"')
    elif len(use.args) > 1 and modes[0] == "off":
        yield invalid(modes[0], '"off" cannot be used with "from="')


@reads("auth_basic_user_file", "xslt_param", "xslt_string_param")
def compiled(use: Use) -> Iterable[Mistake]:
    """Values with variables."""
    return scripts(use, use.args)


@reads("mirror")
def mirror(use: Use) -> Iterator[Mistake]:
    """``mirror uri | off``."""
    siblings = use.node.parent.named("mirror") if use.node.parent else []
    if (
        len(siblings) > 1
        and siblings[0] is not use.node
        and any(node.args[:1] == ["off"] for node in siblings)
    ):
        yield Mistake("duplicate-directive", '"mirror off" conflicts with another "mirror"', None)


@reads("http2_push_preload", "http2_push")
def http2_push(use: Use) -> Iterator[Mistake]:
    """Ignored since nginx 1.25.1, whatever their value."""
    if use.name == "http2_push_preload" and not use.since(1, 25, 1):
        yield from parsed(parse_flag, use.args[0])
    elif use.name == "http2_push" and not use.since(1, 25, 1):
        yield from script(use, use.args[0])


@reads("connection_pool_size", "request_pool_size")
def pool_size(use: Use) -> Iterator[Mistake]:
    """Pools of memory (``ngx_http_core_pool_size``; NGX_MIN_POOL_SIZE on a 64-bit system)."""
    token = use.args[0]
    try:
        size = parse_size(token)
    except ValueError:
        return  # told by its type
    if size < 112 or size % 16:
        yield invalid(token, f'"{use.name}" must be a multiple of 16, and 112 bytes at least')


@reads("resolver", family="http stream mail")
def resolver(use: Use) -> Iterator[Mistake]:
    """``resolver address … [valid=time] [ipv4=on|off] [ipv6=on|off] [status_zone=name]``."""
    servers = 0
    for token in use.args:
        name, equals, value = token.partition("=")
        if name == "valid" and equals:
            yield from parsed(parse_time_s, token, value)
        elif name in ("ipv6", "ipv4") and equals and (name == "ipv6" or use.since(1, 23, 1)):
            yield from one_of(token, ("on", "off"), "parameter value", value)
        elif name == "status_zone" and equals:
            continue
        else:
            servers += 1
            yield from address(token, 53)
    if not servers:
        yield Mistake(INVALID, '"resolver" needs the address of a name server')


@finally_
def recoded(load: LoadState) -> Iterator[Mistake]:
    """What ``source_charset`` and ``charset`` together ask for needs a ``charset_map``, in either direction."""
    if load.model.unread_files("http"):
        return
    maps = {
        frozenset(token.lower() for token in node.args)
        for node in load.model.config.named("charset_map")
        if len(node.args) == 2
    }
    for scope in _with_charsets(load):
        to, source = (load.model.effective(scope, name) for name in ("charset", "source_charset"))
        if not to or not source or not to[0].args or not source[0].args:
            continue
        pair = [each[0].args[0].lower() for each in (source, to)]
        if pair[1] == "off" or pair[0] == pair[1] or any(name.startswith("$") for name in pair):
            continue
        if frozenset(pair) not in maps:
            message = f'no "charset_map" between the charsets "{pair[0]}" and "{pair[1]}"'
            help_text = "Include the map of the two (koi-utf, win-utf, …) in http, or write one charset only."
            yield Mistake(
                INVALID, message, to[0].args[0], help_text, to[0], (("source_charset here", source[0]),)
            )
            return


def _with_charsets(load: LoadState) -> Iterator[Directive]:
    """Blocks for which nginx pairs the two: http as its servers have it."""
    for name in ("charset", "source_charset"):
        for node in load.model.config.named(name):
            parent = node.parent
            if parent is not None and parent.name == "http":
                yield from parent.named("server")
            elif parent is not None:
                yield parent
