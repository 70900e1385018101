"""Colours of nodes: by kind, peers by role."""

from __future__ import annotations

from nginxaudit.views.graph.build import Node

DASHED = ("backup", "down", "this nginx")
"""What edges lead to that seldom carry requests, or never should."""
CLASSES = {
    "socket": ("#dce8f8", "#4a76b5"),
    "server": ("#eceff3", "#75808f"),
    "location": ("#ffffff", "#9aa5b1"),
    "upstream": ("#ece3f7", "#7a55b0"),
    "unknown": ("#ffffff", "#7a55b0"),
    "primary": ("#dbf2e0", "#2f8a4c"),
    "backup": ("#fdeecb", "#b97f0a"),
    "down": ("#f1f1f1", "#a0a0a0"),
    "direct": ("#dff0f2", "#3d8a96"),
}
"""Fill and line by class."""

SEVERITIES = {"ERROR": "#c62828", "WARNING": "#d97706", "INFO": "#2f6fc4"}


def name_of(node: Node) -> str:
    """Class of a node."""
    return node.role if node.role in CLASSES else node.kind


def fill_of(name: str) -> str:
    """Fill of a class."""
    return CLASSES[name][0]


def line_of(name: str) -> str:
    """Line of a class."""
    return CLASSES[name][1]


def fill(node: Node) -> str:
    """Fill of a node."""
    return fill_of(name_of(node))


def line(node: Node) -> str:
    """Line of a node."""
    return line_of(name_of(node))
