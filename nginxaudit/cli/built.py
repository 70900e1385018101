"""``--nginx-v``: the nginx that is meant, as its own ``nginx -V`` describes it."""

from __future__ import annotations

import sys

import click

from nginxaudit.cli.streams import say
from nginxaudit.engine.settings.record import Settings
from nginxaudit.nginx.build import Build, parse_build
from nginxaudit.source.fence import read_utf8
from nginxaudit.source.read import ReadError, decode, read_bounded

_HINT = "--nginx-v"


def as_built(settings: Settings, name: str, paths: tuple[str, ...]) -> Settings:
    """``settings`` with what the file ``name`` says; what the command line says itself counts."""
    if name == "-" and "-" in paths:
        raise click.BadParameter("standard input is either that or a configuration", param_hint=_HINT)
    build = _read(name)
    if build.unknown:
        say(f"{name}: nothing is known of the modules {', '.join(build.unknown[:5])}", error=True)
    found = {
        "nginx_version": build.version_text,
        "edition": build.edition,
        "prefix": build.prefix or settings.prefix,
    }
    own = {key: value for key, value in found.items() if key not in settings.given}
    modules = (*settings.modules, *sorted(build.modules - set(settings.modules)))
    return settings.with_options(**own, modules=modules)


def _read(name: str) -> Build:
    try:
        text = decode(read_bounded(sys.stdin.buffer)) if name == "-" else read_utf8(name)
        return parse_build(text)
    except (ReadError, ValueError) as error:
        raise click.BadParameter(f"{name}: {error}", param_hint=_HINT) from None
