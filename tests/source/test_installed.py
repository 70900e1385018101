"""The nginx that is installed where a configuration was found: package databases of systems, archives and images."""

from __future__ import annotations

import json
import sqlite3
import struct
import tarfile
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.source.installed import Installed, Unread, installed_nginx, system_of

_CONF = "events {}\nhttp { server { listen 80; server_name a; } }\n"
_DPKG = """Package: nginx-common
Status: install ok installed
Version: 1.22.1-9+deb12u11

Package: nginx
Status: deinstall ok config-files
Architecture: amd64
Version: 1.18.0-6

Package: nginx-extras
Status: install ok installed
Description: nginx
 Package: nginx
Version: 1:1.24.0-2ubuntu7
"""
_APK = "C:Q1x\nP:nginx-mod-http-lua\nV:1.0-r0\n\nC:Q1y\nP:nginx\nV:1.26.3-r2\nA:x86_64\n"


def _rpm(*packages: tuple[str, str, str]) -> bytes:
    """A database of rpm, as far as it is read, with the write-ahead log that rpm uses."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
    connection.execute("CREATE TABLE Name (key TEXT, hnum INTEGER, idx INTEGER)")
    for number, package in enumerate(packages, 1):
        index, data = b"", b""
        for tag, value in zip((1000, 1001, 1002), package, strict=True):
            index += struct.pack(">4i", tag, 6, len(data), 1)
            data += value.encode() + b"\0"
        blob = struct.pack(">2i", 3, len(data)) + index + data
        connection.execute("INSERT INTO Packages VALUES (?, ?)", (number, blob))
        connection.execute("INSERT INTO Name VALUES (?, ?, 0)", (package[0], number))
    connection.commit()
    made = connection.serialize()
    connection.close()
    return made[:18] + b"\2\2" + made[20:]


def _found(files: dict[str, bytes], prefix: str = "/etc/nginx") -> Installed | Unread | None:
    return installed_nginx(prefix, files.get)


def test_dpkg() -> None:
    found = _found({"/var/lib/dpkg/status": _DPKG.encode()})
    assert found == Installed("nginx-extras", "1:1.24.0-2ubuntu7", "/var/lib/dpkg/status")
    assert found.nginx_version == "1.24.0"
    assert found.is_vendors


def test_apk() -> None:
    found = _found({"/lib/apk/db/installed": _APK.encode()})
    assert found == Installed("nginx", "1.26.3-r2", "/lib/apk/db/installed")


def test_rpm() -> None:
    data = _rpm(("bash", "5.1", "1.el9"), ("nginx-core", "1.20.1", "14.el9"))
    found = _found({"/var/lib/rpm/rpmdb.sqlite": data})
    assert found == Installed("nginx-core", "1.20.1-14.el9", "/var/lib/rpm/rpmdb.sqlite")


def test_openresty_has_its_own_place() -> None:
    files = {
        "/var/lib/dpkg/status": b"Package: openresty\nStatus: install ok installed\nVersion: 1.25.3.1-1~jammy1\n"
    }
    found = _found(files, "/usr/local/openresty/nginx/conf")
    assert isinstance(found, Installed)
    assert (found.nginx_version, found.edition) == ("1.25.3.1", "openresty")
    assert _found(files) is None


def test_a_package_with_versions_of_its_own() -> None:
    found = _found(
        {"/var/lib/dpkg/status": b"Package: nginx-plus\nStatus: install ok installed\nVersion: 32-1~jammy\n"}
    )
    assert isinstance(found, Installed)
    assert found.nginx_version is None


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("/var/lib/rpm/rpmdb.sqlite", b"x" * 100, "it is not a SQLite database"),
        ("/var/lib/rpm/rpmdb.sqlite", _rpm(("nginx", "1.20.1", "1"))[:3000], "it cannot be read"),
        ("/var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + bytes(84), "it cannot be read"),
        ("/var/lib/rpm/Packages", b"anything", "is not read"),
        ("/usr/lib/sysimage/rpm/Packages.db", b"anything", "is not read"),
    ],
)
def test_what_is_not_read_is_said(path: str, data: bytes, reason: str) -> None:
    found = _found({path: data})
    assert isinstance(found, Unread)
    assert found.database == path
    assert reason in found.reason


def test_a_header_that_leads_nowhere_names_no_package() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob)")
    connection.execute("CREATE TABLE Name (key TEXT, hnum INTEGER, idx INTEGER)")
    blobs = [
        b"",
        b"\xff" * 64,
        struct.pack(">2i", 1, 4) + struct.pack(">4i", 1000, 6, 999, 1) + b"nginx",
        7,
        None,
        "text",
    ]
    for number, blob in enumerate(blobs):
        connection.execute("INSERT INTO Packages VALUES (?, ?)", (number, blob))
        connection.execute("INSERT INTO Name VALUES ('nginx', ?, 0)", (number,))
    connection.commit()
    assert _found({"/var/lib/rpm/rpmdb.sqlite": connection.serialize()}) is None


@pytest.mark.parametrize(
    ("place", "system"),
    [
        ("/etc/nginx", ("", "/etc/nginx")),
        ("/mnt/copy/etc/nginx", ("/mnt/copy", "/etc/nginx")),
        ("/mnt/usr/local/openresty/nginx/conf", ("/mnt", "/usr/local/openresty/nginx/conf")),
        ("/home/me/nginx", None),
        ("/usr/local/nginx/conf", None),
    ],
)
def test_where_a_system_is(place: str, system: tuple[str, str] | None) -> None:
    assert system_of(place) == system


# -- scans


def _system(directory: Path, files: dict[str, bytes]) -> Path:
    for name, data in {"etc/nginx/nginx.conf": _CONF.encode(), **files}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def _scan(path: Path, **settings: object) -> Report:
    return audit([str(path)], Settings().with_options(**settings))


def test_a_copied_system(tmp_path: Path) -> None:
    report = _scan(_system(tmp_path / "copy", {"var/lib/dpkg/status": _DPKG.encode()}))
    assert report.nginx_version == "1.24.0"
    assert report.nginx_versions is None
    (remark,) = report.remarks
    assert "nginx-extras 1:1.24.0-2ubuntu7" in remark
    assert "copy/var/lib/dpkg/status" in remark


def test_the_database_of_a_copy_is_outside_when_its_configuration_alone_is_scanned(tmp_path: Path) -> None:
    place = _system(tmp_path, {"var/lib/dpkg/status": _DPKG.encode()}) / "etc" / "nginx"
    assert _scan(place).nginx_version is None
    assert _scan(place, allow_outside=True).nginx_version == "1.24.0"


def test_a_link_out_of_a_copy_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(_DPKG)
    copy = _system(tmp_path / "copy", {})
    (copy / "var/lib/dpkg").mkdir(parents=True)
    (copy / "var/lib/dpkg/status").symlink_to(tmp_path / "status")
    assert _scan(copy).nginx_version is None


def test_this_machine_is_not_asked_for_a_tree_that_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(_CONF)
    assert _scan(tmp_path).nginx_version is None
    assert _scan(tmp_path / "nginx.conf").nginx_version is None


def test_an_archive(tmp_path: Path) -> None:
    system = _system(tmp_path / "copy", {"lib/apk/db/installed": _APK.encode()})
    with tarfile.open(tmp_path / "copy.tar.gz", "w:gz") as archive:
        archive.add(system, ".")
    report = _scan(tmp_path / "copy.tar.gz")
    assert report.nginx_version == "1.26.3"
    assert "copy.tar.gz!lib/apk/db/installed" in report.remarks[0]


def test_an_image(tmp_path: Path) -> None:
    system = _system(tmp_path / "copy", {"var/lib/dpkg/status": _DPKG.encode()})
    with tarfile.open(tmp_path / "layer.tar.gz", "w:gz") as layer:
        layer.add(system, ".")
    (tmp_path / "manifest.json").write_text(
        json.dumps([{"Config": "", "RepoTags": ["a:1"], "Layers": ["layer.tar.gz"]}])
    )
    with tarfile.open(tmp_path / "image.tar", "w") as image:
        for name in ("manifest.json", "layer.tar.gz"):
            image.add(tmp_path / name, name)
    assert _scan(tmp_path / "image.tar").nginx_version == "1.24.0"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_dump_after_the_output_of_nginx_v(end: str, tmp_path: Path) -> None:
    text = f"$ nginx -V; nginx -T\nnginx version: nginx/1.22.1\nbuilt with OpenSSL 3\n# configuration file /etc/nginx/nginx.conf:\n{_CONF}"
    (tmp_path / "dump.txt").write_text(text.replace("\n", end), newline="")
    report = _scan(tmp_path / "dump.txt")
    assert report.nginx_version == "1.22.1"
    assert "judged for nginx 1.22.1, as nginx -V says before the configuration" in report.remarks
    (tmp_path / "dump.txt").write_text(text.replace("nginx version: nginx/1.22.1\n", ""))
    assert _scan(tmp_path / "dump.txt").nginx_version is None


def test_a_version_that_is_named_wins(tmp_path: Path) -> None:
    report = _scan(_system(tmp_path, {"var/lib/dpkg/status": _DPKG.encode()}), nginx_version="1.29.7")
    assert report.nginx_version == "1.29.7"
    assert not report.remarks


def test_auto_says_that_nothing_was_found(tmp_path: Path) -> None:
    report = _scan(_system(tmp_path, {}), nginx_version="auto")
    assert report.nginx_version is None
    assert report.remarks[0].startswith("no version of nginx was found")


def test_several_systems_are_judged_each_for_its_own(tmp_path: Path) -> None:
    text = _CONF.replace(
        "listen 80;", "listen 443 ssl; http2 on; ssl_certificate a; ssl_certificate_key b;"
    ).encode()
    old = _system(tmp_path / "old", {"lib/apk/db/installed": _APK.replace("1.26.3", "1.24.0").encode()})
    new = _system(tmp_path / "new", {"lib/apk/db/installed": _APK.encode()})
    for system in (old, new):
        (system / "etc/nginx/nginx.conf").write_bytes(text)
    report = audit([str(old), str(new)], Settings())
    assert report.nginx_versions == ("1.24.0", "1.26.3")
    refused = [each.span.file for each in report.findings if each.rule == "requires-newer-nginx"]
    assert len(refused) == 1
    assert "old" in refused[0]


def test_a_package_of_a_distribution_may_be_patched(tmp_path: Path) -> None:
    text = "events {}\nhttp { server { listen 80; server_name a; location / { mp4; } } }\n"
    status = "Package: nginx\nStatus: install ok installed\nVersion: {}\n"
    found = {}
    for version in ("1.22.1-9+deb12u11", "1.22.1-1~bookworm"):
        system = _system(tmp_path / version, {"var/lib/dpkg/status": status.format(version).encode()})
        (system / "etc/nginx/nginx.conf").write_text(text)
        (found[version],) = [
            each for each in _scan(system).findings if each.rule == "vulnerable-nginx-version"
        ]
    assert found["1.22.1-9+deb12u11"].severity.label == "info"
    assert found["1.22.1-1~bookworm"].severity.label != "info"


# -- versions that there are not


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.99", "nginx 1.99.0 is newer than the newest version that is known"),
        ("2.0.0", "nginx 2.0.0 is newer than"),
        ("1.26.99", "there is no nginx 1.26.99: the last version of 1.26 is 1.26.3"),
        ("1.18.5", "there is no nginx 1.18.5"),
        ("0.7.0", "older than the versions that are known well"),
    ],
)
def test_a_version_that_is_not_known_is_said(version: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(_CONF)
    (remark,) = _scan(tmp_path, nginx_version=version).remarks
    assert said in remark


@pytest.mark.parametrize("version", ["1.18", "1.22.1", "1.26.3", "1.29.7", "1.31.4"])
def test_nothing_is_said_of_a_release(version: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(_CONF)
    assert not _scan(tmp_path, nginx_version=version).remarks
