"""The measure counts what a scan finds, and shows two runs side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.field.__main__ import main
from tests.field.measure import drawn, measure

_OPEN = "events {}\nhttp {\n    server {\n        listen 8080;\n        autoindex on;\n    }\n}\n"


def _tree(directory: Path, text: str) -> str:
    directory.mkdir()
    (directory / "nginx.conf").write_text(text)
    return str(directory)


def test_findings_are_counted_per_rule_and_line(tmp_path: Path) -> None:
    trees = [_tree(tmp_path / name, _OPEN) for name in ("a", "b")]
    measured, found = measure(trees)
    assert (measured.files, measured.lines, measured.trees) == (2, 14, trees)
    assert sum(measured.rules["autoindex-enabled"].values()) == 2
    assert len([each for each in found if each.rule == "autoindex-enabled" and each.line == 5]) == 2
    assert measured.per_thousand(2) == pytest.approx(1000 / 7)


def test_two_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree, kept = _tree(tmp_path / "a", _OPEN), tmp_path / "old.json"
    assert main([tree, "--json", str(kept)]) == 0
    (tmp_path / "a" / "nginx.conf").write_text(_OPEN.replace("autoindex on", "autoindex off"))
    capsys.readouterr()
    assert main([tree, "--compare", str(kept)]) == 0
    first = capsys.readouterr().out.splitlines()[1].split()
    assert first[0] == "autoindex-enabled"
    assert (sum(map(int, first[1:4])), sum(map(int, first[5:8]))) == (0, 1)


def test_the_same_is_drawn_for_the_same_seed(tmp_path: Path) -> None:
    _, found = measure([_tree(tmp_path / "a", _OPEN)])
    assert drawn(found, 2, 7) == drawn(found, 2, 7)
    assert all(each.severity != "info" for each in drawn(found, 100, 7))


def test_what_is_no_measure_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text('{"other": 1}')
    with pytest.raises(SystemExit):
        main([_tree(tmp_path / "a", _OPEN), "--compare", str(tmp_path / "old.json")])
    assert "no measure" in capsys.readouterr().err
