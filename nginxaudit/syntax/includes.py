"""A root and its includes to one tree: every file parsed once, expanded wherever it is included."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from msgspec.structs import replace

from nginxaudit.nginx import inner_context
from nginxaudit.source.files import Files
from nginxaudit.source.globbing import is_pattern
from nginxaudit.source.limits import DEFAULTS, Limits, raised
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import ParsedFile, parse
from nginxaudit.syntax.tree import ROOT_STATEMENT, Block, Config, Directive, FilledToken, Problem, Statement


@cache
def _stock(argument: str) -> ParsedFile | None:
    """The file of nginx's packages that ``argument`` names."""
    from nginxaudit.nginx.stock import stock_text

    text = stock_text(argument)
    return None if text is None else parse(SourceText("", text, f"stock:{argument}"), DEFAULTS)


class ParseCache:
    """Parsed files of one run: a snippet shared by several roots is parsed once."""

    def __init__(
        self, limits: Limits = DEFAULTS, parser: Callable[[SourceText, Limits], ParsedFile] = parse
    ) -> None:
        self.limits = limits
        self._parse = parser
        self._parsed: dict[SourceText, ParsedFile] = {}
        self._included: set[SourceText] = set()
        self._repeats = 0

    @property
    def full(self) -> bool:
        """Whether the run has read as many files as it may."""
        return len(self._parsed) >= self.limits.max_files

    def may_include(self, source: SourceText, *, again: bool) -> bool:
        """Take in that ``source`` is included, ``again`` in one configuration; whether the run may do that once more.

        The first time is free, in the whole run: what it takes is in proportion to the texts.
        """
        if source in self._included:
            parsed = self.get(source)
            cost = 1 + parsed.count if again else parsed.weight
            if self._repeats + cost > self.limits.max_repeats:
                return False
            self._repeats += cost
        self._included.add(source)
        return True

    def get(self, source: SourceText) -> ParsedFile:
        """``source`` parsed."""
        parsed = self._parsed.get(source)
        if parsed is None:
            parsed = self._parsed[source] = self._parse(source, self.limits)
        return parsed


def expand(
    main: SourceText, files: Files, cache: ParseCache, context: str = "main", *, fragment: bool = False
) -> Config:
    """The tree of the root ``main``, whose top level stands in ``context``.

    ``fragment`` says that the file is a part of some larger configuration.
    """
    return _Expansion(main, files, cache, context, fragment).config


class _Expansion:
    def __init__(
        self, main: SourceText, files: Files, cache: ParseCache, context: str, fragment: bool
    ) -> None:
        self._files = files
        self._cache = cache
        self._limits = cache.limits
        self._exceeded = ""  # the limit that ended the reading of includes
        self._count = 0
        self._depth = 0
        self._stack: list[str] = []
        self._cyclic: set[Directive] = set()  # includes of files that are being read
        self._inner: dict[tuple[str, str], str] = {}
        top = Block(ROOT_STATEMENT, None, context, context, None)
        self.config = Config(top, main, {}, [], [], fragment=fragment, in_place=files.installed)
        self._resolved = 0
        self._file(main, top, None)
        self.config.count = self._count
        if not self._in_place():
            self.config.problems = [_doubted(problem) for problem in self.config.problems]

    def _in_place(self) -> bool:
        """Whether the root seems to stand beside the files it includes.

        A configuration under a name of its own of which no include is there was copied from
        somewhere: what is missing beside it, or what it seems to include of itself, says nothing.
        """
        main = self.config.main
        return self._files.installed or main.path.endswith("nginx.conf") or self._resolved > 0

    def _file(self, source: SourceText, parent: Directive, via: Directive | None) -> None:
        parsed = self._cache.get(source)
        if source.path not in self.config.sources:
            self.config.sources[source.path] = source
            self.config.comments.extend(parsed.comments)
            self.config.problems.extend(parsed.problems)
        self.config.entered[source.path] = self.config.entered.get(source.path, 0) + 1
        self._stack.append(source.real)
        self._count += parsed.count
        self._statements(parsed.statements, parent, via)
        self._stack.pop()

    def _statements(self, statements: list[Statement], parent: Directive, via: Directive | None) -> None:
        context = parent.inner or "unknown"
        append = parent.children.append
        for statement in statements:
            name = statement.name
            block = statement.block
            if block is None:
                node = Directive(statement, parent, context, via)
                append(node)
                if name == "include" and len(statement.args) == 1:
                    self._include(node, parent)
                elif type(name) is FilledToken:
                    self.config.incomplete_includes.append(node)  # whatever is filled in there
                continue
            inner = self._inner.get((context, name))
            if inner is None:
                inner = self._inner[context, name] = inner_context(context, name)
            opened = Block(statement, parent, context, inner, via)
            append(opened)
            if type(name) is FilledToken:
                self.config.incomplete_includes.append(opened)
            if self._depth >= self._limits.max_depth:
                self._too_deep(block, via)
                continue
            self._depth += 1
            self._statements(block, opened, via)
            self._depth -= 1

    def _include(self, node: Directive, parent: Directive) -> None:
        argument = node.args[0]
        if argument.filled:
            self.config.incomplete_includes.append(node)
            return
        path = self._files.resolve(argument)
        try:
            paths = self._files.expand(path) if is_pattern(path) else [path]
        except ReadError as error:
            self._unread(node, argument, error)
            return
        if not paths and node.source.template is not None:
            self.config.incomplete_includes.append(
                node
            )  # files beside what is made of the template are not here
        elif not paths:
            self.config.barren_includes.append(node)
            self.config.beside_barren[node] = self._beside(path)
        left: list[str] = []  # files that were included before, and are not again
        for each in paths:
            shown = each if is_pattern(path) else argument
            if self._stopped(node, shown):
                break
            try:
                source = self._known(self._files.read(each))
            except ReadError as error:
                if not self._is_stock(node, parent, shown, error):
                    self._unread(node, shown, error)
                continue
            if self._is_open(node, source) or self._is_too_much(node, source):
                continue
            again = source.path in self.config.sources
            if (again and self._cyclic) or not self._cache.may_include(source, again=again):
                left.append(source.path)
                continue
            self._resolved += 1
            self._file(source, parent, node)
        if left:
            self._left_out(node, left)

    def _beside(self, pattern: str) -> list[str]:
        """Names of the files where a pattern matches none, also of those that keep a directory in git."""
        directory = pattern.rpartition("/")[0]
        if not directory or is_pattern(directory):
            return []
        try:
            found = [*self._files.expand(f"{directory}/*"), *self._files.expand(f"{directory}/.git*")]
        except ReadError:
            return []
        return [path.rpartition("/")[2] for path in found]

    def _known(self, source: SourceText) -> SourceText:
        """The text that stands for what people know by this path: a text on standard input may be a file's, too."""
        return self.config.sources.get(source.path, source)

    def _is_open(self, node: Directive, source: SourceText) -> bool:
        """Whether ``source`` is being read already; told once for each include."""
        if source.real not in self._stack:
            return False
        if node not in self._cyclic:
            self._cyclic.add(node)
            self._problem(
                node,
                "include-cycle",
                f"{source.path} includes itself"
                if source.real == self._stack[-1]
                else f"{source.path} is already being read: the includes form a cycle",
                "Remove one include of the cycle; nginx crashes on it.",
            )
        return True

    def _is_too_much(self, node: Directive, source: SourceText) -> bool:
        if self._count + self._cache.get(source).count > self._limits.max_directives:
            self._exceeded = "max_directives"
            self._stopped(node, source.path)
        return bool(self._exceeded)

    def _left_out(self, node: Directive, paths: list[str]) -> None:
        """Tell what is not read once more: the run has read enough, or nginx will never get there.

        A configuration with a cycle does not load, whatever else it says; every file of it is judged once.
        """
        if self._cyclic:
            self.config.incomplete_includes.append(node)
        else:
            more = f" and {len(paths) - 1:,} more files" if len(paths) > 1 else ""
            self._limit(node, "max_repeats", f"{paths[0]}{more}")

    def _stopped(self, node: Directive, shown: str) -> bool:
        """Whether a limit ends the reading of includes; it is told where they stand."""
        if len(self._stack) > self._limits.max_include_depth:
            self._limit(node, "max_include_depth", shown)
            return True
        if not self._exceeded and self._cache.full:
            self._exceeded = "max_files"
        if self._exceeded:
            self._limit(node, self._exceeded, shown)
        return bool(self._exceeded)

    def _is_stock(self, node: Directive, parent: Directive, shown: str, error: ReadError) -> bool:
        """Whether a file that this copy lacks is known: what it has is then there, in a text that no report names."""
        if self._files.installed or error.kind not in (Unreadable.MISSING, Unreadable.OUTSIDE):
            return False
        parsed = _stock(shown)
        if parsed is not None:
            self._statements(parsed.statements, parent, node)
        return parsed is not None

    def _unread(self, node: Directive, shown: str, error: ReadError) -> None:
        self.config.incomplete_includes.append(node)
        missing = error.kind in (Unreadable.MISSING, Unreadable.DIRECTORY)
        if missing and node.source.template is not None:
            return  # beside what is made of the template it may well be
        outside = error.kind in (Unreadable.OUTSIDE, Unreadable.LED_OUT)
        if outside or (missing and not self._expected(shown)):
            self._problem(
                node,
                "include-not-analysed",
                f"{shown} was not analysed: {error}",
                error.remedy or "Scan the tree where it is installed, or give its place with --prefix.",
                analysed=error.kind is not Unreadable.LED_OUT,
            )
        elif missing:
            reason = "it does not exist" if error.kind is Unreadable.MISSING else str(error)
            self._problem(node, "include-not-found", f"{shown} cannot be included: {reason}", error.remedy)
        elif error.kind is Unreadable.LIMIT:
            self._problem(
                node, "limit-exceeded", f"{shown} was not analysed: {error}", error.remedy, analysed=False
            )
        else:
            self._problem(
                node,
                "unreadable-file",
                f"{shown} could not be read: {error}",
                error.remedy,
                analysed=False,
            )

    def _expected(self, argument: str) -> bool:
        """Whether a file that is missing here would be missing for nginx too."""
        if self._files.installed:
            return True
        return not (self.config.fragment or argument.startswith("/"))

    def _limit(self, node: Directive, name: str, shown: str) -> None:
        self.config.incomplete_includes.append(node)
        reason = _EXCEEDED[name].format(getattr(self._limits, name))
        self._problem(
            node,
            "limit-exceeded",
            f"{reason}; {shown} was not analysed",
            f"Include less, {raised(name)}.",
            analysed=False,
        )

    def _too_deep(self, statements: list[Statement], via: Directive | None) -> None:
        if statements:
            first = statements[0]
            self.config.problems.append(
                Problem(
                    "limit-exceeded",
                    f"blocks are nested more than {self._limits.max_depth} levels deep; the inner ones were not analysed",
                    first.source,
                    first.start,
                    first.name_end,
                    help=f"Flatten the configuration, {raised('max_depth')}.",
                    analysed=False,
                    via=via,
                )
            )

    def _problem(
        self, node: Directive, kind: str, message: str, remedy: str, *, analysed: bool = True
    ) -> None:
        token = node.args[0]
        self.config.problems.append(
            Problem(
                kind,
                message,
                node.source,
                token.start,
                token.end,
                help=remedy,
                analysed=analysed,
                via=node.via,
            )
        )


def _doubted(problem: Problem) -> Problem:
    return (
        replace(problem, certain=False) if problem.kind in ("include-not-found", "include-cycle") else problem
    )


_EXCEEDED = {
    "max_include_depth": "includes are nested more than {:,} deep",
    "max_directives": "the configuration has more than {:,} directives",
    "max_files": "more than {:,} files were read",
    "max_repeats": "files that are included again have more than {:,} directives",
}
