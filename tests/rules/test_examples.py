"""Every example of every rule page: nginxaudit says what the page says, and so does a real nginx."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from msgspec.structs import replace

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.pages import Example, read_page
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.run.tasks import module_of
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import Availability, Target, directives, parse_version
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import Lexer
from tests.support import certificates, nginx

# Characters that a page cannot hold as themselves.
_SYMBOLS = {"␀": "\0", "␍": "\r", "␠": " "}
_END = "␃"  # the file ends here, without a line end
# What nginx itself refuses, or says about groups, has its near misses in the tests of the model and of parity.
_ABOUT_REFUSALS = ("input", "syntax", "upstream", "deprecation")
_MARK = re.compile(r"[ \t]*# finding\b[^\n]*")


@cache
def cases() -> list[tuple[Rule, int, Example]]:
    return [
        (rule, number, example)
        for rule in builtin()
        for number, example in enumerate(read_page(rule).examples, 1)
    ]


def _ids(case: tuple[Rule, int, Example]) -> str:
    rule, number, example = case
    return f"{rule.slug}-{number}-{example.kind}"


def clean(text: str) -> str:
    """An example as a configuration: without its marks, symbols replaced."""
    text = _MARK.sub("", text).partition(_END)[0]
    for symbol, char in _SYMBOLS.items():
        text = text.replace(symbol, char)
    return text


def example_settings(example: Example, rule: Rule) -> Settings:
    target = Target(edition=example.options.get("edition", "oss"))
    if "nginx-version" in example.options:
        target = replace(target, version=parse_version(example.options["nginx-version"]))
    return Settings(target=target, extend_select=(rule.slug,), check_files="check-files" in example.flags)


def write_example(example: Example, directory: Path) -> Path:
    main = directory / example.options.get("name", "nginx.conf")
    for path, text in ((main, example.text), *((directory / n, t) for n, t in example.files.items())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clean(text).encode("utf-8", "surrogateescape"))
    return main


def _marked(example: Example, main: Path, directory: Path) -> set[tuple[str, int]]:
    texts = {str(main): example.text, **{str(directory / name): text for name, text in example.files.items()}}
    return {
        (path, number)
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if "# finding" in line
    }


def test_every_page_has_a_bad_and_a_good_example() -> None:
    for rule in builtin():
        kinds = [example.kind for example in read_page(rule).examples]
        enough = 1 if rule.category == "input" else 2
        assert kinds.count("bad") >= enough, f"{rule.slug}: a page shows at least {enough} bad examples"
        misses = 1 if rule.category in _ABOUT_REFUSALS else enough
        assert kinds.count("good") >= misses, (
            f"{rule.slug}: a page shows {misses} near misses that stay silent"
        )


def test_every_check_is_there() -> None:
    """Checks are imported when they run: that each is one, and known to its module, is seen here."""
    for rule in builtin():
        references = rule.check.get("python", [])
        for reference in [references] if isinstance(references, str) else references:
            module, _, function = reference.rpartition(".")
            assert callable(getattr(import_module(module_of(module)), function)), rule.slug


@pytest.mark.parametrize("case", cases(), ids=map(_ids, cases()))
def test_example(case: tuple[Rule, int, Example], tmp_path: Path) -> None:
    rule, _, example = case
    main = write_example(example, tmp_path)
    report = audit([str(main)], example_settings(example, rule))
    assert not report.crashes
    found = {
        (f.span.file, f.span.line) for f in report.findings if f.rule == rule.slug and f.suppressed is None
    }
    if example.kind == "good":
        assert found == set()
    else:
        expected = _marked(example, main, tmp_path)
        assert expected, "a bad example marks where the finding is"
        assert found == expected


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("case", cases(), ids=map(_ids, cases()))
def test_example_on_nginx(case: tuple[Rule, int, Example], tmp_path: Path) -> None:
    """``rejected-by-nginx`` examples are refused by nginx, all others are accepted."""
    rule, _, example = case
    if example.options.get("edition") == "plus":
        pytest.skip("NGINX Plus is not to be had here")
    installed = nginx.version()
    if "nginx-version" not in example.options and needs_newer(example, installed):
        pytest.skip(f"uses what nginx {'.'.join(map(str, installed))} does not have")
    if "nginx-version" in example.options and parse_version(example.options["nginx-version"]) != installed:
        pytest.skip(f"speaks of nginx {example.options['nginx-version']}")
    if "needs-dns" in example.flags:
        pytest.skip("the answer depends on DNS")
    text = (
        nginx.load_modules() + clean(example.text) if not _begins_with_bom(example) else clean(example.text)
    )
    files = {name: clean(text) for name, text in example.files.items()}
    if "ssl_certificate" in text:
        files = {**certificates.made(), **files}
    answer = nginx.check(tmp_path, text, files)
    refused = example.kind == "bad" and (
        (rule.rejected_by_nginx and "accepted" not in example.flags) or "refused" in example.flags
    )
    assert answer.accepted is not refused, answer.output


def _begins_with_bom(example: Example) -> bool:
    return example.text.startswith("\ufeff")


def needs_newer(example: Example, installed: tuple[int, ...]) -> bool:
    """Whether a good example, or one that is no matter of loading, uses a directive of a later version."""
    target = Target(version=(installed[0], installed[1], installed[2]))
    if "since" in example.options:
        return target.version < parse_version(example.options["since"])
    words = {str(word) for word in Lexer(SourceText("", example.text), [])}
    return any(
        facts and all(fact.available(target) is Availability.TOO_NEW for fact in facts)
        for facts in map(directives, words)
    )
