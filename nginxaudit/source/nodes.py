"""YAML and JSON documents as dicts, lists and scalars that know their places. Nothing is constructed from tags.

YAML needs PyYAML, which only this module imports, and only when there is YAML; JSON needs nothing.
"""

from __future__ import annotations

import json
import json.scanner
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from msgspec import Struct, field

from nginxaudit.source.embedded import Scalar
from nginxaudit.source.read import ReadError, Unreadable

Node: TypeAlias = "Scalar | list[Node] | dict[str, Node] | None"

MAX_DEPTH = 100  # of nested mappings and lists; Kubernetes has ten

_TEMPLATE = re.compile(r"\{\{[-%]?[^{}\n]*\}\}")
_RENDER = "Render it first: helm template CHART | nginxaudit scan -"
_BLANKS = re.compile(r"\s*")


class TemplateError(ReadError):
    """A text that is to become YAML or JSON, and is none yet."""


def documents(text: str, *, is_json: bool) -> list[Node]:
    """The documents of ``text``. Raises `ReadError` naming the line that cannot be understood."""
    line = _undecodable_line(text)
    if line:
        raise ReadError(Unreadable.REFUSED, f"line {line} is not UTF-8 text", "Save it as UTF-8.")
    begin = text.lstrip("\ufeff \t\r\n")
    if is_json or (begin.startswith("{") and not _TEMPLATE.match(begin)):
        try:
            return list(_json(text))
        except ReadError:
            if is_json:
                raise
    return list(_Yaml(text).documents())


def _undecodable_line(text: str) -> int:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return text.count("\n", 0, error.start) + 1
    return 0


# -- JSON


class _Decoder(json.JSONDecoder):
    """Strings become scalars with their places; other values are of no interest."""

    def __init__(self) -> None:
        super().__init__()
        scan: Any = json.decoder.scanstring  # type: ignore[attr-defined]

        def string(text: str, begin: int, strict: bool = True) -> tuple[Scalar, int]:
            value, end = scan(text, begin, strict)
            return Scalar(value, begin - 1, end, '"'), end

        self.parse_string = string
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def _json(text: str) -> Iterator[Node]:
    decoder = _Decoder()
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            yield value
            at = _skip(text, at)
    except json.JSONDecodeError as error:
        found = _TEMPLATE.search(text)
        if found:
            raise _template(text, found.start()) from None
        raise ReadError(
            Unreadable.REFUSED,
            f"it is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}",
            "Fix it there.",
        ) from None
    except RecursionError:
        raise _too_deep() from None


def _skip(text: str, at: int) -> int:
    blank = _BLANKS.match(text, at)
    return blank.end() if blank else at


# -- YAML


class _Open(Struct):
    """A mapping or list that is being read; ``key`` is what the next value belongs to."""

    node: dict[str, Node] | list[Node]
    key: str | None = None
    has_key: bool = False


class _Yaml(Struct):
    """One stream, read event by event: no recursion, and an alias is the node it names, once more."""

    text: str
    shift: int = 0
    anchors: dict[str, Node] = field(default_factory=dict)
    open: list[_Open] = field(default_factory=list)

    def documents(self) -> Iterator[Node]:
        try:
            import yaml
        except ImportError:
            raise ReadError(
                Unreadable.REFUSED,
                "reading YAML needs PyYAML, which is not installed",
                "pip install 'nginxaudit[kubernetes]'",
            ) from None
        text = self.text
        if text.startswith("\ufeff"):
            self.shift, text = 1, text[1:]
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            for event in yaml.parse(text, Loader=loader):
                root = self._take(yaml, event)
                if root is not None:
                    yield root
        except yaml.YAMLError as error:
            raise self._error(error) from None

    def _take(self, yaml: Any, event: Any) -> Node:
        """Take one event; the root node when it is complete."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.anchors.clear()
        elif isinstance(event, yaml.ScalarEvent):
            return self._put(self._scalar(event), event)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise ReadError(
                    Unreadable.REFUSED,
                    f"line {event.start_mark.line + 1}: the alias *{event.anchor} has no anchor",
                    "Fix it there.",
                )
            return self._put(self.anchors[event.anchor], event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self.open) >= MAX_DEPTH:
                raise _too_deep()
            node: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._remember(event, node)
            self._refuse_template(event, node)
            self.open.append(_Open(node))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            return self._put(self.open.pop().node, event, new=False)
        return None

    def _scalar(self, event: Any) -> Scalar:
        start, end = event.start_mark.index + self.shift, event.end_mark.index + self.shift
        style = event.style or ""
        if not style and _TEMPLATE.search(event.value):
            raise _template(self.text, start)
        return Scalar(event.value, start, end, style)

    def _put(self, node: Node, event: Any, *, new: bool = True) -> Node:
        """Put a finished node where it belongs; it comes back when it is a whole document."""
        if new and not type(event).__name__.startswith("Alias"):
            self._remember(event, node)
        if not self.open:
            return node
        top = self.open[-1]
        if isinstance(top.node, list):
            top.node.append(node)
        elif not top.has_key:
            top.has_key, top.key = True, node.value if isinstance(node, Scalar) else None
        else:
            if top.key is not None:
                top.node[top.key] = node
            top.has_key = False
        return None

    def _remember(self, event: Any, node: Node) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = node

    def _refuse_template(self, event: Any, node: Node) -> None:
        """``{{ x }}`` is a mapping whose key is a mapping, for YAML."""
        start = event.start_mark.index + self.shift
        if isinstance(node, dict) and _TEMPLATE.match(self.text, start):
            raise _template(self.text, start)

    def _error(self, error: Any) -> ReadError:
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            at = getattr(error, "position", 0) + self.shift
            line, reason = self.text.count("\n", 0, at) + 1, getattr(error, "reason", str(error))
        else:
            line, reason = mark.line + 1, error.problem or error.context or "it cannot be understood"
        found = _TEMPLATE.search(self.text)
        if found:
            return _template(self.text, found.start())
        row = [*self.text.split("\n", line), ""][line - 1]
        if "\t" in row[: len(row) - len(row.lstrip())]:
            return ReadError(
                Unreadable.REFUSED,
                f"it is not valid YAML: line {line} is indented by a tab",
                "Indent it by spaces.",
            )
        return ReadError(Unreadable.REFUSED, f"it is not valid YAML: line {line}: {reason}", "Fix it there.")


def _template(text: str, offset: int) -> TemplateError:
    line = text.count("\n", 0, offset) + 1
    return TemplateError(
        Unreadable.REFUSED, f"it is a template, no YAML yet: line {line} contains {{{{ }}}}", _RENDER
    )


def _too_deep() -> ReadError:
    return ReadError(
        Unreadable.REFUSED, f"it is nested more than {MAX_DEPTH} deep", "Scan the objects on their own."
    )
