"""What must hold for every input: each function raises `AssertionError` where it does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from nginxaudit.engine.results.report import Report
from nginxaudit.finding import Finding, Fix, Span
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import Lexer
from nginxaudit.syntax.parse import ParsedFile, parse
from nginxaudit.syntax.tree import Problem, Statement
from nginxaudit.templates import read_template
from tests.syntax.reading import as_written, shape, told, write

_ABOUT_COMMENTS = ("invalid-suppression", "unused-suppression")
_IGNORE = re.compile(r"(nginxaudit:\s*ignor)e(?=[\[\s-])")
_MENDABLE = {"limit-exceeded", "unexpected-token", "unrendered-template", "regex-unquoted-brace"}


def check_words(text: str) -> None:
    """Words and comments stand in order; between them is white space, or what is told as a mark of a template."""
    problems: list[Problem] = []
    if read_template(text, "t.conf") is not None:
        return  # its marks belong to no word; tests/templates is about them
    lexer = Lexer(SourceText("t.conf", text), problems)
    tokens = list(lexer)
    marks = [
        (each.start, each.end)
        for each in problems
        if each.kind in ("unrendered-template", "invalid-encoding")
    ]
    pieces = sorted({*((each.start, each.end) for each in [*tokens, *lexer.comments]), *marks})
    at = 0
    for start, end in pieces:
        assert start < end <= len(text), "a word is empty, or ends behind the text"
        if (start, end) in marks and start < at:
            continue  # the mark is a part of a word
        _require_blank(text, at, start)
        at = end
    _require_blank(text, at, len(text))
    if not any(each.kind == "unclosed-quote" for each in problems):
        assert all(as_written(text, token) == token for token in tokens), (
            "a word is not what its place spells"
        )


def _require_blank(text: str, start: int, end: int) -> None:
    assert start <= end, f"words overlap at {start}"
    assert not text[start:end].strip(" \t\r\n"), f"{text[start:end]!r} at {start} belongs to no word"


def check_tree(text: str) -> None:
    """The tree covers the text, its places lie inside, and written out it reads the same."""
    parsed = parse(SourceText("t.conf", text))
    if read_template(text, "t.conf") is not None:
        return  # blocks that a mark opens or closes have no brace of their own
    for problem in parsed.problems:
        assert 0 <= problem.start <= problem.end <= len(text), "a problem outside of the text"
        for _, source, start, end in problem.related:
            assert source is parsed.source and 0 <= start <= end <= len(text)
    _require_order(parsed, len(text))
    if not parsed.problems:
        _require_cover(parsed, text)
    if not any(_is_half_lua(each, text) for each in _everything(parsed.statements)):
        again = parse(SourceText("t.conf", write(parsed.statements)))
        assert shape(again.statements) == shape(parsed.statements), "written out it reads differently"
        assert {kind for kind, *_ in told(again)} <= _MENDABLE, "written out it has errors"


def _is_half_lua(statement: Statement, text: str) -> bool:
    """Whether it has the name of a Lua block and no braces, or only the first: nobody can write that out."""
    end = statement.end
    lua = statement.name.endswith("_by_lua_block") and statement.block is None
    return lua and not (statement.args and text[statement.args[-1].end : end] == "}")


def _everything(statements: Iterable[Statement]) -> Iterator[Statement]:
    stack = list(statements)[::-1]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(reversed(each.block or []))


def _require_order(parsed: ParsedFile, size: int) -> None:
    for each in _everything(parsed.statements):
        assert 0 <= each.start <= each.name_end <= each.end <= size
        assert all(each.name_end <= word.start <= word.end <= size for word in each.args)
        if each.block is not None:
            assert each.close is not None and each.end - 1 <= each.close <= size
            inner = [place for part in each.block for place in (part.start, part.end)]
            assert all(each.end <= place <= each.close for place in inner), "a statement leaves its block"


def _require_cover(parsed: ParsedFile, text: str) -> None:
    """Put the text together again from the places of the tree and of the comments."""
    pieces = [(each.start, each.end) for each in parsed.comments]
    for each in _everything(parsed.statements):
        pieces += [(word.start, word.end) for word in (each.word, *each.args) if word.start < word.end]
        pieces.append((each.end - 1, each.end))
        if each.name.endswith("_by_lua_block") and each.block is None and text[each.end - 1] == "}":
            pieces.append((each.args[-1].start - 1, each.args[-1].start))
            continue
        assert text[each.end - 1] == (";" if each.block is None else "{"), (
            "a statement does not end where it says"
        )
        if each.close is not None:
            assert text[each.close] == "}", "a block does not close where it says"
            pieces.append((each.close, each.close + 1))
    at = 0
    for start, end in sorted(pieces):
        _require_blank(text, at, start)
        at = end
    _require_blank(text, at, len(text))


def check_report(report: Report) -> None:
    """No rule crashed, and every place is where it says."""
    assert not report.crashes, f"{report.crashes[0].rule} crashed: {report.crashes[0].error}"
    assert report.exit_code() in range(4)
    assert report.incomplete == any(not file.analysed for file in report.files)
    for finding in report.findings:
        for span in (finding.span, *(each.span for each in finding.related)):
            _require_place(span, report)
        if finding.fix is not None:
            _require_edits(finding.fix, report)
    keys = Counter((each.rule, each.span.file, each.fingerprint) for each in report.findings)
    assert max(keys.values(), default=1) == 1, (
        f"two findings of a file with one fingerprint: {keys.most_common(1)}"
    )


def _require_place(span: Span, report: Report) -> None:
    assert span.file in report.sources, f"nobody knows {span.file}"
    text = report.sources[span.file].text
    assert 0 <= span.start <= span.end <= len(text), "a place outside of the file"
    assert (span.line, span.column) == _position(text, span.start)
    assert (span.end_line, span.end_column) == _position(text, span.end)


def _position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _require_edits(fix: Fix, report: Report) -> None:
    assert fix.edits, "a fix that changes nothing"
    ends: dict[str, int] = {}
    for edit in fix.edits:
        text = report.sources[edit.file].text
        assert ends.get(edit.file, 0) <= edit.start <= edit.end <= len(text), (
            "edits overlap, or leave the file"
        )
        ends[edit.file] = edit.end
        edit.text.encode("utf-8", "surrogateescape")


def require_same(one: Report, two: Report) -> None:
    """The same input gives the same report."""
    assert one.findings == two.findings, "two runs have different findings"
    assert (one.files, one.notes) == (two.files, two.notes), "two runs have different files or notes"


def without_ignores(text: str) -> str:
    """``text`` with every ``ignore`` misspelled, so that nothing is silenced and everything stays in its place."""
    lexer = Lexer(SourceText("t.conf", text), [])
    list(lexer)
    for comment in lexer.comments:
        written = text[comment.start : comment.end]
        text = text[: comment.start] + _IGNORE.sub(r"\1x", written) + text[comment.end :]
    return text


def require_only_silenced(plain: Report, silenced: Report) -> None:
    """Comments silence findings and change nothing else."""
    assert _told(plain) == _told(silenced), "a comment changed more than what it silences"


def _told(report: Report) -> set[tuple[str, int, int, str]]:
    return {
        (each.rule, each.span.start, each.span.end, each.fingerprint)
        for each in report.findings
        if each.rule not in _ABOUT_COMMENTS
    }


def refusals(findings: Iterable[Finding]) -> Counter[str]:
    """How often each rule says that nginx refuses the configuration."""
    return Counter(each.rule for each in findings if each.rejected_by_nginx and each.suppressed is None)
