"""Templates of the official nginx image, filled in as its ``20-envsubst-on-templates.sh`` does it.

The script runs ``envsubst`` on every ``*.template`` below ``/etc/nginx/templates`` and writes ``/etc/nginx/conf.d/NAME``.
Only variables that are defined are replaced, ``$NAME`` and ``${NAME}``; everything else stays as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.embedded import EmbeddedText, Scalar, Stretch
from nginxaudit.source.fence import read_utf8
from nginxaudit.source.read import ReadError
from nginxaudit.source.text import SourceText

_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
_REFERENCE = rf"\$(?:\{{({_NAME})\}}|({_NAME}))"
_LINE = rf"\s*(?:export\s+)?({_NAME})\s*=(.*)"


class Filling(Struct, frozen=True):
    """The environment of the container, as far as it is known; false where nothing is to be filled in."""

    values: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.values)

    def _setting(self, name: str, default: str) -> str:
        return self.values.get(f"NGINX_ENVSUBST_{name}") or default

    @property
    def suffix(self) -> str:
        """End of the names of templates for http."""
        return self._setting("TEMPLATE_SUFFIX", ".template")

    @property
    def stream_suffix(self) -> str:
        """End of the names of templates for stream."""
        return self._setting("STREAM_TEMPLATE_SUFFIX", ".stream-template")

    @property
    def directory(self) -> str:
        """Where the image looks for templates."""
        return self._setting("TEMPLATE_DIR", "/etc/nginx/templates")

    def is_template(self, path: str) -> bool:
        """Whether the image fills in a file of this name."""
        return bool(self) and path.endswith((self.suffix, self.stream_suffix))

    def is_stream(self, path: str) -> bool:
        """Whether it is written for the ``stream`` block."""
        return path.endswith(self.stream_suffix)

    def output(self, relative: str) -> str:
        """Where what is made of the template ``relative`` is written."""
        if self.is_stream(relative):
            directory = self._setting("STREAM_OUTPUT_DIR", "/etc/nginx/stream-conf.d")
            return f"{directory}/{relative.removesuffix(self.stream_suffix)}"
        directory = self._setting("OUTPUT_DIR", "/etc/nginx/conf.d")
        return f"{directory}/{relative.removesuffix(self.suffix)}"

    @property
    def replaced(self) -> Mapping[str, str]:
        """The variables that are replaced: all, or those that the filter of the image lets through."""
        pattern = self.values.get("NGINX_ENVSUBST_FILTER")
        if not pattern:
            return self.values
        return {name: value for name, value in self.values.items() if re.search(pattern, name)}

    def filled(self, template: SourceText) -> SourceText:
        """``template`` with the variables replaced; its places are those of the template."""
        stretches: list[Stretch] = []
        words: list[str] = []
        at = 0

        def add(word: str, start: int, end: int) -> None:
            nonlocal at
            if word:
                stretches.append(Stretch(at, start, end))
                words.append(word)
                at += len(word)

        text, position, replaced = template.text, 0, self.replaced
        for found in compiled(_REFERENCE).finditer(text):
            value = replaced.get(found[1] or found[2])
            if value is not None:
                add(text[position : found.start()], position, found.start())
                add(value, found.start(), found.end())
                position = found.end()
        if not position:
            return template
        add(text[position:], position, len(text))
        whole = Scalar("", 0, len(text))
        return EmbeddedText(template.path, "".join(words), template.real, template, whole, stretches)

    def templates_below(self, directory: str) -> Iterator[tuple[str, str]]:
        """The templates below ``directory``, each with the path of what the image makes of it."""
        for at, names, files in os.walk(directory):
            names.sort()
            for name in sorted(filter(self.is_template, files)):
                path = os.path.join(at, name)
                yield path, self.output(os.path.relpath(path, directory))


def read_assignments(text: str, where: str) -> Iterator[tuple[str, str]]:
    """The variables of an env file: ``NAME=VALUE`` a line, with ``#`` comments. Raises `ValueError`."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = compiled(_LINE).fullmatch(line)
        if found is None:
            if compiled(rf"\s*{_NAME}\s*").fullmatch(line):
                continue  # the value of the machine that starts the container: not known
            raise ValueError(f"{where}:{number}: not NAME=VALUE")
        yield found[1], _unquoted(found[2])


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def filling_of(files: Iterable[str], defined: Iterable[str]) -> Filling:
    """What ``files`` and the words NAME=VALUE ``defined`` say; later ones win. Raises `ValueError`."""
    values: dict[str, str] = {}
    for path in files:
        try:
            values.update(read_assignments(read_utf8(path), path))
        except ReadError as error:
            raise ValueError(f"{path}: {error}") from None
    for word in defined:
        name, equals, value = word.partition("=")
        if not equals or not re.fullmatch(_NAME, name):
            raise ValueError(f"{word!r} is not NAME=VALUE")
        values[name] = value
    pattern = values.get("NGINX_ENVSUBST_FILTER", "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"NGINX_ENVSUBST_FILTER is not a valid regular expression: {error}") from None
    return Filling(values)
