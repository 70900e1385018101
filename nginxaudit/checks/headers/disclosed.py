"""Headers of backends that name their software."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.nginx.names import ANSWERING


def backend_powered_by(ctx: CheckContext) -> Iterable[Hit]:
    """Passes that send on what application servers say of themselves."""
    model = ctx.model
    headers = [str(name) for name in ctx.options["headers"]]
    for each in model.passes:
        if each.protocol not in ANSWERING or model.unknown_inside(each.scope, direct=True):
            continue
        shown = [name for name in headers if not _is_hidden(model, each, name.lower())]
        if shown:
            name = f"{each.protocol}_hide_header"
            hit = Hit(
                whole(each.directive),
                f"clients receive the header {shown[0]} of the backend, which names its software",
                each.directive,
                help=f"Write {name} {shown[0]};",
                cause=ctx.cause(name, *shown),
            )
            yield unless(model.may_be_set(each.scope, name), "an outer block hides it", hit)


def _is_hidden(model: Model, each: Pass, header: str) -> bool:
    """Whether a header is left out of responses, by nginx or by headers-more."""
    hidden = model.effective(each.scope, f"{each.protocol}_hide_header")
    if any(node.args and node.args[0].lower() == header for node in hidden):
        return True
    cleared = (token for node in model.config.named("more_clear_headers") for token in node.args)
    replaced = (token for node in model.config.named("more_set_headers") for token in node.args)
    return any(fnmatch(header, token.lower()) for token in cleared) or any(
        token.partition(":")[0].strip().lower() == header for token in replaced
    )
