"""Groups of servers: the directives of upstream blocks."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.checks.load.base import Load, Mistake, Use, finally_, invalid, parsed, positive, reads, unknown_parameter
from nginxaudit.checks.load.scripts import script
from nginxaudit.checks.load.zones import PAGE, declare_sized, refer
from nginxaudit.nginx import parse_number, parse_size

_SECOND_CHOICES = ("least_conn",)


@reads("hash", family="http stream")
def hash_(use: Use) -> Iterator[Mistake]:
    """``hash key [consistent]``."""
    yield from script(use, use.args[0])
    for token in use.args[1:]:
        if token != "consistent":
            yield unknown_parameter(token, "hash", ("consistent",))


@reads("random", family="http stream")
def random_(use: Use) -> Iterator[Mistake]:
    """``random [two [method]]``."""
    if use.args and use.args[0] != "two":
        yield unknown_parameter(use.args[0], "random", ("two",))
    for token in use.args[1:]:
        if token not in _SECOND_CHOICES and not token.startswith("least_time"):
            yield unknown_parameter(token, "random two", ("least_conn", "least_time"))


@reads("keepalive")
def keepalive(use: Use) -> Iterator[Mistake]:
    """``keepalive connections [local]``."""
    yield from parsed(parse_number if use.since(1, 29, 7) else positive, use.args[0])


@reads("zone", family="http stream")
def zone(use: Use) -> Iterator[Mistake]:
    """``zone name [size]`` of a group; several groups may share one."""
    name = use.args[0]
    if not name:
        yield invalid(name, "the name of a zone cannot be empty")
        return
    purpose = f"upstream {use.family}"
    if len(use.args) == 1:
        refer(use, name, purpose, name)
        return
    size = use.args[1]
    try:
        number = parse_size(size)
    except ValueError as error:
        yield invalid(size, f"{error}; nginx refuses to start")
        return
    yield from declare_sized(use, size, purpose, name, number, at_least=8 * PAGE, once=False)


@finally_
def ports(load: Load) -> Iterator[Mistake]:
    """Servers of stream groups need a port; there is no default."""
    for upstream in load.model.upstreams("stream"):
        for peer in upstream.peers:
            address = peer.address
            if address is not None and address.port is None and address.kind != "unix" and not peer.service:
                yield Mistake(
                    "stream-upstream-missing-port",
                    f'"{peer.text}" has no port, and stream has no default one',
                    peer.directive.args[0],
                    "Write host:port.",
                    peer.directive,
                )
