"""``nginx -T`` dumps: every file of a running configuration in one text, as terminals, logs and pipes deliver it.

What a shell, ``sudo``, ``ssh``, ``kubectl`` or nginx itself prints around the files is no configuration. nginx only dumps
what it accepted, so a file ends with a statement or a comment: what follows that is not part of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.files import DumpFiles
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import Root, Roots, Unread
from nginxaudit.source.text import SourceText

MAX_DUMPS = 64
"""Dumps in one text: one of each host of a small fleet."""

# nginx prints "# configuration file PATH:" before each file and a line feed after it. PATH is absolute unless -p is not.
_MARK = "# configuration file "
_ABSOLUTE = r"(?:/|[A-Za-z]:[\\/])[^\n]*?"
_HEADER = (
    r"^(?P<prefix>[^#{};\"'\n]{0,200}?)# configuration file "
    rf"(?P<path>{_ABSOLUTE}|[^\s:]*/[^\n]*?):[ \t]*(?P<end>\r*)(?:\n|\Z)"
)
_ESCAPE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78cDEHM])"

_SPOKEN = r"^(?:nginx: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] )"  # nginx's own messages
_LOGGED = (
    r"^(?:nginx: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )\[(warn|error|crit|alert|emerg)\] (?:\d+#\d+: )?([^\r\n]*)"
)
_FAILED = r"^nginx: \[emerg\] |^nginx: configuration file [^\n]* test failed"
_TESTED = r"^nginx: (?:the )?configuration file [^\n]* (?:test is successful|syntax is ok)"
_STATEMENT = r"^[ \t]*+(?:[^#\n]*[{}]|[a-z][a-z0-9_]*+[ \t][^#;\n]*+;)[ \t]*+(?:#[^\n]*+)?\r?$"
_LAST = r"^[ \t]*+#|[;{}][ \t]*+(?:#[^\n]*+)?\r?$"  # a line that a file may end with
_TERMINAL = (
    r"[^;{}\n]{0,200}?[$#%>❯λ](?:[ \t][^\n]*+)?\r?$"  # a prompt, and what was typed
    r"|(?:exit|logout)\b|(?:Shared c|C)onnection to |Script done |command terminated |[ \t\r]*+$"
)
_MOST_SAID = 5
_LONGEST = 200  # characters of a message


class Dump(Struct, frozen=True):
    """The files of one run of ``nginx -T`` by their path, the main configuration first.

    ``said`` are the warnings and errors that nginx printed. ``left`` says which text belongs to none of the files
    and is not what terminals and nginx usually print; "" for none.
    """

    files: dict[str, str]
    said: tuple[str, ...] = ()
    left: str = ""


def is_dump(text: str) -> bool:
    """Whether ``text`` looks like the output of ``nginx -T``."""
    return _body(text) is not None


def split_dump(text: str) -> list[Dump]:
    """The dumps that ``text`` consists of, each with paths as nginx printed them; none when it is something else."""
    body = _body(text)
    return list(_dumps(body)) if body is not None else []


_VERSION_LINE = "nginx version: "
_LONGEST_BANNER = 1 << 16


def roots_of_dumps(source: SourceText) -> Roots:
    """The configurations in the dumps that ``source`` consists of."""
    found = Roots()
    dumps = split_dump(source.text)
    name = source.path
    if len(dumps) > 1:
        found.remarks.append(f"{name} contains {len(dumps)} outputs of nginx -T, each is a configuration")
    if len(dumps) > MAX_DUMPS:
        reason = f"it contains {len(dumps):,} outputs of nginx -T; those after the first {MAX_DUMPS} were not analysed"
        found.unread.append(Unread(name, ReadError(Unreadable.LIMIT, reason, "Scan them one by one.")))
    banner = _banner(source.text)
    for dump in dumps[:MAX_DUMPS]:
        found.roots.append(_root(dump.files, name, banner=banner))
        if dump.said:
            found.remarks.append(f"{name}: nginx printed {'; '.join(dump.said)}")
        if dump.left:
            found.notes.append(f"{name}: text that belongs to no file was not analysed: {dump.left}")
    return found


def tell_apart(roots: list[Root]) -> None:
    """Give the files of dumps paths that no earlier dump has: DUMP!PATH, DUMP#2!PATH for the second in one text."""
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    for number, root in enumerate(roots):
        files = root.files
        if isinstance(files, DumpFiles):
            counts[files.origin] += 1
            if not taken.isdisjoint(files.texts):
                count = counts[files.origin]
                label = files.origin if count == 1 else f"{files.origin}#{count}"
                roots[number] = _root(
                    {path: text.text for path, text in files.texts.items()}, files.origin, label, root.banner
                )
            taken.update(files.texts)


def _banner(text: str) -> str:
    """What ``nginx -V`` has printed before the first configuration."""
    head = text[:_LONGEST_BANNER].partition("# configuration file ")[0]
    return head[head.index(_VERSION_LINE) :] if _VERSION_LINE in head else ""


def _root(texts: dict[str, str], origin: str, label: str = "", banner: str = "") -> Root:
    prefix = f"{label}!" if label else ""
    sources = {
        path: SourceText(f"{prefix}{path}", text, f"dump:{prefix}{path}") for path, text in texts.items()
    }
    main = next(iter(sources))
    return Root(sources[main], DumpFiles(sources, main, origin), context="main", banner=banner)


def refuse_failed(text: str) -> None:
    """Raise `ReadError` for what ``nginx -t``, or an ``nginx -T`` that failed, prints: no configuration at all."""
    if "nginx: " not in text[:100_000]:
        return
    text = _without_escapes(text)
    failed = compiled(_FAILED, re.MULTILINE).search(text)
    if not failed and not compiled(_TESTED, re.MULTILINE).search(text):
        return
    if compiled(_STATEMENT, re.MULTILINE).search(text):
        return
    if failed:
        raise ReadError(
            Unreadable.REFUSED,
            f"nginx printed no configuration because its test failed: {next(_said(text), 'no reason is given')}",
            "Scan the configuration itself: nginxaudit scan /etc/nginx",
        )
    raise ReadError(
        Unreadable.REFUSED,
        "it is the output of nginx -t, which contains no configuration",
        "Use -T: nginx -T | nginxaudit scan -",
    )


# -- what surrounds the files


class _Body(Struct, frozen=True):
    """A text in which every header begins a line. ``counted``: its lines are those of the input."""

    text: str
    headers: list[re.Match[str]]
    counted: bool
    left: str

    def line(self, at: int) -> str:
        """Words for the line at an offset."""
        return f"line {self.text.count(chr(10), 0, at) + 1:,}" if self.counted else "a line"


def _body(text: str) -> _Body | None:
    """``text`` without escape sequences, prefixes of lines and line ends of a terminal; None if it is no dump."""
    text = _without_escapes(text.removeprefix("\ufeff"))
    if _MARK not in text:
        return None
    first = compiled(_HEADER, re.MULTILINE).search(text)
    if first is None:
        return None
    left = ""
    if first["prefix"]:
        text, left = _without_prefix(text, first)
    if "\r" in first["end"]:  # nginx ends this line with LF alone: a terminal put CR before each of them
        text = text.replace("\r\n", "\n")
    headers = [each for each in compiled(_HEADER, re.MULTILINE).finditer(text) if not each["prefix"]]
    if not headers:
        return None
    if compiled(_ABSOLUTE).match(headers[0]["path"]):
        headers = [each for each in headers if compiled(_ABSOLUTE).match(each["path"])]
    body = _Body(text, headers, not first["prefix"], left)
    before = list(compiled(_STATEMENT, re.MULTILINE).finditer(text, 0, headers[0].start()))
    if before:
        words = "".join(each[0] for each in before)
        opened = words.count("{") - words.count("}")
        if opened > 0 or (opened == 0 and len(headers) == 1):
            return None  # a configuration that holds such a comment
        return replace(
            body,
            left=f"{body.line(before[0].start())} contains a statement before the header of the first file",
        )
    return body


def _without_escapes(text: str) -> str:
    return compiled(_ESCAPE).sub("", text) if "\x1b" in text else text


def _without_prefix(text: str, first: re.Match[str]) -> tuple[str, str]:
    """``text`` without what a log puts before every line (time, host, container, number), and which lines had none.

    Where the next line has no such prefix either, it is an unfinished line that comes before the first header.
    """
    prefix, after = first["prefix"], first.end()
    at = first.end("prefix")
    if after < len(text):
        lines = _prefixed(re.escape(prefix.rstrip()), prefix)
        if not lines.match(text, after):
            lines = _prefixed(_shape(prefix.rstrip()), prefix)
        if lines.match(text, after):
            before = lines.sub(r"\1", text[: first.start()])
            kept = [match[1] or "" for match in lines.finditer(text, first.start())]
            rows = [row for row in text[first.start() :].split("\n") if row.strip()]
            strange = [row for row in rows if not lines.match(row)]
            count = f"{len(strange):,} line{'s' * (len(strange) > 1)}"
            left = f'{count} without the prefix "{prefix.strip()}"' if strange else ""
            return before + "\n".join(kept), left
    return f"{text[:at]}\n{text[at:]}", ""


def _prefixed(start: str, prefix: str) -> re.Pattern[str]:
    """Lines that begin with ``start`` and the spaces after ``prefix``; on empty lines those may be missing."""
    spaces = prefix[len(prefix.rstrip()) :]
    return re.compile(rf"^{start}(?:{re.escape(spaces)}([^\n]*)|[ \t\r]*)$", re.MULTILINE)


def _shape(prefix: str) -> str:
    """What ``prefix`` looks like with other numbers in it."""
    found = ""
    for spaces, digits, other in re.findall(r"([ \t]+)|(\d+)|([^ \t\d]+)", prefix):
        found += r"[ \t]*+" if spaces else r"\d++" if digits else re.escape(other)
    return found


# -- the files


def _dumps(body: _Body) -> Iterator[Dump]:
    """Dumps in order: another one begins where a file comes a second time, or nginx tested again."""
    text, headers, left = body.text, body.headers, body.left
    before = text[: headers[0].start()]
    files: dict[str, str] = {}
    tested = compiled(_TESTED, re.MULTILINE).search
    for number, header in enumerate(headers):
        following = headers[number + 1] if number + 1 < len(headers) else None
        end = following.start() if following else len(text)
        path = header["path"]
        is_last = following is None or following["path"] in files or following["path"] == path
        is_last = is_last or tested(text, header.end(), end) is not None
        content, rest = (
            _parted(text[header.end() : end])
            if is_last
            else (text[header.end() : end].removesuffix("\n"), "")
        )
        files[path] = content
        if is_last:
            strange = _strange(rest)
            if strange is not None and not left:
                left = f"{body.line(end - len(rest) + strange)}, after the last file"
            yield Dump(files, tuple(_said(before)), left)
            before, files, left = rest, {}, ""


def _parted(text: str) -> tuple[str, str]:
    """The text of a dump's last file, and what follows it."""
    spoken = compiled(_SPOKEN, re.MULTILINE).search(text)
    content = text[: spoken.start()] if spoken else text
    at = len(content)
    ends = compiled(_LAST)
    while at > 0:
        begin = content.rfind("\n", 0, at - 1) + 1
        line = content[begin:at].removesuffix("\n")
        if ends.search(line):
            break
        at = begin
    if content[at:].strip():
        content = content[:at]
    return content.removesuffix("\n"), text[len(content) :]


def _strange(text: str) -> int | None:
    """Offset of the first line that comes after a dump and is not what a terminal prints."""
    terminal, spoken = compiled(_TERMINAL).match, compiled(_SPOKEN).match
    at = 0
    for line in text.split("\n"):
        if not terminal(line) and not spoken(line):
            return at
        at += len(line) + 1
    return None


def _said(text: str) -> Iterator[str]:
    """Warnings and errors of nginx, each once."""
    found = dict.fromkeys(
        f"[{match[1]}] {match[2][:_LONGEST]}" for match in compiled(_LOGGED, re.MULTILINE).finditer(text)
    )
    yield from list(found)[:_MOST_SAID]
    if len(found) > _MOST_SAID:
        yield f"and {len(found) - _MOST_SAID} more"
