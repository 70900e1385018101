"""What is written: no link of a repository leads it to another file, and what exists stays what it is."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from nginxaudit.source import replace
from nginxaudit.source.directory import WriteError, require_direct
from nginxaudit.source.replace import open_target
from nginxaudit.source.write import Change, written
from tests.support.clock import HANG
from tests.support.command import nginxaudit

CONFIG = 'events {}\nhttp {\n    upstream "$(touch PWNED)" { server 127.0.0.1:1; server 127.0.0.1:2; }\n}\n'
FLAWED = "events {}\nhttp {\n    server {\n        listen 80;\n        server_tokens on;\n    }\n}\n"
FIXED = FLAWED.replace("server_tokens on", "server_tokens off")
FIX = ("scan", "--fix", "--unsafe-fixes", "--no-settings", "--select", "server-tokens")
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone, beside the home directory of the user who scans it."""
    for name in ("home", "clone/.git", "clone/nginx", "clone/build"):
        (tmp_path / name).mkdir(parents=True)
    precious = tmp_path / "home" / "precious"
    precious.write_text("# mine\n")
    precious.chmod(0o600)
    (tmp_path / "clone" / "nginx" / "nginx.conf").write_text(CONFIG)
    return tmp_path / "clone"


def home(repository: Path) -> dict[str, tuple[str, int]]:
    """Content and mode of what is in the home directory."""
    files = (repository.parent / "home").iterdir()
    return {each.name: (each.read_text(), stat.S_IMODE(each.stat().st_mode)) for each in files}


UNTOUCHED = {"precious": ("# mine\n", 0o600)}


# -- links to files


BASELINE = "nginxaudit-baseline.json", ("baseline", "write", "nginx")
SARIF = "nginxaudit.sarif", ("scan", "--output", "sarif:nginxaudit.sarif", "nginx/")


@pytest.mark.parametrize(
    ("link", "arguments", "target"),
    [
        *((*BASELINE, target) for target in ("../home/precious", "../home/new", "ABSOLUTE", "known.json")),
        *((*SARIF, target) for target in ("../home/new", "ABSOLUTE", "nginx/nginx.conf", ".env")),
        ("known.json", ("baseline", "write", "--baseline", "known.json", "nginx"), "../home/precious"),
        ("out", ("graph", "--output", "out", "nginx"), "../home/new"),
    ],
)
def test_a_link_of_the_repository_is_not_written_through(
    link: str, arguments: tuple[str, ...], target: str, repository: Path
) -> None:
    target = target.replace("ABSOLUTE", str(repository.parent / "home" / "precious"))
    (repository / ".env").write_text("A=1\n")
    (repository / link).symlink_to(target)
    run = nginxaudit(*arguments, cwd=repository)
    assert run.returncode == 2
    assert f"{link}: cannot be written: it is a symbolic link to {target}" in run.stderr
    assert home(repository) == UNTOUCHED
    assert (repository / "nginx" / "nginx.conf").read_text() == CONFIG
    assert (repository / ".env").read_text() == "A=1\n"
    assert (repository / link).is_symlink()


@pytest.mark.parametrize(
    "arguments", [("upstreams",), ("drill",), ("scan", "--fix"), ("scan", "--statistics")]
)
def test_every_command_that_has_an_output_refuses_links(arguments: tuple[str, ...], repository: Path) -> None:
    (repository / "out").symlink_to("../home/precious")
    run = nginxaudit(*arguments, "-o", "build/../out", "nginx", cwd=repository)
    assert (run.returncode, run.stdout) == (2, "")
    assert "--output build/../out: cannot be written: it is a symbolic link" in run.stderr
    assert home(repository) == UNTOUCHED


def test_a_baseline_that_is_pruned_is_not_written_through_a_link(repository: Path) -> None:
    known = repository.parent / "home" / "known"
    assert nginxaudit("baseline", "write", "--baseline", str(known), "nginx", cwd=repository).returncode == 0
    before = known.read_text()
    (repository / "nginxaudit-baseline.json").symlink_to("../home/known")
    (repository / "nginx" / "nginx.conf").write_text("events {}\n")
    run = nginxaudit("baseline", "prune", "nginx", cwd=repository)
    assert run.returncode == 2
    assert known.read_text() == before


def test_completion_is_not_installed_through_a_link(tmp_path: Path) -> None:
    place = tmp_path / ".config/fish/completions/nginxaudit.fish"
    place.parent.mkdir(parents=True)
    (tmp_path / "mine").write_text("mine")
    place.symlink_to(tmp_path / "mine")
    run = nginxaudit("completion", "fish", "--install", env={"HOME": str(tmp_path)})
    assert run.returncode == 2 and "it is a symbolic link" in run.stderr
    assert (tmp_path / "mine").read_text() == "mine"
    place.unlink()
    assert nginxaudit("completion", "fish", "--install", env={"HOME": str(tmp_path)}).returncode == 0
    assert "complete" in place.read_text()


def test_a_link_that_the_user_names_may_lead_to_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "latest.json").symlink_to("run-7.json")
    for _ in range(2):  # the file does not exist, and does
        with open_target(str(tmp_path / "latest.json"), follow=True) as target:
            target.file.write(b"{}")
            target.commit()
        assert (tmp_path / "latest.json").is_symlink()
        assert (tmp_path / "run-7.json").read_text() == "{}"
    with pytest.raises(WriteError, match="symbolic link"):
        open_target(str(tmp_path / "latest.json"))


def test_settings_name_no_file_that_is_not_a_baseline(repository: Path) -> None:
    (repository / "activate").write_text("export A=1\n")
    (repository / "nginxaudit.toml").write_text('baseline = "activate"\n')
    run = nginxaudit("baseline", "write", "nginx", cwd=repository)
    assert run.returncode == 2 and "it exists and is not a baseline" in run.stderr
    assert (repository / "activate").read_text() == "export A=1\n"
    (repository / "activate").write_text('<<<<<<< HEAD\n{"baseline_version": 1\n')
    assert nginxaudit("baseline", "write", "nginx", cwd=repository).returncode == 0


# -- links to directories


@pytest.mark.parametrize(
    "path", ["reports/x", "./reports/./x", "again/x", "build/up/reports/x", "build/../reports/x"]
)
def test_a_link_does_not_lead_a_report_out_of_the_repository(
    path: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "reports").symlink_to("../home")
    (repository / "again").symlink_to("build/up/reports")
    (repository / "build" / "up").symlink_to("..")
    led = f"leads out of the repository, to {repository.parent / 'home'}: give that path"
    run = nginxaudit("scan", "-o", f"json:{path}", "nginx", cwd=repository)
    assert run.returncode == 2
    assert led in run.stderr
    with pytest.raises(WriteError, match=led):
        open_target(str(repository / path))
    monkeypatch.chdir(repository / "build")
    with pytest.raises(WriteError, match=led):
        open_target(f"../{path}")
    assert home(repository) == UNTOUCHED


def test_settings_are_not_written_through_a_link(repository: Path) -> None:
    (repository / "reports").symlink_to("../home")
    run = nginxaudit("init", "reports", cwd=repository)
    assert run.returncode == 2 and "leads out of the repository" in run.stderr
    (repository / "nginxaudit.toml").symlink_to("../home/new")
    assert nginxaudit("init", cwd=repository).returncode == 2
    assert home(repository) == UNTOUCHED


def test_without_a_repository_the_working_directory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("work", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "work" / "reports").symlink_to("../run")
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(WriteError, match=f"leads out of the working directory, to {tmp_path}/run"):
        open_target("reports/x")
    open_target(str(tmp_path / "work" / "reports" / "x")).close()  # as /var/run/x is


def test_links_that_lead_into_a_repository_or_stay_in_it_are_followed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "reports").symlink_to("build")
    (tmp_path / "short").symlink_to(repository)
    monkeypatch.chdir(repository)
    for path in ("reports/one", str(tmp_path / "short" / "reports" / "two")):
        with open_target(path) as target:
            target.commit()
    assert sorted(os.listdir(repository / "build")) == ["one", "two"]


def test_a_directory_that_is_exchanged_in_the_meantime_is_not_followed(repository: Path) -> None:
    with open_target(str(repository / "build" / "x")) as target:
        (repository / "build").rename(repository / "moved")
        (repository / "build").symlink_to("../home")
        target.file.write(b"report")
        target.commit()
    assert home(repository) == UNTOUCHED
    assert (repository / "moved" / "x").read_text() == "report"


def test_a_loop_of_links_ends(repository: Path) -> None:
    (repository / "reports").symlink_to("reports")
    with pytest.raises(WriteError, match="symbolic links"):
        open_target(str(repository / "reports" / "x"))


@needs_root
def test_what_another_user_put_into_a_shared_directory_is_not_written(tmp_path: Path) -> None:
    """As Linux has it: ``protected_symlinks``, ``protected_regular``."""
    shared = tmp_path / "shared"
    (tmp_path / "mine").mkdir()
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "report").write_text("")
    (shared / "link").symlink_to("report")
    (shared / "reports").symlink_to("../mine")
    for path in ("report", "link", "reports/x"):
        open_target(str(shared / path), follow=True).close()
    for name in ("report", "link", "reports"):
        os.chown(shared / name, NOBODY, NOBODY, follow_symlinks=False)
    for path in ("report", "link", "reports/x"):
        with pytest.raises(WriteError, match="another user owns it"):
            open_target(str(shared / path), follow=True)


# -- what exists stays what it is


def _acl() -> bytes:
    """The owner and the user ``nobody`` may write, the others may not do anything."""
    entries = ((0x01, 6, -1), (0x02, 6, NOBODY), (0x04, 0, -1), (0x10, 6, -1), (0x20, 0, -1))
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, mode, who & 0xFFFFFFFF) for tag, mode, who in entries
    )


def _set(path: Path, name: str, value: bytes) -> bool:
    """Set an attribute, where the file system has such."""
    try:
        os.setxattr(path, name, value)
    except (OSError, AttributeError):
        return False
    return True


def _kept(path: Path) -> object:
    status = path.stat()
    attributes = (
        {name: os.getxattr(path, name) for name in os.listxattr(path)} if sys.platform == "linux" else {}
    )
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, attributes


@pytest.mark.parametrize("writer", ["report", "fix"])
def test_mode_owner_and_attributes_are_kept(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(FLAWED)
    path.chmod(0o640)
    _set(path, "user.note", b"mine")
    _set(path, "system.posix_acl_access", _acl())
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    before = _kept(path)
    if writer == "fix":
        assert nginxaudit(*FIX, str(path)).returncode == 0
        assert path.read_text() == FIXED
    else:
        _report(path)
    assert _kept(path) == before
    assert os.listdir(tmp_path) == ["nginx.conf"]


def _report(path: Path, content: bytes = b"report") -> None:
    with open_target(str(path)) as target:
        target.file.write(content)
        target.commit()
    assert path.read_bytes() == content


def test_a_new_report_has_the_usual_mode(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        _report(tmp_path / "report")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640


@pytest.mark.parametrize("arguments", [("scan", "-o", "json:nginx.conf", "."), (*FIX, "nginx.conf")])
def test_hard_links_are_not_parted(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(FLAWED)
    os.link(tmp_path / "nginx.conf", tmp_path / "other")
    run = nginxaudit(*arguments, cwd=tmp_path)
    assert run.returncode == 2 and "nginx.conf: " in run.stderr and "it has 2 hard links" in run.stderr
    assert "mv F.new F" in run.stderr
    assert (tmp_path / "other").read_text() == FLAWED
    assert os.path.samefile(tmp_path / "other", tmp_path / "nginx.conf")


@needs_root
def test_the_owner_stays_where_it_cannot_be_given(tmp_path: Path) -> None:
    """A user who may write a file but not give it away overwrites it."""
    with _as_nobody(tmp_path) as directory:
        path = directory / "report"
        path.write_text("old")
        path.chmod(0o666)
        number = path.stat().st_ino
        os.seteuid(NOBODY)
        _report(path)
        os.seteuid(0)
        assert (path.stat().st_uid, path.stat().st_ino) == (0, number)
        assert os.listdir(directory) == ["report"]


@needs_root
def test_a_file_in_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with _as_nobody(tmp_path) as directory:
        (directory / "report").write_text("a longer text than the new one")
        (directory / "report").chmod(0o666)
        (directory / "other").write_text("old")
        directory.chmod(0o755)
        os.seteuid(NOBODY)
        _report(directory / "report")
        for name in ("other", "new"):
            with pytest.raises(WriteError, match="Permission denied"):
                open_target(str(directory / name))
        os.seteuid(0)
        assert (directory / "other").read_text() == "old"


class _as_nobody:  # noqa: N801 - reads like a function
    """A directory that everybody can get to, and root again afterwards."""

    def __init__(self, path: Path) -> None:
        self._path = path / "open"

    def __enter__(self) -> Path:
        self._path.mkdir()
        self._path.chmod(0o777)
        for each in self._path.parents:
            if each.stat().st_uid == 0 and not each.stat().st_mode & stat.S_IXOTH:
                each.chmod(0o755)
        return self._path

    def __exit__(self, *error: object) -> None:
        os.seteuid(0)


@pytest.fixture
def mount() -> list[str]:
    """How a command is run that may mount things without anybody else seeing it."""
    prefix = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("mounts need privileges or user namespaces")
    return [*prefix, "sh", "-ec"]


def _mounted(mount: list[str], cwd: Path, script: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [*mount, script, sys.executable]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env, timeout=HANG)


@pytest.mark.slow
def test_a_file_that_is_bound_into_a_container_is_written_in_place(tmp_path: Path, mount: list[str]) -> None:
    for name in ("nginx.conf", "host.conf"):
        (tmp_path / name).write_text(FLAWED)
    (tmp_path / "report").write_text("")
    (tmp_path / "host.json").write_text("x" * 100_000)
    run = _mounted(
        mount,
        tmp_path,
        "mount --bind host.conf nginx.conf; mount --bind host.json report; "
        f'"$0" -m nginxaudit {" ".join(FIX)} -o json:report -o text:- nginx.conf; ls -A',
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-4:] == ["host.conf", "host.json", "nginx.conf", "report"]
    assert (tmp_path / "host.conf").read_text() == FIXED
    assert json.loads((tmp_path / "host.json").read_text())["findings"] == []
    assert (tmp_path / "nginx.conf").read_text() == FLAWED, "it was covered by the mount"


@pytest.mark.slow
def test_full_disks_and_read_only_directories(tmp_path: Path, mount: list[str]) -> None:
    for name in ("full", "closed", "conf"):
        (tmp_path / name).mkdir()
    (tmp_path / "closed" / "report").write_text("old")
    (tmp_path / "writable").write_text("")
    (tmp_path / "conf" / "nginx.conf").write_text(FLAWED)
    scan = f'"$0" -m nginxaudit {" ".join(FIX)}'
    run = _mounted(
        mount,
        tmp_path,
        "mount -t tmpfs -o size=16k none full; echo old >full/report; cp conf/nginx.conf full; "
        "dd if=/dev/zero of=full/filler 2>/dev/null || true; mount --bind closed closed; "
        "mount --bind writable closed/report; mount -o remount,bind,ro closed; set +e\n"
        f"{scan} -o sarif:full/report conf; echo $?; {scan} full; echo $?; {scan} -o json:closed/new conf; echo $?\n"
        f"{scan.replace('--fix --unsafe-fixes', '')} -f json -o closed/report conf; echo $?\n"
        "cat full/report; grep server_tokens full/nginx.conf; ls -A full | wc -w",
    )
    assert run.stdout.split() == ["2", "2", "2", "0", "old", "server_tokens", "on;", "3"], run.stderr
    assert "--output full/report: cannot be written: No space left on device" in run.stderr.replace(
        "sarif:", ""
    )
    assert "--fix: full/nginx.conf: No space left on device; nothing was written" in run.stderr
    assert "--output closed/new: cannot be written: Read-only file system" in run.stderr
    assert "internal error" not in run.stderr and ".tmp" not in run.stderr
    assert (tmp_path / "conf" / "nginx.conf").read_text() == FLAWED
    assert json.loads((tmp_path / "writable").read_text())["findings"]


# -- all or none


@pytest.fixture
def changes(tmp_path: Path) -> list[Change]:
    for name in ("a.conf", "b.conf"):
        (tmp_path / name).write_text("old\n")
    paths = [str(tmp_path / name) for name in ("a.conf", "b.conf")]
    return [Change(path, path, "old\n", "new and longer\n") for path in paths]


def _texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


OLD = {"a.conf": "old\n", "b.conf": "old\n"}


@pytest.mark.parametrize("in_place", [False, True])
def test_what_was_written_is_put_back_when_something_fails_later(
    in_place: bool, changes: list[Change], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_place:
        monkeypatch.setattr(os, "link", _no_link)
    numbers = [os.stat(change.real).st_ino for change in changes]
    sizes = set()

    def fail_later() -> None:
        with written(changes, [str(tmp_path)]):
            sizes.update(os.stat(change.real).st_size for change in changes)
            raise KeyError

    with pytest.raises(KeyError):
        fail_later()
    assert sizes == {len("new and longer\n")}
    assert _texts(tmp_path) == OLD
    assert [os.stat(change.real).st_ino for change in changes] == numbers, "the very files"
    with written(changes, [str(tmp_path)]):
        pass
    assert _texts(tmp_path) == dict.fromkeys(OLD, "new and longer\n")


def _no_link(*_: object, **__: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def test_a_file_that_fails_when_others_are_written_already_takes_them_back(
    changes: list[Change], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def second_is_a_mount(source: str, *names: str, **options: int) -> None:
        if source == "b.conf":
            _limit(8)  # overwriting stops in the middle, as on a full disk
            _no_link()
        link(source, *names, **options)

    monkeypatch.setattr(os, "link", second_is_a_mount)
    try:
        with pytest.raises(WriteError) as error, written(changes, [str(tmp_path)]):
            raise AssertionError("it was not written")
    finally:
        _limit(resource.RLIM_INFINITY)
    assert str(error.value) == f"{tmp_path}/b.conf: File too large; nothing was written"
    assert _texts(tmp_path) == OLD


@pytest.mark.parametrize("fails", [False, True])
def test_a_directory_that_is_closed_in_the_meantime(
    fails: bool, changes: list[Change], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first file was renamed, nothing can be renamed any more: the others are overwritten, and the first one back."""
    rename = os.rename
    done: list[str] = []

    def once(source: str, target: str, **options: int) -> None:
        if done:
            raise PermissionError(13, "Permission denied")
        done.append(target)
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", once)
    with suppress(KeyError), written(changes, [str(tmp_path)]):
        assert _texts(tmp_path)["b.conf"] == "new and longer\n"
        if fails:
            raise KeyError
    texts = {name: text for name, text in _texts(tmp_path).items() if not name.startswith(".")}
    assert texts == (OLD if fails else dict.fromkeys(OLD, "new and longer\n"))


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_file_that_is_exchanged_in_the_meantime_is_kept(changes: list[Change], tmp_path: Path) -> None:
    with open_target(changes[0].real) as target:
        (tmp_path / "new").write_text("theirs")
        (tmp_path / "new").rename(changes[0].real)
        target.file.write(b"mine")
        with pytest.raises(WriteError, match="replaced by another file"):
            target.commit()
    assert _texts(tmp_path) == {**OLD, "a.conf": "theirs"}


@pytest.mark.slow
def test_more_files_than_may_be_open_at_once(tmp_path: Path) -> None:
    changes = []
    for number in range(100):
        path = tmp_path / f"{number}.conf"
        path.write_text("old\n")
        changes.append(Change(str(path), str(path), "old\n", "new\n"))
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, usual[1]))
    try:
        with written(changes, [str(tmp_path)]):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert set(_texts(tmp_path).values()) == {"new\n"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("output", ["no/such.json", "/dev/full", "conf", ""])
def test_an_output_that_fails_leaves_the_configuration_alone(output: str, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "nginx.conf").write_text(FLAWED)
    run = nginxaudit(*FIX, "-o", f"json:{output}", "conf", cwd=tmp_path)
    assert run.returncode == 2
    assert f"--output {output}: cannot be written: " in run.stderr
    assert "fixed" not in run.stderr.replace("--unsafe-fixes", "")
    assert (tmp_path / "conf" / "nginx.conf").read_text() == FLAWED


def test_a_configuration_that_cannot_be_fixed_leaves_no_report(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(FLAWED)
    (tmp_path / "nginx.conf").chmod(0o444)
    run = nginxaudit(*FIX, "-o", "json:report", "nginx.conf", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert os.listdir(tmp_path) == ["nginx.conf"]


@pytest.mark.parametrize("paths", [("x", "x"), ("x", "./x"), ("x", "link"), ("-", "/dev/stdout")])
def test_two_reports_are_not_written_to_one_file(paths: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(FLAWED)
    (tmp_path / "link").symlink_to("x")
    outputs = [
        part for name, path in zip(("json", "sarif"), paths, strict=True) for part in ("-o", f"{name}:{path}")
    ]
    run = nginxaudit("scan", *outputs, "nginx.conf", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert "two reports cannot be written to the same file" in run.stderr
    assert sorted(os.listdir(tmp_path)) == ["link", "nginx.conf"]


# -- the paths of --fix


@pytest.mark.parametrize(
    "path", ["conf", "conf/", "conf/.", "./conf//", "ABSOLUTE", "conf/nginx.conf", "site.conf"]
)
def test_fix_takes_no_link(path: str, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "nginx.conf").write_text(FLAWED)
    (repository / "conf").symlink_to("../other")
    (repository / "site.conf").symlink_to("../other/nginx.conf")
    run = nginxaudit(*FIX, path.replace("ABSOLUTE", str(repository / "conf")), cwd=repository)
    assert run.returncode == 2
    assert "symbolic link" in run.stderr and "other" in run.stderr and "give that path" in run.stderr
    assert (tmp_path / "other" / "nginx.conf").read_text() == FLAWED
    assert nginxaudit(*FIX, "../other", cwd=repository).returncode == 0
    assert (tmp_path / "other" / "nginx.conf").read_text() == FIXED


def test_fix_follows_links_of_directories_that_stay_in_the_repository(repository: Path) -> None:
    (repository / "conf").symlink_to("nginx")
    (repository / "nginx" / "nginx.conf").write_text(FLAWED)
    assert nginxaudit(*FIX, "conf/nginx.conf", cwd=repository).returncode == 0
    assert (repository / "nginx" / "nginx.conf").read_text() == FIXED
    with pytest.raises(WriteError, match="symbolic link"):
        require_direct(str(repository / "conf"))


# -- streams


@pytest.mark.slow
def test_streams_are_written_to(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(CONFIG)
    script = "echo before; nginxaudit -m nginxaudit scan -f concise -o OUT nginx.conf; echo after"
    lines = {}
    for out in ("-", "/dev/stdout", "/dev/fd/1"):
        command = script.replace("OUT", out).replace("nginxaudit -m", f"{sys.executable} -m", 1)
        for redirection in ("| cat", ">file; cat file"):
            env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
            done = subprocess.run(
                ["sh", "-c", f"({command}) {redirection}"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                env=env,
            )
            lines[out, redirection] = done.stdout, done.stderr
    assert len(set(lines.values())) == 1
    text = lines["-", "| cat"][0].splitlines()
    assert (text[0], text[-1]) == ("before", "after") and len(text) > 2


@pytest.mark.parametrize("kind", ["directory", "socket"])
def test_what_cannot_be_written_is_said(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("it")
    else:
        (tmp_path / "it").mkdir()
    with pytest.raises(WriteError, match=f"it is a {kind}"):
        open_target("it")
    for path in ("it/", "it/..", "."):
        with pytest.raises(WriteError):
            open_target(path)


def test_the_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can guess it; a link that waits there all the same is not written through."""
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" * count)
    name = replace._new_name()
    (tmp_path / name).symlink_to("precious")
    with pytest.raises(WriteError):
        open_target(str(tmp_path / "report"))
    assert os.listdir(tmp_path) == [name]
