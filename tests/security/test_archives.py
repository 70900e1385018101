"""Archives of unknown origin: what their headers claim, what comes twice, and what is packed inside of them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

MAIN = b"events {}\nhttp { include x.conf; }\n"
SITE = b"server {\n location / { return 204; }\n}\n"  # missing-listen
BROKEN = b"events { broken"

Member = tuple[tarfile.TarInfo, bytes]


def member(
    name: str,
    data: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
    pax: dict[str, str] | None = None,
) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.pax_headers = kind, target, len(data), pax or {}
    return info, data


def packed(*members: Member, pax: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, pax_headers=pax) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return stream.getvalue()


MAIN_MEMBER, SITE_MEMBER = member("nginx.conf", MAIN), member("x.conf", SITE)
LINK_OUT = member("x.conf", kind=tarfile.SYMTYPE, target="/etc/passwd")
SPARSE = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "x.conf",
    "GNU.sparse.realsize": "9" * 12,
}
READ, OUTSIDE, MISSING, DAMAGED = "no listen", "not in the archive", "does not exist", "is damaged"

CASES: dict[str, tuple[bytes, str]] = {
    # names that come twice: the last one counts, as where tar unpacks them
    "files": (packed(member("nginx.conf", BROKEN), member("x.conf"), MAIN_MEMBER, SITE_MEMBER), READ),
    "a link, then a file": (packed(MAIN_MEMBER, LINK_OUT, SITE_MEMBER), READ),
    "a file, then a link": (packed(MAIN_MEMBER, SITE_MEMBER, LINK_OUT), OUTSIDE),
    "a file, then a directory": (packed(MAIN_MEMBER, SITE_MEMBER, member("x.conf", kind=tarfile.DIRTYPE)), "a directory"),
    "a link, then a file in it": (
        packed(
            member("nginx.conf", MAIN.replace(b"x.conf", b"d/x.conf")),
            member("d", kind=tarfile.SYMTYPE, target="/etc"),
            member("d/x.conf", SITE),
        ),
        READ,
    ),
    # links
    "a link by a pax header": (
        packed(MAIN_MEMBER, member("x.conf", kind=tarfile.SYMTYPE, target="y", pax={"linkpath": "../../etc/passwd"})),
        "leads out of the archive",
    ),
    "a hard link out": (packed(MAIN_MEMBER, member("x.conf", kind=tarfile.LNKTYPE, target="../etc/passwd")), "leads out"),
    "a hard link to nothing": (packed(MAIN_MEMBER, member("x.conf", kind=tarfile.LNKTYPE, target="/etc/passwd")), MISSING),
    "a chain of links": (
        packed(
            MAIN_MEMBER,
            member("x.conf", kind=tarfile.SYMTYPE, target="l0"),
            *(member(f"l{at}", kind=tarfile.SYMTYPE, target=f"l{at + 1}") for at in range(3000)),
        ),
        "form a loop",
    ),
    "links that double": (
        packed(
            member("nginx.conf", MAIN.replace(b"x.conf", b"l40")),
            member("l0", kind=tarfile.SYMTYPE, target="."),
            *(member(f"l{at}", kind=tarfile.SYMTYPE, target=f"l{at - 1}/l{at - 1}") for at in range(1, 41)),
        ),
        "form a loop",
    ),
    # pax headers
    "a name": (packed(MAIN_MEMBER, member("y", SITE, pax={"path": "x.conf"})), READ),
    "a name that leads out": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"path": "../../etc/x.conf"})), MISSING),
    "an absolute name": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"path": "/etc/x.conf"})), MISSING),
    "a name for all": (packed(MAIN_MEMBER, SITE_MEMBER, pax={"path": "../../etc/passwd"}), "no nginx configuration"),
    "a name with NUL": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"path": "x\0.conf"})), MISSING),
    "a terabyte": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"size": "9" * 12})), DAMAGED),
    "less than nothing": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"size": "-5"})), DAMAGED),
    "no number": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"size": "x"})), DAMAGED),
    "a long comment": (packed(MAIN_MEMBER, member("x.conf", SITE, pax={"comment": "x" * 300_000})), READ),
    "sparse": (packed(MAIN_MEMBER, member("x.conf", b"1\n0\n5\n" + bytes(506) + b"hello", pax=SPARSE)), "a sparse file"),
    "old sparse": (
        packed(MAIN_MEMBER, member("x.conf", b"x", pax={"GNU.sparse.map": "0,5,99999999999,1", "GNU.sparse.size": "9" * 12})),
        "a sparse file",
    ),
    "sparse noise": (packed(MAIN_MEMBER, member("x.conf", b"x", pax={"GNU.sparse.map": "a,b"})), DAMAGED),
    # archives in archives are not unpacked
    "zip": (packed(MAIN_MEMBER, member("x.conf", zipped("x.conf", SITE))), "a binary file"),
    "zip as the main file": (packed(member("nginx.conf", zipped("nginx.conf", MAIN))), "a binary file"),
    "zip bomb": (packed(MAIN_MEMBER, member("x.conf", zipped("x", bytes(30 << 20)))), "a binary file"),
    "gzip": (packed(MAIN_MEMBER, member("x.conf", gzip.compress(SITE))), "a binary file"),
    "tar": (packed(member("nginx.conf", packed(MAIN_MEMBER, SITE_MEMBER))), "a binary file"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_members(case: str, tmp_path: Path) -> None:
    data, expected = CASES[case]
    path = tmp_path / "it.tar"
    path.write_bytes(data)
    report = audit([str(path)], Settings())
    assert not report.crashes
    told = " ".join([*(finding.message for finding in report.active), *report.notes])
    assert expected in told
    assert ("no listen" in told) == (expected == READ), "what is read is what was meant"
    assert "root:" not in repr(report.findings)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["it.tar"], "nothing is unpacked"
