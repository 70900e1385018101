"""What is installed on this machine: the fence of ``/etc/nginx``, mounts, ``/proc`` and devices."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.source import files
from tests.security.tree import OUTSIDE
from tests.security.watched import HOME
from tests.support.command import nginxaudit

PLACES = ("modules-available", "letsencrypt/options-ssl-nginx.conf")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A system whose packages keep their files below the directory of the test."""
    for each in (
        "nginx/modules-enabled",
        "nginx/sites-enabled",
        "modules-available",
        "letsencrypt/live",
        "srv",
    ):
        (tmp_path / each).mkdir(parents=True)
    (tmp_path / "modules-available" / "stream.conf").write_text("load_module modules/a.so;\n")
    (tmp_path / "modules-available" / "evil.conf").symlink_to("../srv/site.conf")
    (tmp_path / "letsencrypt" / "options-ssl-nginx.conf").write_text("ssl_session_tickets off;\n")
    (tmp_path / "letsencrypt" / "live" / "privkey.pem").write_text(f"{OUTSIDE};\n")
    (tmp_path / "letsencrypt" / "options-ssl-nginx.conf.old").write_text(f"{OUTSIDE};\n")
    (tmp_path / "srv" / "site.conf").write_text(f"{OUTSIDE} on;\n")
    nginx = tmp_path / "nginx"
    (nginx / "modules-enabled" / "50-stream.conf").symlink_to("../../modules-available/stream.conf")
    (nginx / "modules-enabled" / "60-evil.conf").symlink_to("../../modules-available/evil.conf")
    (nginx / "sites-enabled" / "key").symlink_to("../../letsencrypt/live/privkey.pem")
    (nginx / "sites-enabled" / "site").symlink_to("../../srv/site.conf")
    includes = (
        "letsencrypt/options-ssl-nginx.conf",
        "letsencrypt/options-ssl-nginx.conf.old",
        "letsencrypt/*",
        "modules-available/*.conf",
        "srv/*.conf",
    )
    text = "".join(f"    include {tmp_path}/{each};\n" for each in includes)
    (nginx / "nginx.conf").write_text(
        "include modules-enabled/*.conf;\nevents {}\nhttp {\n"
        f"{text}    include sites-enabled/*;\n    include /etc/passwd;\n    include /proc/self/environ;\n}}\n"
    )
    monkeypatch.setattr(files, "INSTALL_PREFIXES", (str(nginx),))
    monkeypatch.setattr(files, "SYSTEM_PLACES", tuple(str(tmp_path / each) for each in PLACES))
    for cached in (files._installed_prefixes, files._system_places):
        cached.cache_clear()
    yield tmp_path
    for cached in (files._installed_prefixes, files._system_places):
        cached.cache_clear()


def read(report: Report, below: Path) -> set[str]:
    return {os.path.relpath(source.real, below) for source in report.sources.values() if source.text}


@pytest.mark.parametrize("path", ["nginx", "nginx/nginx.conf"])
def test_an_installed_configuration_has_a_fence(path: str, system: Path) -> None:
    report = audit([str(system / path)], Settings())
    assert read(report, system) == {
        "nginx/nginx.conf",
        "modules-available/stream.conf",
        "letsencrypt/options-ssl-nginx.conf",
    }
    assert OUTSIDE not in repr(report.findings)
    told = " ".join([*report.notes, *(error for file in report.files for error in file.errors)])
    assert report.exit_code() == 3  # links in the tree lead out of it
    for outside in (
        f"{system}/letsencrypt/options-ssl-nginx.conf.old",
        f"{system}/letsencrypt/*",
        f"{system}/modules-available/evil.conf",
        f"{system}/srv/*.conf",
        f"{system}/nginx/modules-enabled/60-evil.conf",
        f"{system}/nginx/sites-enabled/key",
        f"{system}/nginx/sites-enabled/site",
        "/etc/passwd",
        "/proc/self/environ",
    ):
        assert f"{outside} was not analysed: it lies outside the scanned directory" in told
    if path == "nginx/nginx.conf":
        hints = [each.help for each in report.active if "lies outside" in each.message]
        assert len(hints) == 9 and all("--allow-outside" in hint for hint in hints)


def test_the_fence_can_be_opened(system: Path) -> None:
    report = audit([str(system / "nginx" / "nginx.conf")], Settings(allow_outside=True))
    assert {"srv/site.conf", "letsencrypt/live/privkey.pem"} <= read(report, system)


def test_a_copy_reads_nothing_of_the_system(system: Path) -> None:
    copy = system / "copy"
    shutil.copytree(system / "nginx", copy, symlinks=True)
    assert read(audit([str(copy / "nginx.conf")], Settings()), system) == {"copy/nginx.conf"}


def test_the_places_are_directories_and_files_of_packages() -> None:
    assert not [place for place in files.SYSTEM_PLACES if not os.path.isabs(place) or place.count("/") < 2]
    real = files.SYSTEM_PLACES
    for secret in (
        "/etc/letsencrypt/live/x/privkey.pem",
        "/usr/share/nginx/html/wp-config.php",
        "/etc/shadow",
    ):
        assert not any(secret == place or secret.startswith(f"{place}/") for place in real)


# -- mounts


def _namespace(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-ec", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )


def _can_mount(directory: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    for each in ("a", "b"):
        (directory / each).mkdir()
    return _namespace(f"mount --bind {directory}/a {directory}/b").returncode == 0


def scanned(cwd: Path, mounts: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not _can_mount(cwd):
        pytest.skip("nothing can be mounted here")
    command = shlex.join([sys.executable, "-m", "nginxaudit", "scan", "--no-settings", "--all", *arguments])
    return _namespace(f"cd {shlex.quote(str(cwd))}; {mounts}; exec {command}")


@pytest.mark.slow
def test_a_mount_is_a_part_of_the_tree(tmp_path: Path) -> None:
    """Only root makes one: volumes of containers and ConfigMaps are read where they are mounted."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "own.conf").write_text("server { return 204; }\n")
    (tmp_path / "volume" / "out.conf").symlink_to("/etc/passwd")
    (tmp_path / "single.conf").write_text("server_tokens maybe;\n")
    tree = tmp_path / "tree"
    (tree / "conf.d").mkdir(parents=True)
    (tree / "file.conf").write_text("")
    (tree / "nginx.conf").write_text("events {}\nhttp { include conf.d/*.conf; include file.conf; }\n")
    mounts = "mount --bind ../volume conf.d; mount --bind ../single.conf file.conf"
    done = scanned(tree, mounts, "nginx.conf")
    assert done.returncode == 3, done.stderr
    assert "conf.d/own.conf:1" in done.stdout and "file.conf:1" in done.stdout
    assert "conf.d/out.conf was not analysed: it lies outside" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/etc/nginx"), reason="nothing can be mounted on /etc/nginx")
@pytest.mark.parametrize("arguments", [["/etc/nginx"], ["/etc/nginx/nginx.conf"]], ids=" ".join)
def test_what_is_mounted_on_etc_nginx(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "nginx" / "sites-enabled").mkdir(parents=True)
    (tmp_path / "nginx" / "sites-enabled" / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "nginx" / "nginx.conf").write_text(
        "events {}\nhttp { include /etc/nginx/sites-enabled/*; include /etc/shadow; include /proc/self/*; }\n"
    )
    work = tmp_path / "work"
    work.mkdir()
    done = scanned(work, "mount --bind ../nginx /etc/nginx", *arguments)
    assert done.returncode == 3, done.stdout
    for path in ("/etc/nginx/sites-enabled/passwd", "/etc/shadow", "/proc/self/*"):
        assert f"{path} was not analysed: it lies outside the scanned directory" in " ".join(
            done.stdout.split()
        )
    assert "root:" not in done.stdout


@pytest.mark.skipif(
    not os.path.exists("/etc/nginx/nginx.conf"), reason="no nginx is installed on this machine"
)
def test_the_installed_configuration_is_read_as_a_whole() -> None:
    """Debian's modules are links to another directory."""
    done = nginxaudit("scan", "/etc/nginx/nginx.conf")
    assert "outside" not in done.stdout


# -- what is no file


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc on this machine")
@pytest.mark.parametrize(
    "path",
    [
        "/proc/self",
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/self/task",
        "/proc/self/fd",
        "/dev/null",
        "/dev/zero",
    ],
)
def test_paths_of_the_system(path: str) -> None:
    done = nginxaudit("scan", path, stdin="")
    assert done.returncode == 3
    assert "internal error" not in done.stderr
    assert f"{path} could not be read" in " ".join(done.stdout.split())


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc on this machine")
def test_links_to_what_is_only_known_by_a_descriptor(tmp_path: Path) -> None:
    """``/proc/self/fd/0`` is what another process opened, ``/proc/self/root`` and ``cwd`` are directories."""
    tree, outside = tmp_path / "tree", tmp_path / "outside.conf"
    tree.mkdir()
    outside.write_text(f"{OUTSIDE} on;\n")
    (tree / "own.conf").write_text("server_tokens off;\n")
    for name, target in {
        "stdin.conf": "/proc/self/fd/0",
        "dev.conf": "/dev/stdin",
        "root": "/proc/self/root/etc",
        "cwd.conf": "/proc/self/cwd/own.conf",
        "environ.conf": "/proc/self/environ",
    }.items():
        (tree / name).symlink_to(target)
    (tree / "nginx.conf").write_text(
        "events {}\nhttp { include stdin.conf; include dev.conf; include root/passwd; include cwd.conf; "
        "include environ.conf; include /proc/self/fd/*; }\n"
    )
    with outside.open() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "nginxaudit", "scan", "--all", "nginx.conf"],
            cwd=tree,
            stdin=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HOME)},
        )
    assert done.returncode == 3, done.stdout
    assert OUTSIDE not in done.stdout and "root:" not in done.stdout
    for path in ("stdin.conf", "dev.conf", "root/passwd", "environ.conf", "/proc/self/fd/*"):
        assert f"{path} was not analysed: it lies outside the scanned directory" in done.stdout
    assert "cwd.conf was not analysed" not in done.stdout, "it leads to a file of the tree"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_in_the_tree(tmp_path: Path) -> None:
    """An archive that root unpacks can hold one: it is not opened, for opening may do something."""
    try:
        os.mknod(tmp_path / "zero.conf", 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("no devices here")
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { include zero.conf; }\n")
    done = nginxaudit("scan", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 3
    assert "zero.conf could not be read: it is a character device" in done.stdout
