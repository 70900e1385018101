"""Zip archives: the same as tar archives, and what only they have."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Severity
from nginxaudit.source import unpack, ziptree

MAIN = "events {}\nhttp {\n    include /etc/nginx/sites-enabled/*;\n}\n"
SITE = "server {\n    location / { return 204; }\n}\n"  # missing-listen
DOS, UNIX = 0, 3


def pack(
    path: Path, files: dict[str, str | bytes], links: dict[str, str] | None = None, system: int = UNIX
) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.create_system, info.compress_type = system, zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = UNIX, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return str(path)


def scan(path: str) -> Report:
    report = audit([path], Settings())
    assert not report.crashes
    return report


def told(report: Report) -> list[str]:
    return [
        f"{f.span.file.rpartition('!')[2]}:{f.span.line} {f.rule}"
        for f in report.active
        if f.severity > Severity.INFO
    ]


@pytest.mark.parametrize("top", ["", "nginx/", "etc/nginx/", "site-main/deploy/nginx/"])
@pytest.mark.parametrize("name", ["it.zip", "no-name"])
def test_a_tree(top: str, name: str, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{top}nginx.conf": MAIN, f"{top}sites-available/shop": SITE}
    path = pack(tmp_path / name, files, {f"{top}sites-enabled/shop": "../sites-available/shop"})
    report = scan(path)
    assert told(report) == [f"{top}sites-available/shop:1 missing-listen"]
    assert report.active[0].span.file == f"{path}!{top}sites-available/shop"
    data = Path(path).read_bytes()
    piped = audit(["-"], Settings(), stdin=io.BytesIO(data))
    assert told(piped) == told(report)


def test_names_of_windows(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"nginx\\nginx.conf": MAIN, "nginx\\sites-enabled\\shop": SITE}
    report = scan(pack(tmp_path / "it.zip", files, system=DOS))
    assert told(report) == ["nginx/sites-enabled/shop:1 missing-listen"]


def encrypted(path: Path) -> None:
    pack(path, {"nginx.conf": MAIN})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


def lying(path: Path) -> None:
    """The size in the directory is not that of the file."""
    pack(path, {"nginx.conf": MAIN})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (5).to_bytes(4, "little")
    path.write_bytes(data)


def flipped(path: Path) -> None:
    pack(path, {"nginx.conf": MAIN * 50})
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF
    path.write_bytes(data)


def unusual(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("nginx.conf", MAIN)


def nameless(path: Path) -> None:
    pack(path, {"ab": MAIN})
    data = path.read_bytes().replace(b"ab", b"")
    data = data.replace((2).to_bytes(2, "little") + bytes(2) + data[30:32], bytes(4) + data[30:32], 1)
    at = data.index(b"PK\1\2")
    end = bytearray(data[data.index(b"PK\5\6") :])
    end[12:20] = (46).to_bytes(4, "little") + at.to_bytes(4, "little")
    directory = bytearray(data[at : at + 46])
    directory[28:30] = bytes(2)
    path.write_bytes(data[:at] + directory + end)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text(MAIN), "it is not a zip archive"),
    "cut": (lambda path: path.write_bytes(Path(pack(path, {"nginx.conf": MAIN})).read_bytes()[:-30]), "zip archive cannot be read"),
    "empty": (lambda path: pack(path, {}), "contains no nginx configuration"),
    "absolute": (lambda path: pack(path, {"/etc/nginx/nginx.conf": MAIN}), "its name /etc/nginx/nginx.conf is absolute"),
    "dots": (lambda path: pack(path, {"../../nginx.conf": MAIN}), 'its name ../../nginx.conf contains ".."'),
    "encrypted": (encrypted, "it is an encrypted file"),
    "a size that is not true": (lying, "is damaged"),
    "a byte is another": (flipped, "its data in the zip archive is damaged"),
    "bzip2 inside": (unusual, "compressed in an unusual way"),
    "17 MiB": (lambda path: pack(path, {"nginx.conf": b"#" * (17 << 20)}), "more than the limit of 16 MiB"),
    "a zip in it": (lambda path: pack(path, {"conf.zip": b"PK"}), "but an archive: conf.zip"),
    "a member without a name": (nameless, "contains no nginx configuration"),
    "a loop": (lambda path: pack(path, {}, {"nginx.conf": "a.conf", "a.conf": "nginx.conf"}), "form a loop"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_archives(case: str, tmp_path: Path) -> None:
    make, reason = BAD[case]
    make(tmp_path / "it.zip")
    report = scan(str(tmp_path / "it.zip"))
    assert report.exit_code() == 3
    assert reason in " ".join(finding.message for finding in report.active)


def test_a_link_leads_no_further_than_the_archive(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"nginx.conf": "events {}\ninclude x.conf;\n"}
    report = scan(pack(tmp_path / "it.zip", files, {"x.conf": "../../../../etc/passwd"}))
    assert "leads out of the archive" in " ".join([*report.notes, *(f.message for f in report.active)])


def test_an_archive_in_an_archive_is_mentioned(tmp_path: Path) -> None:
    path = pack(tmp_path / "it.zip", {"nginx.conf": MAIN, "old/backup.tar.gz": "x"})
    assert f"{path}: archives in it were not analysed: old/backup.tar.gz" in scan(path).notes


def test_a_directory_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ziptree, "_LARGEST_DIRECTORY", 1000)
    path = pack(tmp_path / "it.zip", {f"{number:050}.conf": "" for number in range(20)})
    assert "its directory is too large" in scan(path).active[0].message


@pytest.mark.slow
def test_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many files that are no larger than one may be, each a thousandth of that when packed."""
    monkeypatch.setattr(unpack, "_HARMLESS", 200_000)
    files: dict[str, str | bytes] = {f"{number}.conf": b" " * 100_000 for number in range(40)}
    report = scan(pack(tmp_path / "it.zip", files))
    assert report.exit_code() == 3
    bombs = [finding for finding in report.active if "looks like a bomb" in finding.message]
    assert 20 < len(bombs) <= 40
