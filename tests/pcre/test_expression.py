"""What expressions say: known answers, and a comparison with PCRE2 itself."""

from __future__ import annotations

import time

import pcre2
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from nginxaudit.pcre import Expression, parse
from nginxaudit.pcre.backtracking import danger


def read(pattern: str, *, caseless: bool = False) -> Expression:
    expression = parse(pattern, caseless=caseless)
    assert expression is not None
    return expression


@pytest.mark.parametrize(
    ("pattern", "newline"),
    [
        ("(.*)", False), ("(?s)(.*)", True), ("((?s).)(.)", True), ("([^/]*)", True), ("([^/\\r\\n]*)", False),
        ("(\\s)", True), ("(\\S+)", False), ("(\\W)", True), ("(\\w+)", False), ("(\\D)", True), ("(\\N+)", False),
        ("(\\R)", True), ("(\\x0a)", True), ("(\\n)", True), ("([[:space:]])", True), ("([[:^space:]])", False),
        ("(?<a>[^?]+)", True), ("(?:x)([a-z-]+)", False), ("(?>[^a])x", False), ("(a|b|[^c])", True),
        ("(?x) ( [a-z]  # letters\n )", False), ("([\\s\\S]*)", True), ("(\\Q\n\\E)", True), ("(\\012)", True),
    ],
)  # fmt: skip
def test_newline_in_the_first_group(pattern: str, newline: bool) -> None:
    expression = read(pattern)
    assert (expression.groups > 0 and expression.group_may_contain(1, "\n")) is newline


@pytest.mark.parametrize(
    ("pattern", "groups", "names"),
    [
        ("(a)(?:b)(?<n>c)", 2, {"n": 2}), ("(?P<x>a)(?'y'b)", 2, {"x": 1, "y": 2}), ("(?=a)(?!b)(?<=c)(?<!d)", 0, {}),
        ("(?|(a)|(b))(c)", 2, {}), ("[(]\\((a)", 1, {}), ("(?i:(a))", 1, {}), ("(*UTF8)(a)", 1, {}), ("(?n)(a)(?<b>c)", 1, {"b": 1}),
        ("((a)|b)++(?>c)", 2, {}), ("(?#(comment)(a)", 1, {}), ("\\Q(a)\\E(b)", 1, {}), ("(?(1)a|(b))", 1, {}),
    ],
)  # fmt: skip
def test_groups(pattern: str, groups: int, names: dict[str, int]) -> None:
    expression = read(pattern)
    assert (expression.groups, expression.names) == (groups, names)


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a)",
        "[a",
        "*a",
        "a\\",
        "(?<n",
        "[b-a]",
        "\\p{L}",
        "[[.x.]]",
        "(?z)",
        "a{,3}",
        "(" * 300 + ")" * 300,
    ],
)
def test_what_is_not_understood_is_said(pattern: str) -> None:
    assert parse(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "start", "end"),
    [
        ("^/a$", True, True), ("\\A/a\\z", True, True), ("(^a|^b)", True, False), ("(^a|b)$", False, True), ("(?=^a)b", True, False),
        ("a(b$|c\\Z)", False, True), ("\\.php(/|$)", False, False), ("(?m)^a$", False, False), ("^*a", False, False), ("(?i)^a", True, False),
        ("(?:^a)+", True, False), ("(?!^a)", False, False), ("(?<!x)^a", True, False), ("a(?=b$)", False, False), ("", False, False),
    ],
)  # fmt: skip
def test_anchors(pattern: str, start: bool, end: bool) -> None:
    expression = read(pattern)
    assert (expression.starts_anchored, expression.ends_anchored) == (start, end)


def test_texts() -> None:
    assert read("^/api/health$").literal == "/api/health"
    assert read("^/a\\.b$").literal == "/a.b"
    assert read("^/a.b$").literal is None
    assert read("^/a$", caseless=True).literal is None
    assert read("/a$").literal is None
    assert read("^/(en|de|fr)/").group_texts(1) == {"en", "de", "fr"}
    assert read("^/(v[12]?)/").group_texts(1) == {"v", "v1", "v2"}
    assert read("(a{2,3})").group_texts(1) == {"aa", "aaa"}
    assert read("(a*)").group_texts(1) is None
    assert read("(\\w{9})").group_texts(1) is None


def test_places_of_groups() -> None:
    expression = read("((a)(b))(c)")
    assert expression.parents == {1: None, 2: 1, 3: 1, 4: None}
    assert read("^/(/.*)").group_may_start_with(1, "/")
    assert not read("^/([^/.][^/]*)").group_may_start_with(1, "/.")
    assert read("^/([^/.]?.*)").group_may_start_with(1, ".")


@pytest.mark.parametrize("pattern", ["^/", ".", ".*", "/", "", "^.*$", "^/.*$", "^/?", "(^/a|.)", "^(/.+)$"])
def test_every_path(pattern: str) -> None:
    assert read(pattern).matches_every_path


@pytest.mark.parametrize("pattern", ["^/$", "^/..$", "(.*)/x", "^/(?!x)", "\\b/", "^$", "a*b", "(*FAIL)|^/"])
def test_not_every_path(pattern: str) -> None:
    assert not read(pattern).matches_every_path


@pytest.mark.parametrize(
    ("pattern", "prefix", "covered"),
    [
        ("^/api/", "/api/", "/api/"), ("^/api/.*$", "/api/", "/api/"), ("^/api(/|$)", "/api", None), ("^/a\\.b", "/a.b", "/a.b"),
        ("^/(a|b)", "/", None), ("^/.*", "/", "/"), ("/api", "", None), ("^/(?:x/)y", "/x/", None), ("^/a?", "/", "/"), ("^/ab+", "/a", None),
    ],
)  # fmt: skip
def test_beginnings(pattern: str, prefix: str, covered: str | None) -> None:
    expression = read(pattern)
    assert (expression.prefix, expression.covered) == (prefix, covered)


@pytest.mark.parametrize(
    ("pattern", "degree"),
    [
        ("^(a+)+$", None), ("(a|a)*b", None), ("^(\\w+\\s?)*$", None), ("(a?b?)*c", None), ("(a{1,3})*b", None),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", None), ("(x+x+)+y", None), ("^([a-z0-9]+[.-]?)+@", None),
        ("^/(.*)/(.*)/(.*)x$", 3), ("a*a*a*b", 4), ("^a*a*a*b", 3), ("\\.(php|html).*foo.*bar", 3),
    ],
)  # fmt: skip
def test_slow(pattern: str, degree: int | None) -> None:
    found = danger(read(pattern))
    assert found is not None
    assert found.degree == degree
    assert not read(pattern).loops_once


@pytest.mark.parametrize(
    ("pattern", "once"), [("^/[0-9]+$", True), ("a{1,3}b?", True), ("(ab)+", False), ("(?:a*){3}", False)]
)
def test_what_loops_once_is_never_slow(pattern: str, once: bool) -> None:
    expression = read(pattern)
    assert expression.loops_once is once
    assert not once or danger(expression) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "([a-z]+/)*x", "^([a-z]+)+", "^/(.*)/(.*)/(.*)$", ".*x", "^(?>a+)+b", "(a++)+b", "([a-z0-9]+\\.)+[a-z]{2,}$", "^(\\.[a-z]+)*$",
        "(?:\\d{1,3}\\.){3}\\d+$", "\\.(?:jpe?g|png)$", "^/([^/]+)/(.+)/(.+)\\.html$", "(a|b)*c", "^(([^/]+)/?)+$", "(?=a)(a+)+$",
        "^(?!(a+)+$)/", "(\\w+)\\s\\1", "(?:android|bb\\d+).+mobile|iphone", "^www\\.(?<name>.+)$",
    ],
)  # fmt: skip
def test_fast_or_not_known(pattern: str) -> None:
    expression = parse(pattern)
    found = danger(expression) if expression else None
    if pattern != "(?=a)(a+)+$":
        assert found is None
    else:  # the look is outside of the loop: it changes nothing
        assert found is not None


@pytest.mark.parametrize("part", ["(.*)$", "(a+b?)*", "[a-y]*[b-z]*"])
def test_long_chains_take_milliseconds(part: str) -> None:
    """It was cubic: two seconds for 600 bytes."""
    expression = read("^" + part * 75)
    begun = time.process_time()
    danger(expression)
    assert time.process_time() - begun < 0.5


_ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "/",
        ".",
        "\\.",
        "\\d",
        "\\w",
        "\\s",
        "\\S",
        "[ab]",
        "[^/]",
        "[^a\\n]",
        "\\n",
        "[[:digit:]]",
        "\\x61",
        "^",
        "$",
        "\\b",
        "[0-9-]",
    ]
)


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map("(?:{})".format),
        inner.map("({})".format),
        inner.map("(?>{})".format),
        inner.map("(?=({}))".format),
        inner.map("(?i:{})".format),
        st.tuples(inner.map("({})".format), st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "?+"])).map(
            "".join
        ),
    )


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(pattern=st.recursive(_ATOMS, _compound, max_leaves=8), subject=st.text("aAb/.1\n _", max_size=8))
def test_agrees_with_pcre2(pattern: str, subject: str) -> None:
    """What PCRE2 captures is among what the expression is said to be able to capture."""
    try:
        compiled = pcre2.compile(pattern.encode())
    except pcre2.PatternError:
        reject()
    expression = read(pattern)
    match = compiled.search(subject.encode())
    if match is None:
        assert not (expression.matches_every_path and subject.startswith("/") and "\n" not in subject)
        return
    assert compiled.groups == expression.groups
    start, end = match.span(0)
    assert subject.encode()[start:end].decode().startswith(expression.prefix)
    assert not expression.starts_anchored or start == 0
    assert not expression.ends_anchored or subject[end:] in ("", "\n")
    for number in range(expression.groups + 1):
        raw = match.group(number)
        if raw is None:
            continue
        text = raw.decode()
        assert all(expression.group_may_contain(number, char) for char in text)
        assert not text[:1] or expression.group_may_start_with(number, text[0])
        assert text or expression.group_may_be_empty(number)
        texts = expression.group_texts(number)
        assert texts is None or text in texts
