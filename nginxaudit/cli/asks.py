"""Requests as the command line and files of URLs give them, after curl's options."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nginxaudit.cli.streams import CommandError

if TYPE_CHECKING:
    from nginxaudit.request.records import Ask, World

_F = TypeVar("_F", bound=Callable[..., Any])
_URL = re.compile(r"(?:(https?|tcp|tls|udp)://)?(?:([^@/?#]*)@)?([^/?#]*)([^#]*)", re.I | re.S)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff]")
_MOST_URLS = 100_000

REQUEST_OPTIONS = [
    click.option("--request", "-X", "method", metavar="METHOD", help="The method (default: GET, or POST with --data)."),
    click.option(
        "--header", "-H", "headers", multiple=True, metavar="'NAME: VALUE'",
        help="A header of the request; Host replaces the one of the URL. Repeat for several.",
    ),
    click.option("--data", "-d", metavar="TEXT", help="A body; only its length counts."),
    click.option(
        "--user", metavar="NAME", help="The request is authenticated as this user (auth_basic)."
    ),
    click.option("--from", "client", metavar="ADDRESS", help="The client's address (allow, deny, geo, real_ip)."),
    click.option("--to", "address", metavar="ADDRESS", help="The address that the client connects to."),
    click.option("--tls", is_flag=True, help="URLs without a scheme use https."),
    click.option("--sni", metavar="NAME", help="The name in the TLS handshake (default: the host of the URL)."),
    click.option(
        "--alpn", metavar="NAMES", help="Protocols that the TLS client offers, for example h2,http/1.1 (for stream)."
    ),
    click.option(
        "--proxy-protocol", metavar="ADDRESS",
        help="The client's address in the PROXY protocol header (listen … proxy_protocol).",
    ),
    click.option("--http2", is_flag=True, help="The request uses HTTP/2."),
]  # fmt: skip
WORLD_OPTIONS = [
    click.option(
        "--file-exists", multiple=True, metavar="PATH",
        help="This file exists; a directory with a trailing slash. Repeat for several.",
    ),
    click.option("--file-missing", multiple=True, metavar="PATH", help="This file does not exist. Repeat for several."),
    click.option(
        "--only-files", is_flag=True, help="No other files exist than those of --file-exists."
    ),
    click.option("--backend-status", type=click.IntRange(100, 599), metavar="STATUS", help="The status that backends return."),
]  # fmt: skip


def request_options(command: _F) -> _F:
    """Add what describes requests and what is known beside the configuration."""
    for option in reversed([*REQUEST_OPTIONS, *WORLD_OPTIONS]):
        command = option(command)
    return command


def world_of(options: dict[str, Any], prefix: str | None) -> World:
    """What the options say about the world."""
    from nginxaudit.request.records import World

    return World(
        files=frozenset(options["file_exists"]),
        missing=frozenset(options["file_missing"]),
        complete=options["only_files"],
        backend_status=options["backend_status"],
        user=options["user"],
        prefix=prefix or "",
    )


def asks_of(words: list[str], options: dict[str, Any]) -> Iterator[Ask]:
    """The requests for URLs and files of URLs (``@FILE``)."""
    for word in words:
        for url in _urls(word):
            yield ask_of(url, options)


def _urls(word: str) -> list[str]:
    if not word.startswith("@"):
        return [word]
    try:
        with open(word[1:], encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise CommandError(f"{word[1:]}: cannot be read: {error.strerror or error}") from None
    urls = [line for line in lines if line and not line.startswith("#")]
    if len(urls) > _MOST_URLS:
        raise CommandError(f"{word[1:]} has more than {_MOST_URLS} URLs")
    return urls


def ask_of(url: str, options: dict[str, Any]) -> Ask:
    """The request for one URL."""
    from nginxaudit.request.records import Ask

    scheme, login, authority, target = _taken_apart(url)
    if scheme in _STREAM:
        return _connection(scheme, authority, url, options)
    tls = scheme == "https" or (not scheme and options["tls"])
    host, port = _host_and_port(authority, url, 443 if tls else 80)
    headers, given = _headers(options["headers"])
    if login:
        headers.append(("Authorization", "Basic " + base64.b64encode(login.encode()).decode()))
    data = options["data"]
    if data is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    named = given if given is not None else authority or "localhost"
    address = options["address"] or (host.strip("[]") if _is_address(host) else None)
    return Ask(
        target=_sent(target),
        host=named or None,
        method=options["method"] or ("GET" if data is None else "POST"),
        headers=tuple(headers),
        tls=tls,
        sni=(options["sni"] or (None if _is_address(host) else host.lower())) if tls else None,
        address=address,
        port=port,
        client=options["client"],
        body=None if data is None else len(data.encode("utf-8", "surrogateescape")),
        version="2.0" if options["http2"] else "1.1",
        proxied=options["proxy_protocol"],
    )


_STREAM = ("tcp", "tls", "udp")


def _connection(scheme: str, authority: str, url: str, options: dict[str, Any]) -> Ask:
    """A connection to a server of stream."""
    from nginxaudit.request.records import Ask

    host, port = _host_and_port(authority, url, 0)
    if not port:
        raise click.UsageError(f"{url}: a connection of stream needs a port")
    name = options["sni"] or (None if _is_address(host) else host.lower())
    return Ask(
        target="",
        host=host,
        method=scheme.upper(),
        tls=scheme == "tls",
        sni=name if scheme == "tls" else None,
        address=options["address"] or (host.strip("[]") if _is_address(host) else None),
        port=port,
        client=options["client"],
        protocol=scheme,
        alpn=tuple(options["alpn"].split(",")) if options["alpn"] else None,
        proxied=options["proxy_protocol"],
    )


def _taken_apart(url: str) -> tuple[str, str, str, str]:
    """Scheme, user, authority and target; a text that begins with a slash is a target."""
    if url.startswith("/"):
        return "", "", "", url.partition("#")[0]
    if "://" in url and not re.match(r"(?:https?|tcp|tls|udp)://", url, re.I):
        raise click.UsageError(
            f"{url}: only http://, https://, and tcp://, tls:// and udp:// for stream, are known"
        )
    found = _URL.match(url)
    assert found is not None
    scheme, login, authority, target = found.groups("")
    return scheme.lower(), login, authority, target


def _host_and_port(authority: str, url: str, default: int) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority or "localhost", default
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise click.UsageError(f"{url}: {port!r} is not a port")
    return host, int(port)


def _headers(texts: tuple[str, ...]) -> tuple[list[tuple[str, str]], str | None]:
    """The headers of ``-H``, without Host, and Host."""
    found: list[tuple[str, str]] = []
    host: str | None = None
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon and text.endswith(";"):
            name, value = text[:-1], ""
        elif not colon or not name.strip():
            raise click.BadParameter(f"{text!r} is not a header: write 'Name: value'", param_hint="--header")
        if name.strip().lower() == "host":
            host = value.strip()
        else:
            found.append((name.strip(), value.strip()))
    return found, host


def _is_address(host: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _sent(target: str) -> str:
    """The target as a client sends it: with a slash before it, spaces and letters beyond ASCII encoded."""
    if not target.startswith("/"):
        target = f"/{target}"
    return _UNSAFE.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape")), target
    )
