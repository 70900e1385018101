"""The text report as a whole: its first line, the order of the findings, repeats, the summary."""

import re

import pytest
from msgspec.structs import replace

from nginxaudit import DOCS, __version__
from nginxaudit.engine.results.report import FileStatus, RuleCrash
from nginxaudit.finding import Applicability
from nginxaudit.source.text import SourceText
from tests.report.samples import (
    MISMATCH,
    OLD_PROTOCOL,
    SHARED,
    TRAVERSAL,
    at,
    finding,
    full,
    rendered,
    report,
    suppressed,
    traversal,
    troubled,
)

JUDGED = f"nginxaudit {__version__}: {{}} for nginx 1.31.4; directives known up to nginx 1.31.4 (2026-08-11)"

# -- repeats


def repeats(count, files=1):
    sources = [SourceText(f"{n}.conf", "a b;\n" * count) for n in range(files)]
    findings = [
        finding(MISMATCH, f"number {n}", source.span(5 * n + 2, 5 * n + 3))
        for source in sources
        for n in range(count)
    ]
    return report(*findings, finding(OLD_PROTOCOL, "other", sources[0].span(0, 1)), sources=tuple(sources))


def test_ten_places_are_not_folded():
    out = rendered("text", repeats(10))
    assert out.count("warning[upstream-settings-mismatch]") == 10
    assert "more of" not in out


def test_eleventh_place_is_counted_only():
    out = rendered("text", repeats(11))
    assert out.count("warning[upstream-settings-mismatch]") == 10
    assert "number 9" in out
    assert "number 10" not in out
    assert "... and 1 more of upstream-settings-mismatch (in 1 file; --all shows them)\n" in out
    assert "info[old-proxy-protocol]: other" in out, "another rule is counted on its own"


def test_folding_is_over_the_whole_report():
    out = rendered("text", repeats(700, files=3))
    assert out.count("warning[upstream-settings-mismatch]") == 10
    assert "... and 2,090 more of upstream-settings-mismatch (in 3 files; --all shows them)\n" in out
    assert "2,100 warnings, 1 info finding in 3 files analysed, for nginx 1.31.4\n" in out
    assert "0.conf (10 findings)\n" in out


def test_all_places_on_request():
    out = rendered("text", repeats(11), fold=False)
    assert out.count("warning[upstream-settings-mismatch]") == 11
    assert "more of" not in out


# -- the end


def test_summary_counts():
    assert rendered("text", full()).splitlines()[-5:] == [
        "1 error, 1 warning, 1 info finding (1 suppressed) in 2 files analysed, for nginx 1.31.4",
        "  error nginx.conf:7 alias-traversal",
        "[*] 1 fixable with --fix (--diff shows how)",
        "-v shows 1 finding in full; nginxaudit explain RULE shows the page of a rule:",
        f"{DOCS}rules/RULE/",
    ]


def test_the_first_line_says_what_was_judged():
    assert rendered("text", full(), width=120).splitlines()[0] == JUDGED.format("nginx.conf (2 files)")
    several = replace(report(), roots=("a/b/one.conf", "a/c/two.conf"))
    assert rendered("text", several, width=120).splitlines()[0] == JUDGED.format(
        "a (2 configurations, 2 files)"
    )
    apart = replace(report(), roots=("one.conf", "/two.conf"))
    assert rendered("text", apart, width=120).splitlines()[0] == JUDGED.format(
        "input (2 configurations, 2 files)"
    )


def test_many_errors_are_counted():
    source = SourceText("a.conf", "a;\n" * 12)
    errors = [finding(TRAVERSAL, str(n), source.span(3 * n, 3 * n + 1)) for n in range(12)]
    out = rendered("text", report(*errors, sources=(source,)))
    assert "  error a.conf:10 alias-traversal\n  ... and 2 more errors (--all shows them)\n" in out
    assert "  error a.conf:12 alias-traversal\n" in rendered(
        "text", report(*errors, sources=(source,)), fold=False
    )


# -- order


def heads(**options):
    out = rendered("text", full(), show_suppressed=True, **options)
    return re.findall(r"(?:suppressed )?(?:error|warning|info)\[[a-z-]+\]", out)


def test_errors_come_last():
    assert heads() == [
        "suppressed error[alias-traversal]",
        "info[old-proxy-protocol]",
        "warning[upstream-settings-mismatch]",
        "error[alias-traversal]",
    ]
    assert heads(sort="file") == [
        "info[old-proxy-protocol]",
        "warning[upstream-settings-mismatch]",
        "error[alias-traversal]",
        "suppressed error[alias-traversal]",
    ]


def test_info_findings_are_a_line_each():
    out = rendered("text", full())
    assert (
        "conf.d/app.conf (1 finding), included from nginx.conf:8\n  2:20  info[old-proxy-protocol]: HTTP/1.0 has no keepalive\n\n"
        in out
    )
    for more in ({"verbose": True}, {"fold": False}):
        assert "2 | proxy_http_version 1.0;\n" in rendered("text", full(), **more)


def test_the_same_info_is_one_line():
    source = SourceText("a.conf", "a;\n" * 9)
    same = [finding(OLD_PROTOCOL, "again", source.span(3 * n, 3 * n + 1)) for n in range(9)]
    out = rendered("text", report(*same[:3], sources=(source,)))
    assert "  1:1  info[old-proxy-protocol]: again (also lines 2, 3)\n" in out
    out = rendered("text", report(*same, sources=(source,)))
    assert "again (also lines 2, 3, 4, 5, 6 and 3 more)\n" in out


def test_an_info_is_as_long_as_it_is_where_nothing_bounds_it(monkeypatch):
    what = report(finding(OLD_PROTOCOL, "word " * 40, at(SHARED, "1.0")))
    monkeypatch.delenv("COLUMNS", raising=False)
    assert max(map(len, rendered("text", what).splitlines())) > 200
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, rendered("text", what).splitlines())) <= 80


def test_marks_of_fixes():
    out = rendered("text", full())
    assert "error[alias-traversal] [*]: alias" in out
    unsafe = replace(traversal().fix, applicability=Applicability.UNSAFE)
    out = rendered("text", report(replace(traversal(), fix=unsafe)))
    assert "error[alias-traversal] [~]: alias" in out
    assert "[~] 1 fixable with --fix --unsafe-fixes (--diff shows how)\n" in out


def test_quiet_leaves_the_findings_and_what_was_not_analysed():
    out = rendered("text", troubled(), quiet=True)
    assert out.startswith("conf.d/app.conf (1 finding)")
    assert "Not analysed:\n  broken.conf: " in out and "Internal errors:" in out
    assert "fixable" not in out and "files analysed" not in out
    assert rendered("text", report(), quiet=True) == ""


def test_no_findings():
    head = JUDGED.format("nginx.conf (2 files)") + "\n\n"
    said = "No findings{} in 2 files analysed, for nginx 1.31.4\n"
    assert rendered("text", report(), width=120) == head + said.format("")
    assert rendered("text", report(suppressed()), width=120) == head + said.format(" (1 suppressed)")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"incomplete": True}, "some of the input could not be analysed"),
        ({"notes": ("x.conf was not read",)}, "x.conf was not read"),
        ({"crashes": (RuleCrash("some-rule", "a.conf", "E: x"),)}, "rule some-rule crashed on a.conf: E: x"),
        (
            {
                "files": (
                    FileStatus("ok", analysed=True),
                    FileStatus("a b.conf", analysed=False, errors=("why",)),
                )
            },
            "a b.conf: why",
        ),
        (
            {"files": (FileStatus("ok", analysed=True), FileStatus("a.conf", analysed=False))},
            "a.conf: it could not be analysed",
        ),
    ],
)
def test_never_no_findings_for_what_was_not_analysed(trouble, said):
    out = rendered("text", report(**trouble))
    assert not re.search(r"^No findings( \(| in \d)", out, re.MULTILINE)
    assert re.search(r"^No findings in what could be analysed: in ", out, re.MULTILINE)
    assert said in out


def test_nothing_analysed():
    out = rendered("text", report(files=(FileStatus("a", analysed=False, errors=("why",)),), incomplete=True))
    assert out == "Not analysed:\n  a: why\n\nNothing could be analysed\n"
    assert rendered("text", report(sources=())) == "Nothing could be analysed\n"


def test_crash_is_called_our_bug():
    out = rendered("text", troubled())
    assert "Internal errors:\n  rule old-proxy-protocol crashed on nginx.conf: KeyError: 'x'" in out
    assert "this is a bug in\n    nginxaudit, please report it: https://github.com/" in out


def test_long_lists_of_what_was_not_analysed_are_counted():
    notes = tuple(f"note {n}." for n in range(25))
    out = rendered("text", report(notes=notes))
    assert "note 9." in out
    assert "note 10." not in out
    assert "  ... and 15 more (--all shows them)\n" in out
    assert "note 24." in rendered("text", report(notes=notes), fold=False)
