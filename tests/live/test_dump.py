"""``nginx -T | nginxaudit scan -`` says the same as scanning the files, at the same places."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from tests.expected import ROOT
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]


def _places(findings: object) -> list[tuple[object, ...]]:
    return [(f.rule, f.message, f.span, f.related, f.fingerprint) for f in findings]  # type: ignore[attr-defined]


def _tree(directory: Path) -> Path:
    """The realistic tree of the fixtures, made loadable here: no certificates, no DNS."""
    source = ROOT / "fixtures" / "etc-nginx"
    for path in source.rglob("*"):
        if path.is_file():
            text = (
                path.read_text()
                .replace("/etc/nginx/", f"{directory}/")
                .replace("/var/log/nginx", str(directory))
            )
            text = text.replace("listen 443 ssl", "listen 8443").replace("include snippets/tls.conf;", "")
            text = text.replace("serch", "127.0.0.1").replace("shop.internal", "0.0.1:1")
            text = text.replace("pay-primary.0.0.1:1", "10.0.0.1").replace("pay-standby.0.0.1:1", "10.0.0.2")
            target = directory / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    main = directory / "nginx.conf"
    main.write_text(
        nginx.load_modules() + main.read_text().replace("pid /run/nginx.pid", f"pid {directory}/pid")
    )
    return main


def test_dump_and_files_give_the_same_findings(tmp_path: Path) -> None:
    main = _tree(tmp_path)
    dump = subprocess.run(nginx.command(tmp_path, main, "-T"), capture_output=True, check=False)
    assert dump.returncode == 0, dump.stderr.decode()
    from_files = audit([str(main)])
    from_dump = audit(["-"], stdin=io.BytesIO(dump.stdout))
    assert len(from_files.findings) >= 4
    assert _places(from_dump.findings) == _places(from_files.findings)
    assert {file.path for file in from_dump.files} == {file.path for file in from_files.files}
    with_noise = audit(["-"], stdin=io.BytesIO(dump.stderr + dump.stdout))
    assert _places(with_noise.findings) == _places(from_files.findings)
