"""Who may ask for what a block answers: addresses, passwords, certificates, sockets.

``allow`` and ``deny`` are kept in three lists, for IPv4, IPv6 and UNIX sockets; in each the first rule that
fits decides, and a client that none fits is let through (``ngx_http_access_handler`` in
src/http/modules/ngx_http_access_module.c). With ``satisfy any`` one module that says yes is enough
(``ngx_http_core_access_phase`` in src/http/ngx_http_core_module.c).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.scope import enclosing, family_of
from nginxaudit.nginx import parse_inet4
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from nginxaudit.model.listen import Listen
    from nginxaudit.model.model import Model
    from nginxaudit.model.server import Server

    Network = IPv4Network | IPv6Network

FAMILIES = ("inet", "inet6", "unix")
FAMILY_NAMES = {"inet": "IPv4", "inet6": "IPv6", "unix": "UNIX socket"}

_SWITCHED = (
    "auth_request",
    "auth_jwt",
    "auth_oidc",
    "auth_pam",
    "auth_ldap",
    "auth_gss",
    "auth_digest",
    "akita_mode",
)
"""Directives that ask who somebody is, unless they are ``off``."""

_CODE = ("access_by_lua", "access_by_lua_block", "access_by_lua_file", "js_access")
_TURNED_AWAY = frozenset({"400", "401", "403", "404", "444"})
_NO_IDENTITY = frozenset(
    {
        "request_method", "http_user_agent", "http_referer", "invalid_referer", "scheme", "https", "host", "http_host",
        "server_port", "uri", "document_uri", "request_uri", "request_filename", "args", "query_string", "is_args",
    }
)  # fmt: skip
"""Variables that say nothing about who asks: a refusal that depends on them is no restriction of clients."""


class AccessRule(Struct, frozen=True):
    """One ``allow`` or ``deny``.

    ``network`` is None for ``all`` and ``unix:``; ``families`` are those it can decide about (none for
    an address that nginx refuses). ``host_bits``: the address has bits that its mask cuts off.
    """

    directive: Directive
    allow: bool
    families: frozenset[str]
    network: Network | None = None
    host_bits: bool = False

    def universal(self, family: str) -> bool:
        """It decides about every client of a family."""
        return family in self.families and (self.network is None or self.network.prefixlen == 0)

    @property
    def text(self) -> str:
        """As one would write it."""
        return f"{self.directive.name} {' '.join(self.directive.args)}"


def read_network(text: str) -> tuple[Network, bool] | None:
    """Network of an address or ``address/bits``, and whether bits are set that the mask cuts off."""
    import ipaddress  # 1 ms that most configurations do not ask for

    host, slash, bits = text.partition("/")
    try:
        if ":" not in host:
            host = parse_inet4(host)
        mask = int(bits) if slash else (32 if ":" not in host else 128)
        network = ipaddress.ip_network(f"{host}/{mask}", strict=False)
        return network, network.network_address != ipaddress.ip_address(host)
    except ValueError:
        return None


def read_rule(node: Directive) -> AccessRule:
    """What an ``allow`` or ``deny`` says."""
    allow = node.name == "allow"
    text = str(node.args[0]) if node.args else ""
    if text == "all":
        return AccessRule(node, allow, frozenset(FAMILIES))
    if text == "unix:":
        return AccessRule(node, allow, frozenset({"unix"}))
    found = read_network(text)
    if found is None:
        return AccessRule(node, allow, frozenset())
    network, host_bits = found
    return AccessRule(
        node, allow, frozenset({"inet" if network.version == 4 else "inet6"}), network, host_bits
    )


class Access(Struct, frozen=True, dict=True):
    """What stands between clients and one block.

    ``rules`` are the ``allow`` and ``deny`` in effect. ``logins`` are the directives in effect that ask who
    somebody is. ``refusal`` is an ``if`` that turns some clients away, ``certificate`` the ``ssl_verify_client``
    that wants one, ``code`` a directive whose code may decide.
    """

    rules: tuple[AccessRule, ...]
    logins: tuple[Directive, ...]
    satisfy_any: bool
    internal: bool
    certificate: Directive | None = None
    refusal: Directive | None = None
    code: Directive | None = None

    @property
    def denies(self) -> bool:
        """Some rule turns somebody away."""
        return any(not rule.allow for rule in self.rules)

    def first_universal(self, family: str) -> AccessRule | None:
        """The first rule that fits every client of a family: what stands behind it never counts."""
        return next((rule for rule in self.rules if rule.universal(family)), None)

    def closed(self, family: str) -> bool:
        """The rules turn away everybody of a family whom they do not name."""
        found = self.first_universal(family)
        return found is not None and not found.allow

    def opened(self, family: str) -> AccessRule | None:
        """With ``satisfy any``: the rule that lets everybody of a family in without a login."""
        found = self.first_universal(family)
        return found if self.satisfy_any and self.logins and found is not None and found.allow else None

    def never_asked(self, family: str) -> AccessRule | None:
        """`opened`, where no rule before it leaves clients of the family to the login."""
        found = self.opened(family)
        if found is None:
            return None
        before = self.rules[: self.rules.index(found)]
        asks = any(
            not rule.allow
            and (family in rule.families or not rule.families)
            and not _covered(rule, before[:at])
            for at, rule in enumerate(before)
        )
        return None if asks else found

    def restricts(self, family: str) -> bool:
        """Not everybody of a family gets in."""
        if self.internal or self.certificate or self.refusal or self.code:
            return True
        if self.satisfy_any and self.logins:
            return self.opened(family) is None
        return bool(self.logins) or self.closed(family)

    def open_to(self, families: Iterable[str]) -> list[str]:
        """The families of which everybody, or nearly everybody, gets in."""
        return [family for family in FAMILIES if family in families and not self.restricts(family)]

    @cached_property
    def has_any(self) -> bool:
        """Something restricts somebody."""
        return self.denies or bool(
            self.logins or self.certificate or self.refusal or self.code or self.internal
        )


def _covered(rule: AccessRule, earlier: Iterable[AccessRule]) -> bool:
    """One of ``earlier`` decides about all clients of ``rule``."""
    return any(
        rule.network is not None
        and each.network is not None
        and rule.network.version == each.network.version
        and rule.network.subnet_of(each.network)  # type: ignore[arg-type]
        for each in earlier
    )


def keeps_out(block: Directive) -> bool:
    """Whether ``block`` itself refuses somebody: what it takes less of would be open afterwards.

    What is inherited holds beside the block, too.
    """
    return any(_may_refuse(node) for node in block.walk())


def _may_refuse(node: Directive) -> bool:
    first = node.args[0].lower() if node.args else ""
    if node.name == "return":
        return first[:1] in ("4", "5")
    if node.name in ("auth_basic", *_SWITCHED):
        return first != "off"
    return node.name in ("allow", "deny", "internal", "limit_except", *_CODE)


def access_of(model: Model, block: Directive) -> Access:
    """What stands between clients and ``block`` (a location, a server, ``limit_except``)."""
    if family_of(block) != "http":
        return Access(rules(model, block), (), satisfy_any=False, internal=False)
    verify = model.value(block, "ssl_verify_client")
    return Access(
        rules(model, block),
        tuple(logins(model, block)),
        satisfy_any=model.value(block, "satisfy") == "any",
        internal=is_internal(block),
        certificate=model.effective(block, "ssl_verify_client")[0] if verify == "on" else None,
        refusal=_refusal(block) if model.written(("if",)) else None,
        code=next(
            (found[0] for name in model.written(_CODE) if (found := model.effective(block, name))), None
        ),
    )


def rules(model: Model, block: Directive) -> tuple[AccessRule, ...]:
    """The ``allow`` and ``deny`` in effect in ``block``: its own, or all those of the nearest block with any."""
    return tuple(map(read_rule, model.effective(block, "allow")))


def is_internal(block: Directive) -> bool:
    """Clients cannot ask for it: a named location, or ``internal``, which locations inside inherit
    (``ngx_http_core_merge_loc_conf``).
    """
    at = enclosing(block, "location")
    while at is not None and at.name == "location":
        if at.first("internal") is not None or (len(at.args) == 1 and at.args[0].startswith("@")):
            return True
        at = at.parent
    return False


def logins(model: Model, block: Directive) -> list[Directive]:
    """Directives in effect in ``block`` that ask who somebody is.

    ``auth_basic`` without a file of users asks nothing (``ngx_http_auth_basic_handler`` declines).
    """
    found = []
    basic = model.value(block, "auth_basic")
    if basic is not None and basic != "off" and model.effective(block, "auth_basic_user_file"):
        found.append(model.effective(block, "auth_basic")[0])
    for name in model.written(_SWITCHED):
        value = model.value(block, name)
        if value is not None and value.lower() != "off":
            found.append(model.effective(block, name)[0])
    return found


def _refusal(block: Directive) -> Directive | None:
    """An ``if`` around that refuses, by something that may tell clients apart."""
    from nginxaudit.model.variables import references

    at: Directive | None = block
    while at is not None:
        # The rewrites of the location and of the server run, those of blocks between them do not.
        if at is block or at.inner == "server":
            for node in at.named("if"):
                names = {each.name for word in node.args for each in references(word)}
                answer = node.first("return")
                if answer and answer.args and answer.args[0] in _TURNED_AWAY and names - _NO_IDENTITY:
                    return node
        at = at.parent
    return None


# -- sockets


def listening(server: Server | None) -> frozenset[str]:
    """Families of clients that can reach a server; IPv4 where nobody knows."""
    if server is None:
        return frozenset({"inet"})
    found: set[str] = set()
    for listen in server.listens:
        found.add("inet6" if listen.kind == "inet6" else "unix" if listen.kind == "unix" else "inet")
        if listen.dual_stack:
            found.add("inet")
    if server.listen_unknown and not found:
        found.add("inet")
    return frozenset(found)


def is_loopback(listen: Listen) -> bool:
    """Only this machine reaches the socket."""
    if listen.kind == "unix":
        return True
    if listen.kind == "inet":
        return listen.host.startswith("127.")
    return listen.host in ("::1", "localhost")


def is_local(server: Server | None) -> bool:
    """Only this machine reaches the server."""
    return server is not None and not server.listen_unknown and all(map(is_loopback, server.listens))


def is_private(server: Server | None) -> bool:
    """Every socket of the server has an address that is not of the Internet (a wildcard may be)."""
    return server is not None and not server.listen_unknown and all(map(_is_private, server.listens))


def _is_private(listen: Listen) -> bool:
    if is_loopback(listen):
        return True
    if listen.is_wildcard or listen.kind == "name":
        return False
    from ipaddress import ip_address

    return ip_address(listen.host).is_private
