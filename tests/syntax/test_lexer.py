"""The words of a text, rule by rule. That nginx agrees is proved in test_lexer_live.py."""

import pytest

from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import Lexer, unescape
from tests.syntax.reading import as_written, lex, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n", []),
        ("a b;", ["a", "b", ";"]),
        ("a{b;}", ["a", "{", "b", ";", "}"]),
        ("a\r\nb\tc;", ["a", "b", "c", ";"]),
        # white space is these four only
        ("a\x0bb;", ["a\x0bb", ";"]),
        ("a\x0cb;", ["a\x0cb", ";"]),
        ("a\xa0b;", ["a\xa0b", ";"]),
        ("a\u2003b;", ["a\u2003b", ";"]),
        ("a\x85b\u2028c;", ["a\x85b\u2028c", ";"]),
    ],
)
def test_words_are_separated_by_blanks_semicolons_and_braces(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a"b c;', ['a"b', "c", ";"]),
        ("a'b c';", ["a'b", "c'", ";"]),
        ("it's;", ["it's", ";"]),
        ('a="b c";', ['a="b', 'c"', ";"]),
        ("a#b;", ["a#b", ";"]),
        ("a}b;", ["a}b", ";"]),
        ("a} b;", ["a}", "b", ";"]),
        ("a;#b\nc;", ["a", ";", "c", ";"]),
        ("}a;", ["}", "a", ";"]),
        ("if ($a){", ["if", "($a)", "{"]),
    ],
)
def test_quotes_hash_and_closing_brace_are_special_only_at_the_start_of_a_word(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a b";', ["a b", ";"]),
        ("'a b';", ["a b", ";"]),
        ('"it\'s";', ["it's", ";"]),
        ("'say \"x\"';", ['say "x"', ";"]),
        ('"";', ["", ";"]),
        ("'';", ["", ";"]),
        ('"a;b{c}d#e";', ["a;b{c}d#e", ";"]),
        ('"two\nlines";', ["two\nlines", ";"]),
        ('"$a${b}";', ["$a${b}", ";"]),
        # what may follow the closing quote
        ('"a"{', ["a", "{"]),
        ('("a")', ['("a")']),
        ('( "a")b;', ["(", "a", ")b", ";"]),
        ('"a"\t;', ["a", ";"]),
        ('"a"\r\n;', ["a", ";"]),
        ('"a")"b";', ["a", ')"b"', ";"]),
        ('"a"', ["a"]),
    ],
)
def test_quoted_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "column", "tokens"),
    [
        ('"a"b c;', 4, ["a", "b", "c", ";"]),
        ("'a'#b\nc;", 4, ["a", "c", ";"]),
        ("'a'}", 4, ["a", "}"]),
        ('"a""b";', 4, ["a", "b", ";"]),
        ("'a'\\;", 4, ["a", "\\;"]),
        ("'a'\x0b;", 4, ["a", "\x0b", ";"]),
        ('"a"b "c"d;', 4, ["a", "b", "c", "d", ";"]),
    ],
)
def test_nothing_else_may_follow_a_closing_quote(text, column, tokens):
    found, problems = lex(text)
    assert found == tokens
    assert {problem.kind for problem in problems} == {"unexpected-token"}
    first = problems[0]
    assert first.source.position(first.start) == (1, column)
    assert repr(text[column - 1]) in first.message


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"\"", '"'),
        (r"\'", "'"),
        (r"\\", "\\"),
        (r"\t\r\n", "\t\r\n"),
        (r"\\n", "\\n"),
        (r"\\\n", "\\\n"),
        (r"\d\.\$\;\{", r"\d\.\$\;\{"),
        (r"\x\"", r'\x"'),
        ("a\\", "a\\"),
        ("\\\n", "\\\n"),
    ],
)
def test_escapes(raw, expected):
    assert unescape(raw) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\;a;", [r"\;a", ";"]),
        (r"a\ b;", [r"a\ b", ";"]),
        (r"a\{b\};", [r"a\{b\}", ";"]),
        ("a\\\nb;", ["a\\\nb", ";"]),
        (r"\"a b\";", ['"a', 'b"', ";"]),
        (r"\#a;", [r"\#a", ";"]),
        (r"\}a;", [r"\}a", ";"]),
        (r'"a\"b";', ['a"b', ";"]),
        (r'"a\\";', ["a\\", ";"]),
        (r"'a\'b';", ["a'b", ";"]),
        (r"~\.php$;", [r"~\.php$", ";"]),
        ("a\\", ["a\\"]),
        ("\\", ["\\"]),
    ],
)
def test_a_backslash_takes_the_next_character_with_it(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${a}b;", ["${a}b", ";"]),
        ("x${a}{", ["x${a}", "{"]),
        ("$a{b;}", ["$a", "{", "b", ";", "}"]),
        ("a$;", ["a$", ";"]),
        ("$ {", ["$", "{"]),
        ("$$ ;", ["$$", ";"]),
        ("$${a};", ["$${a}", ";"]),
        ("$\\{a;", ["$\\{a", ";"]),
        # every brace behind the dollar belongs to the word, not only the first
        ("${{a}};", ["${{a}}", ";"]),
        ("${{{", ["${{{"]),
        ("x${{;", ["x${{", ";"]),
        ("$a${{b{", ["$a${{b", "{"]),
        ("\\a${{b{", ["\\a${{b", "{"]),
    ],
)
def test_a_brace_behind_a_dollar_opens_no_block(text, expected):
    assert words(text) == expected


def test_every_word_knows_its_place():
    text = "a \"b c\" 'd\\'' e\\ f ${g} {\n\t日本 ;}"
    tokens, problems = lex(text)
    assert problems == []
    assert [text[token.start : token.end] for token in tokens] == [
        "a", '"b c"', "'d\\''", "e\\ f", "${g}", "{", "日本", ";", "}",
    ]  # fmt: skip
    assert [token.quoted for token in tokens] == [False, True, True] + 6 * [False]
    assert all(as_written(text, token) == token for token in tokens)


def test_a_quoted_brace_is_a_word():
    tokens, _ = lex('a "{" \'}\' ";";')
    assert [(str(token), token.quoted) for token in tokens[1:]] == [
        ("{", True), ("}", True), (";", True), (";", False),
    ]  # fmt: skip


# -- comments


def comments(text):
    lexer = Lexer(SourceText("t.conf", text), [])
    list(lexer)
    return lexer.comments


def test_comments():
    found = comments("# one\r\na b; # two # three\n  #\n#last")
    assert [(each.text, each.own_line) for each in found] == [
        (" one", True), (" two # three", False), ("", True), ("last", True),
    ]  # fmt: skip
    assert [each.source.text[each.start] for each in found] == 4 * ["#"]


def test_no_comment_inside_words_and_strings():
    assert comments("a#b 'c # d' \"#\" \\# ;") == []


def test_comment_on_the_first_line_behind_a_byte_order_mark_stands_alone():
    assert [each.own_line for each in comments("\ufeff# x\n")] == [True]


# -- byte order mark


def test_byte_order_mark_is_told_and_left_out():
    tokens, problems = lex("\ufeffhttp {")
    assert tokens == ["http", "{"]
    assert [(each.kind, each.start, each.end) for each in problems] == [("invalid-encoding", 0, 1)]


def test_a_byte_order_mark_elsewhere_is_a_character():
    assert words("a \ufeffb;") == ["a", "\ufeffb", ";"]


# -- strings that are never closed


@pytest.mark.parametrize(
    ("text", "place", "tokens"),
    [
        ('a "b;\nc d;', (1, 3), ["a", "b", ";", "c", "d", ";"]),
        ("a 'b {\nc d;\n}", (1, 3), ["a", "b", "{", "c", "d", ";", "}"]),
        ('a "b; # x\nc;', (1, 3), ["a", "b", ";", "c", ";"]),
        ('a "b', (1, 3), ["a", "b"]),
        ('a "', (1, 3), ["a", ""]),
        ('a ";', (1, 3), ["a", "", ";"]),
        ('a {\n  b "c;}\nd;', (2, 5), ["a", "{", "b", "c", ";", "}", "d", ";"]),
        # closed by chance on a later line, where the next word sticks to it
        ('a "b;\nc "d";\n', (1, 3), ["a", "b", ";", "c", "d", ";"]),
        ('a "b\\";\nc;', (1, 3), ["a", 'b"', ";", "c", ";"]),
    ],
)
def test_unclosed_string_ends_with_its_line(text, place, tokens):
    found, problems = lex(text)
    assert found == tokens
    assert [(each.kind, each.source.position(each.start)) for each in problems] == [("unclosed-quote", place)]
    assert not problems[0].analysed


def test_a_lone_quote_at_the_end_does_not_loop():
    for text in ("'", '"', "a'", "''\"", "\"\n'", '"\\', "'\\\n"):
        assert len(lex(text)[0]) <= 2, text


# -- words that do not fit into nginx's buffer of 4096 bytes


def too_long(text):
    return [problem.start for problem in lex(text)[1] if "longer than nginx can read" in problem.message]


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀", "\udcff"])
@pytest.mark.parametrize(
    ("before", "behind", "most"),
    [
        ("", ";", 4095),
        ("", "{", 4095),
        ("", " ;", 4094),
        ("", "\n;", 4094),
        ('"', '";', 4094),
        ("'", "'{", 4094),
        ('"', '" ;', 4093),
        ('"', '")', 4094),
    ],
)
def test_longest_word(letter, before, behind, most):
    size = len(letter.encode("utf-8", "surrogateescape"))
    fits = "b" * (most % size) + letter * (most // size)
    assert too_long(f"x {before}{fits}{behind}") == []
    assert too_long(f"x {before}{fits}c{behind}") == [2]


def test_escapes_count_as_they_are_written():
    assert too_long("x " + "\\n" * 2047 + ";") == []
    assert too_long("x " + "\\n" * 2048 + ";") == [2]


def test_long_word_is_kept():
    tokens, _ = lex("x " + "a" * 9000 + "; y;")
    assert [len(token) for token in tokens] == [1, 9000, 1, 1, 1]


@pytest.mark.parametrize("letter", ["c", "é", "日"])
def test_longest_comment(letter):
    size = len(letter.encode())
    fits = "#" + "c" * (4094 % size) + letter * (4094 // size)
    assert too_long(f"a;\n{fits}\nb;") == []
    assert too_long(f"a;\n{fits}c\nb;") == [3]
    assert too_long(f"a;\n{fits}c") == []  # the file ends with it
    assert too_long(f"a;\n{fits}cc") == [3]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("~ ^/x{2}$;", "regex-unquoted-brace", ["~", "^/x{2}$", ";"]),
        ("^/[0-9]{2,}{", "regex-unquoted-brace", ["^/[0-9]{2,}", "{"]),
    ],
)
def test_what_nginx_tears_apart_stays_whole_and_is_told(text, kind, expected):
    tokens, problems = lex(text)
    assert [str(token) for token in tokens] == expected
    assert [problem.kind for problem in problems] == [kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name {{ a b }}.example;", ["name", "{{ a b }}.example", ";"]),
        ("{% if x %}\na;", ["a", ";"]),
        ("{{- if .X }}\na;{{ end }}", ["a", ";"]),
        ("a <%= b %>;", ["a", "<%= b %>", ";"]),
        ('a "x {{ b | d("c") }}" {{ d }};', ["a", 'x {{ b | d("c") }}', "{{ d }}", ";"]),
    ],
)
def test_words_of_a_template(text, expected):
    tokens, problems = lex(text)
    assert [str(token) for token in tokens] == expected
    assert [token.filled for token in tokens] == ["{{" in each or "<%" in each for each in expected]
    assert not problems


@pytest.mark.parametrize("text", ["a {2 b;}", "a{b}", "a { 2}", "{{", "a {{ b"])
def test_other_braces_are_punctuation(text):
    assert "{" in [str(token) for token in lex(text)[0]]
