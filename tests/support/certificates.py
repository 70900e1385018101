"""A certificate for examples that speak TLS: made once with the openssl command of this machine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

CERTIFICATE, KEY = "a.pem", "a.key"


@cache
def made() -> dict[str, str]:
    """Texts of the certificate and its key by file name; empty without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        subprocess.run(
            [
                openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=example.org", "-keyout", str(directory / KEY), "-out", str(directory / CERTIFICATE),
            ],
            capture_output=True,
            check=True,
        )  # fmt: skip
        return {name: (directory / name).read_text() for name in (CERTIFICATE, KEY)}
