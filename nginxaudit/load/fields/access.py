"""Who may ask: allow and deny, referers, methods, trusted proxies."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import (
    Mistake,
    Use,
    address,
    invalid,
    one_of,
    reads,
)
from nginxaudit.load.forms import host_forms, network_error
from nginxaudit.load.scripts import expression
from nginxaudit.nginx.names import HTTP_METHODS


@reads("limit_except")
def limit_except(use: Use) -> Iterator[Mistake]:
    """``limit_except METHOD … { }``."""
    for token in use.args:
        yield from one_of(token, HTTP_METHODS, "HTTP method", token.upper())


@reads("allow", "deny", family="http stream", by_words=True)
def access(use: Use) -> Iterator[Mistake]:
    """``allow address | network | unix: | all``."""
    token = use.args[0]
    if token not in ("all", "unix:"):
        error = network_error(token)
        if error:
            yield invalid(
                token,
                error,
                "Write an address, a network like 10.0.0.0/8, unix: or all; host names are not possible.",
            )


@reads("set_real_ip_from", family="http stream mail", by_words=True)
def set_real_ip_from(use: Use) -> Iterator[Mistake]:
    """``set_real_ip_from address | network | host | unix:``."""
    token = use.args[0]
    if token == "unix:" or not network_error(token):
        return
    yield from address(token)


@reads("valid_referers")
def valid_referers(use: Use) -> Iterator[Mistake]:
    """``valid_referers none | blocked | server_names | name | ~regex …``."""
    useful = False
    names: set[tuple[str, str]] = set()
    for token in use.args:
        if token in ("none", "blocked"):
            continue
        useful = True
        if token == "server_names":
            continue
        if token.startswith("~"):
            if len(token) == 1:
                yield invalid(token, "the regex is empty")
            else:
                yield from expression(use, token, token[1:])
        elif not token or (forms := host_forms(token.partition("/")[0].lower())) is None:
            yield invalid(token, f'invalid host name or wildcard "{token}"')
        elif not names.isdisjoint(forms) or any(
            use.load.first(use.node, "referer", use.node.parent, form) for form in forms
        ):  # whatever the paths behind them are, and in whichever line of the block
            yield invalid(token, f'duplicate "{token}"')
        else:
            names.update(forms)
    if not useful and use.args:
        yield invalid(use.args[0], '"none" and "blocked" need at least one server name')
