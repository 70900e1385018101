"""nginx reads the same words: asked through the messages of ``nginx -t``.

In a ``types`` block every word behind the first is a file extension, and nginx warns about each that is
already taken, quoting it with its line. Two lines with the same words make it recite all of them.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nginxaudit.templates import read_template
from tests.support import nginx
from tests.syntax.reading import lex, read

pytestmark = [pytest.mark.live, nginx.live]

_HEAD = "events {}\nhttp { types_hash_max_size 65536; types_hash_bucket_size 65536; types {\n"


def config(soup: str) -> str:
    return f"{_HEAD}p1 {soup};\np2 {soup};\n}}}}\n"


def recited(text: str, where: str) -> tuple[str, str | None]:
    """What nginx will say about the ``types`` of ``text``: its warnings, and its first error."""
    tokens, problems = lex(text)
    error = None if not problems else (problems[0].start, problems[0])
    taken: dict[str, str] = {}
    said: list[str] = []
    statement: list[str] = []
    opened = False
    for token in tokens:
        if not opened:
            opened = not token.quoted and token == "{" and statement == ["types"]
            if not token.quoted and token in ("{", "}", ";"):
                statement = []
            else:
                statement.append(str(token))
            continue
        line = text.count("\n", 0, token.start) + 1
        if error is not None and error[0] < token.start:
            at = error[1].source.position(error[0])[0]
            return "".join(said), "later" if error[1].kind == "unclosed-quote" else str(at)
        if token.quoted or token not in (";", "{", "}"):
            statement.append(str(token))
            continue
        if token == "}":
            return "".join(said), str(line) if statement else None
        if token == "{" or not statement:
            return "".join(said), str(line)
        kind, *extensions = statement
        for each in extensions:
            name = "".join(char.lower() if char.isascii() else char for char in each)
            if name in taken:
                said.append(
                    f'nginx: [warn] duplicate extension "{name}", content type: "{kind}", '
                    f'previous content type: "{taken[name]}" in {where}:{line}\n'
                )
            taken[name] = kind
        statement = []
    return "".join(said), "end"


def assert_agrees(directory, soup: str) -> None:
    text = config(soup)
    answer = nginx.check(directory, text)
    warnings, error = recited(text, str(directory / "nginx.conf"))
    said, _, rest = answer.output.partition("nginx: [emerg]")
    said = said.replace(f"nginx: the configuration file {directory / 'nginx.conf'} syntax is ok\n", "")
    if not rest:
        said = re.sub(r"nginx: configuration file [^\n]* test is successful\n$", "", said)
    assert said == warnings.replace("\r\n", "\n").replace("\r", "\n")  # as a pipe of text hands it on
    assert answer.accepted == (error is None)
    if error is not None and error != "later" and "end of file" not in rest:
        assert f":{error}\n" in rest, rest


@pytest.mark.parametrize(
    "soup",
    [
        'a B "c d" e"f \\"g ${{x} $y}',
        '"a")b c',
        "a\\ b '\\x\\n' \\t\\r\\\\ \\;\\{",
        "${{{",
        "a${{b;c d",
        "a\x0bb c\x0cd \xa0 \x85 \u2028",
        'x "";y ""',
        "a $}",
        "a\\\nb c",
        "a # b c\nd",
        "a#b c}",
        '"multi\nline" "esc\\"aped" \'it\\\'s\'',
        "a\rb\r\nc",
        # refused
        '"a"b',
        "'a'\"b\"",
        "'a'}",
        "a {",
        "} a",
        "a ;;",
        "a }",
        "a $ {",
    ],
)
def test_words(soup, tmp_path):
    assert_agrees(tmp_path, soup)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            [
                *" \t\n;\"'#\\$)(",
                " ",
                " ",
                "a",
                "b",
                "c}",
                "${",
                "{{",
                "t",
                "n",
                "é",
                "\\\\",
                '\\"',
                " x",
                "\r",
            ]
        ),
        max_size=16,
    ).map("".join)
)
def test_any_words(tmp_path_factory, soup):
    assume(read_template(config(soup), "") is None)
    assert_agrees(tmp_path_factory.getbasetemp(), soup)


# -- nginx's buffer of 4096 bytes


@pytest.mark.parametrize("letter", ["a", "日"])
@pytest.mark.parametrize(
    ("before", "behind"),
    [("", ";"), ("", " ;"), ("", "\n;"), ("", "\t# c\n;"), ('"', '";'), ("'", "' ;"), ('"', '"\n;')],
)
@pytest.mark.parametrize("size", range(4092, 4098))
def test_longest_word(tmp_path, letter, before, behind, size):
    width = len(letter.encode())
    word = "b" * (size % width) + letter * (size // width)
    text = f"# comment\nevents {{}}\nenv {before}{word}{behind}\n"
    parsed = read(text)
    assert nginx.check(tmp_path, text).accepted == (parsed.problems == [])


@pytest.mark.parametrize("behind", ["", "\n", "\nevents {}", "\r\n"])
@pytest.mark.parametrize("size", [4090, *range(4093, 4099), 9000])
def test_longest_comment(tmp_path, size, behind):
    text = "events {}\n#" + "c" * (size - 1) + behind.replace("events {}", "env X;")
    assert nginx.check(tmp_path, text).accepted == (read(text).problems == [])


def test_comment_in_the_middle_of_a_directive_does_not_count(tmp_path):
    text = "events {}\nenv\n" + ("# " + "c" * 2000 + "\n") * 5 + "X;\n"
    assert nginx.check(tmp_path, text).accepted
    assert read(text).problems == []
