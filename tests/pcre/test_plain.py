"""What is taken for valid without PCRE2 is valid to PCRE2, with as many groups."""

from __future__ import annotations

import pcre2
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nginxaudit.pcre.plain import plain_groups


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        ("\\.php$", 0), ("^/api/(?<rest>.*)$", 1), ("\\.(js|css|png)$", 1), ("^(?:www\\.)?(.+?)\\.example\\.com$", 1),
        ("^/[a-z0-9_]+/[^/]*$", 0), ("", 0), ("a++b", 0), ("(a)(b(c))", 3), ("^/(\\d+)/", 1),
    ],
)  # fmt: skip
def test_what_people_write_is_plain(pattern: str, groups: int) -> None:
    assert plain_groups(pattern) == groups


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "a)(", "*", "a**", "a|*", "(*ACCEPT)", "(?<n>a)(?<n>b)", "(?<1>a)", "(?<>a)", "[z-a]", "[]", "[", "[^]", "[a",
        "\\", "\\1", "\\k", "a{2,1}", "(?", "(?=", "[[:alpha:]]", "[:a:]", "[^.a.]", "[\\d]", "a+++", "(?<n", "^*", "x" * 501, "é", "(?i)a",
    ],
)  # fmt: skip
def test_the_rest_is_left_to_pcre(pattern: str) -> None:
    assert plain_groups(pattern) is None


_PARTS = st.sampled_from(
    ["(", ")", "(?:", "(?<a>", "(?<b>", "|", "*", "+", "?", "^", "$", ".", "a", "/", "-", "[", "]", "[^", "a-z", "9-0",
     "\\", "\\.", "\\d", "\\b", "\\]", "{", "}", "{2}", ",", "<", ">", " ", "#", "&&", "[:", ":]", "[.", ".]", "=", ":", "é", "(*", "?<"]
)  # fmt: skip


@settings(max_examples=2000, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(_PARTS, max_size=12).map("".join) | st.text(max_size=12))
def test_plain_expressions_compile(pattern: str) -> None:
    groups = plain_groups(pattern)
    assume(groups is not None)
    assert pcre2.compile(pattern.encode("utf-8", "surrogateescape")).groups == groups
