"""The picture of the architecture, drawn from the layers that import-linter holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_WIDTH, _HEIGHT, _GAP = 640, 38, 14


def layers() -> list[list[str]]:
    """Packages from the top to the bottom; those beside each other know nothing of each other."""
    data = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = data["tool"]["importlinter"]["contracts"]
    (found,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    return [[name.strip().removeprefix("nginxaudit.") for name in layer.split(":")] for layer in found]


def picture() -> str:
    """The layers as SVG, in the colours of the page around it."""
    rows = layers()
    height = len(rows) * (_HEIGHT + _GAP) + _GAP
    shapes = []
    for number, names in enumerate(rows):
        y = _GAP + number * (_HEIGHT + _GAP)
        width = (_WIDTH - 2 * _GAP - (len(names) - 1) * _GAP) / len(names)
        for at, name in enumerate(names):
            x = _GAP + at * (width + _GAP)
            shapes.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_HEIGHT}" rx="5"/>'
                f'<text x="{x + width / 2:.0f}" y="{y + _HEIGHT / 2 + 5:.0f}">{name}</text>'
            )
        if number:
            shapes.append(f'<path d="M{_WIDTH / 2} {y - _GAP} v{_GAP - 5}" marker-end="url(#arrow)"/>')
    title = "Packages of nginxaudit: each layer imports from those below it"
    return (
        f'<svg class="layers" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>' + "".join(shapes) + "</svg>\n"
    )
