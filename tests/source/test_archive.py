"""Tar archives: where configurations start in them, what their links may do, and what is never followed."""

from __future__ import annotations

import io
import lzma
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Severity
from nginxaudit.source import tree
from nginxaudit.source.roots import ReadOptions, find_roots
from tests.expected import ROOT
from tests.support.clock import within

MAIN = "events {}\nhttp {\n    include /etc/nginx/sites-enabled/*;\n}\n"
SITE = "server {\n    location / { return 204; }\n}\n"  # missing-listen
SYSTEM = ("bin", "dev", "etc", "proc", "usr", "var")


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def pack(
    path: Path,
    files: dict[str, str],
    *others: tarfile.TarInfo,
    links: dict[str, str] | None = None,
    mode: str = "w",
) -> str:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, text in files.items():
            info = member(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            archive.addfile(member(name, tarfile.SYMTYPE, target))
        for info in others:
            archive.addfile(info)
    return str(path)


def image(
    path: Path, files: dict[str, str], *others: tarfile.TarInfo, links: dict[str, str] | None = None
) -> str:
    """A whole file system, as docker export writes it."""
    return pack(path, files, *(member(name, tarfile.DIRTYPE) for name in SYSTEM), *others, links=links)


def said(report: Report) -> list[str]:
    return [
        f"{f.span.file.rsplit('!', 1)[-1]}:{f.span.line} {f.rule}"
        for f in report.active
        if f.severity > Severity.INFO
    ]


def scan(path: str) -> Report:
    report = audit([path], Settings())
    assert not report.crashes
    return report


@pytest.mark.parametrize("name", ["it.tar", "it.tar.gz", "it.tgz", "no-name"])
@pytest.mark.parametrize("top", ["./", "", "etc/nginx/", "./etc/nginx/", "backup/etc/nginx/", "nginx/"])
def test_includes_are_resolved_inside(name: str, top: str, tmp_path: Path) -> None:
    files = {f"{top}nginx.conf": MAIN, f"{top}sites-available/shop": SITE}
    links = {f"{top}sites-enabled/shop": "../sites-available/shop"}
    path = pack(tmp_path / name, files, links=links, mode="w" if name.endswith("r") else "w:gz")
    report = scan(path)
    assert said(report) == [f"{top.removeprefix('./')}sites-available/shop:1 missing-listen"]
    assert {source.real.split(":")[0] for source in report.sources.values()} == {"archive"}
    assert all(file.path.startswith(f"{path}!") for file in report.files)


@pytest.mark.parametrize("target", ["/etc/nginx/sites-available/shop", "../sites-available/shop"])
@pytest.mark.parametrize("kind", ["symbolic", "hard", "directory"])
def test_links(target: str, kind: str, tmp_path: Path) -> None:
    links = {"nginx/sites-enabled/shop": target} if kind == "symbolic" else {}
    others = []
    if kind == "hard":
        others.append(member("nginx/sites-enabled/shop", tarfile.LNKTYPE, "nginx/sites-available/shop"))
    elif kind == "directory":
        links["nginx/sites-enabled"] = "sites-available"
    files = {"nginx/nginx.conf": MAIN, "nginx/sites-available/shop": SITE}
    report = scan(pack(tmp_path / "it.tar", files, *others, links=links))
    place = "enabled" if kind == "hard" else "available"
    assert said(report) == [f"nginx/sites-{place}/shop:1 missing-listen"]


def test_a_file_system(tmp_path: Path) -> None:
    main = "include /usr/share/nginx/modules/*.conf;\nevents {}\nhttp { include /opt/sites/*.conf; include gone.conf; }\n"
    files = {
        "etc/nginx/nginx.conf": main,
        "opt/sites/shop.conf": SITE,
        "etc/host.conf": "multi on\n",
        "usr/share/nginx.conf": "events {}\nhttp { broken\n",
    }
    report = scan(image(tmp_path / "it.tar", files))
    assert said(report) == [
        "etc/nginx/nginx.conf:3 include-not-found",
        "opt/sites/shop.conf:1 missing-listen",
    ]
    assert not report.notes, "the other *.conf of an image are none of ours"


def test_what_a_part_of_a_system_lacks_is_not_called_missing(tmp_path: Path) -> None:
    main = "include /usr/share/modules/a.conf;\ninclude modules-enabled/*.conf;\ninclude /opt/*.conf;\nevents {}\n"
    links = {"nginx/modules-enabled/10-a.conf": "/usr/share/modules/a.conf"}
    report = scan(pack(tmp_path / "it.tar", {"nginx/nginx.conf": main}, links=links))
    assert said(report) == []
    assert sorted(note.split(": ", 1)[1] for note in report.notes) == [
        "/opt/*.conf was not analysed: it is not in the archive",
        "/usr/share/modules/a.conf was not analysed: it is not in the archive",
        "nginx/modules-enabled/10-a.conf was not analysed: "
        "it is a link to /usr/share/modules/a.conf, which is not in the archive",
    ]


def test_loose_files_and_several_roots_are_as_in_a_directory(tmp_path: Path) -> None:
    fixture = ROOT / "fixtures" / "etc-nginx"
    copy = tmp_path / "nginx"
    shutil.copytree(fixture, copy, symlinks=True)
    (copy / "other.conf").write_text("events {}\nhttp { server { return 204; } }\n")
    (copy / "unused.conf").write_text("gzip maybe;\n")
    with tarfile.open(tmp_path / "it.tar", "w") as archive:
        archive.add(copy, "nginx")
    on_disk, packed = scan(str(copy)), scan(str(tmp_path / "it.tar"))
    prefix = f"{tmp_path}/it.tar!"
    assert [f.message.replace(f"{prefix}nginx", str(copy)) for f in packed.active] == [
        f.message for f in on_disk.active
    ]
    assert [
        (f.span.file.replace(prefix, f"{tmp_path}/"), f.span.line, f.fingerprint) for f in packed.active
    ] == [(f.span.file, f.span.line, f.fingerprint) for f in on_disk.active]
    assert len(packed.notes) == len(on_disk.notes) == 1


NEEDED: dict[str, tuple[list[tarfile.TarInfo], dict[str, str], str]] = {
    "absolute name": ([member("/etc/nginx/x.conf")], {}, "its name /etc/nginx/x.conf is absolute"),
    "dots": ([member("etc/nginx/../nginx/x.conf")], {}, 'its name etc/nginx/../nginx/x.conf contains ".."'),
    "leads out": ([], {"etc/nginx/x.conf": "../../../../etc/passwd"}, "leads out of the archive"),
    "loop": ([], {"etc/nginx/x.conf": "y.conf", "etc/nginx/y.conf": "x.conf"}, "form a loop"),
    "itself": ([member("etc/nginx/x.conf", tarfile.LNKTYPE, "etc/nginx/x.conf")], {}, "form a loop"),
    "FIFO": ([member("etc/nginx/x.conf", tarfile.FIFOTYPE)], {}, "a FIFO"),
    "device": ([member("etc/nginx/x.conf", tarfile.CHRTYPE)], {}, "a character device"),
    "block device": ([member("etc/nginx/x.conf", tarfile.BLKTYPE)], {}, "a block device"),
    "dangling": ([], {"etc/nginx/x.conf": "gone.conf"}, "it does not exist"),
    "directory": ([member("etc/nginx/x.conf", tarfile.DIRTYPE)], {}, "it is a directory"),
}  # fmt: skip


@pytest.mark.parametrize("case", NEEDED)
def test_what_is_not_followed(case: str, tmp_path: Path) -> None:
    others, links, reason = NEEDED[case]
    main = "events {}\nhttp {\n    include x.conf;\n    include sites-enabled/*;\n    server { return 204; }\n}\n"
    path = image(tmp_path / "it.tar", {"etc/nginx/nginx.conf": main}, *others, links=links)
    report = scan(path)
    told = " ".join([*(f.message for f in report.active), *report.notes])
    assert reason in told
    assert "etc/nginx/nginx.conf:5 missing-listen" in said(report), "the rest is kept"
    # Nothing is said of it where nothing needs it.
    plain = main.replace("    include x.conf;\n", "\n")
    report = scan(image(tmp_path / "it.tar", {"etc/nginx/nginx.conf": plain}, *others, links=links))
    assert said(report) == ["etc/nginx/nginx.conf:5 missing-listen"]
    assert not report.incomplete


@pytest.mark.slow
def test_a_tree_without_end(tmp_path: Path) -> None:
    main = "events {}\nhttp { include */*/*/*/*/*/*.conf; }\n"
    links = {f"{name}": "." for name in "abcdefghijk"}
    with within(20):
        report = scan(pack(tmp_path / "it.tar", {"nginx.conf": main}, links=links))
    assert "more than 100,000 names match" in " ".join(f.message for f in report.active)


def broken(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:1024] + b"\xff" * 512 + data[1024:])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:600])


def endless_name(path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member("a/" * 40_000 + "nginx.conf"))


def huge_header(path: Path) -> None:
    info = member("x", tarfile.XHDTYPE)
    info.size = 1 << 40
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(512))


def huge_file(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        info = member("nginx.conf")
        info.size = 17 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text(MAIN), "it is not a tar archive"),
    "empty": (lambda path: path.write_bytes(b""), "it is not a tar archive"),
    "noise": (lambda path: path.write_bytes(random.Random(1).randbytes(5000)), "it is not a tar archive"),
    "without a configuration": (lambda path: pack(path, {"a.txt": "x"}), "contains no nginx configuration"),
    "-P": (lambda path: pack(path, {"/etc/nginx/nginx.conf": MAIN}), "/etc/nginx/nginx.conf is absolute"),
    "image without layers": (lambda path: pack(path, {"manifest.json": "[]", "blobs/a": "x"}), "contains no nginx configuration"),
    "broken header": (lambda path: (pack(path, {"nginx.conf": MAIN, "b": "b"}), broken(path)), "damaged"),
    "cut": (lambda path: (pack(path, {"nginx.conf": MAIN * 99}), cut(path)), "damaged"),
    "endless name": (endless_name, "longer or deeper"),
    "header of a terabyte": (huge_header, "damaged"),
    "17 MiB": (huge_file, "more than the limit of 16 MiB"),
    "binary": (lambda path: pack(path, {"nginx.conf": "\0\1"}), "it is a binary file"),
    "xz": (lambda path: path.write_bytes(lzma.compress(b"x" * 5000)), "it is not a tar archive"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(600)), "the zip archive cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_archives(case: str, tmp_path: Path) -> None:
    make, reason = BAD[case]
    make(tmp_path / "it.tar")
    report = scan(str(tmp_path / "it.tar"))
    assert report.exit_code() == 3
    assert reason in " ".join(finding.message for finding in report.active)
    assert all(finding.help for finding in report.active if finding.rule == "unreadable-file")


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_MEMBERS", 100)
    path = pack(tmp_path / "it.tar", {f"{number}.conf": "" for number in range(101)})
    assert "more than 100 members" in scan(path).active[0].message
    path = pack(
        tmp_path / "it.tar", {"/".join(map(str, range(number, number + 60))): "" for number in (1, 2)}
    )
    assert "more than 100 members" in scan(path).active[0].message


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_from_a_pipe(mode: str, tmp_path: Path) -> None:
    path = pack(tmp_path / "it", {"nginx/nginx.conf": MAIN, "nginx/sites-enabled/shop": SITE}, mode=mode)
    with open(path, "rb") as file:
        report = audit(["-"], Settings(), stdin=file)
    assert said(report) == ["nginx/sites-enabled/shop:1 missing-listen"]
    assert report.active[0].span.file.startswith("<stdin>!")


def test_the_prefix_where_the_tree_is_installed(tmp_path: Path) -> None:
    files = {"a/nginx.conf": "events {}\nhttp { include /srv/gw/s.conf; }\n", "a/s.conf": SITE}
    path = pack(tmp_path / "it.tar", files)
    assert said(scan(path)) == []
    report = audit([path], Settings(prefix="/srv/gw"))
    assert said(report) == ["a/s.conf:1 missing-listen"]


def test_nothing_is_written_to_an_archive(tmp_path: Path) -> None:
    main = "events {}\n# nginxaudit: ignore[missing-listen] silences nothing\nhttp {}\n"
    path = pack(tmp_path / "it.tar", {"nginx.conf": main})
    before = Path(path).read_bytes()
    fixed = fix([path], Settings(extend_select=("ALL",)), unsafe=True)
    assert any(finding.fix for finding in fixed.report.active)
    assert fixed.changes == ()
    assert Path(path).read_bytes() == before


def test_a_main_block_in_a_file_of_any_name(tmp_path: Path) -> None:
    path = pack(tmp_path / "it.tar", {"gateway.txt": MAIN, "README": "# events\n"})
    roots = find_roots([path], ReadOptions())
    assert [root.source.path.rsplit("!", 1)[1] for root in roots.roots] == ["gateway.txt"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tar") is None, reason="no tar")
@pytest.mark.parametrize("form", ["gnu", "pax", "ustar", "v7"])
def test_archives_of_gnu_tar(form: str, tmp_path: Path) -> None:
    fixture = ROOT / "fixtures" / "etc-nginx"
    subprocess.run(["tar", f"--format={form}", "-cf", tmp_path / "it.tar", "-C", fixture, "."], check=True)
    assert len(scan(str(tmp_path / "it.tar")).active) == len(scan(str(fixture)).active)


def test_names_decide_no_more_than_in_a_directory(tmp_path: Path) -> None:
    """What looks like nginx is read, whatever it is called; other software's files are named, backups left out."""
    archive = pack(
        tmp_path / "tree.tar",
        {
            "conf/shop.example.com": SITE,
            "conf/proxy.conf.sample": SITE,
            "conf/.hidden/a.vhost": SITE,
            "conf/old.conf.bak": SITE,
            "conf/redis.conf": "maxmemory 2mb\nappendonly yes\nsave 900 1\n",
            "conf/readme.md": "# server { }\n",
            "conf/app.py": "server = 1\n",
            "node_modules/x/a.conf": SITE,
        },
    )
    report = audit([archive], Settings())
    assert {file.path.rsplit("!", 1)[-1] for file in report.files} == {
        "conf/shop.example.com",
        "conf/proxy.conf.sample",
        "conf/.hidden/a.vhost",
    }
    remarks = " ".join(report.remarks)
    assert "conf/redis.conf" in remarks and "does not look like nginx" in remarks
    assert "conf/old.conf.bak" in remarks
    assert all(file.analysed for file in report.files)
