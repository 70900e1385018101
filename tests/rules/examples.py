"""The examples of the rule pages: as configurations on disk, and what nginxaudit finds in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.pages import Example, read_page
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding
from nginxaudit.nginx import Target, parse_version

# Characters that a page cannot hold as themselves.
_SYMBOLS = {"␀": "\0", "␍": "\r", "␠": " "}
_END = "␃"  # the file ends here, without a line end
_MARKS = re.compile(r"[ \t]*# finding\b[^\n]*")


class Case(NamedTuple):
    """An example of a page; ``name`` counts it among those of its kind: ``missing-listen-bad-2``."""

    rule: Rule
    name: str
    example: Example


@cache
def cases() -> list[Case]:
    """Every example of every shipped page."""
    return [case for rule in builtin() for case in cases_of(rule)]


def cases_of(rule: Rule) -> Iterator[Case]:
    """The examples of one page."""
    count = {"bad": 0, "good": 0}
    for example in read_page(rule).examples:
        count[example.kind] += 1
        yield Case(rule, f"{rule.slug}-{example.kind}-{count[example.kind]}", example)


def clean(text: str) -> str:
    """An example as a configuration: without its marks, symbols replaced."""
    text = _MARKS.sub("", text).partition(_END)[0]
    for symbol, char in _SYMBOLS.items():
        text = text.replace(symbol, char)
    return text


def target_of(example: Example) -> Target:
    """The nginx that the example speaks of."""
    target = Target(edition=example.options.get("edition", "oss"))
    if "nginx-version" in example.options:
        target = replace(target, version=parse_version(example.options["nginx-version"]))
    return target


def settings_of(case: Case) -> Settings:
    """Settings under which the rule of ``case`` runs alone."""
    check_files = "check-files" in case.example.flags
    settings = Settings(target=target_of(case.example), check_files=check_files)
    if "engine" in case.rule.check:  # may be about what the other rules found
        return settings.with_options(extend_select=(case.rule.slug,))
    return settings.with_options(select=(case.rule.slug,))


def write(example: Example, directory: Path) -> Path:
    """Write the files of ``example`` below ``directory``; the main one is returned."""
    main = directory / main_name(example)
    for name, text in texts(example).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clean(text).encode("utf-8", "surrogateescape"))
    return main


def texts(example: Example) -> dict[str, str]:
    """The texts of ``example`` as the page has them, by the names of their files."""
    return {main_name(example): example.text, **example.files}


def main_name(example: Example) -> str:
    """What the file of the main text is called."""
    return example.options.get("name", "nginx.conf")


def found_in(case: Case, directory: Path) -> list[Finding]:
    """What the rule of ``case`` finds in its example, which is written to ``directory``; files are named from there."""
    report = audit([str(write(case.example, directory))], settings_of(case))
    assert not report.crashes, report.crashes
    found = [each for each in report.findings if each.rule == case.rule.slug and each.suppressed is None]
    return msgspec.convert(_relative(msgspec.to_builtins(found), f"{directory}/"), list[Finding])


def _relative(value: Any, here: str) -> Any:
    if isinstance(value, str):
        return value.replace(here, "")
    if isinstance(value, dict):
        return {key: _relative(each, here) for key, each in value.items()}
    return [_relative(each, here) for each in value] if isinstance(value, (list, tuple)) else value
