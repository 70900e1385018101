"""The rules that a command speaks of: the shipped ones, and those of the user's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nginxaudit.cli.options import settings_of
from nginxaudit.cli.streams import CommandError

if TYPE_CHECKING:
    from nginxaudit.engine.rules.catalogue import Catalogue


def rules_of(options: dict[str, Any]) -> Catalogue:
    """All rules, with the pages that ``--rules`` and the settings of this directory name."""
    from nginxaudit.engine.rules.catalogue import catalogue_of
    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.settings import SettingsError

    try:
        return catalogue_of(settings_of((), options, reads=False))
    except (SettingsError, PageError) as error:
        raise CommandError(str(error)) from None
