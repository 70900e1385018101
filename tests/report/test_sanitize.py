import sys
import unicodedata

import pytest

from nginxaudit.report.sanitize import encoding_of, unicode_only, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \\ text", "plain \\ text"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\x00\x08\x7f", "\\x00\\x08\\x7f"),
        ("\x9b31m", "\\u009b31m"),
        ("\u202eevil\u202c\u2066x\u2069", "\\u202eevil\\u202c\\u2066x\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("latin \udce9", "latin \\xe9"),
        ("high \ud800", "high \\ud800"),
        ("日本 é 😀", "日本 é 😀"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_everything_that_unicode_calls_a_control_is_escaped():
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert visible(chr(code)).startswith("\\"), f"U+{code:04X}"


def test_everything_printable_stays():
    for code in range(0x20, 0x3000):
        if unicodedata.category(chr(code))[0] in "LNPS" and code != 0x2065:
            assert visible(chr(code)) == chr(code), f"U+{code:04X}"


def test_encoding_that_lacks_a_character():
    assert visible("é 日 😀", "ascii") == "\\xe9 \\u65e5 \\U0001f600"
    assert visible("é 日", "latin-1") == "é \\u65e5"


def test_encoding_of_a_stream_without_one():
    assert encoding_of(object()) == "utf-8"


def test_unicode_only():
    assert unicode_only("a\udce9b日\ud83d") == "a\ufffdb日\ufffd"
