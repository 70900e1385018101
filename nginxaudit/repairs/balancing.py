"""Features of NGINX Plus taken out."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits, Hit
from nginxaudit.model import Model


def without_plus(hit: Hit, model: Model) -> Edits:
    """The feature taken out: one word of a directive, or all of it."""
    node = hit.node
    if node is None or node.is_block or node.name == "state":  # without its state the group has no server
        return None
    token = next((each for each in node.args if each.start == hit.place.start), None)
    if token is None or len(node.args) == 1:
        return edits.deletion(node)
    return (edits.without(node, token),)
