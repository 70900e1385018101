"""Settings: one record, and how files and the command line become it."""

from nginxaudit.engine.settings.files import FILE_NAME, discover, load
from nginxaudit.engine.settings.record import Settings, SettingsError

__all__ = ["FILE_NAME", "Settings", "SettingsError", "discover", "load"]
