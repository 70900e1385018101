"""Settings files: which one belongs to a path, and what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict

from nginxaudit.engine.settings.record import FileSettings, Settings, SettingsError, described
from nginxaudit.source.fence import EVERYWHERE, Fence, read_file, read_utf8
from nginxaudit.source.links import real_path
from nginxaudit.source.read import ReadError, Unreadable, is_below
from nginxaudit.source.repository import home_of, is_own

FILE_NAME = "nginxaudit.toml"
_PROJECT = "pyproject.toml"


def discover(path: str) -> str | None:
    """The settings file for ``path``: the nearest one upward, not above a git root."""
    for file in candidates(path):
        if os.path.isfile(file) and (os.path.basename(file) == FILE_NAME or _has_settings(file)):
            return file
    return None


def candidates(path: str) -> Iterator[str]:
    """The files that may hold the settings for ``path``, whether they are there or not, in the order of `discover`."""
    directory = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path) or ".")
    while True:
        yield os.path.join(directory, FILE_NAME)
        yield os.path.join(directory, _PROJECT)
        parent = os.path.dirname(directory)
        if is_own(os.path.join(directory, ".git")) or parent == directory:
            return
        directory = parent


def load(file: str, *, found: bool = False) -> Settings:
    """Settings of one file; one that was ``found`` may not lead out of its repository. Raises `SettingsError`."""
    from nginxaudit.engine.tables import TableError, read

    try:
        said = read(FileSettings, _settings_in(_read(file, found), os.path.basename(file)))
    except TableError as error:
        raise SettingsError(f"{file}: {error}") from None
    base = os.path.dirname(os.path.abspath(file))
    placed = {
        setting.name: _inside(getattr(said, setting.name), base, f"{file}: {setting.key}")
        for setting in described(FileSettings)
        if setting.paths
    }
    own: set[str] = set()
    for value in placed.values():
        own.update([value] if isinstance(value, str) else value or ())
    return Settings(**{**asdict(said), **placed}, base=base, own_paths=frozenset(own), origin=file)


def _read(file: str, found: bool) -> dict[str, Any]:
    if found and not is_own(file):
        raise SettingsError(
            f"{file}: another user has put it where every user can create files: "
            "give it with --settings if you trust it, or scan with --no-settings"
        )
    try:
        return _read_toml(file, _home(file) if found else EVERYWHERE)
    except ReadError as error:
        reason = f"cannot be read: {error}"
        if found and error.kind is Unreadable.OUTSIDE:
            reason = (
                "it is a link that leads out of the repository: give it with --settings if you trust it, "
                "or scan with --no-settings"
            )
        raise SettingsError(f"{file}: {reason}") from None


def _home(file: str) -> Fence:
    return home_of(file, os.path.dirname(file))


def _settings_in(data: object, name: str) -> object:
    """The table with the settings: all of it, or one of a ``pyproject.toml``. Raises `TableError`."""
    if name != _PROJECT:
        return data
    tools = _member(data, "tool", "tool")
    return _member(tools, "nginxaudit", "tool.nginxaudit")


def _member(data: object, name: str, key: str) -> object:
    """The table ``name`` of a ``pyproject.toml``; without it all settings are defaults."""
    from nginxaudit.engine.tables import TableError, shown

    value = data.get(name, {}) if isinstance(data, dict) else data
    if not isinstance(value, dict):
        raise TableError(key, f"a table is expected, not {shown(value)}")
    return value


def _has_settings(project: str) -> bool:
    """Whether a project speaks of nginxaudit, in whatever form; one that is a link out of its repository does not."""
    try:
        home = _home(project)
        if "nginxaudit" not in read_file(project, project, home).text:
            return False
        tools = _read_toml(project, home).get("tool")
    except ReadError:
        return False
    return isinstance(tools, dict) and "nginxaudit" in tools


def _read_toml(file: str, fence: Fence) -> dict[str, Any]:
    """The tables of a file. Raises `ReadError`, and `SettingsError` for what is not TOML."""
    import tomllib

    try:
        return tomllib.loads(read_utf8(file, fence))
    except ValueError as error:  # also a number of thousands of digits
        raise SettingsError(f"{file}: not valid TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{file}: it is nested too deeply") from None


def _inside(value: Any, base: str, where: str) -> Any:
    """Paths of a settings file relative to it; they may not lead out of its directory."""
    if value is None:
        return None
    if not isinstance(value, str):
        return tuple(_inside(each, base, where) for each in value)
    joined = os.path.normpath(os.path.join(base, value))
    try:
        inside = is_below(real_path(joined), [real_path(base)])
    except ReadError as error:
        raise SettingsError(f"{where}: {value!r}: {error}") from None
    if not inside:
        raise SettingsError(f"{where}: {value}: the path leads out of the directory of the settings file")
    return joined if os.path.isabs(value) else os.path.relpath(joined)
