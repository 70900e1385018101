"""A setting is one field: its file, its option, its sample and its checks come from it."""

from __future__ import annotations

import tomllib
from enum import Enum

import click
import pytest

from nginxaudit.cli.options import _option
from nginxaudit.engine.annotations import choices
from nginxaudit.engine.settings.document import sample_of
from nginxaudit.engine.settings.record import REPORTED, all_settings, described
from nginxaudit.engine.tables import TableError, read
from tests.engine.settings_more import More

ADDED = {each.name: each for each in described(More)}


def test_the_file_is_read_by_the_fields() -> None:
    said = read(More, {"most-lines": 7, "colour": "red", "words": ["a"], "flag": True, "share": 1})
    assert (said.most_lines, said.colour.value, said.words, said.flag, said.share) == (
        7,
        "red",
        ("a",),
        True,
        1.0,
    )
    assert read(More, {}).most_lines == 40
    assert read(More, {"edition": "plus"}).edition == "plus", "those that are there anyway"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"most-lines": 0}, "most-lines: a whole number from 1 to 500 is expected, not 0"),
        ({"most-lines": True}, "most-lines: a whole number from 1 to 500 is expected, not True"),
        ({"most-line": 1}, 'most-line: unknown setting; did you mean "most-lines"?'),
        ({"colour": "gren"}, "colour: 'gren' is not one of red, green; did you mean \"green\"?"),
        ({"colour": 3}, "colour: one of red, green is expected, not 3"),
        ({"words": "a"}, "words: a list of strings, e.g. [\"...\"], is expected, not 'a'"),
        ({"flag": 1}, "flag: true or false is expected, not 1"),
        ({"share": "much"}, "share: a number is expected, not 'much'"),
        ({"words": ["x" * 500, 1]}, "…"),
    ],
)
def test_what_is_wrong_is_said_by_the_fields(table: dict[str, object], reason: str) -> None:
    with pytest.raises(TableError) as raised:
        read(More, table)
    assert reason in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("name", ADDED)
def test_the_sample_is_what_holds_anyway(name: str) -> None:
    text = "\n".join(sample_of(ADDED[name]))
    assert getattr(read(More, tomllib.loads(text)), name) == ADDED[name].default


def test_options_are_made_by_the_fields() -> None:
    @click.command()
    def command(**options: object) -> object:
        return options

    for setting in ADDED.values():
        command = _option(setting)(command)
    parsed = command.main(
        ["--most-lines", "7", "--colour", "red", "--word", "a", "--word", "b", "--flag", "--share", "0.5"],
        standalone_mode=False,
    )
    assert parsed == {"most_lines": 7, "colour": "red", "words": ("a", "b"), "flag": True, "share": 0.5}
    assert command.main([], standalone_mode=False) == {
        "most_lines": None, "colour": None, "words": (), "flag": None, "share": None,
    }  # fmt: skip
    assert ADDED["most_lines"].heading == REPORTED


def test_every_setting_says_what_it_is() -> None:
    for setting in all_settings():
        assert setting.description.endswith("."), setting.name
        assert bool(setting.option) == bool(setting.heading), setting.name
        kind = choices(setting.annotation)
        assert not kind or isinstance(setting.default, (str, Enum)), setting.name
