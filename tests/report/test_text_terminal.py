"""The text report on terminals, pipes and poor encodings, and under hostile input."""

import io
import json
import re
import time

import pytest

from nginxaudit.finding import Related, Suppression
from nginxaudit.report import RenderOptions, render
from nginxaudit.report.paint import wants_color, width_for
from nginxaudit.source.text import SourceText
from tests.report.samples import (
    MISMATCH,
    OLD_PROTOCOL,
    TRAVERSAL,
    at,
    finding,
    full,
    one,
    rendered,
    report,
    troubled,
)

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "FORCE_HYPERLINK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize(
    ("stream", "option", "environment", "wanted"),
    [
        (io.StringIO, None, {}, False),
        (Terminal, None, {}, True),
        (Terminal, None, {"TERM": "dumb"}, False),
        (Terminal, None, {"NO_COLOR": "1"}, False),
        (Terminal, None, {"NO_COLOR": ""}, True),
        (io.StringIO, None, {"FORCE_COLOR": "1"}, True),
        (io.StringIO, None, {"FORCE_COLOR": "0"}, False),
        (Terminal, None, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO, True, {"NO_COLOR": "1"}, True),
        (Terminal, False, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_when_to_colour(monkeypatch, stream, option, environment, wanted):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(stream(), option) is wanted
    out = stream()
    render("text", full(), out, RenderOptions(color=option, width=100))
    assert bool(ESCAPE.search(out.getvalue())) is wanted


def test_colours_change_nothing_but_colours():
    coloured = rendered("text", troubled(), color=True)
    stripped = ESCAPE.sub("", coloured)
    assert "\x1b" not in stripped
    assert [line.rstrip() for line in stripped.splitlines()] == rendered("text", troubled()).splitlines()
    assert "\x1b[1;31merror[alias-traversal]\x1b[0m" in coloured
    assert "\x1b[1;33m" in coloured
    assert re.search(r"\x1b\[1;31m +\^{9}\x1b\[0m", coloured)


def test_width(monkeypatch):
    assert width_for(io.StringIO(), RenderOptions()) == 100
    assert width_for(io.StringIO(), RenderOptions(width=72)) == 72
    assert width_for(io.StringIO(), RenderOptions(width=3)) == 40
    assert width_for(Terminal(), RenderOptions()) == 100, "a terminal that does not know its width"
    monkeypatch.setenv("COLUMNS", "132")
    assert width_for(Terminal(), RenderOptions()) == 132
    assert width_for(io.StringIO(), RenderOptions()) == 132, "who exports COLUMNS means it"
    monkeypatch.setenv("COLUMNS", "0")
    assert width_for(io.StringIO(), RenderOptions()) == 100


LINK = re.compile(r"\x1b\]8;;([^\x1b]*)\x1b\\")


def test_rules_are_links_on_terminals(monkeypatch):
    out = Terminal()
    render("text", full(), out, RenderOptions(color=True))
    urls = LINK.findall(out.getvalue())
    assert set(urls) == {MISMATCH.url, OLD_PROTOCOL.url, TRAVERSAL.url, ""}
    assert urls[1::2] == [""] * (len(urls) // 2), "each link ends"
    piped = rendered("text", full(), color=True)
    assert not LINK.search(piped)
    assert ESCAPE.sub("", LINK.sub("", out.getvalue())) == ESCAPE.sub("", piped)
    monkeypatch.setenv("FORCE_HYPERLINK", "1")
    assert LINK.search(rendered("text", full(), color=True))
    assert not LINK.search(rendered("text", full()))
    monkeypatch.setenv("FORCE_HYPERLINK", "0")
    out = Terminal()
    render("text", full(), out, RenderOptions(color=True))
    assert not LINK.search(out.getvalue())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("name", ["text", "concise", "json", "sarif"])
def test_no_encoding_breaks_a_report(name, color, encoding):
    text = "location /日本é {\x1b} \udcff 😀 " + "x" * 300
    what = one(text, "/日本é", "日本 – é 😀 \udce9", path="pfad-é-日.conf")
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="\n")
    render(name, what, stream, RenderOptions(color=color))
    stream.flush()
    out = raw.getvalue().decode(encoding)
    assert "pfad-" in out and "conf" in out
    if name in ("json", "sarif"):
        assert json.loads(out)
    if name == "text" and encoding == "ascii":
        lines = ESCAPE.sub("", out).splitlines()
        assert " --> pfad-\\xe9-\\u65e5.conf:1:10" in lines
        row = next(number for number, line in enumerate(lines) if line.startswith("1 | "))
        assert lines[row].startswith("1 | location /\\u65e5\\u672c\\xe9 {\\x1b} \\xff \\U0001f600 xxx")
        assert lines[row].endswith("x...")
        assert lines[row + 1] == "  |          " + "^" * len("/\\u65e5\\u672c\\xe9")


# -- hostile input

EVIL = "\x1b]0;owned\x07\x1b[2J\r\u202e\u2066\x9b1m\x7f[red]x[/red] [bold :warning: {0}"


@pytest.mark.parametrize("color", [False, True])
def test_nothing_from_outside_reaches_the_terminal_unescaped(color):
    source = SourceText(f"{EVIL}.conf", f"a {EVIL} b;\nc;")
    what = report(
        finding(
            MISMATCH,
            f"bad {EVIL}",
            at(source, "b;"),
            help=EVIL,
            related=(Related(EVIL, at(source, "c;")),),
            suppressed=Suppression("inline", EVIL),
        ),
        sources=(source,),
        notes=(EVIL,),
    )
    out = rendered("text", what, color=color, show_suppressed=True, verbose=True)
    rest = ESCAPE.sub("", out) if color else out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)
    assert rest.count("[red]x[/red] [bold :warning: {0}") >= 6, "markup and emoji codes are text"
    assert "\\x1b]0;owned\\x07\\x1b[2J\\r\\u202e\\u2066\\u009b1m\\x7f" in rest


def test_a_megabyte_on_one_line_stays_a_screen():
    text = "x" * 500_000 + " needle " + "日\t\x1b" * 170_000
    out = rendered("text", one(text, "needle"))
    assert max(len(line) for line in out.splitlines() if "https:" not in line) <= 100
    assert len(out) < 2_000


def seconds(count):
    source = SourceText("a.conf", "server 10.0.0.1 max_fails=3; # é\t" * count)
    step = len(source.text) // count
    findings = [finding(MISMATCH, "m", source.span(n * step + 16, n * step + 27)) for n in range(count)]
    what = report(*findings, sources=(source,))
    best = 99.0
    for _ in range(3):
        start = time.process_time()
        for name in ("text", "sarif"):
            rendered(name, what, fold=False)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.slow
def test_time_grows_with_the_findings_even_on_one_long_line():
    # Linear is 8; looking at the whole line for every finding would be near 64.
    assert seconds(1200) < 24 * seconds(150)
