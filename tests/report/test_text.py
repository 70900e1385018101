"""The text report as people read it: plain, at the default width of a pipe."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from nginxaudit import DOCS, __version__
from nginxaudit.finding import Related
from nginxaudit.report.cells import width_of
from nginxaudit.source.text import SourceText
from tests.report.samples import (
    MISMATCH,
    TRAVERSAL,
    at,
    finding,
    mismatch,
    one,
    rendered,
    report,
    troubled,
)

JUDGED = f"nginxaudit {__version__}: {{}} for nginx 1.31.4; directives known up to nginx 1.31.4 (2026-08-11)"
GOLDEN = Path(__file__).parent / "golden" / "text.txt"


def excerpt_of(text):
    """Lines of the first excerpt: what stands behind the gutter bar."""
    body = text.split("--> ", 1)[1].split("  = ", 1)[0]
    return [line.split("|", 1)[1][1:] for line in body.splitlines()[1:] if "|" in line]


def marked(text):
    """The text over the carets, by cells."""
    lines = excerpt_of(text)
    row = next(number for number, line in enumerate(lines) if re.fullmatch(r" *\^+", line))
    first, end = lines[row].index("^"), len(lines[row])
    found, cells = "", 0
    for character in lines[row - 1]:
        if first <= cells < end:
            found += character
        cells += width_of(character)
    return found


def test_golden():
    assert rendered("text", troubled(), show_suppressed=True) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("listen 80;", "80"),
        ("listen 80", "80"),
        ("\tlisten\t\t80;", "80"),
        ("a\tb\t\tc;\td", "c;"),
        ("x # 日本\t日 y;", "y"),
        ("日本 listen;", "listen"),
        ("cafe\u0301 listen;", "listen"),
        ("ok;\r\nlisten 80;\r\n", "80"),
        ("ok;\n\n\nlast", "last"),
        ("location /日本 { }", "/日本"),
        ("w" * 5000 + " needle;" + "x" * 5000, "needle"),
        ("\t" * 400 + "needle;" + "\t日" * 400, "needle"),
        ("日" * 3000 + "needle" + "本" * 3000, "needle"),
        ("x" * 96 + " y", "y"),
        ("x" * 97 + "y", "y"),
        ("x" * 98 + "y", "y"),
        ("needle" + "x" * 98, "needle"),
    ],
)
def test_carets_are_under_the_span(text, needle):
    out = rendered("text", one(text, needle))
    assert marked(out) == needle
    assert max(width_of(line) for line in out.splitlines() if "https:" not in line) <= 100


def test_exact_columns_of_tabs_and_wide_characters():
    out = rendered("text", one("\t日\tlisten;", "listen"))
    assert excerpt_of(out)[:2] == ["    日  listen;", "        ^^^^^^"]


def test_escaped_characters_count_as_they_are_shown():
    out = rendered("text", one("a\x1b[0m\udce9 listen;", "listen"))
    assert excerpt_of(out)[:2] == ["a\\x1b[0m\\xe9 listen;", "             ^^^^^^"]
    out = rendered("text", one("a \x1b b;", "\x1b"))
    assert excerpt_of(out)[:2] == ["a \\x1b b;", "  ^^^^"]


def test_the_excerpt_is_the_line_alone():
    out = rendered("text", one("one;\ntwo;\nthree;\nfour;\n", "three"))
    assert excerpt_of(out) == ["three;", "^^^^^"]
    assert "\n3 | three;\n  | ^^^^^\n" in out


def related(text, *needles, path="a.conf"):
    """A report with a finding at the first of the needles, and the others as places that explain it."""
    source, other = SourceText("a.conf", text), SourceText(path, text)
    first, *rest = needles
    more = tuple(Related(f"see {needle}", at(other, needle)) for needle in rest)
    return rendered(
        "text", report(finding(MISMATCH, "m", at(source, first), related=more), sources=(source, other))
    )


def test_places_next_to_the_finding_stand_in_its_excerpt():
    out = related("one;\ntwo;\nthree;\nfour;\n", "two", "three", "one")
    assert excerpt_of(out) == ["one;", "--- see one", "two;", "^^^", "three;", "----- see three"]
    assert out.count("--> ") == 1


def test_a_place_on_the_line_of_the_finding_repeats_no_line():
    assert excerpt_of(related("one two;\n", "two", "one")) == ["one two;", "    ^^^", "--- see one"]


def test_other_places_are_a_line_each():
    out = related("one;\ntwo;\nthree;\nfour;\n", "one", "three", "four")
    assert "  | ^^^\n --> a.conf:3:1: see three  three\n --> a.conf:4:1: see four  four\n" in out
    elsewhere = related("one;\ntwo;\n", "one", "two", path="b.conf")
    assert "  | ^^^\n --> b.conf:2:1: see two  two\n" in elsewhere


def test_many_places_are_counted():
    text = "".join(f"word{n};\n" for n in range(10, 30))
    out = related(text, *(f"word{n}" for n in [10, *range(12, 20)]))
    assert out.count("--> a.conf:") == 6
    assert "   ... and 3 more places (--all shows them)\n" in out


def test_the_same_place_is_shown_once():
    source = SourceText("a.conf", "one two;\n")
    out = rendered("text", report(
        finding(MISMATCH, "first", at(source, "two")), finding(TRAVERSAL, "second", at(source, "two")), sources=(source,)
    ), sort="file")  # fmt: skip
    assert out.count("one two;") == 1
    assert out.count("--> a.conf:1:5\n") == 2


def test_the_same_message_is_shown_once():
    source = SourceText("a.conf", "one;\ntwo;\n")
    out = rendered("text", report(
        finding(MISMATCH, "twice said", at(source, "one")), finding(MISMATCH, "twice said", at(source, "two")), sources=(source,)
    ))  # fmt: skip
    assert out.count("twice said") == 1
    assert ".\n --> a.conf:2:1\n2 | two;\n" in out


def test_an_included_file_is_one_line_with_its_includes():
    source = SourceText("a.conf", "one;\ntwo;\n")
    main = SourceText("nginx.conf", "include a.conf;\n" * 9)

    def ways(count, more):
        spans = [main.span(16 * n, 16 * n + 14) for n in range(count)]
        found = [Related("included from here", span, includes=1) for span in spans[:3]]
        return tuple(found + [Related("and more", spans[-1], includes=more)] * (more > 0))

    out = rendered("text", report(
        finding(MISMATCH, "m", at(source, "one"), related=ways(1, 0)), finding(TRAVERSAL, "n", at(source, "two"), related=ways(9, 6)),
        sources=(source, main),
    ), sort="file")  # fmt: skip
    assert out.count("included from") == 1
    assert (
        "a.conf (2 findings), included from nginx.conf:1, nginx.conf:2, nginx.conf:3 and 6 more places\n"
        in out
    )


def test_line_numbers_are_aligned_over_all_excerpts_of_a_finding():
    source = SourceText("a.conf", "\n" * 1233 + "listen 80;\n")
    other = SourceText("b.conf", "first;")
    out = rendered(
        "text",
        report(
            finding(MISMATCH, "m", at(source, "80"), related=(Related("why", at(other, "first")),)),
            sources=(source, other),
        ),
    )
    assert "\n1234 | listen 80;\n     |        ^^\n" in out
    assert "\n    --> b.conf:1:1: why  first\n" in out


def test_empty_span_gets_one_caret():
    source = SourceText("a.conf", "server {\n")
    end = source.span(8, 8)
    assert excerpt_of(rendered("text", report(finding(MISMATCH, "m", end), sources=(source,))))[:2] == [
        "server {",
        "        ^",
    ]


def test_span_at_the_end_of_the_file():
    source = SourceText("a.conf", "server {\n")
    out = rendered("text", report(finding(MISMATCH, "m", source.span(9, 9)), sources=(source,)))
    assert excerpt_of(out)[:2] == ["", "^"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {\n  b;\n}\n", ["a {", "^^^", "  b;", "}", "^"]),
        ("a {\n}\n", ["a {", "^^^", "}", "^"]),
        ("a {  \n  b;\n  c;\n    d; }\n", ["a {", "^^^", "    d; }", "    ^^^^"]),
    ],
)
def test_multi_line_span_shows_where_it_begins_and_ends(text, expected):
    source = SourceText("a.conf", text)
    out = rendered("text", report(finding(MISMATCH, "m", source.span(0, len(text) - 1)), sources=(source,)))
    assert [line.rstrip() for line in excerpt_of(out) if line][: len(expected)] == expected
    assert ("\n...\n" in out) == (text.count("\n") > 3)


def test_span_that_ends_with_its_line_end_is_one_line():
    source = SourceText("a.conf", "one;\ntwo;\n")
    out = rendered("text", report(finding(MISMATCH, "m", source.span(0, 5)), sources=(source,)))
    assert excerpt_of(out)[:2] == ["one;", "^^^^"]


def test_cropped_line_says_so_on_both_sides():
    line = excerpt_of(rendered("text", one("w" * 500 + " needle " + "x" * 500, "needle")))[0]
    assert line.startswith("…w")
    assert line.endswith("x…")


def test_span_longer_than_the_screen_is_marked_as_far_as_shown():
    lines = excerpt_of(rendered("text", one("log_format " + "x" * 500 + ";", "x" * 500)))
    assert lines[0].startswith("log_format xxx")
    assert lines[0].endswith("x…")
    assert lines[1] == " " * 11 + "^" * (len(lines[0]) - 11)


def test_without_text_there_is_no_excerpt():
    gone = SourceText("gone.conf", "")
    out = rendered("text", report(finding(MISMATCH, "m", gone.span(0, 0)), sources=(gone,)))
    assert " --> gone.conf:1:1\n  = why: " in out
    assert "|" not in out
    unknown = rendered("text", report(finding(MISMATCH, "m", at(SourceText("x", "a b"), "b")), sources=()))
    assert " --> x:1:3\n  = why: " in unknown


def test_messages_wrap_between_words_and_paths_never_break():
    path = "/very/long/" + "directory/" * 15 + "nginx.conf"
    message = "word " * 40 + path + " end"
    out = rendered("text", one("a b;", "b", message, path=path), width=60)
    assert f"--> {path}:1:3\n" in out
    assert f"    {path}\n" in out
    for line in out.splitlines():
        assert len(line) <= 60 or path in line or "https:" in line, line
    joined = " ".join(out.split("]: ", 1)[1].split(" --> ")[0].split())
    assert joined == message


def test_what_explains_a_rule_is_said_once():
    out = rendered("text", one("a b;", "b"))
    assert "  = why: One instance is given up later" in out
    assert "  = fix: Give all servers" in out
    twice = rendered("text", report(mismatch(), mismatch()))
    assert twice.count("= why: ") == 1
    assert twice.count("= fix: Give all servers") == 1


@pytest.mark.parametrize("option", [{"verbose": True}, {"fold": False}])
def test_the_page_of_a_rule_is_named_in_long_reports(option):
    out = rendered("text", report(mismatch(), mismatch()), **option)
    assert out.count("= see: https://") == 1
    assert f"  = see: {MISMATCH.url}\n" in out
    own = rendered("text", replace(one("a b;", "b"), rules=(replace(MISMATCH, own=True),)), **option)
    assert "= see:" not in own
    short = rendered("text", report(mismatch()))
    assert "= see:" not in short
    assert short.endswith(f"shows the page of a rule:\n{DOCS}rules/RULE/\n")


def test_help_of_the_finding_is_better_than_the_one_of_the_rule():
    out = rendered("text", one("a b;", "b", help="Say c."))
    assert "  = fix: Say c.\n" in out
    assert "Give all servers" not in out


def test_a_reason_of_the_finding_is_better_than_the_one_of_the_rule_and_said_once():
    own = replace(mismatch(), why="Only here.")
    out = rendered("text", report(own, mismatch(), own))
    assert out.count("= why: Only here.") == 1
    assert out.count("= why: One instance is given up later") == 1
    (first, second, _) = json.loads(rendered("json", report(own, mismatch(), own)))["findings"]
    assert (first["why"], second["why"]) == ("Only here.", MISMATCH.why)
    page = rendered("html", report(own))
    assert "<strong>Why</strong> Only here." in page
    assert MISMATCH.why not in page
    (result,) = json.loads(rendered("sarif", report(own)))["runs"][0]["results"]
    assert result["properties"]["why"] == "Only here."


def test_rejected_by_nginx():
    assert "  = note: nginx refuses to load this\n" in rendered(
        "text", one("a b;", "b", rejected_by_nginx=True)
    )
    assert "refuses" not in rendered("text", one("a b;", "b"))
    told = one("a b;", "b", rejected_by_nginx=True, why="nginx refuses to load the configuration.")
    assert rendered("text", told).count("refuses") == 1
