"""``--check-files``: what certificates say, read from texts of unknown origin."""

import base64
import random
import tempfile
from pathlib import Path

import pytest

from nginxaudit import audit
from nginxaudit.engine.settings import Settings
from tests.rules.examples import cases

_CONF = "events {}\nhttp { server { listen 443 ssl; ssl_certificate a.pem; ssl_certificate_key a.key; } }\n"


def _expired() -> tuple[str, str]:
    """The certificate of the page's example, and its key."""
    files = next(case for case in cases() if case.name == "certificate-expired-bad-1").example.files
    return files["site.pem"], files["site.key"]


def _rules(directory: Path, certificate: str, key: str) -> list[str]:
    (directory / "nginx.conf").write_text(_CONF)
    (directory / "a.pem").write_text(certificate)
    (directory / "a.key").write_text(key)
    report = audit([str(directory)], Settings(check_files=True))
    assert not report.crashes
    return [each.rule for each in report.findings if each.rule.startswith("certificate-")]


def test_the_first_certificate_of_a_chain_counts(tmp_path: Path) -> None:
    certificate, key = _expired()
    assert _rules(tmp_path, f"text before\n{certificate}\n{certificate}", key) == ["certificate-expired"]
    assert _rules(tmp_path, "", key) == []


@pytest.mark.parametrize("seed", range(3))
def test_damaged_certificates_are_passed_over(tmp_path: Path, seed: int) -> None:
    certificate, key = _expired() if seed else (_site("site.pem"), _site("site.key"))
    data = base64.b64decode("".join(certificate.splitlines()[1:-1]))
    chance = random.Random(seed)
    for _ in range(15):
        damaged = bytearray(data[: chance.randrange(len(data))] + chance.randbytes(chance.randrange(8)))
        for _ in range(chance.randrange(4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        text = (
            f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(damaged).decode()}\n-----END CERTIFICATE-----\n"
        )
        _rules(tmp_path, text, key)


def _site(name: str) -> str:
    """A file of an example whose certificate covers ``shop.example.org`` and ``*.api.example.org``."""
    return next(case for case in cases() if case.name == "certificate-name-mismatch-good-1").example.files[
        name
    ]


def _named(directory: Path, server: str) -> list[str]:
    (directory / "a.pem").write_text(_site("site.pem"))
    (directory / "a.key").write_text(_site("site.key"))
    (directory / "nginx.conf").write_text(
        f"events {{}}\nhttp {{ ssl_certificate a.pem; ssl_certificate_key a.key; server {{ {server} }} }}\n"
    )
    report = audit([str(directory)], Settings(check_files=True, select=("certificate-name-mismatch",)))
    assert not report.crashes
    return [f"{each.severity.label} {each.message}" for each in report.findings]


@pytest.mark.parametrize(
    "server",
    [
        "listen 443 ssl; server_name shop.example.org;",
        "listen 443 ssl; server_name a.API.example.org;",
        "listen 443 ssl; server_name *.api.example.org;",
        "listen 443 ssl; server_name *.org;",  # some of what it stands for
        "listen 443 ssl; server_name localhost;",
        "listen 443 ssl; server_name other.example $hostname;",
        "listen 443 ssl; server_name other.example ~^x;",
        "listen 443 ssl; ssl_reject_handshake on; server_name other.example;",
        "listen 80; server_name other.example;",
    ],
)
def test_names_that_the_certificate_covers_or_that_are_not_known(tmp_path: Path, server: str) -> None:
    assert _named(tmp_path, server) == []


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("listen 443 ssl; server_name other.example;", "warning … other.example"),
        (
            "listen 443; server_name other.example; } server { listen 443 ssl; server_name shop.example.org;",
            "warning … other.example",
        ),  # one ssl is for all servers of the socket
        ("listen 443 quic; server_name a.b.api.example.org;", "warning … a.b.api.example.org"),
        ("listen 443 ssl; server_name api.example.org;", "warning … api.example.org"),
        ("listen 443 ssl; server_name 192.0.2.1;", "warning … 192.0.2.1"),
        ("listen 443 ssl; server_name shop.example.org example.org;", "info … example.org"),
        ("listen 443 ssl; server_name x.example y.example z.example;", "warning … x.example, y.example and 1 more"),
    ],
)  # fmt: skip
def test_names_that_the_certificate_does_not_cover(tmp_path: Path, server: str, expected: str) -> None:
    severity, _, names = expected.partition(" … ")
    assert _named(tmp_path, server) == [
        f"{severity} the certificate a.pem does not cover {names}: clients reject it"
    ]


@pytest.mark.parametrize(
    ("mode", "directory", "usual", "strict"),
    [
        (0o600, 0o755, "", ""),
        (0o640, 0o755, "", "mode 640 allows the group of the file to read"),
        (0o660, 0o755, "mode 660 allows the group of the file to read and write", "…"),
        (0o604, 0o755, "mode 604 allows every local user to read", "…"),
        (0o646, 0o755, "mode 646 allows every local user to read and write", "…"),
        (0o644, 0o700, "", "mode 644 allows every local user to read"),
        (0o644, 0o750, "", "mode 644 allows every local user to read"),
    ],
)
def test_keys_that_other_users_can_read(mode: int, directory: int, usual: str, strict: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name, "keys")
        top.mkdir()
        (top / "a.key").write_text(_site("site.key"))
        (top / "nginx.conf").write_text("events {}\nhttp { server { ssl_certificate_key link.key; } }\n")
        (top / "link.key").symlink_to("a.key")
        (top / "a.key").chmod(mode)
        Path(name).chmod(0o755)
        top.chmod(directory)
        settings = Settings(check_files=True, select=("private-key-permissions",))
        for strictly, expected in ((False, usual), (True, usual if strict == "…" else strict)):
            own = settings.with_options(rule={"private-key-permissions": {"strict": strictly}})
            found = [each.message for each in audit([str(top)], own).findings]
            assert found == ([f"{expected} the key in link.key"] if expected else [])


@pytest.mark.parametrize(
    ("mode", "directory", "usual"),
    [
        (0o644, 0o755, []),
        (0o664, 0o775, []),
        (0o646, 0o755, ["mode 646 allows every local user to change nginx.conf, which nginx reads as root"]),
        (0o646, 0o750, []),
        (0o644, 0o777, ["mode 777 of DIRECTORY allows every local user to replace nginx.conf"]),
        (0o644, 0o1777, []),
    ],
)
def test_configurations_that_other_users_can_change(mode: int, directory: int, usual: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name, "nginx")
        top.mkdir()
        (top / "nginx.conf").write_text("events {}\n")
        (top / "nginx.conf").chmod(mode)
        Path(name).chmod(0o755)
        top.chmod(directory)
        settings = Settings(check_files=True, select=("configuration-writable",))
        found = [each.message.replace(str(top), "DIRECTORY") for each in audit([str(top)], settings).findings]
        assert found == usual
