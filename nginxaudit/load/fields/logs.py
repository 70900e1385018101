"""Logs: log_format, access_log, error_log, open_log_file_cache."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

from nginxaudit.finding import Fix
from nginxaudit.load.base import (
    INVALID,
    Mistake,
    Use,
    above_zero,
    address,
    invalid,
    misspelt,
    one_of,
    parsed,
    positive,
    reads,
    repeated,
    unknown_parameter,
)
from nginxaudit.load.scripts import script
from nginxaudit.model import Model
from nginxaudit.nginx import parse_size, parse_time_ms, parse_time_s
from nginxaudit.syntax.tree import Directive, Token

_UNDEFINED = "log-format-undefined"
_LEVELS = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")
_DEBUG_LEVELS = (
    "debug_core", "debug_alloc", "debug_mutex", "debug_event", "debug_http", "debug_mail", "debug_stream",
)  # fmt: skip
_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp",
    "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip


@reads("log_format", family="http stream")
def log_format(use: Use) -> Iterator[Mistake]:
    """``log_format name [escape=…] text …``."""
    name, *texts = use.args
    key = (use.family, name)
    earlier = use.load.formats.get(key)
    if earlier is not None:
        message = f'the log format "{name}" is defined twice'
        yield repeated(use, earlier, message, "Choose another name.", "first defined here", name)
    elif use.family == "http" and name == "combined":
        message = f'the log format "{name}" is predefined'
        yield Mistake("duplicate-directive", message, name, "Choose another name.")
    use.load.formats.setdefault(key, use.node)
    use.load.format_names.setdefault(use.family, {}).setdefault(name.lower(), str(name))
    if texts and texts[0].startswith("escape="):
        yield from one_of(texts[0], ("default", "json", "none"), "escape value", texts[0][7:])
        texts = texts[1:]
    for text in texts:
        yield from script(use, text, captures=False)


@reads("access_log", family="http stream")
def access_log(use: Use) -> Iterator[Mistake]:
    """``access_log path [format [parameters]]``."""
    path, *rest = use.args
    if path == "off":
        if rest:
            yield unknown_parameter(rest[0], "access_log off")
        return
    if path.startswith("syslog:"):
        yield from syslog(use, path)
    else:
        yield from script(use, path)
    yield from _known_format(use, rest[0] if rest else None)
    yield from _log_parameters(use, path, rest[1:])


def _log_parameters(use: Use, path: Token, words: list[Token]) -> Iterator[Mistake]:
    buffered: Token | None = None
    flush: Token | None = None
    for token in words:
        name, _, value = token.partition("=")
        if name == "buffer":
            yield from parsed(above_zero(parse_size), token, value)
            buffered = token
        elif name == "flush":
            yield from parsed(above_zero(parse_time_ms), token, value)
            flush = token
        elif name == "gzip":
            if token != "gzip" and not (value.isdigit() and 1 <= int(value) <= 9):
                yield invalid(token, f'"{token}": the level of compression is 1 to 9')
            buffered = token
        elif name == "if" and token != "if":
            yield from script(use, token, value)
        else:
            yield unknown_parameter(token, use.name, ("buffer", "flush", "gzip", "if"))
    if flush and not buffered:
        yield invalid(flush, '"flush" requires "buffer"')
    elif buffered and path.startswith("syslog:"):
        yield invalid(buffered, "logs to syslog cannot be buffered")
    elif buffered and "$" in path:
        yield invalid(buffered, "logs with variables in their name cannot be buffered")


def _known_format(use: Use, name: Token | None) -> Iterator[Mistake]:
    if name is None:
        if use.family == "stream":
            yield Mistake(
                _UNDEFINED, '"access_log" in stream needs the name of a log format: there is no default'
            )
        return
    known = use.load.format_names.setdefault(use.family, {})  # nginx finds them in any case
    if name.lower() in known or (use.family == "http" and name.lower() == "combined"):
        return
    model = use.load.model
    if model.unread_files(use.family):
        return
    later = model.once(_defined_formats).get((use.family, name))
    yield Mistake(
        _UNDEFINED,
        f'the log format "{name}" is not defined' + (" before it is used" if later else ""),
        name,
        "Move the log_format above this line." if later else _meant(use, name, known),
        related=(("defined here", later),) if later else (),
        make_fix=partial(_defined, later) if later else partial(_other_name, model, use.family, name),
    )


def _defined_formats(model: Model) -> dict[tuple[str, str], Directive]:
    nodes = [node for node in model.config.named("log_format") if node.args]
    return {(model.family_of(node), str(node.args[0])): node for node in reversed(nodes)}


def _meant(use: Use, name: str, known: dict[str, str]) -> str:
    predefined = ["combined"] if use.family == "http" else []
    near = use.load.suggest((use.family, "log_format"), lambda: [*known, *predefined], name.lower())
    names = [*islice(known.values(), 12), *(predefined if len(known) < 12 else ["…"])]
    allowed = f"Allowed: {', '.join(names)}." if names else "Define it with log_format."
    return (f'Did you mean "{known.get(near, near)}"? ' if near else "") + allowed


def _defined(later: Directive, node: Directive) -> Fix | None:
    from nginxaudit.load.fixes.log_formats import defined_before

    return defined_before(later, node)


def _other_name(model: Model, family: str, name: Token, node: Directive) -> Fix | None:
    from nginxaudit.load.fixes.log_formats import other_name

    return other_name(model, family, name, node)


@reads("error_log", family="main http stream mail")
def error_log(use: Use) -> Iterator[Mistake]:
    """``error_log file [level …]``."""
    target, *levels = use.args
    if target.startswith("syslog:"):
        yield from syslog(use, target)
    chosen = ""
    for token in levels:
        if token in _LEVELS or token in _DEBUG_LEVELS:
            if chosen and (token in _LEVELS or chosen in _LEVELS):
                yield invalid(token, f'second log level "{token}" after "{chosen}"')
                return
            chosen = str(token)
        else:
            yield misspelt(token, f'invalid log level "{token}"', str(token), _LEVELS)
            return


def syslog(use: Use, token: Token) -> Iterator[Mistake]:
    """``syslog:server=…,facility=…,severity=…,tag=…`` (src/core/ngx_syslog.c)."""
    text = str(token).removeprefix("syslog:")
    server = False
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if name == "server" and equals:
            server = True
            yield from address(token, 514, value)
        elif name == "facility" and equals:
            yield from one_of(token, _FACILITIES, "syslog facility", value)
        elif name == "severity" and equals:
            yield from one_of(token, _LEVELS, "syslog severity", value)
        elif name == "tag" and equals:
            if len(value) > 32 or not value.replace("_", "a").isalnum() or not value.isascii():
                yield invalid(token, f'invalid syslog tag "{value}": use up to 32 letters, digits and _')
        elif part != "nohostname":
            yield invalid(token, f'invalid syslog parameter "{part}"')
    if not server:
        yield invalid(token, "no syslog server specified")


@reads("open_log_file_cache", family="http stream")
def open_log_file_cache(use: Use) -> Iterator[Mistake]:
    """``open_log_file_cache max=N [inactive=] [min_uses=] [valid=]`` or ``off``."""
    yield from cache_of_files(use, "min_uses", "valid")


@reads(
    "ssl_certificate_cache", "proxy_ssl_certificate_cache", "grpc_ssl_certificate_cache", "uwsgi_ssl_certificate_cache",
    family="http stream",
)  # fmt: skip
def certificate_cache(use: Use) -> Iterator[Mistake]:
    """``ssl_certificate_cache max=N [inactive=] [valid=]`` or ``off``."""
    yield from cache_of_files(use, "valid")


@reads("open_file_cache")
def open_file_cache(use: Use) -> Iterator[Mistake]:
    """``open_file_cache max=N [inactive=]`` or ``off``."""
    yield from cache_of_files(use)


def cache_of_files(use: Use, *more: str) -> Iterator[Mistake]:
    """Parameters of a cache of open files."""
    has_max = off = False
    for token in use.args:
        name, _, value = token.partition("=")
        if token == "off":
            off = True
        elif name in ("max", "min_uses") and name in ("max", *more):
            has_max = has_max or name == "max"
            yield from parsed(positive, token, value)
        elif name in ("inactive", "valid") and name in ("inactive", *more):
            yield from parsed(parse_time_s, token, value)
        else:
            yield unknown_parameter(token, use.name, ("off", "max", "inactive", *more))
            return
    if not has_max and not off:
        yield Mistake(INVALID, f'"{use.name}" needs the parameter "max"')
