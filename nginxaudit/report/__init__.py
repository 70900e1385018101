"""One file per output format behind one small interface.

Importing this package imports no format: rich and sarif-om cost more than a small audit.
"""

from __future__ import annotations

from nginxaudit.report.base import FORMATS, WITH_GRAPHS, Renderer, RenderOptions, render, renderer

__all__ = ["FORMATS", "WITH_GRAPHS", "RenderOptions", "Renderer", "render", "renderer"]
