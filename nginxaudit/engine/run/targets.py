"""For which nginx a configuration is judged: what the settings say, what is installed beside it, or all versions."""

from __future__ import annotations

from nginxaudit.engine.settings import Settings
from nginxaudit.engine.settings.record import AUTO
from nginxaudit.nginx import Target, Version, parse_version
from nginxaudit.source.files import System
from nginxaudit.source.root import Root


class Targets:
    """The targets of the roots of a run; ``remarks`` say how they were found."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._systems: dict[str, Target] = {}
        self._used: dict[Target, None] = {}
        self.remarks: list[str] = []
        if settings.nginx_v is not None and "nginx_version" not in settings.given:
            where = "standard input" if settings.nginx_v == "-" else settings.nginx_v
            self._remark(f"judged for {settings.target.label}, as nginx -V says ({where})")
        if settings.knows_version:
            self._doubt(settings.target.version)

    def of(self, root: Root) -> Target:
        """The target of one root."""
        target = self._settings.target
        if not self._settings.knows_version and root.banner:
            target = self._as_printed(root)
        elif not self._settings.knows_version:
            system = root.files.system()
            if system is not None:
                target = self._installed(system)
        self._used[target] = None
        return target

    @property
    def whole(self) -> Target:
        """All versions that something was judged for."""
        targets = list(self._used)
        if self._settings.nginx_version == AUTO and all(target.is_range for target in targets):
            self._remark(
                f"no version of nginx was found in what is scanned: judged for {self._settings.target.label}"
            )
        if not targets:
            return self._settings.target
        oldest, newest = min(target.first for target in targets), max(target.version for target in targets)
        known = self._settings.target
        return Target(newest, known.edition, known.modules, None if oldest == newest else oldest)

    def _as_printed(self, root: Root) -> Target:
        """What ``nginx -V`` says before a dump; its edition is left to the settings."""
        from nginxaudit.nginx.build import parse_build

        known = self._settings.target
        try:
            version = parse_build(root.banner).version
        except ValueError:
            return known
        target = Target(version, known.edition, known.modules)
        self._remark(f"judged for {target.label}, as nginx -V says before the configuration")
        self._doubt(version)
        return target

    def _installed(self, system: System) -> Target:
        key = f"{system.top}\0{system.prefix}"
        if key not in self._systems:
            self._systems[key] = self._looked_up(system)
        return self._systems[key]

    def _looked_up(self, system: System) -> Target:
        from nginxaudit.source.installed import Unread, installed_nginx

        known = self._settings.target
        found = installed_nginx(system.prefix, system.read)
        if isinstance(found, Unread):
            self._remark(
                f"{_at(system, found.database)}: {found.reason}: which nginx is installed is not known "
                f"(--nginx-version says it), judged for {known.label}"
            )
            return known
        if found is None:
            return known
        if found.nginx_version is None:
            self._remark(
                f"{_at(system, found.database)}: {found.label} is installed; which version of nginx that is is not known "
                f"(--nginx-version says it), judged for {known.label}"
            )
            return known
        version = parse_version(found.nginx_version)
        target = Target(version, known.edition, known.modules, vendor=found.is_vendors)
        self._remark(f"judged for {target.label}: {found.label} is installed ({_at(system, found.database)})")
        self._doubt(version)
        return target

    def _doubt(self, version: Version) -> None:
        from nginxaudit.nginx.releases import doubt_about

        self._remark(doubt_about(version))

    def _remark(self, text: str) -> None:
        if text and text not in self.remarks:
            self.remarks.append(text)


def _at(system: System, path: str) -> str:
    """A file of a system, as people know it."""
    return f"{system.top}{path[1:] if system.top.endswith('!') else path}"
