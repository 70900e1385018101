"""nginxaudit: a static analyser for NGINX configurations.

The Python API is `audit`; the command line is a thin layer over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report as Report
    from nginxaudit.engine.run.audit import audit as audit
    from nginxaudit.engine.settings import Settings as Settings

__version__ = "0.1.0"
HOME = "https://github.com/nginxaudit/nginxaudit"
DOCS = "https://nginxaudit.github.io/nginxaudit/"
__all__ = ["Report", "Settings", "__version__", "audit"]

_HOMES = {"audit": "engine.run.audit", "Report": "engine.results.report", "Settings": "engine.settings"}


def __getattr__(name: str) -> Any:
    # Imported on first use: `nginxaudit --version` must not pay for the engine.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
