"""The access phase: addresses, passwords, subrequests that decide, and ``satisfy``.

The order is that of nginx's modules: allow and deny, auth_basic, auth_request. ``satisfy`` joins their answers as in
``ngx_http_core_access_phase`` (src/http/ngx_http_core_module.c).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from nginxaudit.model.access import AccessRule
from nginxaudit.model.access import rules as access_rules
from nginxaudit.nginx.names import LUA
from nginxaudit.request.addresses import number_of
from nginxaudit.request.evaluate import known, shown, value
from nginxaudit.request.flight import Finish, Flight, Lost, Result, Unknown, Value
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    Subrequest = Callable[[Flight, str, Directive], int | None]

_CODE = (*[f"access{kind}" for kind in LUA], "js_access")
_OTHERS = (
    "auth_jwt", "auth_oidc", "auth_pam", "auth_ldap", "auth_gss", "auth_digest", "akita_mode", "modsecurity",
)  # fmt: skip
_LIMITS = ("limit_req", "limit_conn")

OK, DECLINED, FORBIDDEN, UNAUTHORIZED = 200, 0, 403, 401


def preaccess(flight: Flight, block: Directive) -> None:
    """Limits are named only: whether they are reached depends on other requests."""
    for name in flight.model.written(_LIMITS):
        for node in flight.model.effective(block, name):
            zone = " ".join(node.args)
            flight.note(
                "limits", node, f"{name} {zone}", "beyond the limit: limit_req_status or limit_conn_status"
            )


def access(flight: Flight, block: Directive, subrequest: Subrequest) -> Result | None:
    """Whether the request may go on; None if it may."""
    model = flight.model
    satisfy_any = model.value(block, "satisfy") == "any"
    code = 0
    for status in _answers(flight, block, subrequest):
        if status == DECLINED:
            continue
        if status == OK:
            if satisfy_any:
                found = model.effective(block, "satisfy")
                flight.note("access", found[0], "allowed", "satisfy any: one yes is enough")
                flight.out = [each for each in flight.out if each[0] != "WWW-Authenticate"]
                return None
            continue
        if satisfy_any and status in (FORBIDDEN, UNAUTHORIZED):
            code = status if code != UNAUTHORIZED else code
            continue
        return Finish(status)
    return Finish(code) if code else None


def _answers(flight: Flight, block: Directive, subrequest: Subrequest) -> Iterator[int]:
    yield addresses(flight, block)
    yield _basic(flight, block)
    yield _request(flight, block, subrequest)
    model = flight.model
    for name in model.written(_CODE):
        found = model.effective(block, name)
        if found:
            raise Lost(f"{name} runs: its code decides", found[0])
    for name in model.written(_OTHERS):
        text = model.value(block, name)
        if text is not None and text.lower() != "off":
            node = model.effective(block, name)[0]
            passed = flight.yes(
                (name, node.start), f"{name} lets the request through", f"{name} refuses it", node
            )
            if name == "modsecurity":
                yield DECLINED if passed else FORBIDDEN
            else:
                yield OK if passed else UNAUTHORIZED


# -- allow and deny


def addresses(flight: Flight, block: Directive) -> int:
    """What ``allow`` and ``deny`` say: 200, 403, or 0 for nothing."""
    rules = access_rules(flight.model, block)
    if not rules:
        return DECLINED
    found = _deciding(flight, rules)
    if found is None:
        return DECLINED
    allow, node, why = found
    refused = "403" if flight.ask.family == "http" else "closed"
    flight.note("access", node, "allowed" if allow else refused, why)
    return OK if allow else FORBIDDEN


def _deciding(flight: Flight, rules: tuple[AccessRule, ...]) -> tuple[bool, Directive, str] | None:
    """The rule that decides about the client; None where none does. An unknown client is a branch."""
    client = flight.client
    if client is None:
        return _unknown_client(flight, rules)
    for rule in rules:
        if _fits(rule, client):
            return rule.allow, rule.directive, f"{rule.text} is the first rule for {client}"
    return None


def _fits(rule: AccessRule, client: str) -> bool:
    if client.startswith("unix:"):
        return "unix" in rule.families
    number = number_of(client)
    if number is None:
        return False
    version, address = number
    if ("inet" if version == 4 else "inet6") not in rule.families:
        return False
    network = rule.network
    return network is None or int(network.network_address) <= address <= int(network.broadcast_address)


def _unknown_client(flight: Flight, rules: tuple[AccessRule, ...]) -> tuple[bool, Directive, str] | None:
    counted: list[AccessRule] = []
    for rule in rules:
        if rule.families == frozenset({"unix"}):
            continue
        counted.append(rule)
        if rule.network is None and rule.families:
            break
    verdicts = {rule.allow for rule in counted}
    last = counted[-1] if counted else None
    closed = last is not None and last.network is None
    if last is None:
        return None
    if len(verdicts) == 1 and closed:
        return last.allow, last.directive, f"{last.text} is for every client"
    named = [rule for rule in counted if not (rule is last and closed)]
    key = ("client", tuple([(rule.directive.source.path, rule.directive.start) for rule in counted]))
    first = named[0]
    texts = ", ".join(str(rule.directive.args[0]) for rule in named[:4]) + (", …" if len(named) > 4 else "")
    otherwise = last.allow if closed else True
    options = [
        (otherwise, f"the client's address is not in {texts}"),
        (not otherwise, f"the client's address is in {_opposite(named, otherwise)}"),
    ]
    allow = flight.choose(key, options, first.directive)
    node = last.directive if closed and allow == otherwise else first.directive
    if not closed and allow == otherwise and not any(rule.allow for rule in named):
        return None
    return allow, node, "by the client's address"


def _opposite(named: list[AccessRule], otherwise: bool) -> str:
    texts = [str(rule.directive.args[0]) for rule in named if rule.allow != otherwise]
    return ", ".join(texts[:4]) + (", …" if len(texts) > 4 else "")


# -- passwords


def login_of(flight: Flight) -> Value | None:
    """The user whom the request names; None without credentials."""
    if flight.world.user is not None:
        return flight.world.user
    for name, text in flight.headers:
        if name.lower() == "authorization" and text[:6].lower() == "basic ":
            try:
                user = base64.b64decode(text[6:].strip(), validate=False).decode("utf-8", "surrogateescape")
            except (binascii.Error, ValueError):
                return None
            name, colon, _ = user.partition(":")
            return name if colon and name else None
    return None


def _basic(flight: Flight, block: Directive) -> int:
    model = flight.model
    realm = model.value(block, "auth_basic")
    files = model.effective(block, "auth_basic_user_file")
    if realm is None or not files:
        return DECLINED
    node = model.effective(block, "auth_basic")[0]
    text = value(flight, realm)
    if isinstance(text, Unknown) and not text.candidates:
        off = flight.yes(
            ("is", text.shown, "off"), f'{text.shown} is "off"', f'{text.shown} is not "off"', node
        )
        text = "off" if off else text
    if (flight.pin(text, node) if isinstance(text, Unknown) and text.candidates else text) == "off":
        flight.note("access", node, "no password is asked for", "auth_basic is off")
        return DECLINED
    user = login_of(flight)
    if user is None:
        flight.out.append(("WWW-Authenticate", f'Basic realm="{shown(text)}"'))
        flight.note("access", node, "401", "the request has no user and password")
        return UNAUTHORIZED
    if _is_right(flight, node):
        flight.note("access", node, f"user {shown(user)} is let in", "the password is right")
        return OK
    flight.out.append(("WWW-Authenticate", f'Basic realm="{shown(text)}"'))
    flight.note("access", node, "401", "the password is wrong")
    return UNAUTHORIZED


def _is_right(flight: Flight, node: Directive) -> bool:
    world = flight.world
    if world.password is not None:
        return world.password
    words = "user and password are right", "user or password is wrong"
    return world.user is not None or flight.yes(("password",), *words, node)


# -- subrequests


def _request(flight: Flight, block: Directive, subrequest: Subrequest) -> int:
    model = flight.model
    target = model.value(block, "auth_request")
    if target is None or target == "off":
        return DECLINED
    node = model.effective(block, "auth_request")[0]
    flight.note("access", node, f"subrequest to {target}", "its status decides")
    status = subrequest(flight, known(flight, target, node), node)
    if status is None:
        options = [
            (OK, f"the subrequest to {target} is answered with 2xx"),
            (UNAUTHORIZED, f"the subrequest to {target} is answered with 401"),
            (FORBIDDEN, f"the subrequest to {target} is answered with 403"),
            (500, f"the subrequest to {target} is answered with another status"),
        ]
        status = flight.choose(("auth_request", node.start, target), options, node)
    for each in model.effective(block, "auth_request_set"):
        if len(each.args) > 1:
            name = str(each.args[0])[1:].lower()
            found = value(flight, each.args[1])
            flight.values[name] = (
                Unknown(f"${name}", "the subrequest's answer has it", name=name)
                if isinstance(found, Unknown)
                else found
            )
    if 200 <= status < 300:
        flight.note("access", node, "allowed", f"the subrequest was answered with {status}")
        return OK
    result = status if status in (UNAUTHORIZED, FORBIDDEN) else 500
    flight.note("access", node, str(result), f"the subrequest was answered with {status}")
    return result
