"""The ``html`` format: one page that needs nothing else, to be mailed, archived or published by CI."""

from nginxaudit.report.html.page import render

__all__ = ["render"]
