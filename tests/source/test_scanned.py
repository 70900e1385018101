"""What a scanned directory holds: read, named, or passed over with a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.source.looks import is_written_like_nginx
from tests.source.test_looks import OTHER

MAIN = "events {}\nhttp {\n    include conf.d/*.conf;\n    server { listen 82; return 204; }\n}\n"
SITE = "server {\n    listen 80;\n    location /files { alias /srv/files/; }\n}\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(tree: Path, **files: str) -> None:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def scan(path: str = ".", **settings: object) -> Report:
    return audit([path], Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "sites-available/shop.example.com", "shop.example.com", "shop", "shop.vhost", "shop.inc", "shop.ngx", "shop.conf.sample",
        "shop.conf.example", "shop.nginx", "shop.conf.disabled", ".config/nginx/shop", "shop.conf-dist",
    ],
)  # fmt: skip
def test_names(name: str, tree: Path) -> None:
    put(tree, **{name: SITE})
    assert [finding.rule for finding in scan().active if finding.rule == "alias-traversal"]
    put(tree, **{"nginx.conf": MAIN, "conf.d/a.conf": "server { listen 81; return 204; }\n"})
    report = scan()
    assert any("1 file looks like nginx" in note and name in note for note in report.notes)
    assert name in {file.path for file in scan(fragments=True).files}


def test_parts_of_configurations_that_are_elsewhere_are_analysed(tree: Path) -> None:
    put(tree, **{"proxy/nginx.conf": MAIN, "proxy/unused.conf": SITE, "shop/site.conf": SITE})
    report = scan()
    assert {file.path for file in report.files} == {"proxy/nginx.conf", "shop/site.conf"}
    assert any("proxy/unused.conf" in note for note in report.notes)


@pytest.mark.parametrize("name", OTHER)
def test_other_software_in_a_directory(name: str, tree: Path) -> None:
    put(tree, **{"nginx.conf": MAIN, "other.conf": OTHER[name]})
    report = scan()
    assert not [finding for finding in report.active if finding.span.file == "other.conf"]
    assert [file.path for file in report.files] == ["nginx.conf"]
    assert sum("other.conf" in remark for remark in report.remarks) == 1
    assert report.exit_code() == 0 and not report.notes


@pytest.mark.parametrize(
    "name", [name for name, text in OTHER.items() if not is_written_like_nginx(text, "x")]
)
def test_other_software_by_name(name: str, tree: Path) -> None:
    put(tree, **{"other.conf": OTHER[name]})
    report = scan("other.conf")
    assert not report.active
    assert report.exit_code() == 3
    ((file,),) = [report.files]
    assert not file.analysed and "does not look like nginx" in file.errors[0]
    changed = audit(["other.conf"], Settings(changed=True))
    assert changed.exit_code() == 0 and "other.conf" in repr(changed.remarks)


def test_only_other_software(tree: Path) -> None:
    put(tree, **{"a.conf": OTHER["redis"]})
    report = scan()
    assert report.exit_code() == 3
    assert "a.conf" in report.files[0].errors[0]


def test_a_file_of_mistakes_is_a_configuration(tree: Path) -> None:
    put(tree, **{"it.conf": "servre {\n    lisen 80;\n}\n"})
    assert {finding.rule for finding in scan("it.conf").active} == {"unknown-directive"}


def test_backups_are_left_out(tree: Path) -> None:
    names = [
        "a.conf.bak",
        "a.conf~",
        "a.conf.dpkg-old",
        "a.conf.orig",
        "a.conf.save",
        "a.conf.old",
        ".a.conf.swp",
        "a.conf.bak.2",
    ]
    put(tree, **{"nginx.conf": MAIN, **dict.fromkeys(names, SITE)})
    report = scan()
    assert [file.path for file in report.files] == ["nginx.conf"]
    assert any(remark.startswith(f"{len(names)} backup files") for remark in report.remarks)
    assert scan("a.conf.bak").files[0].path == "a.conf.bak", "what is named is read"


def test_code_is_not_looked_into(tree: Path) -> None:
    put(
        tree,
        **{
            "nginx.conf": MAIN,
            "a.py": SITE,
            "README.md": SITE,
            ".git/x.conf": SITE,
            "node_modules/x.conf": SITE,
        },
    )
    report = scan()
    assert [file.path for file in report.files] == ["nginx.conf"]
    assert not report.notes and not report.remarks
