"""The request target as nginx reads it, and the escaping of what is sent on.

Decoding, merging of slashes and removal of dot segments are those of ``ngx_http_parse_complex_uri``
(src/http/ngx_http_parse.c), escaping is that of ``ngx_escape_uri`` (src/core/ngx_string.c). Texts are bytes read as
UTF-8 with surrogate escapes, as everywhere in the project.
"""

from __future__ import annotations

import re

from msgspec import Struct

from nginxaudit.model.regex import to_bytes

_REFUSED = re.compile(r"[\x00-\x20\x7f]")
_COMPLEX = re.compile(r"%|//|/\.|#")
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")
_UNSAFE = re.compile(r"(?:^|/)\.\.(?:/|$)")
_ABSOLUTE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://((?:\[[A-Za-z0-9:._~!$&'()*+,;=-]*\]|[A-Za-z0-9.-]*)(?::[0-9]*)?)((?:[/?].*)?)",
    re.S,
)


class BadTarget(Exception):  # noqa: N818 - it is an answer, not a failure
    """Nginx answers 400 to such a target; where ``early`` it has not even read the version of HTTP."""

    def __init__(self, reason: str, *, early: bool = False) -> None:
        super().__init__(reason)
        self.early = early


class Target(Struct, frozen=True):
    """A request target taken apart.

    ``uri`` is what locations and expressions are compared with. ``quoted`` and ``plus`` say that the path had a ``%``
    or ``+``: then captures are escaped when they become arguments. ``host`` is that of an absolute target.
    """

    uri: str
    args: str
    raw: str
    quoted: bool = False
    plus: bool = False
    host: str | None = None
    valid_raw: bool = True


def text_of(data: bytes) -> str:
    """Bytes of a request as the project keeps them."""
    return data.decode("utf-8", "surrogateescape")


def parse_target(target: str, *, merge_slashes: bool = True) -> Target:
    """Take a target apart. Raises `BadTarget` for what nginx refuses."""
    host = None
    valid = True
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise BadTarget("the target begins neither with / nor with a scheme", early=True)
        host, target = absolute[1], absolute[2]
        if not target.startswith("/"):
            valid = not target
            target = f"/{target}"
    if _REFUSED.search(target):
        raise BadTarget("the target has a space or a control character", early=True)
    path, _, args = target.partition("?")
    if not _COMPLEX.search(path) and "#" not in args:
        return Target(path, args, target, plus="+" in path, host=host, valid_raw=valid)
    reader = _Reader(to_bytes(target), merge_slashes)
    found, rest = reader.run()
    return Target(text_of(found), text_of(rest), target, reader.quoted, reader.plus, host, valid)


class _Reader:
    """The state machine; one instance reads one target."""

    def __init__(self, data: bytes, merge_slashes: bool) -> None:
        self.data = data
        self.merge = merge_slashes
        self.out = bytearray()
        self.quoted = False
        self.plus = False

    def run(self) -> tuple[bytes, bytes]:
        """Path and arguments."""
        at, state = 0, "usual"
        while at < len(self.data):
            char, at, literal = self._next(at)
            if not literal and char in b"?#":
                self._end(state)
                return bytes(self.out), self._args(at) if char == 0x3F else b""
            state = "usual" if literal else self._put(state, char)
            if literal:
                self.out.append(char)
        self._end(state)
        return bytes(self.out), b""

    def _next(self, at: int) -> tuple[int, int, bool]:
        """The next character, decoded; whether it stands for itself whatever it is, as %, # and ? do when encoded."""
        char = self.data[at]
        if char != 0x25:
            self.plus = self.plus or char == 0x2B
            return char, at + 1, False
        self.quoted = True
        digits = self.data[at + 1 : at + 3]
        if not _HEX.fullmatch(digits):
            raise BadTarget("a % is not followed by two hexadecimal digits")
        char = int(digits, 16)
        if not char:
            raise BadTarget("the target has an encoded NUL")
        self.plus = self.plus or char == 0x2B
        return char, at + 3, char in b"%#?"

    def _put(self, state: str, char: int) -> str:
        """Append one character that may be a part of the structure; the state after it."""
        slash, dot = char == 0x2F, char == 0x2E
        if slash and state == "slash" and self.merge:
            return "slash"
        if slash and state == "dot":
            self.out.pop()
            return "slash"
        if slash and state == "dot-dot":
            self._up()
            return "slash"
        self.out.append(char)
        if slash:
            return "slash"
        if dot and state in ("slash", "dot"):
            return "dot" if state == "slash" else "dot-dot"
        return "usual"

    def _up(self) -> None:
        """Remove ``/segment/..``, all but its first slash."""
        end = len(self.out) - 4
        if end < 0:
            raise BadTarget("the path leads above the root")
        at = self.out.rfind(b"/", 0, end + 1)
        if at < 0:
            raise BadTarget("the path leads above the root")
        del self.out[at + 1 :]

    def _end(self, state: str) -> None:
        if state == "dot":
            self.out.pop()
        elif state == "dot-dot":
            self._up()

    def _args(self, at: int) -> bytes:
        return self.data[at:].partition(b"#")[0]


# -- escaping


def _table(allowed_not: bytes) -> dict[int, str]:
    refused = set(range(0x21)) | set(range(0x7F, 0x100)) | set(allowed_not)
    return {byte: f"%{byte:02X}" for byte in refused}


_OF_URI = _table(b'"#%<>?\\^`{|}')
_OF_ARGS = _table(b'"#%&+;<>?\\^`{|}')
_SENT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@!$&'()*+,;=")
_PLAIN = re.compile(r"[A-Za-z0-9/._~!$'()*,:=@\[\]-]*")


def escape_uri(text: str) -> str:
    """As ``NGX_ESCAPE_URI``."""
    return _escape(text, _OF_URI)


def escape_args(text: str) -> str:
    """As ``NGX_ESCAPE_ARGS``."""
    return _escape(text, _OF_ARGS)


def _escape(text: str, table: dict[int, str]) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return to_bytes(text).decode("latin-1").translate(table)


_QUOTED = re.compile(rb"%([0-9A-Fa-f].?|.?)", re.S)


def encoded(path: str) -> str:
    """A path as a client sends it."""
    raw = path.encode("utf-8", "surrogateescape")
    return "".join([chr(byte) if byte in _SENT else f"%{byte:02X}" for byte in raw])


def unescape_redirect(text: str) -> str:
    """As ``NGX_UNESCAPE_REDIRECT``: what needs no escaping is decoded, up to the first question mark."""
    if "%" not in text:
        return text
    path, mark, rest = text.partition("?")
    data = to_bytes(path)
    query = data.upper().find(b"%3F")  # an encoded question mark ends it, too
    tail = b""
    if query >= 0:
        data, tail = data[:query], b"?" + data[query + 3 :]
    decoded = _QUOTED.sub(lambda found: _plain(found[1]), data)
    return text_of(decoded + tail) + mark + rest


def _plain(digits: bytes) -> bytes:
    """What a ``%`` and what follows it become; of invalid ones nginx drops the ``%`` and a first digit."""
    if not _HEX.fullmatch(digits):
        return b"" if digits[:1] in b"0123456789ABCDEFabcdef" else digits
    char = int(digits, 16)
    return bytes((char,)) if 0x25 < char < 0x7F else b"%" + digits


def split_args(text: str) -> tuple[str, str]:
    """URI and arguments of a text with a question mark (``ngx_http_split_args``)."""
    uri, _, args = text.partition("?")
    return uri, args


def extension(uri: str) -> str:
    """What follows the last dot of the last segment; a dot that begins it is none (``ngx_http_set_exten``)."""
    dot = uri.rfind(".")
    return uri[dot + 1 :] if dot > 1 and dot > uri.rfind("/") + 1 else ""


def is_number(text: str) -> bool:
    """Digits and nothing else, as nginx reads them."""
    return text.isascii() and text.isdigit()


def lower(text: str) -> str:
    """Lower case as nginx makes it: of ASCII letters only."""
    return text.lower() if text.isascii() else re.sub("[A-Z]+", lambda found: found[0].lower(), text)
