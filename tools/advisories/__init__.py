"""Security advisories, renewed from OSV exports and nginx's own list: ``python -m tools.advisories``."""
