"""What is done to answers on their way out: charset, gzip, images, substitutions; and who is told apart by cookies."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import (
    INVALID,
    LoadState,
    Mistake,
    Use,
    finally_,
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
from nginxaudit.syntax.tree import Directive


@reads("charset", "source_charset", "default_charset")
def charset(use: Use) -> Iterator[Mistake]:
    """``charset name | $variable | off``."""
    if use.args[0].startswith("$"):
        yield from script(use, use.args[0])


@finally_
def recoded(load: LoadState) -> Iterator[Mistake]:
    """What ``source_charset`` and ``charset`` together ask for needs a ``charset_map``, in either direction."""
    if load.model.unread_files("http"):
        return
    maps = {
        frozenset(token.lower() for token in node.args)
        for node in load.model.config.named("charset_map")
        if len(node.args) == 2
    }
    for scope in _with_charsets(load):
        to, source = (load.model.effective(scope, name) for name in ("charset", "source_charset"))
        if not to or not source or not to[0].args or not source[0].args:
            continue
        pair = [each[0].args[0].lower() for each in (source, to)]
        if pair[1] == "off" or pair[0] == pair[1] or any(name.startswith("$") for name in pair):
            continue
        if frozenset(pair) not in maps:
            message = f'no "charset_map" between the charsets "{pair[0]}" and "{pair[1]}"'
            help_text = "Include the map of the two (koi-utf, win-utf, …) in http, or write one charset only."
            yield Mistake(
                INVALID, message, to[0].args[0], help_text, to[0], (("source_charset here", source[0]),)
            )
            return


def _with_charsets(load: LoadState) -> Iterator[Directive]:
    """Blocks for which nginx pairs the two: http as its servers have it."""
    for name in ("charset", "source_charset"):
        for node in load.model.config.named(name):
            parent = node.parent
            if parent is not None and parent.name == "http":
                yield from parent.named("server")
            elif parent is not None:
                yield parent


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
        yield invalid(token, f'"{token}" is no mark', "Write one letter, digit or =, or off.")


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
            yield from one_of(token, ("90", "180", "270"), "angle of image_filter")
        elif token != "-":
            yield from parsed(positive, token)


@reads("modern_browser")
def modern_browser(use: Use) -> Iterator[Mistake]:
    """``modern_browser browser version | unlisted``."""
    browsers = ("msie", "gecko", "opera", "safari", "konqueror")
    if len(use.args) == 2:
        browser, version = use.args
        if browser not in browsers:
            yield misspelt(browser, f'"{browser}" is no browser nginx knows', str(browser), browsers)
        if not all(part.isdigit() for part in version.split(".")):
            yield invalid(version, f'"{version}" is no version')
    elif use.args[0] != "unlisted":
        yield unknown_parameter(use.args[0], use.name, ("unlisted",))
