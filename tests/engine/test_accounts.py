"""``--check-files``: the account of the workers, as this machine knows it."""

import grp
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from nginxaudit import audit
from nginxaudit.engine.settings import Settings

_GROUPS = [
    SimpleNamespace(gr_name="sudo", gr_gid=27, gr_mem=["web", "other"]),
    SimpleNamespace(gr_name="www", gr_gid=33, gr_mem=["web"]),
    SimpleNamespace(gr_name="wheel", gr_gid=10, gr_mem=[]),
]


@pytest.mark.parametrize(
    ("user", "gid", "shell", "expected"),
    [
        ("web", 33, "/usr/sbin/nologin", ["warning … is in the group sudo"]),
        ("web wheel", 33, "/bin/false", ["warning … is in the group sudo and wheel"]),
        ("web", 10, "/bin/sh", ["info … has a login shell", "warning … is in the group sudo and wheel"]),
        ("site", 33, "/usr/bin/nologin", []),
        ("site", 99, "", []),
        ("site", 33, "/bin/zsh", ["info … has a login shell"]),
        ("absent", 33, "/bin/zsh", []),
    ],
)
def test_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, gid: int, shell: str, expected: list[str]
) -> None:
    def account(name: str) -> SimpleNamespace:
        if name == "absent":
            raise KeyError(name)
        return SimpleNamespace(pw_name=name, pw_gid=gid, pw_shell=shell)

    def group(number: int) -> SimpleNamespace:
        for each in _GROUPS:
            if each.gr_gid == number:
                return each
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwnam", account)
    monkeypatch.setattr(grp, "getgrgid", group)
    monkeypatch.setattr(grp, "getgrall", lambda: _GROUPS)
    (tmp_path / "nginx.conf").write_text(f"user {user};\nevents {{}}\n")
    settings = Settings(check_files=True, select=("worker-account-privileged",))
    name = user.split()[0]
    found = [
        f"{each.severity.label} {each.message.replace(f'the account of the workers, {name},', '…')}"
        for each in audit([str(tmp_path)], settings).findings
    ]
    assert sorted(found) == expected
