"""Whole statements at a time give what word by word gives: tree, places, comments and problems."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nginxaudit.source.limits import Limits
from nginxaudit.source.text import SourceText
from nginxaudit.syntax import statements
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Statement
from tests.syntax.test_properties import texts

HOME = Path(__file__).parents[2]
CORPUS = HOME.parent / "shared" / "corpus"
FILES = [
    path
    for root in (HOME / "fixtures", CORPUS)
    for path in sorted(root.rglob("*"))
    if path.is_file() and path.suffix in (".conf", ".t", "") and path.stat().st_size < 200_000
]
lines = st.sampled_from(
    ["a b;", "a\n  b;", "a  b\tc ;", "server {", "}", " } }", "# c\n", "a # c\n b;", "a b{", "${a} b;", "a ${b};", "a $ {", "a $b{",
     'a "b";', "a b'c'd;", "a \u00a0b;", "a\x0bb c;", "a b\x1cc;", "é ü;", "a }b;", "a #b;", "a b#c;", "map $a $b {\na\n  b;\n}",
     "x_by_lua_block { if a then } end", "listen 80\n server_name a;", ";", "a;;", "{", "a \\; b;", "{{ x }};", "a {2,3};", "a" * 1030 + " b;"]
)  # fmt: skip
written = st.lists(lines, max_size=25).map(" ".join)


def told(text: str, limits: Limits) -> list[object]:
    parsed = parse(SourceText("nginx.conf", text), limits)
    return [
        [_flat(each) for each in parsed.statements],
        [(each.start, each.end, each.text, each.own_line) for each in parsed.comments],
        [(each.kind, each.message, each.start, each.end, each.analysed) for each in parsed.problems],
        parsed.count,
    ]


def _flat(statement: Statement) -> object:
    name = (str(statement.name), statement.start, statement.name_end)
    words = [name, *((str(word), word.start, word.end, word.quoted) for word in statement.args)]
    block = None if statement.block is None else [_flat(each) for each in statement.block]
    return words, statement.end, statement.close, block


def agrees(text: str, limits: Limits = Limits()) -> None:  # noqa: B008
    quick = told(text, limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "_PLAIN", re.compile(r"(?!)"))
        assert quick == told(text, limits)


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(written, texts))
def test_any_text(text: str) -> None:
    agrees(text)
    agrees(text, Limits(max_depth=2, max_directives=5))


def test_real_files() -> None:
    assert FILES
    for path in FILES:
        agrees(path.read_text(encoding="utf-8", errors="surrogateescape"))


def test_most_of_a_file_is_read_whole_statements_at_a_time() -> None:
    """The quick way is taken: it does not only agree because it is never used."""
    seen = []
    text = (
        "events { }\nhttp {\n"
        + "server { listen 80; server_name a b; # c\n location / { return 204; } }\n" * 5
        + "}\n"
    )
    original = statements.Words
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "_located", lambda *all_: seen.append(all_) or original())
        parse(SourceText("nginx.conf", text))
    assert len(seen) == 20
