"""What the tree means: scopes, servers, locations, upstreams, who passes to whom."""

from nginxaudit.model.model import Model

__all__ = ["Model"]
