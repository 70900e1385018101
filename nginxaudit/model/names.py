"""``server_name``: what each name means and which one wins for a host.

Order of the search (``ngx_hash_find_combined``, ``ngx_http_find_virtual_server``): the exact name,
the longest ``*.suffix``, the longest ``prefix.*``, then the regular expressions in reading order.
"""

from __future__ import annotations

from msgspec import Struct

from nginxaudit.syntax.tree import Directive, Token


class ServerName(Struct, frozen=True):
    """One name of a server.

    ``kind``: ``exact``, ``leading`` (``*.example.com``), ``trailing`` (``www.example.*``),
    ``dot`` (``.example.com``: the name itself and everything below), ``regex``, ``empty`` (no
    Host), ``catch-all`` (``_``: an exact name that no client sends), ``hostname``
    (``$hostname``: the machine's name), ``invalid``. ``name`` is lower-case, without the ``~`` of
    a regular expression. ``token`` and ``directive`` are None for the empty name that nginx gives
    to an http server without ``server_name``.
    """

    kind: str
    name: str
    token: Token | None = None
    directive: Directive | None = None

    @property
    def is_wildcard(self) -> bool:
        """Stands for any number of hosts by a ``*`` or a leading dot."""
        return self.kind in ("leading", "trailing", "dot")

    @property
    def keys(self) -> tuple[str, ...]:
        """What must not occur twice on a socket: ``.example.com`` stands for two names."""
        if self.kind == "dot":
            return (self.name[1:], f"*{self.name}")
        return (f"~{self.name}",) if self.kind == "regex" else (self.name,)


NO_NAME = ServerName("empty", "")


def parse_names(directive: Directive) -> list[ServerName]:
    """Names of one ``server_name`` line, in order."""
    return [_name(directive, token) for token in directive.args]


def _name(directive: Directive, token: Token) -> ServerName:
    if token.startswith("~"):
        return ServerName("regex" if len(token) > 1 else "invalid", token[1:], token, directive)
    name = token.lower()
    return ServerName(_kind(name), name, token, directive)


def _kind(name: str) -> str:
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    stars = name.count("*")
    if ".." in name or stars > 1 or name in ("*", "*.", "."):
        return "invalid"
    if name.startswith("."):
        return "invalid" if stars else "dot"
    if not stars:
        return "exact"
    if name.startswith("*.") and len(name) > 2:
        return "leading"
    return "trailing" if name.endswith(".*") and len(name) > 2 else "invalid"


_SPECIAL = {"": "empty", "_": "catch-all", "$hostname": "hostname"}
