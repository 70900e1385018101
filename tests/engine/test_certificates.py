"""``--check-files``: what certificates say, read from texts of unknown origin."""

import base64
import random
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
    certificate, key = _expired()
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
