"""Lists of `allow` and `deny`: rules that deny no client, are never checked, or forget an address family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from nginxaudit.checks.security.access import AUTHENTICATION, deny_others
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.access import (
    FAMILY_NAMES,
    access_of,
    listening,
    read_network,
)
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.access import Network

_MANY_RULES = 200  # longer lists are block lists: only duplicates are looked for


def allow_without_deny(ctx: CheckContext) -> Iterable[Hit]:
    """Lists of allowed addresses that deny no client."""
    from nginxaudit.checks.witnesses import MOST_SHOWN, served  # only who has such a list pays for it

    reported = 0
    for block in dict.fromkeys(
        node.parent for node in ctx.model.config.named("allow") if node.parent is not None
    ):
        allowed = [node for node in block.named("allow") if node.args and node.args[0] != "all"]
        if not allowed or block.first("deny") or ctx.model.unknown_inside(block, direct=True):
            continue
        satisfy = ctx.model.value(block, "satisfy")
        if satisfy == "any" and any(_asks(ctx.model, block, name) for name in AUTHENTICATION):
            continue  # the address or the password
        opening = next((node for node in block.named("allow") if node.args[:1] == ["all"]), None)
        shown = served(ctx.model, block)[0] if reported < MOST_SHOWN else None
        reported += 1
        if opening is not None:
            yield Hit(
                whole(opening),
                "allow all admits every client: the other allow rules restrict nothing",
                opening,
                related=tuple(("restricts nothing", whole(node)) for node in allowed[:3]),
                help="Replace it with deny all;, or delete the other allow rules.",
                why="nginx applies the first rule that matches, and allow all matches every client.",
                witness=shown,
            )
            continue
        yield Hit(
            whole(allowed[0]),
            'allow without "deny all" restricts nothing: all other clients are allowed as well',
            allowed[0],
            related=tuple(("also restricts nothing", whole(node)) for node in allowed[1:4]),
            help="Add deny all; after the last allow.",
            make_fix=partial(deny_others, block),
            witness=shown,
        )


def _asks(model: Model, block: Directive, name: str) -> bool:
    """Whether a directive for authentication is in effect and not off."""
    return any(node.args[:1] != ["off"] for node in model.effective(block, name))


def deny_for_one_family(ctx: CheckContext) -> Iterable[Hit]:
    """Rules that end with a deny for IPv4, in servers that IPv6 reaches as well."""
    from nginxaudit.checks.witnesses import served

    blocks = dict.fromkeys(node.parent for node in ctx.model.config.named("deny") if node.parent is not None)
    for block in blocks:
        server = ctx.model.server_of(block)
        families = listening(server) & {"inet", "inet6"}
        if server is None or len(families) < 2 or ctx.model.unknown_inside(block, direct=True):
            continue
        found = access_of(ctx.model, block)
        closed = [family for family in families if found.closed(family)]
        if len(closed) != 1 or found.open_to(families - set(closed)) == []:
            continue
        rule = found.first_universal(closed[0])
        (other,) = families - set(closed)
        if rule is None or any(other in each.families for each in found.rules if not each.allow):
            continue
        yield Hit(
            whole(rule.directive),
            f"{rule.text} covers only {FAMILY_NAMES[closed[0]]}: any client is allowed over {FAMILY_NAMES[other]}",
            rule.directive,
            help="Replace it with deny all;",
            witness=served(ctx.model, block, six=other == "inet6")[0],
        )


def unreachable_access_rule(ctx: CheckContext) -> Iterable[Hit]:
    """Rules after one that matches the same clients; once per block."""
    blocks = dict.fromkeys(node.parent for name in ("allow", "deny") for node in ctx.model.config.named(name))
    for block in blocks:
        if block is None or block.inner in ("upstream", "geo-block"):
            continue
        own = [node for node in block.children if node.name in ("allow", "deny") and node.args]
        for node, earlier in _decided_before(own):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            yield Hit(
                whole(node),
                f"{node.name} has no effect: {earlier.name} {earlier.args[0]} above already matches these clients",
                node,
                related=(("this rule matches first", whole(earlier)),),
                help="Delete it, or move it up.",
                witness=openings.decided(ctx, node, earlier),
            )
            break


def _decided_before(own: list[Directive]) -> Iterator[tuple[Directive, Directive]]:
    """Rules with an earlier one that is about all their clients."""
    seen: dict[str, Directive] = {}
    networks: list[tuple[Network, Directive]] = []
    for node in own:
        text = node.args[0]
        read = read_network(text)
        found = read[0] if read is not None else None
        if "all" in seen:
            yield node, seen["all"]
        elif text in seen:
            yield node, seen[text]
        elif found is not None and len(own) <= _MANY_RULES:
            wider = next((rule for other, rule in networks if _contains(other, found)), None)
            if wider is not None:
                yield node, wider
        seen.setdefault(str(text), node)
        if found is not None:
            networks.append((found, node))


def _contains(wide: Network, narrow: Network) -> bool:
    from ipaddress import IPv4Network, IPv6Network

    if isinstance(wide, IPv4Network) and isinstance(narrow, IPv4Network):
        return narrow.subnet_of(wide)
    if isinstance(wide, IPv6Network) and isinstance(narrow, IPv6Network):
        return narrow.subnet_of(wide)
    return False
