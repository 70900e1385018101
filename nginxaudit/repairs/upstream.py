"""Fixes of parameters, and of zones that load asks for."""

from __future__ import annotations

import re

from nginxaudit import edits
from nginxaudit.finding import Applicability, Fix
from nginxaudit.hit import Edits, Hit
from nginxaudit.load.upstream_zone import zone_of
from nginxaudit.model import Model
from nginxaudit.model.peer import Peer
from nginxaudit.nginx import Availability, parameters
from nginxaudit.repairs.common import group_of, member
from nginxaudit.syntax.tree import Token

_NEAR_ENOUGH = 0.8  # from here on a misspelt parameter can only mean one thing


def add_zone(hit: Hit, model: Model) -> Edits:
    """A zone called like the group, at its beginning."""
    upstream = group_of(hit.node, model)
    return zone_of(upstream, model) if upstream else None


def correct_parameter(hit: Hit, model: Model) -> Fix | None:
    """Blanks around ``=`` taken out, or the one parameter that was meant: nginx loads neither as it is."""
    found = member(hit, model)
    if found is None:
        return None
    upstream, peer = found
    token = next((each for each in peer.directive.args[1:] if each.start == hit.place.start), None)
    if token is None:
        return _joined(peer, upstream.family)
    near = _meant(token, peer, upstream.family, model)
    if near is None:
        return None
    edit = edits.exchanged(peer.directive, token, near)
    return Fix(f"Write {near.partition('=')[0]}", Applicability.SAFE, (edit,))


def _joined(peer: Peer, family: str) -> Fix | None:
    """``name = value`` as one word, for parameters that nginx has."""
    node, args = peer.directive, peer.directive.args
    if len(args) < 2 or any(token.quoted for token in args):
        return None
    start, end = args[0].end, args[-1].end
    text = node.source.text[start:end]
    if "#" in text:
        return None
    known = "|".join(fact.name for fact in parameters("server", family) if fact.name and fact.kind != "flag")
    joined = re.sub(rf"(?<!\S)({known})\s*=\s*(?=[^\s=])", r"\1=", text)
    if joined == text:
        return None
    edit = edits.replaced(node.source, start, end, joined)
    return Fix('Delete the blanks around "="', Applicability.SAFE, (edit,))


def _meant(token: Token, peer: Peer, family: str, model: Model) -> str | None:
    """The word with the only parameter that it can be, unless that one is written, too."""
    name, equals, value = token.partition("=")
    known = [
        fact.name
        for fact in parameters("server", family)
        if fact.name
        and fact.available(model.target) is Availability.YES
        and (fact.kind != "flag") == bool(equals)
    ]
    from difflib import get_close_matches

    found = get_close_matches(name.lower().replace("-", "_"), known, n=2, cutoff=_NEAR_ENOUGH)
    if name in known or len(found) != 1 or found[0] in peer.explicit:
        return None
    return f"{found[0]}{equals}{value}"
