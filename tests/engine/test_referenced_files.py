"""``--check-files``: which files are looked for, and how they are called."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from nginxaudit import audit
from nginxaudit.engine.results.report import Report
from nginxaudit.engine.settings import Settings

_TLS = b"events {}\nhttp { server { listen 443 ssl; ssl_certificate a.pem; ssl_certificate_key a.key; } }\n"


def _messages(report: Report) -> list[str]:
    return [each.message for each in report.findings if each.rule == "referenced-file-missing"]


def _settings() -> Settings:
    return Settings(check_files=True)


def test_a_missing_file_is_called_as_the_configuration_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/nginx.conf").write_bytes(_TLS)
    (tmp_path / "site/a.pem").write_text("")
    monkeypatch.chdir(tmp_path)
    assert _messages(audit(["site/nginx.conf"], _settings())) == [
        "site/a.key does not exist: nginx refuses to start"
    ]
    monkeypatch.chdir(tmp_path / "site")
    assert _messages(audit(["nginx.conf"], _settings())) == ["a.key does not exist: nginx refuses to start"]


def test_files_of_an_archive_are_not_looked_for_here(tmp_path: Path) -> None:
    archive = tmp_path / "conf.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("etc/nginx/nginx.conf")
        member.size = len(_TLS)
        tar.addfile(member, io.BytesIO(_TLS))
    report = audit([str(archive)], _settings())
    assert _messages(report) == []
    assert any("the files that it names were not checked" in note for note in report.notes)


def test_standard_input_is_checked_where_its_name_is(tmp_path: Path) -> None:
    settings = Settings(check_files=True, stdin_filename=os.path.join(tmp_path, "nginx.conf"))
    (tmp_path / "a.key").write_text("")
    assert _messages(audit(["-"], settings, stdin=io.BytesIO(_TLS))) == [
        f"{tmp_path}/a.pem does not exist: nginx refuses to start"
    ]
    unnamed = audit(["-"], _settings(), stdin=io.BytesIO(_TLS))
    assert _messages(unnamed) == []
