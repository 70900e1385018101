"""For which nginx a configuration is judged: what the settings say, what is installed beside it, or all versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nginxaudit.engine.settings import Settings
from nginxaudit.engine.settings.record import AUTO
from nginxaudit.nginx import FORKS, PSEUDO_CONTEXTS, Target, Version, contexts, known_names
from nginxaudit.nginx.version import OwnVersion, own_version
from nginxaudit.source.files import System
from nginxaudit.source.root import Root
from nginxaudit.syntax.tree import Config

if TYPE_CHECKING:
    from nginxaudit.source.installed import Installed


_JUDGED = contexts() - PSEUDO_CONTEXTS


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
            self._doubt(settings.target)

    def of(self, root: Root, config: Config) -> Target:
        """The target of one root, which reads ``config``."""
        target = self._of(root)
        if self._settings.edition == AUTO and target.edition == "oss" and not self._is_sure(root, target):
            target = self._as_written(target, config)
        self._used[target] = None
        return target

    def _is_sure(self, root: Root, target: Target) -> bool:
        """Whether something other than the configuration says which nginx it is."""
        return self._settings.knows_version or bool(root.banner) or not target.is_range

    def _of(self, root: Root) -> Target:
        target = self._settings.target
        if not self._settings.knows_version and root.banner:
            target = self._as_printed(root)
        elif not self._settings.knows_version:
            system = root.files.system()
            if system is not None:
                target = self._installed(system)
        return target

    def _as_written(self, target: Target, config: Config) -> Target:
        """The fork whose directives the configuration has: those that only one fork, and no module, is known to have."""
        unknown = sorted(name for name in config.names - known_names() if _is_directive(name, config))
        if not unknown:
            return target
        from nginxaudit.nginx.editions import only_in, target_of

        found = [(edition, name) for name in unknown if (edition := only_in(name))]
        editions = {edition for edition, _ in found}
        if len(editions) != 1:
            return target
        edition, name = found[0]
        target = target_of(edition, None, target.modules)
        self._remark(
            f"judged for {target.label}, as only {FORKS[edition]} has {name} (--edition says which nginx it is)"
        )
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
        editions = {(target.edition, target.own) for target in targets}
        edition, own = editions.pop() if len(editions) == 1 else (known.edition, known.own)
        return Target(newest, edition, known.modules, None if oldest == newest else oldest, own=own)

    def _as_printed(self, root: Root) -> Target:
        """What ``nginx -V`` says before a dump; whether it is NGINX Plus is left to the settings."""
        from nginxaudit.nginx.build import parse_build

        known = self._settings.target
        try:
            build = parse_build(root.banner)
        except ValueError:
            return known
        target = self._known(build.version, build.edition, build.own)
        self._remark(f"judged for {target.label}, as nginx -V says before the configuration")
        self._doubt(target)
        return target

    def _known(
        self, version: Version, edition: str, own: OwnVersion | None, *, vendor: bool = False
    ) -> Target:
        """The target for a version that was found; a fork counts where the settings leave the edition open."""
        known = self._settings.target
        if own is not None and edition in FORKS and self._settings.edition in (AUTO, edition):
            return Target(version, edition, known.modules, vendor=True, own=own)
        return Target(version, known.edition, known.modules, vendor=vendor)

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
        target = self._packaged(found)
        self._remark(f"judged for {target.label}: {found.label} is installed ({_at(system, found.database)})")
        self._doubt(target)
        return target

    def _packaged(self, found: Installed) -> Target:
        own = own_version(str(found.nginx_version))
        if found.edition in FORKS and self._settings.edition in (AUTO, found.edition):
            from nginxaudit.nginx.editions import target_of

            return target_of(found.edition, own, self._settings.target.modules)
        return self._known((own[0], own[1], own[2]), "oss", None, vendor=found.is_vendors)

    def _doubt(self, target: Target) -> None:
        if target.own is not None:
            from nginxaudit.nginx.editions import doubt_about as doubt_about_fork

            self._remark(doubt_about_fork(target.edition, target.own))
            return
        from nginxaudit.nginx.releases import doubt_about

        self._remark(doubt_about(target.version))

    def _remark(self, text: str) -> None:
        if text and text not in self.remarks:
            self.remarks.append(text)


def _is_directive(name: str, config: Config) -> bool:
    """Whether ``name`` stands anywhere but among data, as the lines of a map, and in blocks that are not known."""
    return any(node.context in _JUDGED for node in config.named(name))


def _at(system: System, path: str) -> str:
    """A file of a system, as people know it."""
    return f"{system.top}{path[1:] if system.top.endswith('!') else path}"
