"""The advisories that a run knows: those of this release, or those of a file that is named."""

from __future__ import annotations

from collections.abc import Callable

from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.nginx import Advisories, shipped
from nginxaudit.source.fence import read_utf8
from nginxaudit.source.read import ReadError


def advisories_of(settings: Settings) -> Callable[[], Advisories]:
    """What gives the advisories when somebody asks; a file is read at once. Raises `SettingsError`."""
    path = settings.advisories
    if path is None:
        return shipped
    from nginxaudit.nginx.advisories import parse_advisories

    where = settings.where("advisories")
    try:
        read = parse_advisories(read_utf8(path, settings.home_of(path)))
    except ReadError as error:
        raise SettingsError(f"{where}: {path} cannot be read: {error}") from None
    except ValueError as error:
        raise SettingsError(f"{where}: {path}: {error}") from None
    return lambda: read


def remarks_on(settings: Settings, known: Advisories) -> list[str]:
    """What is to be said of a file with advisories: that it is the older one."""
    if settings.advisories is not None and known.date < shipped().date:
        return [
            f"{settings.advisories}: its advisories are those of {known.date}, this release has those of {shipped().date}"
        ]
    return []
