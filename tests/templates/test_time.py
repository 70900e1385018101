"""Templates are read in time that grows with the text, whatever it is made of."""

from __future__ import annotations

import gc

import pytest

from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import parse
from nginxaudit.templates import read_template
from tests.security.expressions import seconds

PIECES = [
    "{{", "{{{", "}}", "{%", "%}", "{#", "<%", "%>", "%{", "${", "{{ a", "{{a}} ", "{% if a %}", "{% endif %}", "{% else %}",
    "{% if a %}{", "{% if a %} b { {% else %} c { {% endif %}", "{% raw %}", "{{/*", "{{!--", "<% if a\n", "<% do\n end\n %>",
    "${A:-", "${A:-${B", "${a.b(", "__A", "__A__", "@a", "@@a", "%ab", "%abc%", "<A", "<your ", "{ab", "#{a", "x#{a", ' "a', " 'a",
    '"\\', "{{ \"a", "_by_lua_block {", "_by_lua_block { --[[", "set $A 1; ", "$A", "$$", "{% set a %}", "{% macro a() %}{", "}",
    "{{ range .A }}", "{{ end }}", "{{#a}}", "{{/a}}", "{{ '{' }}", "a { {{ b }} \n", "{{ a }}\n", "\n", "{{ a\n",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_text(piece: str, named: bool) -> None:
    path = "site.j2" if named else "site.conf"

    def read(text: str) -> None:
        gc.disable()  # what other tests have left would be looked through again and again
        try:
            read_template(text, path)
            parse(SourceText(path, text))
        finally:
            gc.enable()

    def run(begin: str) -> bool:
        short, long = (begin + piece * (size // len(piece)) for size in (4_000, 32_000))
        return any(seconds(read, long) < 0.05 + 20 * seconds(read, short) for _ in range(3))

    assert run(""), "a square takes 64 times as long"
    assert run("{{ a }} ${A} {ab} @a@ %ip% <% b %> "), "a square takes 64 times as long"
