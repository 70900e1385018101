"""The examples of the rule pages: as configurations on disk, and what nginxaudit finds in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from nginxaudit.engine.results.merging import apart
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.pages import Example, Page, read_page
from nginxaudit.engine.rules.places import page_of
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding
from nginxaudit.nginx import Target, parse_version
from tests.support.targets import settings_for

# Characters that a page cannot hold as themselves.
_SYMBOLS = {"␀": "\0", "␍": "\r", "␠": " "}
_END = "␃"  # the file ends here, without a line end
_MARKS = re.compile(r"[ \t]*# finding\b[^\n]*")


MORE = Path(__file__).parent / "more"
"""``SLUG.md``: examples of a rule that hold its details, and would make its page too long for readers."""


class Case(NamedTuple):
    """An example; ``name`` counts it among those of its kind in the file ``path``: ``missing-listen-bad-2``."""

    rule: Rule
    name: str
    example: Example
    path: Path


@cache
def cases() -> list[Case]:
    """Every example of every shipped page, and those for the tests alone."""
    return [case for rule in builtin() for case in cases_of(rule)]


def cases_of(rule: Rule) -> Iterator[Case]:
    """The examples of one rule: those of its page, then those in ``more/``."""
    yield from _numbered(Page(rule, read_page(rule).body), Path(page_of(rule)), rule.slug)
    more = MORE / f"{rule.slug}.md"
    if more.exists():
        yield from _numbered(Page(rule, more.read_text(encoding="utf-8")), more, f"{rule.slug}-more")


def slug_of(name: str) -> str:
    """The rule that the example called ``name`` is about."""
    return re.sub(r"(?:-more)?-(?:bad|good)-[0-9]+\Z", "", name)


def _numbered(page: Page, path: Path, name: str) -> Iterator[Case]:
    count = {"bad": 0, "good": 0}
    for example in page.examples:
        count[example.kind] += 1
        yield Case(page.rule, f"{name}-{example.kind}-{count[example.kind]}", example, path)


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
    settings = settings_for(target_of(case.example), check_files=check_files)
    options = {name: _typed(text) for name, text in case.example.options.items() if name in case.rule.options}
    settings = settings.with_options(rule={case.rule.slug: options} if options else None)
    if case.rule.check.engine:  # may be about what the other rules found
        return settings.with_options(extend_select=(case.rule.slug,))
    return settings.with_options(select=(case.rule.slug,))


def _typed(text: str) -> Any:
    """The value of an option as a fence has it: ``unset=true``."""
    return int(text) if text.isdecimal() else {"true": True, "false": False}.get(text, text)


def write(example: Example, directory: Path) -> Path:
    """Write the files of ``example`` below ``directory``; the main one is returned."""
    main = directory / main_name(example)
    for name, text in texts(example).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clean(text).encode("utf-8", "surrogateescape"))
        path.chmod(int(example.options.get("mode", "644"), 8))  # whatever the umask: rules may look at it
    return main


def texts(example: Example) -> dict[str, str]:
    """The texts of ``example`` as the page has them, by the names of their files."""
    return {main_name(example): example.text, **example.files}


def main_name(example: Example) -> str:
    """What the file of the main text is called."""
    return example.options.get("name", "nginx.conf")


def found_in(case: Case, directory: Path) -> list[Finding]:
    """What the rule of ``case`` finds at each place of its example, which is written to ``directory``; files are named from there."""
    report = audit([str(write(case.example, directory))], settings_of(case))
    assert not report.crashes, report.crashes
    found = [each for each in apart(report.active) if each.rule == case.rule.slug]
    return msgspec.convert(_relative(msgspec.to_builtins(found), f"{directory}/"), list[Finding])


def _relative(value: Any, here: str) -> Any:
    if isinstance(value, str):
        return value.replace(here, "")
    if isinstance(value, dict):
        return {key: _relative(each, here) for key, each in value.items()}
    return [_relative(each, here) for each in value] if isinstance(value, (list, tuple)) else value
