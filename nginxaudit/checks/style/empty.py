"""Blocks without content."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, name_of


def empty_location(ctx: CheckContext) -> Iterable[Hit]:
    """Locations without a directive or a comment."""
    for location in ctx.model.locations:
        node = location.directive
        commented = ctx.model.comments.inside(node)
        if (
            not node.children
            and not commented
            and not ctx.model.unknown_inside(node)
            and not ctx.model.is_filled_in(node)
        ):
            yield Hit(
                name_of(node),
                f"{location.label} is empty: files are served with the settings of the outer block",
                node,
                help="Add the missing directives, or explain the empty block in a comment.",
            )
