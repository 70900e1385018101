"""``kill -9`` in the middle of writing: every file is the old or the new one, and what is left is said."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from nginxaudit.source.directory import WriteError
from nginxaudit.source.write import Change, written

_FILES = 50
_KILLS = 200
_OLD, _NEW = "old\n" * 2_000, "new\n" * 3_000


def _changes(directory: Path) -> list[Change]:
    files = [directory / f"{number}.conf" for number in range(_FILES)]
    for file in files:
        file.write_text(_OLD)
    return [Change(str(file), str(file), _OLD, _NEW) for file in files]


def _write(changes: list[Change], directory: Path) -> None:
    with written(changes, [str(directory)]):
        pass


def _killed(changes: list[Change], directory: Path, seconds: float, *, from_first: bool) -> None:
    """Kill the writing after ``seconds``, counted ``from_first`` file that is the new one, else from the start."""
    first = os.stat(changes[0].real).st_ino
    child = os.fork()
    if child == 0:
        _write(changes, directory)
        os._exit(0)
    while from_first and os.stat(changes[0].real).st_ino == first:
        time.sleep(0.0001)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.slow
def test_every_file_is_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a process is killed, not the system
    chance = random.Random(1)
    begun = time.monotonic()
    _write(_changes(tmp_path), tmp_path)
    whole = time.monotonic() - begun
    new_files = []
    for number in range(_KILLS):
        changes = _changes(tmp_path)
        from_first = number % 2 == 0
        _killed(
            changes, tmp_path, chance.uniform(0, 0.002 if from_first else 1.2 * whole), from_first=from_first
        )
        texts = [Path(change.real).read_text() for change in changes]
        assert set(texts) <= {_OLD, _NEW}
        new_files.append(texts.count(_NEW))
        for left in tmp_path.glob(".nginxaudit-*.tmp"):
            left.unlink()
    assert 0 in new_files
    assert _FILES in new_files
    assert any(0 < count < _FILES for count in new_files)


def test_a_file_that_is_overwritten_is_never_half_old_and_half_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount point cannot be renamed. A shorter text is cut to its length at last: before, it ends with empty lines."""

    def no_link(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    file = tmp_path / "nginx.conf"
    file.write_text(_NEW)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(os, "link", no_link)
        monkeypatch.setattr(os, "ftruncate", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        _write([Change(str(file), str(file), _NEW, _OLD)], tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert file.read_text() == _OLD + "\n" * (len(_NEW) - len(_OLD))


def test_a_second_name_that_was_left_is_named(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(_OLD)
    left = tmp_path / ".nginxaudit-0123456789abcdef.tmp"
    os.link(file, left)
    changes = [Change(str(file), str(file), _OLD, _NEW)]
    with pytest.raises(WriteError, match=f"a run that was killed left {left}, another name of the file"):
        _write(changes, tmp_path)
    assert file.read_text() == _OLD
    left.unlink()
    _write(changes, tmp_path)
    assert file.read_text() == _NEW
