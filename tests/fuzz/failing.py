"""An input that fails: what it fails with, a smaller one that fails alike, and the file that keeps it."""

from __future__ import annotations

import hashlib
import re
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

FOUND = Path(__file__).resolve().parent / "found"
Run = Callable[[bytes], None]


def signature(error: BaseException) -> str:
    """What two failures of one bug have in common: kind, place, and the message without its numbers."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "nginxaudit/" in frame.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else ""
    if not isinstance(error, AssertionError):
        return f"{type(error).__name__} {place}"
    message = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "_", str(error).split("\n")[0])
    return f"{type(error).__name__} {place} {message[:90]}"


def failure(run: Run, data: bytes) -> BaseException | None:
    """What ``data`` fails with."""
    try:
        run(data)
    except Exception as error:
        return error
    return None


def smaller(run: Run, data: bytes, wanted: str, seconds: float) -> bytes:
    """A part of ``data`` that fails with the signature ``wanted``: pieces are left out, large ones first."""
    until = time.monotonic() + seconds
    size = len(data) // 2
    while size:
        for start in reversed(range(0, len(data), size)):
            shorter = data[:start] + data[start + size :]
            if time.monotonic() > until:
                return data
            error = failure(run, shorter)
            if error is not None and signature(error) == wanted:
                data = shorter
        size //= 2
    return data


def keep(target: str, data: bytes, error: BaseException) -> Path:
    """Write ``data`` to the found inputs; give the file a name that says what it was once that is known."""
    FOUND.mkdir(exist_ok=True)
    word = re.sub(r"[^a-z0-9]+", "-", signature(error).lower()).strip("-")[:50]
    path = FOUND / f"{target}.{word}-{hashlib.sha256(data).hexdigest()[:6]}"
    path.write_bytes(data)
    return path


def found() -> Iterator[tuple[str, Path]]:
    """Target and file of every input that is kept: ``TARGET.WHAT-IT-WAS``."""
    for path in sorted(FOUND.glob("*.*")):
        yield path.name.partition(".")[0], path
