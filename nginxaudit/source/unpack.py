"""Compressed data to plain data, a piece at a time and bounded: a file of a megabyte can hold a gigabyte."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, cast

from nginxaudit.source.limits import MAX_ARCHIVE_BYTES, spoken
from nginxaudit.source.read import Readable, ReadError, Unreadable, explain

MAX_RATIO = 200
"""How many times its own size data may unpack to: configurations come to 20, images to 5, bombs to 1000."""

_HARMLESS = 32 << 20  # bytes up to which the ratio says nothing: a log of one repeated line is no bomb
_CHUNK = 1 << 16
_MEMORY = (
    128 << 20
)  # what the dictionary of xz or zstd may have: both need half of it at their highest levels


class Budget:
    """How much may still come out of ``size`` bytes of compressed data."""

    def __init__(self, size: int, most: int = MAX_ARCHIVE_BYTES) -> None:
        self.size = size
        self._most = most
        self._count = 0

    def take(self, count: int) -> None:
        """Raise `ReadError` for more than there may be."""
        self._count += count
        if self._count > _HARMLESS and self._count > MAX_RATIO * self.size:
            raise ReadError(
                Unreadable.REFUSED,
                f"it unpacks to more than {MAX_RATIO} times its size: it looks like a bomb",
                "Unpack it yourself if you trust it.",
            )
        if self._count > self._most:
            raise ReadError(
                Unreadable.LIMIT,
                f"unpacked it is larger than {spoken(self._most)}",
                "Unpack it and scan what is in it.",
            )


def unpacked(file: Readable, method: str, most: int = MAX_ARCHIVE_BYTES) -> Readable:
    """What ``file`` unpacks to; its ``read`` raises `ReadError`, as this does where something is missing for it."""
    counted = _Counted(file)
    opened, errors = _OPENERS[method](counted)
    return _Guarded(opened, errors, method, counted, most)


class _Counted:
    """A stream, and how much of it was read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data


class _Guarded:
    """Unpacked data, as long as it is no bomb."""

    def __init__(self, file: Readable, errors: _Errors, method: str, packed: _Counted, most: int) -> None:
        self._file = file
        self._errors = errors
        self._method = method
        self._packed = packed
        self._budget = Budget(0, most)

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._file.read(size)
        except EOFError:
            raise self._bad("ends in the middle") from None
        except self._errors as error:
            if "memory" in str(error).lower():
                raise self._bad(f"needs more than {spoken(_MEMORY)} of memory to be unpacked") from None
            raise self._bad("is damaged") from None
        except OSError as error:
            raise explain(error) from None
        self._budget.size = self._packed.count
        self._budget.take(len(data))
        return data

    def _bad(self, reason: str) -> ReadError:
        return ReadError(
            Unreadable.REFUSED, f"its {self._method} data {reason}", "Make or copy the file anew."
        )


# -- the methods; each module is imported when there is such data


def _gzip(file: Readable) -> _Opened:
    import gzip
    import zlib

    return gzip.GzipFile(fileobj=cast("Any", file)), (zlib.error, gzip.BadGzipFile)


def _bzip2(file: Readable) -> _Opened:
    import bz2

    return _Streams(file, bz2.BZ2Decompressor), (OSError, ValueError)


def _xz(file: Readable) -> _Opened:
    import lzma

    start = partial(lzma.LZMADecompressor, memlimit=_MEMORY)
    return _Streams(file, start, padding=True), (lzma.LZMAError,)


def _zstd(file: Readable) -> _Opened:
    try:
        import zstandard
    except ImportError:
        raise ReadError(
            Unreadable.REFUSED,
            "it is compressed with zstd, and reading that needs zstandard, which is not installed",
            "pip install 'nginxaudit[zstd]'",
        ) from None
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MEMORY)
    return _Streams(file, lambda: _ZstdStream(decompressor.decompressobj())), (zstandard.ZstdError,)


_Errors: TypeAlias = tuple[type[Exception], ...]
_Opened: TypeAlias = tuple[Readable, _Errors]
_OPENERS: dict[str, Callable[[Readable], _Opened]] = {
    "gzip": _gzip,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstd": _zstd,
}


class _ZstdStream:
    """A frame as bz2 and lzma offer their streams. Fed little by little: a kilobyte comes to 32 MB at most."""

    _FED = 1 << 10

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._fed = b""
        self._at = 0
        self._out = io.BytesIO()
        self._left = 0

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof) and not self._left

    @property
    def needs_input(self) -> bool:
        return not self._left and self._at >= len(self._fed)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + self._fed[self._at :]

    def decompress(self, data: bytes, most: int) -> bytes:
        if data:
            self._fed, self._at = data, 0
        while not self._left and self._at < len(self._fed) and not self._frame.eof:
            out = self._frame.decompress(self._fed[self._at : self._at + self._FED])
            self._at += self._FED
            self._out, self._left = io.BytesIO(out), len(out)
        data = self._out.read(most)
        self._left -= len(data)
        return data


class _Streams(io.RawIOBase):
    """What one or more compressed streams in a row unpack to."""

    def __init__(self, file: Readable, start: Callable[[], Any], *, padding: bool = False) -> None:
        self._file = file
        self._start = start
        self._padding = padding
        self._stream = start()
        self._fed = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._stream.eof and not self._next():
                return 0
            if not self._fed and self._stream.needs_input:
                self._fed = self._file.read(_CHUNK)
                if not self._fed:
                    raise EOFError
            data = self._stream.decompress(self._fed, len(buffer))
            self._fed = b""
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _next(self) -> bool:
        """Begin the next stream, if there is one."""
        rest = self._stream.unused_data
        while not rest.strip(b"\0" if self._padding else b""):
            rest = self._file.read(_CHUNK)
            if not rest:
                return False
        self._stream = self._start()
        self._fed = rest.lstrip(b"\0") if self._padding else rest
        return True
