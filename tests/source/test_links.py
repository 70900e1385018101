"""Links in a copy of a tree mean the copy's own files, and never lead out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

MAIN = "events {}\nhttp {\n    include /etc/nginx/sites-enabled/*;\n}\n"
SITE = (
    "server {\n    listen 80;\n    server_name it.example;\n    location /files { alias /srv/files/; }\n}\n"
)
FOUND = "sites-available/it.example:4 alias-traversal"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "copy"
    for name in ("sites-available", "sites-enabled"):
        (copy / name).mkdir(parents=True)
    (copy / "nginx.conf").write_text(MAIN)
    (copy / "sites-available" / "it.example").write_text(SITE)
    monkeypatch.chdir(tmp_path)
    return copy


def told(report: Report, top: str = "copy/") -> list[str]:
    return [
        f"{each.span.file.removeprefix(top)}:{each.span.line} {each.rule}"
        for each in report.active
        if each.rule in ("alias-traversal", "include-not-analysed", "unreadable-file")
    ]


@pytest.mark.parametrize(
    "target",
    [
        "/etc/nginx/sites-available/it.example",
        "../sites-available/it.example",
        "/etc/nginx/sites-enabled/../sites-available/it.example",
        "/etc/nginx/again",
    ],
)
@pytest.mark.parametrize("path", ["copy", "copy/nginx.conf", "copy/sites-enabled/it.example"])
def test_a_site_is_enabled_by_a_link(target: str, path: str, copy: Path) -> None:
    (copy / "again").symlink_to("/etc/nginx/sites-available/it.example")
    (copy / "sites-enabled" / "it.example").symlink_to(target)
    report = audit([path], Settings())
    assert told(report) == [FOUND], "and the finding stands at the file, not at the link"
    assert report.exit_code() == 1


@pytest.mark.parametrize("path", [".", "mnt", "mnt/etc/nginx", "mnt/etc/nginx/nginx.conf"])
def test_a_mounted_disk(path: str, copy: Path, tmp_path: Path) -> None:
    (copy / "sites-enabled" / "it.example").symlink_to("/etc/nginx/sites-available/it.example")
    (tmp_path / "mnt" / "etc").mkdir(parents=True)
    copy.rename(tmp_path / "mnt" / "etc" / "nginx")
    assert told(audit([path], Settings()), "mnt/etc/nginx/") == [FOUND]


def test_a_directory_may_be_a_link(copy: Path) -> None:
    (copy / "sites-enabled").rmdir()
    (copy / "sites-enabled").symlink_to("/etc/nginx/sites-available")
    assert told(audit(["copy"], Settings())) == [FOUND]


def test_another_prefix(copy: Path) -> None:
    (copy / "nginx.conf").write_text(MAIN.replace("/etc/nginx", "/srv/gw"))
    (copy / "sites-enabled" / "it.example").symlink_to("/srv/gw/sites-available/it.example")
    assert told(audit(["copy"], Settings(prefix="/srv/gw"))) == [FOUND]


def test_a_link_that_git_wrote_as_a_text(copy: Path) -> None:
    (copy / "sites-enabled" / "it.example").write_text("../sites-available/it.example")
    assert told(audit(["copy"], Settings())) == [FOUND]


@pytest.mark.parametrize("target", ["/etc/hostname", "../../secret.conf", "/etc/nginx/../../etc/hostname"])
@pytest.mark.parametrize("path", ["copy", "copy/nginx.conf"])
def test_what_a_link_leads_out_to_is_not_read_and_not_forgotten(
    target: str, path: str, copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.conf").write_text("canary on;\n")
    (copy / "sites-enabled" / "it.example").symlink_to(target)
    report = audit([path], Settings())
    assert report.exit_code() == 3
    assert not any("canary" in source.text for source in report.sources.values())


def test_a_text_that_looks_like_a_link_leads_nowhere_else(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.conf").write_text("canary on;\n")
    (copy / "sites-enabled" / "it.example").write_text("../../secret.conf")
    report = audit(["copy"], Settings())
    assert not any("canary" in source.text for source in report.sources.values())


def test_a_link_in_the_way_of_a_mapped_one_leads_out(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.conf").write_text("canary on;\n")
    (copy / "conf.d").symlink_to("../outside")
    (copy / "sites-enabled" / "it.example").symlink_to("/etc/nginx/conf.d/secret.conf")
    report = audit(["copy"], Settings())
    assert report.exit_code() == 3
    assert not any("canary" in source.text for source in report.sources.values())


def test_a_loop_of_mapped_links(copy: Path) -> None:
    (copy / "sites-enabled" / "a").symlink_to("/etc/nginx/sites-enabled/b")
    (copy / "sites-enabled" / "b").symlink_to("/etc/nginx/sites-enabled/a")
    report = audit(["copy"], Settings())
    assert report.exit_code() == 3
    assert "loop" in repr(report.files)


def test_modules_of_debian(copy: Path) -> None:
    (copy / "modules-enabled").mkdir()
    link = copy / "modules-enabled" / "50-mod-http-image-filter.conf"
    link.symlink_to("/usr/share/nginx/modules-available/mod-http-image-filter.conf")
    (copy / "nginx.conf").write_text(f"include /etc/nginx/modules-enabled/*.conf;\n{MAIN}")
    (copy / "sites-enabled" / "a").write_text("server { listen 81; return 204; }\n")
    report = audit(["copy"], Settings())
    assert report.exit_code() == 0
    assert any(
        source.text == "load_module modules/ngx_http_image_filter_module.so;\n"
        for source in report.sources.values()
    ) or os.path.exists("/usr/share/nginx/modules-available/mod-http-image-filter.conf")
