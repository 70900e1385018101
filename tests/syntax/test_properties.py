"""What holds for every text, however broken."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nginxaudit.syntax.tree import Statement
from nginxaudit.templates import read_template
from tests.syntax.reading import as_written, lex, read, reference, shape, told, write

soups = st.lists(
    st.sampled_from(
        [*" \t\r\n;{}\"'#\\$)(", "a", "b c", "\n  ", "${", "\\\n", "server", "http {", "}\n", "é", "\udcff",
         "listen 80;", "location /", "map $a $b {", "x_by_lua_block {", "--[[", "]]", "include x;", "\ufeff"]
    ),
    max_size=40,
).map("".join)  # fmt: skip
texts = st.one_of(soups, st.text(st.characters(exclude_characters="\0"), max_size=60)).filter(
    lambda text: read_template(text, "t.conf") is None
)  # in "http {server}" the braces are a template's: nginx reads what they are filled in with
plain_words = st.text(st.sampled_from("ab\"'\\ ;{}#$\n\té日t"), max_size=8)
quick = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
@quick
@given(texts)
def test_words_are_those_of_a_slow_reader(text):
    tokens, problems = lex(text)
    text = text.removeprefix("\ufeff")
    expected, error = reference(text)
    if error and error[0] == "unexpected-token":
        expected.pop()  # a string over several lines with a wrong neighbour is taken to be unclosed
    found = [(str(token), token.quoted) for token in tokens]
    assert found[: len(expected)] == expected
    if error is None:
        assert len(found) == len(expected)
        assert [each for each in problems if each.kind != "invalid-encoding"] == []
    else:
        assert problems


@pytest.mark.slow
@quick
@given(texts)
def test_words_stand_in_order_where_they_say(text):
    tokens, problems = lex(text)
    assume(tokens)
    end = 0
    for token in tokens:
        assert end <= token.start < token.end <= len(text)
        end = token.end
    if not any(each.kind == "unclosed-quote" for each in problems):
        assert all(as_written(text, token) == token for token in tokens)


def everything(statements: list[Statement]):
    for each in statements:
        yield each
        yield from everything(each.block or [])


@pytest.mark.slow
@quick
@given(texts)
def test_every_text_gives_a_tree_whose_places_lie_inside(text):
    parsed = read(text)
    assume(parsed.statements)
    size = len(text)
    for each in everything(parsed.statements):
        assert 0 <= each.start <= each.name_end <= each.end <= size
        assert all(each.name_end <= word.start <= word.end <= size for word in each.args)
        if each.block is not None:
            assert each.close is not None and each.end - 1 <= each.close <= size
            inner = [part for part in each.block for part in (part.start, part.end)]
            assert all(each.end <= at <= each.close for at in inner)
    for problem in parsed.problems:
        assert 0 <= problem.start <= problem.end <= size
        for _, source, start, end in problem.related:
            assert source is parsed.source and 0 <= start <= end <= size


@pytest.mark.slow
@quick
@given(texts)
def test_the_same_text_gives_the_same_tree(text):
    one, two = read(text), read(text)
    assert shape(one.statements) == shape(two.statements)
    assert told(one) == told(two)


@pytest.mark.slow
@quick
@given(texts)
def test_the_tree_written_out_reads_the_same(text):
    parsed = read(text)
    assume(not any("Lua code" in problem.message for problem in parsed.problems))  # never closed
    again = read(write(parsed.statements))
    assert shape(again.statements) == shape(parsed.statements)
    # what was fixed is sound now: only what cannot be fixed by braces and semicolons is left
    assert {kind for kind, *_ in told(again)} <= {"limit-exceeded", "unexpected-token"}


statements = st.deferred(
    lambda: st.lists(
        st.tuples(
            plain_words.filter(lambda word: word not in ("", "if") and not word.endswith("_by_lua_block")),
            st.lists(plain_words, max_size=3),
            st.none() | statements,
        ),
        max_size=4,
    )
)


@pytest.mark.slow
@settings(quick, max_examples=150)
@given(statements)
def test_any_tree_survives_writing_and_reading(tree):
    def spell(word: str) -> str:
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def text(each) -> str:
        name, args, block = each
        head = " ".join(map(spell, [name, *args]))
        return f"{head};" if block is None else f"{head} {{ {' '.join(map(text, block))} }}"

    def plain(each):
        name, args, block = each
        return [name, args] + ([] if block is None else [[plain(inner) for inner in block]])

    parsed = read("\n".join(map(text, tree)))
    assert told(parsed) == []
    assert shape(parsed.statements) == [plain(each) for each in tree]


@pytest.mark.slow
@quick
@given(st.text(st.sampled_from("{} a\n;"), max_size=60))
def test_braces_are_fixed_and_told(text):
    assume(read_template(text, "t.conf") is None)  # {a} is to be filled in, and no block
    parsed = read(text)
    depth = balance = 0
    for token in lex(text)[0]:
        depth += {"{": 1, "}": -1}.get(token, 0)
        balance = min(balance, depth)
    told_braces = [kind for kind, *_ in told(parsed) if kind == "unmatched-braces"]
    nameless = sum(kind == "unexpected-token" for kind, *_ in told(parsed))
    if depth or balance:
        assert told_braces or nameless
    else:
        assert not told_braces
