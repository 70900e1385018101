"""No report repeats a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from nginxaudit.cli.main import main

SECRET = "YXBwOlExcDhtVnpS"
TEXT = f"""events {{}}
http {{
    server {{
        listen 8080;
        location / {{
            proxy_set_header Authorization "Basic {SECRET}"; proxy_pas http://127.0.0.1:9001;
        }}
    }}
}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "json", "sarif", "concise"])
def test_a_secret_is_in_no_report(name: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(TEXT)
    result = CliRunner().invoke(
        main, ["scan", str(tmp_path / "nginx.conf"), "--format", name, "--no-settings"]
    )
    assert "secret-in-config" in result.output and "unknown-directive" in result.output
    assert SECRET not in result.output
