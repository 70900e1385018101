"""Files of routing tests: a list of requests, and what must come of each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from nginxaudit.engine.tables import TableError, read
from nginxaudit.request.expectations import Expected

ROUTES_FILE = "nginx-routes.toml"
_HEAD = re.compile(r"^[ \t]*\[\[[ \t]*route[ \t]*\]\]", re.M)
_EXPECT = re.compile(r"^[ \t]*expect[ \t]*=[ \t]*(\{[^\n]*\})[ \t]*(?:#[^\n]*)?$", re.M)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class RoutesError(ValueError):
    """A file of routing tests that cannot be used."""


class Known(Struct, frozen=True, rename="kebab"):
    """What is known for all requests: files that exist (directories with a slash behind them) or not, what backends answer."""

    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    only_files: bool = False
    backend_status: int | None = None


class Route(
    Struct,
    frozen=True,
    rename={
        "client": "from",
        "address": "to",
        "only_files": "only-files",
        "backend_status": "backend-status",
    },
):
    """One request, and what must come of it. ``file_exists`` and its like add to what is known for all."""

    url: str
    expect: Expected
    name: str = ""
    method: str | None = None
    headers: Mapping[str, str] = {}
    data: str | None = None
    user: str | None = None
    client: str | None = None
    address: str | None = None
    sni: str | None = None
    alpn: str | None = None
    proxy_protocol: str | None = None
    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    only_files: bool | None = None
    backend_status: int | None = None


class Routes(Struct, frozen=True):
    """A whole file. ``config`` is the configuration, relative to the file."""

    route: tuple[Route, ...] = ()
    config: str | None = None
    known: Known = Known()


class RoutesText(Struct, frozen=True):
    """A file as it is written and as it reads; ``lines`` are those of its routes."""

    path: str
    text: str
    routes: Routes
    lines: tuple[int, ...]


def read_routes(path: str) -> RoutesText:
    """Read a file of routing tests. Raises `RoutesError`."""
    import tomllib

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        table = tomllib.loads(text)
        routes = read(Routes, {**table, "route": ()}, noun="key")
        entries = table.get("route", [])
        if not isinstance(entries, list):
            raise TableError("route", "a list of tables is expected: write [[route]]")
        found = tuple([read(Route, entry, f"route {at}", "key") for at, entry in enumerate(entries, 1)])
    except OSError as error:
        hint = (
            " (nginxaudit expect --suggest prints a first one)"
            if isinstance(error, FileNotFoundError)
            else ""
        )
        raise RoutesError(f"{path}: {error.strerror or error}{hint}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, TableError) as error:
        raise RoutesError(f"{path}: {error}") from None
    lines = [text.count("\n", 0, head.start()) + 1 for head in _HEAD.finditer(text)]
    lines += [1] * (len(found) - len(lines))
    return RoutesText(path, text, Routes(found, routes.config, routes.known), tuple(lines))


def updated(routes: RoutesText, tables: Mapping[int, Mapping[str, object]]) -> tuple[str, list[int]]:
    """The text with other expectations for some routes (by number), and the routes whose ``expect`` is not on one line."""
    heads = [head.start() for head in _HEAD.finditer(routes.text)] + [len(routes.text)]
    pieces, at, left = [], 0, []
    for number, table in sorted(tables.items()):
        if number + 1 >= len(heads):
            left.append(number)
            continue
        found = _EXPECT.search(routes.text, heads[number], heads[number + 1])
        if found is None:
            left.append(number)
            continue
        pieces += [routes.text[at : found.start(1)], inline(table)]
        at = found.end(1)
    return "".join([*pieces, routes.text[at:]]), left


def inline(table: Mapping[str, object]) -> str:
    """A table of TOML on one line."""
    return "{ " + ", ".join(f"{_key(key)} = {_value(value)}" for key, value in table.items()) + " }"


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else quoted(text)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return inline(value)
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower()


def quoted(text: str) -> str:
    """A string of TOML."""
    import json

    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
