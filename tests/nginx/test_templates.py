"""Marks of template engines are found as regular expressions would find them, in time that grows with the text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nginxaudit.nginx.templates import has_placeholder, marks, placeholders
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import Lexer
from tests.security.expressions import seconds

_MARKS = r"(?<![${])\{\{.*?\}\}|\{%.*?%\}|<%.*?%>"
_ALL = (
    _MARKS + r"|\$\{[A-Z][A-Z0-9_]*\}|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]*[A-Z0-9]__(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_])(?:CHANGE_?ME|REPLACE_?ME)(?![A-Za-z0-9_])"
)
TEXTS = st.lists(
    st.sampled_from(["{", "}", "%", "<", ">", "$", "{{", "}}", "{%", "%}", "<%", "%>", "${A}", "__AB__", "a", "\n", "CHANGEME"]),
    max_size=30,
).map("".join)  # fmt: skip


@given(TEXTS)
def test_marks(text: str) -> None:
    found = [text[each.start : each.end] for each in marks(text) if each.closed]
    assert found == re.findall(_MARKS, text, re.DOTALL)
    found = [text[each.start : each.end] for each in marks(text, one_line=True) if each.closed]
    assert found == re.findall(_MARKS, text)


@pytest.mark.slow
@given(TEXTS)
def test_placeholders(text: str) -> None:
    assert list(placeholders(text)) == re.findall(_ALL, text, re.DOTALL)
    assert has_placeholder(text) == (re.search(_ALL, text, re.DOTALL) is not None)
    unbraced = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    assert has_placeholder(text, quoted=True) == (re.search(_ALL, unbraced, re.DOTALL) is not None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["{{", "{%", "<%", "{ {", "{{ a", "{{a}} ", "{%\n", "<%%", "{{{{ }", "x{1,2} {{ "]
)
def test_time_grows_with_the_text(piece: str) -> None:
    def read(text: str) -> None:
        has_placeholder(text)
        has_placeholder(text, quoted=True)
        list(Lexer(SourceText("", text), []))

    short, long = (piece * (size // len(piece)) for size in (10_000, 80_000))
    assert any(seconds(read, long) < 0.05 + 20 * seconds(read, short) for _ in range(3)), (
        "a square takes 64 times as long"
    )
