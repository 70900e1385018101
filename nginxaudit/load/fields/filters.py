"""What is done to answers on their way out: charset, gzip, images, substitutions; and who is told apart by cookies."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import (
    Mistake,
    Use,
    invalid,
    misspelt,
    one_of,
    parsed,
    positive,
    reads,
    unknown_parameter,
)
from nginxaudit.load.scripts import expression, script
from nginxaudit.nginx import parse_size, parse_time_s


@reads("charset", "source_charset", "default_charset")
def charset(use: Use) -> Iterator[Mistake]:
    """``charset name | $variable | off``."""
    if use.args[0].startswith("$"):
        yield from script(use, use.args[0])


@reads("sub_filter")
def sub_filter(use: Use) -> Iterator[Mistake]:
    """``sub_filter text replacement``."""
    if not use.args[0]:
        yield invalid(use.args[0], "the text to be replaced cannot be empty")
    for token in use.args:
        yield from script(use, token)


@reads("gzip_window", "gzip_hash")
def gzip_memory(use: Use) -> Iterator[Mistake]:
    """Powers of two that zlib can use."""
    token = use.args[0]
    try:
        size = parse_size(token)
    except ValueError:
        return  # told by its type
    most = 1 << (15 if use.name == "gzip_window" else 17)
    if not 512 <= size <= most or size & (size - 1):
        yield invalid(token, f'"{use.name}" must be a power of two from 512 to {most // 1024}k')


@reads("gzip_disable")
def gzip_disable(use: Use) -> Iterator[Mistake]:
    """``gzip_disable regex …``."""
    for token in use.args:
        if token not in ("msie6", "degradation"):
            yield from expression(use, token)


@reads("userid_expires")
def userid_expires(use: Use) -> Iterator[Mistake]:
    """``userid_expires time | max | off``."""
    if use.args[0] not in ("max", "off"):
        yield from parsed(parse_time_s, use.args[0])


@reads("userid_mark")
def userid_mark(use: Use) -> Iterator[Mistake]:
    """``userid_mark letter | digit | = | off``."""
    token = use.args[0]
    if token != "off" and not (len(token) == 1 and token.isascii() and (token.isalnum() or token == "=")):
        yield invalid(
            token,
            f'invalid value "{token}" in "userid_mark" directive',
            "Write one letter, digit or =, or off.",
        )


@reads("image_filter")
def image_filter(use: Use) -> Iterator[Mistake]:
    """``image_filter off | test | size | rotate degrees | resize width height | crop width height``."""
    kind, *sizes = use.args
    expected = {"off": 0, "test": 0, "size": 0, "rotate": 1, "resize": 2, "crop": 2}.get(kind)
    if expected is None or expected != len(sizes):
        yield unknown_parameter(kind, use.name, ("off", "test", "size", "rotate", "resize", "crop"))
        return
    for token in sizes:
        if "$" in token:
            yield from script(use, token)
        elif kind == "rotate":
            yield from one_of(token, ("90", "180", "270"), "image_filter angle")
        elif token != "-":
            yield from parsed(positive, token)


@reads("modern_browser")
def modern_browser(use: Use) -> Iterator[Mistake]:
    """``modern_browser browser version | unlisted``."""
    browsers = ("msie", "gecko", "opera", "safari", "konqueror")
    if len(use.args) == 2:
        browser, version = use.args
        if browser not in browsers:
            yield misspelt(browser, f'unknown browser name "{browser}"', str(browser), browsers)
        if not all(part.isdigit() for part in version.split(".")):
            yield invalid(version, f'invalid browser version "{version}"')
    elif use.args[0] != "unlisted":
        yield unknown_parameter(use.args[0], use.name, ("unlisted",))
