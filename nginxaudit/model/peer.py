"""The ``server`` lines of a group (``ngx_http_upstream_server`` in src/http/ngx_http_upstream.c)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from nginxaudit.nginx import (
    Address,
    Target,
    parameters_of,
    parse_address,
    parse_number,
    parse_time_ms,
    parse_time_s,
)
from nginxaudit.syntax.tree import Directive, Token

HTTP_PORT = 80  # default port of a server in an http group, whatever the scheme
MAX_ROUTE = 32  # NGX_HTTP_UPSTREAM_SID_LEN


class Parameter(Struct, frozen=True):
    """A parameter as written; ``value`` is None for a word without ``=``."""

    name: str
    value: str | None
    token: Token


class Peer(Struct, frozen=True):
    """One ``server`` line of a group with nginx's defaults filled in.

    ``text`` is the address as written. ``address`` is None when nginx refuses it or it is a
    template; then ``invalid`` says so. ``fail_timeout`` is seconds, ``slow_start`` milliseconds;
    ``max_conns`` 0 means no limit. ``explicit`` names the parameters that are written, ``invalid``
    lists the words that nginx refuses, with the reason.
    """

    directive: Directive
    text: str
    address: Address | None
    weight: int = 1
    max_fails: int = 1
    fail_timeout: int = 10
    max_conns: int = 0
    slow_start: int = 0
    backup: bool = False
    down: bool = False
    drain: bool = False
    resolve: bool = False
    service: str | None = None
    route: str | None = None
    explicit: frozenset[str] = frozenset()
    invalid: tuple[tuple[Token, str], ...] = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The words behind the address."""
        return tuple(map(_parameter, self.directive.args[1:]))

    @property
    def lacks_port(self) -> bool:
        """Whether its port is the default one, for none is written."""
        address = self.address
        return (
            address is not None and address.kind != "unix" and not address.explicit_port and not self.service
        )

    @property
    def is_literal(self) -> bool:
        """An IP address or a UNIX socket: exactly one address, known from the text."""
        return self.address is not None and self.address.kind != "name"

    @property
    def is_hostname(self) -> bool:
        """A name that the system or the resolver turns into any number of addresses."""
        return self.address is not None and self.address.kind == "name"

    @property
    def is_live(self) -> bool:
        """Takes new requests: neither ``down`` nor ``drain``."""
        return not self.down and not self.drain

    @property
    def normal_address(self) -> str:
        """Address in its normal spelling with its port, for comparing; the text if unreadable."""
        if self.address is None:
            return self.text.lower()
        return f"{self.address} service={self.service}" if self.service else str(self.address)

    def parameter(self, name: str) -> Parameter | None:
        """The last ``name`` that is written: it is the one that counts."""
        return next((each for each in reversed(self.parameters) if each.name == name), None)


class _Settings(Struct, frozen=True):
    """What the words behind an address say: groups by the thousand say the same.

    ``refused`` are the words that nginx refuses, by their number, with the reason.
    """

    values: dict[str, Any]
    explicit: frozenset[str]
    refused: tuple[tuple[int, str], ...]


def parse_peer(directive: Directive, family: str, edition: str = "oss") -> Peer:
    """The ``server`` line of a group in ``http`` or ``stream`` of an edition of nginx. Never raises: see ``Peer.invalid``."""
    words = directive.args[1:]
    settings = _settings(tuple(words), family, edition)
    invalid = tuple([(words[number], reason) for number, reason in settings.refused])
    text = directive.args[0] if directive.args else Token.make("", directive.start, directive.name_end)
    address = None
    try:
        default_port = None if family == "stream" or "service" in settings.values else HTTP_PORT
        address = _address(text, default_port)
    except ValueError as error:
        invalid = ((text, str(error)), *invalid)
    return Peer(
        directive=directive,
        text=str(text),
        address=address,
        explicit=settings.explicit,
        invalid=invalid,
        **settings.values,
    )


@lru_cache(maxsize=1024)
def _settings(words: tuple[Token, ...], family: str, edition: str) -> _Settings:
    written = [_parameter(word) for word in words]
    values: dict[str, Any] = {}
    refused: list[tuple[int, str]] = []
    for number, each in enumerate(written):
        try:
            values.update(_read(each, family, edition))
        except ValueError as error:
            refused.append((number, str(error)))
    return _Settings(values, frozenset(each.name for each in written), tuple(refused))


def _address(text: Token, default_port: int | None) -> Address:
    if text.filled:
        raise ValueError(f'the address "{text}" is filled in by something else')
    address = parse_address(text, default_port)
    if address.kind == "name" and ("/" in address.host or "?" in address.host):
        raise ValueError(f'invalid host in "{text}"')
    return address


def _parameter(token: Token) -> Parameter:
    name, equals, value = token.partition("=")
    return Parameter(name, value if equals else None, token)


def _read(each: Parameter, family: str, edition: str) -> dict[str, Any]:
    """Fields that one parameter sets. Raises `ValueError` when nginx refuses it."""
    name, value = each.name, each.value
    if name not in _known(family, edition):
        raise ValueError(f'invalid parameter "{each.token}" of "server" in an upstream')
    if name in _FLAGS:
        if value is not None:
            raise ValueError(f'"{name}" takes no value')
        return dict(_FLAGS[name])
    if value is None:
        raise ValueError(f'"{name}" needs a value: {name}=…')
    reader = _VALUES.get(name)
    return {name: reader(value)} if reader else {}


def _weight(text: str) -> int:
    weight = parse_number(text)
    if weight == 0:
        raise ValueError('"weight=0" is refused: a server that should get no traffic is marked "down"')
    return weight


def _route(text: str) -> str:
    if not text or len(text.encode("utf-8", "surrogateescape")) > MAX_ROUTE:
        raise ValueError(f"a route has 1 to {MAX_ROUTE} bytes")
    return text


def _service(text: str) -> str:
    if not text:
        raise ValueError("the service is empty")
    return text


# The later of "down" and "drain" wins: nginx keeps both in one field.
_FLAGS: dict[str, dict[str, bool]] = {
    "backup": {"backup": True},
    "down": {"down": True, "drain": False},
    "drain": {"down": False, "drain": True},
    "resolve": {"resolve": True},
}
_VALUES: dict[str, Callable[[str], object]] = {
    "weight": _weight,
    "max_fails": parse_number,
    "max_conns": parse_number,
    "fail_timeout": parse_time_s,
    "slow_start": parse_time_ms,
    "route": _route,
    "service": _service,
}


@lru_cache(maxsize=16)
def _known(family: str, edition: str) -> frozenset[str]:
    """Names of the parameters that some version of the edition, nginx or NGINX Plus has."""
    names = {fact.name for fact in parameters_of("server", family, Target(edition=edition)) if fact.name}
    return frozenset(names - {"address"})
