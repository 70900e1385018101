"""The read fence: what may be opened, and that nothing else is, whatever is swapped in the meantime."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nginxaudit.source import fence as module
from nginxaudit.source.fence import EVERYWHERE, Fence, read_file, read_utf8
from nginxaudit.source.files import INSTALL_PREFIXES
from nginxaudit.source.globbing import Globs
from nginxaudit.source.links import Links
from nginxaudit.source.listing import files_below
from nginxaudit.source.read import ReadError, Unreadable

SECRET = "outside-text"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with links that stay inside and links that do not; the working directory."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for each in (tree / "conf.d", tree / "real", outside):
        each.mkdir(parents=True)
    (outside / "secret.conf").write_text(SECRET)
    (outside / "own.conf").write_text(SECRET)
    (tree / "own.conf").write_text("own")
    (tree / "conf.d" / "own.conf").write_text("own")
    (tree / "inside.conf").symlink_to("conf.d/own.conf")
    (tree / "absolute.conf").symlink_to(tree / "own.conf")
    (tree / "up.conf").symlink_to("conf.d/../conf.d/own.conf")
    (tree / "linked").symlink_to("conf.d")
    (tree / "chain.conf").symlink_to("linked/../inside.conf")
    (tree / "out.conf").symlink_to("../outside/secret.conf")
    (tree / "out").symlink_to("../outside")
    (tree / "loop.conf").symlink_to("loop.conf")
    (tree / "broken.conf").symlink_to("nowhere.conf")
    os.mkfifo(tree / "fifo.conf")
    monkeypatch.chdir(tree)
    return tree


@pytest.fixture(params=["O_PATH", "O_RDONLY", "copy"])
def fence(request: pytest.FixtureRequest, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Fence:
    """The fence of the tree: on a system that has O_PATH, on one that has not, and of a copy whose links mean itself."""
    if request.param == "O_RDONLY":
        monkeypatch.setattr(module, "_ENTERED", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if request.param == "copy":
        return Fence([str(tree)], Links([str(tree)], INSTALL_PREFIXES).real)
    return Fence([str(tree)])


@pytest.mark.parametrize(
    "path",
    [
        "own.conf",
        "./conf.d/../own.conf",
        "inside.conf",
        "absolute.conf",
        "up.conf",
        "linked/own.conf",
        "chain.conf",
        "../tree/own.conf",
    ],
)
def test_inside(path: str, fence: Fence, tree: Path) -> None:
    text = read_file(path, path, fence)
    assert text.text == "own"
    assert text.real == os.path.realpath(path)
    assert read_file(str(tree / path), path, fence).text == "own"


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("../outside/secret.conf", Unreadable.OUTSIDE, "outside the scanned directory"),
        ("out.conf", Unreadable.OUTSIDE, "outside"),
        ("out/secret.conf", Unreadable.OUTSIDE, "outside"),
        ("out/nowhere.conf", Unreadable.OUTSIDE, "outside"),  # as for a file that is there
        ("conf.d/../out/secret.conf", Unreadable.OUTSIDE, "outside"),
        ("/etc/shadow", Unreadable.OUTSIDE, "outside"),
        ("/proc/self/environ", Unreadable.OUTSIDE, "outside"),
        ("gone.conf", Unreadable.MISSING, "no such file"),
        ("gone/../own.conf", Unreadable.MISSING, "no such file"),  # nginx does not find it either
        ("own.conf/", Unreadable.MISSING, "no such file"),
        ("own.conf/x", Unreadable.MISSING, "no such file"),
        ("broken.conf", Unreadable.MISSING, "no such file"),
        ("conf.d", Unreadable.DIRECTORY, "a directory"),
        ("loop.conf", Unreadable.REFUSED, "form a loop"),
        ("fifo.conf", Unreadable.REFUSED, "a FIFO"),
        ("a\0b", Unreadable.MISSING, "no such file"),
        ("x" * 300, Unreadable.MISSING, "longer than the system allows"),
    ],
)
def test_not_read(path: str, kind: Unreadable, reason: str, fence: Fence) -> None:
    with pytest.raises(ReadError, match=reason) as caught:
        read_file(path, path, fence)
    assert caught.value.kind is kind


@pytest.mark.slow
def test_a_chain_of_links_longer_than_the_system_follows(tree: Path, fence: Fence) -> None:
    (tree / "l0").symlink_to("own.conf")
    for number in range(1, 2000):
        (tree / f"l{number}").symlink_to(f"l{number - 1}")
    assert read_file("l30", "", fence).text == "own"
    for name in ("l45", "l1999"):
        with pytest.raises(ReadError, match="links") as caught:
            read_file(name, "", fence)
        assert caught.value.kind is Unreadable.REFUSED


def test_everywhere_and_single_files(tree: Path) -> None:
    assert read_file("out.conf", "", EVERYWHERE).text == SECRET
    outside = str(tree.parent / "outside" / "secret.conf")
    assert read_utf8("out.conf", Fence([str(tree)]).widened([outside])) == SECRET
    assert not Fence([outside]).holds(f"{outside}.old"), "a file is no prefix"
    assert Fence(["/"]).holds("/etc/shadow")
    assert not Fence([]).holds("/")


def test_a_path_to_something_without_a_name(tree: Path) -> None:
    """What the user names may be ``/dev/stdin`` or ``/dev/fd/3``, be the file deleted or not."""
    handle = os.open("own.conf", os.O_RDONLY)
    try:
        os.unlink("own.conf")
        assert read_file(f"/dev/fd/{handle}", "", EVERYWHERE).text == "own"
    finally:
        os.close(handle)


# -- what is swapped between the judgement and the opening


def _link_file(tree: Path) -> None:
    (tree / "conf.d" / "own.conf").unlink()
    (tree / "conf.d" / "own.conf").symlink_to("../../outside/secret.conf")


def _link_directory(tree: Path) -> None:
    (tree / "conf.d").rename(tree / "elsewhere")
    (tree / "conf.d").symlink_to("../outside")


def _link_above(tree: Path) -> None:
    tree.rename(tree.parent / "elsewhere")
    (tree.parent / "evil" / "conf.d").mkdir(parents=True)
    (tree.parent / "evil" / "conf.d" / "own.conf").write_text(SECRET)
    tree.symlink_to("evil")


def _remove(tree: Path) -> None:
    (tree / "conf.d" / "own.conf").unlink()


def _fifo(tree: Path) -> None:
    (tree / "conf.d" / "own.conf").unlink()
    os.mkfifo(tree / "conf.d" / "own.conf")


SWAPS = {each.__name__: each for each in (_link_file, _link_directory, _link_above, _remove, _fifo)}


@pytest.mark.parametrize("moment", ["judged", "asked"])
@pytest.mark.parametrize("swap", SWAPS)
def test_swapped(swap: str, moment: str, tree: Path, fence: Fence, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the real path was judged, or after the system was asked what is there."""
    swapped = False

    def swapping(function: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object) -> object:
            nonlocal swapped
            result = function(*args)
            if not swapped:
                swapped = True
                SWAPS[swap](tree)
            return result

        return run

    if moment == "judged":
        monkeypatch.setattr(fence, "resolve", swapping(fence.resolve))
    else:
        monkeypatch.setattr(module, "require_regular", swapping(module.require_regular))
    with pytest.raises(ReadError) as caught:
        read_file(f"{tree}/conf.d/own.conf", "", fence)
    assert swapped
    assert caught.value.kind in (Unreadable.REFUSED, Unreadable.MISSING)


def test_a_directory_that_becomes_a_link_is_not_listed(tree: Path, fence: Fence) -> None:
    real = str(tree / "conf.d")
    assert [entry.name for entry in fence.entries(real)] == ["own.conf"]
    _link_directory(tree)
    with pytest.raises(ReadError, match="changed while it was read"):
        list(fence.entries(real))
    assert Globs(fence, 100).expand("conf.d/*.conf") == ["conf.d/*.conf"], (
        "outside now: reported when it is read"
    )
    with pytest.raises(ReadError, match="outside"):
        list(fence.entries(str(tree.parent / "outside")))


def test_a_link_that_is_none_any_more(tree: Path, fence: Fence, monkeypatch: pytest.MonkeyPatch) -> None:
    """``os.path.realpath`` asks twice: is it a link, and where does it lead to."""

    def gone(path: object, **_: object) -> str:
        raise OSError(22, "Invalid argument", path)

    monkeypatch.setattr(os, "readlink", gone)
    with pytest.raises(ReadError, match="changed while it was read"):
        read_file("inside.conf", "", fence)


def test_files_below(tree: Path, fence: Fence) -> None:
    errors: list[tuple[str, ReadError]] = []
    found = dict(files_below(".", fence, lambda path, error: errors.append((path, error))))
    assert found["./own.conf"] == str(tree / "own.conf")
    assert found["./conf.d/own.conf"] == str(tree / "conf.d" / "own.conf")
    assert found["./inside.conf"] is None, "a link"
    assert not [path for path in found if path.startswith(("./out/", "./linked/"))]
    assert not errors


@pytest.mark.slow
def test_directories_without_end(tree: Path, fence: Fence) -> None:
    """``os.walk`` of Python 3.11 ends in a RecursionError here."""
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(tree)
    errors: list[tuple[str, ReadError]] = []
    list(files_below(".", fence, lambda path, error: errors.append((path, error))))
    subprocess.run(["rm", "-r", "d"], check=True)  # shutil.rmtree has no depth to spare, either
    ((path, error),) = errors
    assert path.count("/") == 100
    assert error.kind is Unreadable.LIMIT
