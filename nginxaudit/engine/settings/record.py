"""What the user wants: settings files, and the options of the command line over them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.finding import Confidence, Severity
from nginxaudit.nginx import Target, parse_version
from nginxaudit.source.fence import EVERYWHERE, Fence, read_file, read_utf8, real_path
from nginxaudit.source.limits import Limit, Limits, limits, read_size
from nginxaudit.source.read import ReadError, Unreadable, is_below
from nginxaudit.source.repository import home_of
from nginxaudit.suggest import did_you_mean

FILE_NAME = "nginxaudit.toml"
TOPOLOGIES = ("active-active", "active-passive")
_E = TypeVar("_E", bound=IntEnum)


class SettingsError(ValueError):
    """Settings that cannot be used; the message says file, key, and what is allowed."""


class Settings(Struct, frozen=True):
    """How an audit is to be done.

    ``select``/``ignore``/``extend_select`` hold slugs, ids, categories, tags or ``ALL``;
    ``per_file_ignores`` maps a glob (relative to ``base``) to such names; ``topologies`` maps an
    upstream's name or glob to its declared topology; ``base`` is the directory of the settings
    file, or the current one. ``own_paths`` are those that the settings file names. ``fail_on`` None never fails
    on findings.
    """

    target: Target = field(default_factory=Target)
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rule_directories: tuple[str, ...] = ()
    topologies: Mapping[str, str] = field(default_factory=dict)
    entry: tuple[str, ...] = ()
    prefix: str | None = None
    context: str | None = None
    fragments: bool = False
    allow_outside: bool = False
    check_files: bool = False
    min_severity: Severity = Severity.INFO
    min_confidence: Confidence = Confidence.LOW
    fail_on: Severity | None = Severity.WARNING
    stdin_filename: str | None = None
    baseline: str | None = None
    limits: Limits = field(default_factory=Limits)
    changed: bool = False  # the paths are changed files: only what is found in them is reported
    base: str = "."
    own_paths: frozenset[str] = frozenset()
    origin: str | None = None  # settings file, None: built-in defaults

    def with_options(self, **options: Any) -> Settings:
        """These settings with every option that is not None put in its place."""
        return replace(self, **{key: value for key, value in options.items() if value is not None})

    def home_of(self, path: str) -> Fence:
        """What a path of the settings may lead to: one that the command line names, to everything."""
        return home_of(path, self.base) if path in self.own_paths else EVERYWHERE


def discover(path: str) -> str | None:
    """The settings file for ``path``: the nearest one upward, not above a git root."""
    directory = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path) or ".")
    while True:
        own = os.path.join(directory, FILE_NAME)
        if os.path.isfile(own):
            return own
        project = os.path.join(directory, "pyproject.toml")
        if os.path.isfile(project) and _has_table(project):
            return project
        parent = os.path.dirname(directory)
        if os.path.lexists(os.path.join(directory, ".git")) or parent == directory:
            return None
        directory = parent


def load(file: str, *, found: bool = False) -> Settings:
    """Settings of one file; one that was ``found`` may not lead out of its repository. Raises `SettingsError`."""
    try:
        data = _read_toml(file, _home(file) if found else EVERYWHERE)
    except ReadError as error:
        reason = f"cannot be read: {error}"
        if found and error.kind is Unreadable.OUTSIDE:
            reason = (
                "it is a link that leads out of the repository: give it with --settings if you trust it, "
                "or scan with --no-settings"
            )
        raise SettingsError(f"{file}: {reason}") from None
    if os.path.basename(file) == "pyproject.toml":
        data = data.get("tool", {}).get("nginxaudit", {})
    return _Reader(file).settings(data)


def _home(file: str) -> Fence:
    return home_of(file, os.path.dirname(file))


def _has_table(project: str) -> bool:
    """Whether a project has settings for us; one that is a link out of its repository has none."""
    try:
        home = _home(project)
        if "[tool.nginxaudit" not in read_file(project, project, home).text:
            return False
        tools = _read_toml(project, home).get("tool")
    except ReadError:
        return False
    return isinstance(tools, dict) and isinstance(tools.get("nginxaudit"), dict)


def _read_toml(file: str, fence: Fence) -> dict[str, Any]:
    """The tables of a file. Raises `ReadError`, and `SettingsError` for what is no TOML."""
    import tomllib

    try:
        return tomllib.loads(read_utf8(file, fence))
    except ValueError as error:  # also a number of thousands of digits
        raise SettingsError(f"{file}: it is not valid TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{file}: it is nested too deeply") from None


class _Reader:
    """One settings file, key by key."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._base = os.path.dirname(os.path.abspath(file))
        self._paths: set[str] = set()

    def settings(self, data: Mapping[str, Any]) -> Settings:
        from nginxaudit.engine.settings.keys import NAMES

        for key in data:
            if key not in NAMES:
                raise self._error(key, f"unknown setting{did_you_mean(key, NAMES)}")
        severities, options = self._rules(self._table(data, "rule"))
        fail_on = self._word(data, "fail-on", ("error", "warning", "info", "never"))
        return Settings(
            target=self._target(data),
            select=self._names(data, "select") if "select" in data else None,
            ignore=self._names(data, "ignore"),
            extend_select=self._names(data, "extend-select"),
            per_file_ignores={
                glob: self._strings(f"per-file-ignores.{glob}", names)
                for glob, names in self._table(data, "per-file-ignores").items()
            },
            severities=severities,
            options=options,
            rule_directories=tuple(self._inside(path) for path in self._names(data, "rules")),
            topologies=self._topologies(self._table(data, "upstreams")),
            entry=tuple(self._inside(path) for path in self._names(data, "entry")),
            prefix=self._string(data, "prefix"),
            fragments=self._flag(data, "fragments"),
            baseline=self._path(data, "baseline"),
            min_severity=self._level(data, "min-severity", Severity, Severity.INFO),
            min_confidence=self._level(data, "min-confidence", Confidence, Confidence.LOW),
            fail_on=None if fail_on == "never" else Severity[(fail_on or "warning").upper()],
            limits=self._limits(self._table(data, "limits")),
            base=self._base,
            own_paths=frozenset(self._paths),
            origin=self._file,
        )

    def _error(self, key: str, reason: str) -> SettingsError:
        return SettingsError(f"{self._file}: {key}: {reason}")

    def _target(self, data: Mapping[str, Any]) -> Target:
        target = Target()
        version = self._string(data, "nginx-version")
        if version is not None:
            try:
                target = replace(target, version=parse_version(version))
            except ValueError as error:
                raise self._error("nginx-version", str(error)) from None
        edition = self._word(data, "edition", ("oss", "plus"))
        modules = frozenset(self._names(data, "modules"))
        return replace(target, edition=edition or target.edition, modules=modules)

    def _rules(self, table: Mapping[str, Any]) -> tuple[dict[str, Severity], dict[str, Mapping[str, Any]]]:
        severities: dict[str, Severity] = {}
        options: dict[str, Mapping[str, Any]] = {}
        for name, entry in table.items():
            if not isinstance(entry, Mapping):
                raise self._error(f"rule.{name}", 'a table is expected, e.g. [rule.NAME] severity = "info"')
            if "severity" in entry:
                word = entry["severity"]
                if not isinstance(word, str) or word.upper() not in Severity.__members__:
                    raise self._error(f"rule.{name}.severity", "one of error, warning, info is expected")
                severities[name] = Severity[word.upper()]
            options[name] = {key: value for key, value in entry.items() if key != "severity"}
        return severities, options

    def _topologies(self, table: Mapping[str, Any]) -> dict[str, str]:
        topologies = {}
        for name, entry in table.items():
            key = f"upstreams.{name}"
            if not isinstance(entry, Mapping) or set(entry) != {"topology"}:
                raise self._error(key, 'only topology = "active-active" or "active-passive" is known here')
            if entry["topology"] not in TOPOLOGIES:
                raise self._error(f"{key}.topology", f"one of {', '.join(TOPOLOGIES)} is expected")
            topologies[name] = entry["topology"]
        return topologies

    def _limits(self, table: Mapping[str, Any]) -> Limits:
        known = {each.key: each for each in limits()}
        values = {}
        for key, value in table.items():
            if key not in known:
                raise self._error(f"limits.{key}", f"unknown limit{did_you_mean(key, known)}")
            values[known[key].name] = self._limit(f"limits.{key}", value, known[key])
        return Limits(**values)

    def _limit(self, key: str, value: Any, limit: Limit) -> int:
        if limit.size and isinstance(value, str):
            try:
                value = read_size(value)
            except ValueError as error:
                raise self._error(key, str(error)) from None
        if type(value) is not int or not 1 <= value <= limit.highest:
            example = f", e.g. {limit.shown(limit.default)!r}" if limit.size else ""
            highest = limit.shown(limit.highest)
            raise self._error(key, f"a number from 1 to {highest} is expected{example}, not {value!r}")
        return value

    def _inside(self, path: str) -> str:
        """``path`` relative to the settings file; a settings file may not point out of its tree."""
        if "\0" in path:
            raise self._error(repr(path), "it is no path")
        joined = os.path.normpath(os.path.join(self._base, path))
        try:
            inside = is_below(real_path(joined), [real_path(self._base)])
        except ReadError as error:
            raise self._error(path, str(error)) from None
        if not inside:
            raise self._error(path, "the path leads out of the directory of the settings file")
        named = joined if os.path.isabs(path) else os.path.relpath(joined)
        self._paths.add(named)
        return named

    # -- values

    def _table(self, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = data.get(key, {})
        if not isinstance(value, Mapping):
            raise self._error(key, "a table is expected")
        return value

    def _string(self, data: Mapping[str, Any], key: str) -> str | None:
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error(key, f"a string is expected, not {value!r}")
        return value

    def _path(self, data: Mapping[str, Any], key: str) -> str | None:
        value = self._string(data, key)
        return None if value is None else self._inside(value)

    def _word(self, data: Mapping[str, Any], key: str, allowed: Sequence[str]) -> str | None:
        value = self._string(data, key)
        if value is not None and value not in allowed:
            raise self._error(
                key, f"{value!r} is not one of {', '.join(allowed)}{did_you_mean(value, allowed)}"
            )
        return value

    def _level(self, data: Mapping[str, Any], key: str, levels: type[_E], default: _E) -> _E:
        word = self._word(data, key, [level.name.lower() for level in levels])
        return default if word is None else levels[word.upper()]

    def _flag(self, data: Mapping[str, Any], key: str) -> bool:
        value = data.get(key, False)
        if not isinstance(value, bool):
            raise self._error(key, f"true or false is expected, not {value!r}")
        return value

    def _names(self, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
        return self._strings(key, data.get(key, []))

    def _strings(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error(key, f'a list of strings is expected, e.g. ["..."], not {value!r}')
        return tuple(value)
