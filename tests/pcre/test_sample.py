"""Texts that expressions match, judged by PCRE2."""

import pytest

from nginxaudit.model.regex import matches
from nginxaudit.pcre.sample import sample


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^/api/[1-9]\d*/", "/api/11/"),
        (r"^/a(?:/b)?$", "/a"),
        (r"^/x(abc)?y$", "/xy"),
        (r"[^/]\.php(/|$)", "x.php"),
        (r"^/(?<lang>en|de)/(.*)$", "/en/x"),
        (r"^/([^/]+)/\1$", "/x/x"),
        (r"^/(?:(?:index|status)\.php|x)$", "/index.php"),
        (r"^/[\w-]{8}(-[0-9a-f]{4}){3}$", "/xxxxxxxx-1111-1111-1111"),
        (r"(?i)^/ADMIN", "/admin"),
        (r"^/a b\s+c$", "/a b c"),
        ("^/\u00e9+$", "/\u00e9"),
    ],
)
def test_a_text_for_an_expression(pattern: str, text: str) -> None:
    assert sample(pattern) == text
    assert matches(pattern, text)


def test_no_text_for_what_is_not_understood() -> None:
    assert sample("^/(") == ""
    assert len(sample("(a{1000}){1000}")) <= 2000
