"""mail: protocol and auth_http."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import Mistake, Use, address, one_of, reads

_PROTOCOLS = ("imap", "pop3", "smtp")


@reads("protocol", family="mail")
def protocol(use: Use) -> Iterator[Mistake]:
    """``protocol imap | pop3 | smtp``."""
    yield from one_of(use.args[0], _PROTOCOLS, "mail protocol")


@reads("starttls", family="mail")
def starttls(use: Use) -> Iterator[Mistake]:
    """``starttls on | off | only``."""
    yield from one_of(use.args[0], ("off", "on", "only"), '"starttls" value', use.args[0].lower())


@reads("auth_http", family="mail")
def auth_http(use: Use) -> Iterator[Mistake]:
    """``auth_http URL``; ``http://`` may be left out."""
    url = use.args[0]
    authority = url.removeprefix("http://")
    if not authority.startswith("unix:"):
        authority = authority.partition("/")[0].partition("?")[0]
    yield from address(url, 80, authority)
