"""The tree that everything above the parser works on.

A file is parsed once into `Statement`s. Expanding the includes of a root turns them into
`Directive`s: one node per context in which the statement takes effect, so a snippet that is
included from two servers yields two sets of nodes with different parents and the same places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from msgspec import Struct, field

from nginxaudit.source.text import SourceText


class Token(str):
    """A word as nginx sees it (quotes removed, escapes resolved) that knows its place.

    ``start``/``end`` are code point offsets of the word as written, quotes included.
    ``quoted`` says that it was written in quotes, ``filled`` that a template engine fills in a part of it.
    """

    # A word that is written as it reads knows its end by its length: of 100,000 words nearly all are.
    __slots__ = ("start",)
    start: int
    quoted = False
    filled = False

    @property
    def end(self) -> int:
        """Offset behind the word as written."""
        return self.start + len(self)

    @staticmethod
    def make(value: str, start: int, end: int, quoted: bool = False) -> Token:
        """Token with ``value`` written at ``start``..``end``."""
        if not quoted and end == start + len(value):
            plain = str.__new__(Token, value)
            plain.start = start
            return plain
        token = str.__new__(_WrittenToken, value)
        token.start = start
        token.end = end
        token.quoted = quoted
        return token

    @staticmethod
    def make_filled(value: str, start: int, end: int, quoted: bool) -> Token:
        """Token that is filled in before nginx reads it, written as ``value`` in the template."""
        token = str.__new__(FilledToken, value)
        token.start = start
        token.end = end
        token.quoted = quoted
        return token


class _WrittenToken(Token):
    """A word in quotes or with escapes: longer in the text than it reads."""

    __slots__ = ("end", "quoted")
    end: int
    quoted: bool


class FilledToken(_WrittenToken):
    """A word of a template of which at least a part is not known."""

    __slots__ = ()
    filled = True


class Words(list[Token]):
    """The arguments of one statement, handed through crossplane's parser as if they were one word."""

    __slots__ = ()

    def startswith(self, _: str) -> bool:
        """Crossplane asks whether a word is a comment."""
        return False


class Statement:
    """A directive as written: name, arguments, and the places of its name and of its ``;`` or braces.

    ``start`` is the offset of the name, a `Token` where it was written otherwise than it reads. ``end`` is the offset behind the ``;`` or ``{``; ``close`` is the offset of the matching
    ``}`` (None for a simple directive).
    """

    __slots__ = ("args", "block", "close", "end", "name", "source", "start")

    def __init__(
        self,
        name: str,
        start: int,
        args: list[Token],
        source: SourceText,
        end: int,
        close: int | None = None,
        block: list[Statement] | None = None,
    ) -> None:
        self.name = name
        self.start = start
        self.args = args
        self.source = source
        self.end = end
        self.close = close
        self.block = block

    @property
    def name_end(self) -> int:
        """Offset behind the name."""
        return self.word.end

    @property
    def word(self) -> Token:
        """The name as a word that knows its place; of 100,000 names few are asked for theirs."""
        name = self.name
        return name if isinstance(name, Token) else Token.make(name, self.start, self.start + len(name))


class Directive:
    """A statement in the one context where it takes effect.

    ``context`` is the name of the context it stands in, ``inner`` of the one it opens (None
    without a block); names as in `nginxaudit.nginx` (``http``, ``server``, ``stream-server``,
    ``if-in-location``, ``map-block``, …; ``unknown`` inside blocks nobody knows).
    ``via`` is the ``include`` directive through which it came, None in the root file. ``name``, ``args`` and
    ``source`` are those of its statement; ``is_block`` says that it was written with braces.
    """

    # What is asked most is kept here, too: a property would be a call for each of a million questions. What only
    # blocks have is a constant here, as most directives are none.
    __slots__ = ("args", "context", "name", "parent", "source", "statement", "via")
    children: list[Directive] = []  # noqa: RUF012 - never changed: only a `Block` gets children
    inner: str | None = None
    is_block = False

    def __init__(
        self, statement: Statement, parent: Directive | None, context: str, via: Directive | None
    ) -> None:
        self.statement = statement
        self.name = statement.name
        self.args = statement.args  # the parentheses of ``if`` are kept as nginx sees them
        self.source = statement.source
        self.parent = parent
        self.context = context
        self.via = via

    @property
    def word(self) -> Token:
        """Its name as a word that knows its place."""
        return self.statement.word

    @property
    def start(self) -> int:
        """Offset of its name."""
        return self.statement.start

    @property
    def name_end(self) -> int:
        """Offset behind its name."""
        return self.statement.name_end

    def named(self, name: str) -> list[Directive]:
        """Direct children called ``name``, in order, includes expanded. Do not modify."""
        return _NONE

    def first(self, name: str) -> Directive | None:
        """First direct child called ``name``, or None."""
        return None

    def ancestors(self) -> Iterator[Directive]:
        """Enclosing blocks, innermost first, without itself and without the file level."""
        node = self.parent
        while node is not None and node.statement is not ROOT_STATEMENT:
            yield node
            node = node.parent

    def walk(self) -> Iterator[Directive]:
        """All directives below, in order, depth first, without itself."""
        stack = self.children[::-1]
        while stack:
            node = stack.pop()
            yield node
            if node.children:
                stack += node.children[::-1]

    def __repr__(self) -> str:
        return f"<{' '.join([self.name, *self.args])} in {self.context}>"


class Block(Directive):
    """A directive written with braces."""

    __slots__ = ("_named", "children", "inner")
    is_block = True

    def __init__(
        self,
        statement: Statement,
        parent: Directive | None,
        context: str,
        inner: str,
        via: Directive | None,
    ) -> None:
        super().__init__(statement, parent, context, via)
        self.inner = inner
        self.children = []
        self._named: dict[str, Directive | list[Directive]] | None = None

    def named(self, name: str) -> list[Directive]:
        """Direct children called ``name``, in order, includes expanded. Do not modify."""
        found = (self._named or self._indexed()).get(name)
        if found is None:
            return _NONE
        return found if type(found) is list else [found]  # type: ignore[list-item]

    def first(self, name: str) -> Directive | None:
        """First direct child called ``name``, or None."""
        found = (self._named or self._indexed()).get(name)
        return found[0] if type(found) is list else found  # type: ignore[return-value]

    def _indexed(self) -> dict[str, Directive | list[Directive]]:
        """Children by name. Nearly all names stand once in a block: a list for each would be most of the memory."""
        index: dict[str, Directive | list[Directive]] = {}
        for child in self.children:
            same = index.setdefault(child.name, child)
            if same is not child:
                if type(same) is list:
                    same.append(child)
                else:
                    index[child.name] = [same, child]  # type: ignore[list-item]
        self._named = index
        return index


_NONE: list[Directive] = []


def _by_name(nodes: Iterable[Directive]) -> dict[str, list[Directive]]:
    index: dict[str, list[Directive]] = {}
    for node in nodes:
        same = index.get(node.name)
        if same is None:
            index[node.name] = [node]
        else:
            same.append(node)
    return index


class Comment(Struct, frozen=True):
    """A ``#`` comment: offsets of the ``#`` and of the end of the line; ``text`` without ``#``."""

    source: SourceText
    start: int
    end: int
    text: str
    own_line: bool  # nothing but white space before it on its line


class Problem(Struct, frozen=True):
    """Something wrong that was seen while reading; ``kind`` is the slug of the rule that tells it.

    ``analysed`` is False when a part of the input was not understood because of it.
    """

    kind: str
    message: str
    source: SourceText
    start: int
    end: int
    help: str = ""
    related: tuple[tuple[str, SourceText, int, int], ...] = ()
    analysed: bool = True
    certain: bool = True  # False: nginx may see this file in another place, where it is right
    via: Directive | None = None


class Config(Struct):
    """One root with its includes expanded.

    ``top`` is a node without a name whose children are the top-level directives.
    """

    top: Directive
    main: SourceText
    sources: dict[str, SourceText]
    comments: list[Comment]
    problems: list[Problem]
    fragment: bool = False
    count: int = 0  # directives as they take effect, those of included files among them
    incomplete_includes: list[Directive] = field(default_factory=list)  # include whose content is unknown
    entered: dict[str, int] = field(default_factory=dict)  # path -> in how many contexts the file stands
    barren_includes: list[Directive] = field(default_factory=list)  # include whose pattern matches no file
    beside_barren: dict[Directive, list[str]] = field(
        default_factory=dict
    )  # such an include -> files in its directory
    in_place: bool = False  # it is read where it is installed
    fresh: Set[str] | None = None  # paths of texts that are in no earlier configuration of the run; None: all
    _index: dict[str, list[Directive]] | None = None

    @property
    def texts(self) -> list[SourceText]:
        """The texts of which this configuration tells what they say by themselves: each is told of once in a run."""
        return [text for path, text in self.sources.items() if self.fresh is None or path in self.fresh]

    @property
    def is_whole(self) -> bool:
        """Whether this is all that nginx would read: no fragment, and no include left out. What is missing is missing."""
        return not self.fragment and not self.incomplete_includes

    def named(self, name: str) -> list[Directive]:
        """All directives called ``name`` anywhere, in reading order. Do not modify."""
        return self._by_names().get(name, _NONE)

    @property
    def names(self) -> Set[str]:
        """The first words of all statements, those of data such as the lines of a map included."""
        return self._by_names().keys()

    def _by_names(self) -> dict[str, list[Directive]]:
        if self._index is None:
            self._index = _by_name(self.top.walk())
        return self._index


ROOT_STATEMENT = Statement("", 0, [], SourceText("", ""), 0, block=[])
"""The statement of every `Config.top`."""
