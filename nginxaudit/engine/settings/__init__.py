"""Settings: one record, and how a file and the command line become it."""

from nginxaudit.engine.settings.record import FILE_NAME, TOPOLOGIES, Settings, SettingsError, discover, load

__all__ = ["FILE_NAME", "TOPOLOGIES", "Settings", "SettingsError", "discover", "load"]
