"""Our tree is crossplane's: equal on every real configuration, except where crossplane is not like nginx."""

from __future__ import annotations

from pathlib import Path

import crossplane
import pytest
from crossplane.parser import _prepare_if_args
from hypothesis import given, settings
from hypothesis import strategies as st

from nginxaudit.source.fence import read_file
from nginxaudit.source.read import ReadError
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Statement
from tests.syntax.reading import read, resolve

REPOSITORY = Path(__file__).parents[2]
CORPUS = REPOSITORY.parent / "shared" / "corpus"
FIXTURES = sorted((REPOSITORY / "fixtures").rglob("*.conf"))


def ours(statements: list[Statement]) -> list[dict]:
    """Statements as crossplane's payload."""
    payload = []
    for each in statements:
        entry = {
            "directive": str(each.name),
            "line": each.source.position(each.start)[0],
            "args": [str(word) for word in each.args],
        }
        if each.name == "if":
            _prepare_if_args(entry)
        if each.block is not None:
            entry["block"] = ours(each.block)
        payload.append(entry)
    return payload


def stock(path: str) -> list[dict]:
    """What crossplane itself says, comments and the files it would include left out."""
    payload = crossplane.parse(path, single=True, check_ctx=False, check_args=False, comments=False)
    assert payload["errors"] == []

    def plain(block):
        kept = []
        for each in block:
            if each["directive"] == "#":  # comments among arguments come even when nobody asked
                continue
            entry = {
                "directive": resolve(each["directive"]),  # escapes are left as written, unlike in nginx
                "line": each["line"],
                "args": [resolve(word) for word in each["args"]],
            }
            if "block" in each:
                entry["block"] = plain(each["block"])
            kept.append(entry)
        return kept

    return plain(payload["config"][0]["parsed"])


def assert_same(path: Path) -> None:
    parsed = parse(read_file(str(path), path.name))
    assert [problem.message for problem in parsed.problems] == []
    assert ours(parsed.statements) == stock(str(path))


def test_there_are_fixtures():
    assert len(FIXTURES) > 5


@pytest.mark.slow
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_fixtures_give_the_tree_of_crossplane(path):
    assert_same(path)


@pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus of real configurations is not beside this checkout"
)
def test_corpus_gives_the_tree_of_crossplane():
    seen = 0
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.suffix not in (".txt", ".md"):
            try:
                assert_same(path)
            except AssertionError as error:
                raise AssertionError(f"{path.relative_to(CORPUS)}: {error}") from None
            except ReadError:
                continue
            seen += 1
    assert seen > 200


# -- where crossplane reads otherwise than nginx; that nginx is on our side is proved in test_lexer_live.py

OTHERWISE = {
    "a closing brace at the end of a word": ("a b};\n", [["a", ["b}"]]]),
    "braces behind a dollar": ("a ${{b}};\n", [["a", ["${{b}}"]]]),
    "escapes": ("a b\\tc '\\n';\n", [["a", ["b\tc", "\n"]]]),
    "a vertical tab": ("a b\x0bc;\n", [["a", ["b\x0bc"]]]),
    "a no-break space": ("a b\xa0c;\n", [["a", ["b\xa0c"]]]),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_differences_are_known(name, tmp_path):
    text, expected = OTHERWISE[name]
    path = tmp_path / "t.conf"
    path.write_text(text)
    parsed = read(text)
    assert parsed.problems == []
    assert [[str(each.name), [str(word) for word in each.args]] for each in parsed.statements] == expected
    payload = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    theirs = [[each["directive"], each["args"]] for each in payload["config"][0]["parsed"]]
    assert theirs != expected, "crossplane has learned it: this entry can go"


# -- texts without any of the differences

_words = st.text(st.sampled_from("abz09_./:=*~^$|()?,%@-"), min_size=1, max_size=8)
_quoted = st.text(st.sampled_from("ab ;#{}é$"), max_size=6).map(lambda text: f'"{text}"')
_blanks = st.sampled_from([" ", "  ", "\t", "\n", " # note {;\n", "\r\n"])
_statements = st.deferred(
    lambda: st.lists(
        st.builds(
            lambda name, args, blanks, block: (
                name + "".join(map("".join, zip(blanks, args, strict=False))) + block
            ),
            _words,
            st.lists(st.one_of(_words, _quoted), max_size=3),
            st.lists(_blanks, min_size=3, max_size=3),
            st.one_of(st.just(";\n"), _statements.map(lambda inner: f" {{\n{inner}}}\n")),
        ),
        max_size=4,
    ).map("".join)
)


@pytest.mark.slow
@settings(max_examples=150)
@given(_statements)
def test_generated_texts_give_the_tree_of_crossplane(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "generated.conf"
    path.write_bytes(text.encode())
    parsed = read(text)
    # Names of real directives by chance would let a missing semicolon be suspected: there are none.
    assert parsed.problems == []
    assert ours(parsed.statements) == stock(str(path))
