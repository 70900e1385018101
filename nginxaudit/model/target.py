"""Where a pass directive points: its argument taken apart as nginx does (``ngx_parse_url``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.nginx import Address, parse_address

if TYPE_CHECKING:
    from nginxaudit.model.upstream import Upstream

_SCHEME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-")
_SCHEMES: dict[str, dict[str, int | None]] = {
    "proxy": {"http": 80, "https": 443},
    "grpc": {"grpc": None, "grpcs": None},
    "uwsgi": {"uwsgi": None, "suwsgi": None},
}
"""Schemes of each protocol with their default port. Only ``proxy`` must have one."""

_TLS = frozenset({"https", "grpcs", "suwsgi"})


class PassTarget(Struct, frozen=True):
    """A target without variables.

    ``kind``: ``upstream`` (a group of this family), ``address`` (an IP literal), ``unix``,
    ``hostname``, ``variable`` (not decided yet) or ``invalid`` with its ``reason``.
    ``scheme`` is lower-case, empty without one. ``host`` is in its normal spelling (a path for a
    UNIX socket), ``port`` has the default filled in, ``path`` is the URI part (None without one).
    """

    text: str
    kind: str
    scheme: str = ""
    host: str = ""
    port: int | None = None
    explicit_port: bool = False
    path: str | None = None
    upstream: Upstream | None = None
    address: Address | None = None
    reason: str = ""

    @property
    def tls(self) -> bool:
        """The scheme asks for TLS."""
        return self.scheme in _TLS


def has_variables(text: str) -> bool:
    """Whether nginx evaluates ``text`` for every request (``ngx_http_script_variables_count``)."""
    return "$" in text


def split_scheme(protocol: str, text: str) -> tuple[str, str]:
    """Lower-case scheme (empty without one) and the rest. Raises `ValueError` for one nginx lacks."""
    allowed = _SCHEMES.get(protocol)
    before, separator, behind = text.partition("://")
    written = separator and before[:1].isalpha() and _SCHEME.issuperset(before)
    written = written and before.lower() != "unix"  # unix:///path: more slashes belong to the path
    scheme = before.lower() if written else ""
    if allowed is None:
        if scheme:
            raise ValueError(f'a scheme ("{scheme}://") is not allowed here')
        return "", text
    if scheme not in allowed:
        if scheme:
            raise ValueError(f'the scheme "{scheme}://" is not supported')
        if protocol == "proxy":
            raise ValueError("the URL has no http:// or https://")
    return scheme, behind if written else text


def split_path(rest: str, *, uri_part: bool) -> tuple[str, str | None]:
    """Authority and URI part of what follows the scheme. Only proxy URLs may have a URI part."""
    if rest[:5].lower() == "unix:":
        path, _, uri = rest[5:].partition(":") if uri_part else (rest[5:], "", "")
        return rest[:5] + path, uri or None  # a colon with nothing behind it is no URI
    bracket = rest.find("]") if rest.startswith("[") else -1
    ends = [at for at in (rest.find("/", bracket + 1), rest.find("?", bracket + 1)) if at >= 0]
    if not ends:
        return rest, None
    if not uri_part:
        raise ValueError(f'invalid host in "{rest}"')
    return rest[: min(ends)], rest[min(ends) :]


def parse_target(
    protocol: str, text: str, groups: Mapping[str, Upstream], *, runtime: bool = False
) -> PassTarget:
    """Target without variables of a pass directive of ``protocol``. ``groups`` are by lower-case name.

    With ``runtime`` the text is a value that a variable took: nginx then finds a group only by
    its name without a port, while a port beside the name of a group is refused at start.
    """
    try:
        scheme, rest = split_scheme(protocol, text)
        authority, path = split_path(rest, uri_part=protocol == "proxy")
        address = parse_address(authority, _SCHEMES.get(protocol, {}).get(scheme))
    except ValueError as error:
        return PassTarget(text, "invalid", reason=str(error))
    upstream = groups.get(_host_text(authority, address).lower())
    if runtime and address.explicit_port:
        upstream = None
    return PassTarget(
        text=text,
        kind="upstream" if upstream else _kind(address),
        scheme=scheme,
        host=address.host,
        port=address.port,
        explicit_port=address.explicit_port,
        path=path,
        upstream=upstream,
        address=address,
    )


def _host_text(authority: str, address: Address) -> str:
    """The host as nginx compares it with the names of groups: as written, without the port."""
    if address.kind == "unix":
        return address.host
    if authority.startswith("["):
        return authority[: authority.index("]") + 1]
    return authority.partition(":")[0]


def _kind(address: Address) -> str:
    return {"name": "hostname", "unix": "unix"}.get(address.kind, "address")
