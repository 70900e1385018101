"""Files and directories are exchanged for links while they are read: nothing outside is shown, nothing crashes."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from tests.security.tree import LISTED, OUTSIDE

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "renameat2"), reason="only Linux exchanges two names at once"
)
SCANS = 6
INCLUDES = 300  # each in another spelling, so that each is opened

# The names x.conf and y.conf, conf.d and link are exchanged, as often as the machine can.
_SWAPPER = """
import ctypes, sys
exchange = ctypes.CDLL(None).renameat2
while True:
    exchange(-100, b"x.conf", -100, b"y.conf", 2)
    exchange(-100, b"conf.d", -100, b"link", 2)
"""


@pytest.fixture
def swapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / "conf.d").mkdir(parents=True)
    outside.mkdir()
    for name in ("secret.conf", f"{LISTED}.conf"):
        (outside / name).write_text(f"{OUTSIDE} on;\n")
    (tree / "conf.d" / "secret.conf").write_text("server_tokens off;\n")
    (tree / "link").symlink_to("../outside")
    (tree / "x.conf").write_text("server_tokens off;\n")
    (tree / "y.conf").symlink_to("../outside/secret.conf")
    monkeypatch.chdir(tree)
    swapper = subprocess.Popen([sys.executable, "-c", _SWAPPER], cwd=tree)
    yield tree
    swapper.kill()
    swapper.wait()


def assert_nothing_shown(report: Report) -> None:
    assert not report.crashes
    assert not [source for source in report.sources.values() if OUTSIDE in source.text]
    assert OUTSIDE not in repr((report.findings, report.notes))
    assert LISTED not in repr((report.findings, report.notes, report.files))


@pytest.mark.slow
@pytest.mark.parametrize(
    "argument", ["x.conf", "conf.d/secret.conf", "conf.d/*.conf", "*/secret.conf", "?.conf"]
)
def test_includes(argument: str, swapped: Path) -> None:
    seen = set()
    for scan in range(SCANS):
        includes = "".join(f"include {'./' * number}{argument};\n" for number in range(INCLUDES))
        (swapped / f"nginx{scan}.conf").write_text(f"events {{}}\nhttp {{\n{includes}}}\n")
        report = audit([f"nginx{scan}.conf"], Settings())
        assert_nothing_shown(report)
        seen |= {"was not analysed" in finding.message for finding in report.active}
    assert True in seen, "nothing was swapped"


@pytest.mark.slow
def test_directories(swapped: Path) -> None:
    for _ in range(SCANS * 5):
        assert_nothing_shown(audit(["."], Settings(fragments=True)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.conf", "conf.d/secret.conf"])
def test_what_the_user_did_not_name(name: str, swapped: Path) -> None:
    """A changed file, and the entry of settings."""
    (swapped / ".git").mkdir()
    for _ in range(SCANS * 5):
        assert_nothing_shown(audit([name], Settings(changed=True)))
        assert_nothing_shown(audit((), Settings(entry=(name,), own_paths=frozenset({name}))))
