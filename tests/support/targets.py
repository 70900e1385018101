"""Settings for a given nginx."""

from __future__ import annotations

from typing import Any

from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import Target, format_version


def settings_for(target: Target, **options: Any) -> Settings:
    """Settings with which configurations are judged for ``target``."""
    modules = tuple(sorted(target.modules))
    return Settings(
        nginx_version=format_version(target.version), edition=target.edition, modules=modules, **options
    )
