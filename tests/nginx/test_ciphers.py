"""What lists of cipher suites leave, held against the openssl command of this machine."""

import shutil
import subprocess

import pytest

from nginxaudit.nginx.ciphers import is_level_0, lacks_aead, left_to_library


def test_every_suite_with_and_without_aead() -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl command")
    told = subprocess.run(
        [openssl, "ciphers", "-v", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True,
        text=True,
        check=True,
    )
    suites = [line.split() for line in told.stdout.splitlines() if "TLSv1.3" not in line]
    assert len(suites) > 50
    for name, *rest in suites:
        assert lacks_aead(name) is ("Mac=AEAD" not in rest), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AES128-SHA:ECDHE-RSA-AES128-SHA256:!aNULL", True),
        ("SHA1:+RC4", True),
        ("ECDHE+AES", False),
        ("HIGH", False),
        ("AES128-SHA:AESGCM", False),
        ("!SHA", False),
        ("", False),
    ],
)
def test_lists_without_aead(text: str, expected: bool) -> None:
    assert lacks_aead(text) is expected


@pytest.mark.parametrize(
    ("text", "library", "level"),
    [
        ("ALL", True, False),
        ("all:!MD5", True, False),
        ("ALL:!aNULL", False, False),
        ("ALL:@SECLEVEL=2", False, False),
        ("HIGH@SECLEVEL=0", False, True),
        ("HIGH", False, False),
    ],
)
def test_what_is_left_to_the_library(text: str, library: bool, level: bool) -> None:
    assert (left_to_library(text), is_level_0(text)) == (library, level)
