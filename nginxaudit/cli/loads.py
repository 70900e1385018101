"""Options that say what clients and servers do in a drill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nginxaudit.drill.load import Traffic

_HIGHEST_RATE = 10_000  # requests per second; more takes longer and shows nothing else
_LONGEST = 3_600_000  # ms


def _rate(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Requests per second: ``50/s``, ``0.5/s``, ``600/m`` or a number."""
    number, _, unit = value.partition("/")
    try:
        rate = float(number) / {"": 1, "s": 1, "m": 60}[unit]
    except (ValueError, KeyError):
        raise click.BadParameter(
            f"{value!r} is not a rate: write requests per second or minute, like 50/s or 600/m"
        ) from None
    if not 0.01 <= rate <= _HIGHEST_RATE:
        raise click.BadParameter(f"{value!r} is out of bounds: from 0.01/s to {_HIGHEST_RATE}/s")
    return rate


def _methods(ctx: click.Context, param: click.Parameter, value: str) -> tuple[tuple[str, float], ...]:
    """Methods with their shares, out of ``GET:0.9,POST:0.1``."""
    from nginxaudit.nginx.names import HTTP_METHODS

    found: dict[str, float] = {}
    for part in value.split(","):
        name, colon, text = part.strip().partition(":")
        name = name.upper()
        if name not in HTTP_METHODS:
            raise click.BadParameter(f"{part!r}: no method of HTTP; known are {', '.join(HTTP_METHODS)}")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        found[name] = _share(text) if colon else 1.0
    if not any(found.values()):
        raise click.BadParameter("no method has a share of the requests")
    return tuple(found.items())


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1e6:
        raise click.BadParameter(f"{text!r} is not a share: write GET:0.9,POST:0.1")
    return share


def _time(least: int = 0) -> Callable[[click.Context, click.Parameter, str], int]:
    """Reads a time as nginx writes it: ms, ``least`` or more."""

    def read(ctx: click.Context, param: click.Parameter, value: str) -> int:
        from nginxaudit.nginx import parse_time_ms

        try:
            found = parse_time_ms(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not a time: write one like 500ms, 30s or 2m") from None
        if not least <= found <= _LONGEST:
            raise click.BadParameter(f"{value!r} is out of bounds: from {least}ms to 1h")
        return found

    return read


LOAD_OPTIONS = [
    click.option("--rate", callback=_rate, metavar="N/s", default="50/s", show_default=True, help="Requests per second (or N/m)."),
    click.option(
        "--methods", callback=_methods, metavar="METHOD:SHARE,…", default="GET:0.9,POST:0.1", show_default=True,
        help="Methods of the requests: POST, LOCK and PATCH are not sent twice.",
    ),
    click.option("--workers", type=click.IntRange(1, 512), metavar="N", help="Worker processes (default: worker_processes; 4 for auto or without nginx.conf)."),
    click.option("--response-time", callback=_time(), metavar="TIME", default="50ms", show_default=True, help="How long a healthy server takes."),
    click.option("--client-timeout", callback=_time(1), metavar="TIME", default="30s", show_default=True, help="How long clients wait before they give up."),
    click.option("--restart", callback=_time(1000), metavar="TIME", default="20s", show_default=True, help="rolling: how long an instance is gone."),
    click.option("--pause", callback=_time(), metavar="TIME", default="10s", show_default=True, help="rolling: time until the next one stops."),
    click.option("--slow-time", callback=_time(), metavar="TIME", default="5s", show_default=True, help="slow: how long a response takes."),
    click.option("--error-status", type=click.Choice(["500", "502", "503", "504", "429"]), default="503", show_default=True, help="5xx: the status of the response."),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", default=1, show_default=True, help="Seed of the random choices."),
]  # fmt: skip


def load_of(options: dict[str, Any]) -> Traffic:
    """What the options say."""
    from nginxaudit.drill.load import Traffic

    return Traffic(
        rate=options["rate"],
        methods=options["methods"],
        workers=options["workers"],
        response_time=options["response_time"],
        client_timeout=options["client_timeout"],
        restart=options["restart"],
        pause=options["pause"],
        slow_time=options["slow_time"],
        error_status=int(options["error_status"]),
        seed=options["seed"],
    )
