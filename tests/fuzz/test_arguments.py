"""Directives without the arguments that they need: what nginx refuses is judged by every other rule as well."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

_PAGES = Path(__file__).parents[2] / "rules"
_EXAMPLE = re.compile(r"```nginx (?:bad|good)[^\n]*\n(.*?)```", re.DOTALL)
_STATEMENT = re.compile(r"^(\s*[a-z_]+)((?:[ \t]+[^;{}#\n]+)?)(?=[;{])", re.MULTILINE)
_EXAMPLES = 40


def _shortened(text: str) -> Iterator[str]:
    """``text`` with each directive in turn without arguments, without the last, and with an empty one."""
    for found in _STATEMENT.finditer(text):
        words = found[2].split()
        for rest in {"", " ".join(words[:-1]), '""'} if words else ():
            yield f"{text[: found.end(1)]} {rest} {text[found.end(2) :]}"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_no_rule_relies_on_arguments(part: int, tmp_path: Path) -> None:
    pages = sorted(_PAGES.glob("*/*.md"))
    examples = [example for page in pages for example in _EXAMPLE.findall(page.read_text())]
    chosen = random.Random(part).sample(examples, _EXAMPLES // 2)
    file = tmp_path / "nginx.conf"
    for text in (text for example in chosen for text in _shortened(example)):
        file.write_text(text)
        report = audit([str(file)], Settings(select=("ALL",)))
        assert not report.crashes, text
