"""What holds for all tests."""

from __future__ import annotations

import os

import pytest

from tests.support import nginx


def pytest_configure(config: pytest.Config) -> None:
    """In CI the live tests must run: a skipped proof proves nothing."""
    if os.environ.get("CI") == "true" and nginx.BINARY is None:
        raise pytest.UsageError("CI needs nginx: apt-get install nginx")
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where Debian keeps nginx
    # A settings file or colours of whoever runs the tests must not change what they see.
    for name in ("FORCE_COLOR", "NO_COLOR", "NGINXAUDIT_DEBUG"):
        os.environ.pop(name, None)
