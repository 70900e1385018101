"""``# nginxaudit: ignore[...] reason``: which findings a comment silences, and comments that silence none."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.engine.rules.catalogue import Catalogue, groups_of
from nginxaudit.finding import Applicability, Edit, Finding, Fix, Severity, Suppression
from nginxaudit.model.comments import MARK
from nginxaudit.nginx import Target
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.source.text import SourceText
from nginxaudit.suggest import did_you_mean
from nginxaudit.syntax.fragments import flaw_of_declaration
from nginxaudit.syntax.tree import Comment, Config, Directive

_REMARK = rf"\s*{MARK}\s*(?P<word>[\w-]+)(?P<rest>.*)"
_IGNORE = r"\s*\[(?P<names>[^\]]*)\]\s*:?\s*(?P<reason>.*)"
_MOST_COMPARED = 1_000  # unknown names that are compared with the known ones, which takes milliseconds
_OTHERS = ("context=", "topology=")


class Ignore(Struct):
    """One ignore comment. ``start``/``end`` are the offsets it covers in its file."""

    comment: Comment
    names: frozenset[str]  # slugs, and names of groups: categories, tags, ALL
    reason: str
    start: int
    end: int
    everywhere: bool = False  # ignore-file
    used: set[str] = field(default_factory=set)


class Flaw(Struct, frozen=True):
    """A comment that does not do what its author meant."""

    rule: str  # slug of the rule that tells it
    message: str
    comment: Comment
    help: str = ""
    fix: Fix | None = None
    severity: Severity | None = None  # None: that of the rule


class _Index:
    """The ignore comments of one file: there may be as many as findings."""

    def __init__(self, ignores: list[Ignore]) -> None:
        by_name: dict[str, list[tuple[int, int, Ignore]]] = {}
        for order, ignore in enumerate(ignores):
            for name in ignore.names:
                by_name.setdefault(name, []).append((ignore.start, order, ignore))
        self._whole: dict[str, tuple[int, Ignore]] = {}  # what is ignored in the whole file
        self._parts: dict[str, tuple[list[tuple[int, int, Ignore]], list[int]]] = {}
        for name, entries in by_name.items():
            parts = sorted((each for each in entries if not each[2].everywhere), key=lambda each: each[:2])
            ends = list(accumulate((ignore.end for _, _, ignore in parts), max))
            self._parts[name] = parts, ends
            whole = next((each for each in entries if each[2].everywhere), None)
            if whole is not None:
                self._whole[name] = whole[1], whole[2]

    def first(self, names: Iterable[str], offset: int) -> Ignore | None:
        """The comment that silences a finding at ``offset`` of a rule with ``names``; the earliest one of several."""
        found = [each for name in names if (each := self._first(name, offset)) is not None]
        return min(found, key=lambda each: each[0])[1] if found else None

    def _first(self, name: str, offset: int) -> tuple[int, Ignore] | None:
        parts, ends = self._parts.get(name, ([], []))
        number = bisect_right(ends, offset)  # the first one that ends behind the offset
        found = None
        if number < len(parts) and parts[number][0] <= offset:
            found = parts[number][1], parts[number][2]
        whole = self._whole.get(name)
        return whole if found is None or (whole is not None and whole[0] < found[0]) else found


class Ignores(Struct):
    """All ignore comments of one run, by file."""

    catalogue: Catalogue
    by_file: dict[str, list[Ignore]] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _indices: dict[str, _Index] = field(default_factory=dict)

    def add(self, config: Config) -> None:
        """Take the comments of a root; a file that several roots share is taken once."""
        fresh = [source.path for source in config.sources.values() if source.path not in self._seen]
        self._seen.update(fresh)
        wanted = set(fresh)
        marked = [
            comment for comment in config.comments if comment.source.path in wanted and MARK in comment.text
        ]
        if not marked:
            return
        extents = _Extents(config, {comment.source.path for comment in marked})
        for comment in marked:
            self._take(comment, extents)

    def apply(self, finding: Finding) -> Finding:
        """``finding`` with its suppression, if a comment silences it."""
        path = finding.span.file
        if path not in self.by_file:
            return finding
        index = self._indices.get(path)
        if index is None:
            index = self._indices[path] = _Index(self.by_file[path])
        rule = self.catalogue.get(finding.rule)
        names = (finding.rule, *groups_of(rule)) if rule is not None else (finding.rule,)
        ignore = index.first(names, finding.span.start)
        if ignore is None:
            return finding
        ignore.used.update(ignore.names.intersection(names))
        return replace(finding, suppressed=Suppression("inline", mask_secrets(f"# {ignore.reason}")[2:]))

    def unused(self, ran: Iterable[str], target: Target) -> Iterator[Flaw]:
        """Comments that silenced nothing, as far as their rules ran: of a group, all that are about the target."""
        active = frozenset(ran)
        judged: dict[str, bool] = {}
        for ignores in self.by_file.values():
            for ignore in ignores:
                for name in ignore.names - judged.keys():
                    rules = (
                        rule for slug in self.catalogue.meaning(name) if (rule := self.catalogue.get(slug))
                    )
                    slugs = {rule.slug for rule in rules if rule.may_apply_to(target)}
                    judged[name] = bool(slugs) and slugs <= active
                idle = sorted(name for name in ignore.names - ignore.used if judged[name])
                if idle and len(idle) == len(ignore.names):
                    yield Flaw(
                        "unused-suppression",
                        f"this comment suppresses nothing: no finding of {', '.join(idle)} here",
                        ignore.comment,
                        "Delete the comment.",
                        _removal(ignore.comment),
                    )
                elif idle and ignore.used:
                    yield Flaw(
                        "unused-suppression",
                        f"no finding of {', '.join(idle)} here",
                        ignore.comment,
                        f"Take {', '.join(idle)} out of the brackets.",
                        self._narrowed(ignore.comment, idle),
                    )

    def _take(self, comment: Comment, extents: _Extents) -> None:
        mark = compiled(_REMARK, re.DOTALL).match(comment.text)
        if mark is None:
            return
        word = mark["word"]
        if word not in ("ignore", "ignore-file"):
            if not (word + mark["rest"]).startswith(_OTHERS):
                known = ("ignore", "ignore-file", "context", "topology")
                self._flaw(comment, f'unknown instruction "{word}"{did_you_mean(word, known)}')
            elif (reason := flaw_of_declaration(comment)) is not None:
                self._flaw(comment, reason, "context=http,server")
            return
        parts = compiled(_IGNORE, re.DOTALL).match(mark["rest"])
        if parts is None or not parts["names"].strip():
            self._flaw(comment, "it names no rule: write ignore[rule-name] and why")
            return
        names = self._names(comment, parts["names"])
        reason = parts["reason"].strip()
        if not reason:
            message = "no reason given, so it suppresses nothing: write the reason after the bracket"
            self._flaw(comment, message, severity=Severity.WARNING)
            return
        start, end = extents.of(comment) if word == "ignore" else (0, len(comment.source.text) + 1)
        if names:
            ignore = Ignore(comment, names, reason, start, end, everywhere=word == "ignore-file")
            self.by_file.setdefault(comment.source.path, []).append(ignore)
            self._indices.pop(comment.source.path, None)

    def _names(self, comment: Comment, text: str) -> frozenset[str]:
        names = set()
        for name in filter(None, (each.strip() for each in text.split(","))):
            if self.catalogue.meaning(name):
                names.add(self._spelled(name))
            else:
                near = self.catalogue.like(name) if len(self.flaws) < _MOST_COMPARED else ""
                self._flaw(comment, f'unknown rule "{name}"{near}')
        return frozenset(names)

    def _spelled(self, name: str) -> str:
        """The slug of the rule that is called ``name``; the name of a group as it is."""
        rule = self.catalogue.get(name)
        return name if rule is None else rule.slug

    def _narrowed(self, comment: Comment, idle: Collection[str]) -> Fix:
        """Take the rules ``idle`` out of the brackets of ``comment``."""
        text = comment.source.text
        start = text.index("[", comment.start) + 1
        end = text.index("]", start)
        kept = [
            name
            for name in (each.strip() for each in text[start:end].split(","))
            if name and self.catalogue.meaning(name) and self._spelled(name) not in idle
        ]
        edit = Edit(comment.source.path, start, end, ", ".join(kept))
        return Fix(f"Take {', '.join(idle)} out", Applicability.SAFE, (edit,))

    def _flaw(
        self,
        comment: Comment,
        message: str,
        form: str = "ignore[rule-name] reason",
        severity: Severity | None = None,
    ) -> None:
        self.flaws.append(
            Flaw(
                "invalid-suppression",
                f"nginxaudit comment: {message}",
                comment,
                f"Write: # nginxaudit: {form}",
                severity=severity,
            )
        )


class _Extents:
    """What a comment covers: the directives that begin on a line, with their blocks."""

    def __init__(self, config: Config, paths: set[str]) -> None:
        self._lines: dict[tuple[str, int], tuple[int, int]] = {}
        self._code: dict[str, list[int]] = {}  # by file: the numbers of its lines with code
        for node in config.top.walk():
            if node.source.path in paths:
                self._note(node)

    def _note(self, node: Directive) -> None:
        statement, source = node.statement, node.source
        start = statement.start
        end = statement.end if statement.close is None else statement.close + 1
        first = source.position(start)[0]
        for line in {first, source.position(end - 1)[0] if statement.close is None else first}:
            key = source.path, line
            known = self._lines.get(key)
            self._lines[key] = (start, end) if known is None else (min(start, known[0]), max(end, known[1]))

    def of(self, comment: Comment) -> tuple[int, int]:
        """Offsets that ``comment`` covers: its line or the next one with code, blocks included."""
        source = comment.source
        line = source.position(comment.start)[0]
        if comment.own_line:
            code = self._code_lines(source)
            at = bisect_right(code, line)
            line = code[at] if at < len(code) else len(source.line_starts) + 1
        starts = source.line_starts
        if line > len(starts):
            return comment.start, comment.start
        start, end = starts[line - 1], starts[line] if line < len(starts) else len(source.text) + 1
        extent = self._lines.get((source.path, line))
        return (min(start, extent[0]), max(end, extent[1])) if extent else (start, end)

    def _code_lines(self, source: SourceText) -> list[int]:
        code = self._code.get(source.path)
        if code is None:
            numbers = range(1, len(source.line_starts) + 1)
            code = self._code[source.path] = [line for line in numbers if not _is_empty(source, line)]
        return code


def _is_empty(source: SourceText, line: int) -> bool:
    text = source.line(line).strip()
    return not text or text.startswith("#")


def _removal(comment: Comment) -> Fix:
    """Delete the comment, with its line or with the blanks before it."""
    text = comment.source.text
    start, end = comment.start, comment.end
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    if comment.own_line and end < len(text):
        end += 1
    return Fix("Delete the comment", Applicability.SAFE, (Edit(comment.source.path, start, end, ""),))
