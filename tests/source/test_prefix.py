"""Where a copied tree is installed: seen in what it includes, in a directory and in an archive."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.source.prefix import inferred

SITE = "server {\n    return 204;\n}\n"  # missing-listen


def main(*includes: str) -> str:
    return "events {}\nhttp {\n" + "".join(f"    include {each};\n" for each in includes) + "}\n"


SHOWN: dict[str, tuple[dict[str, str], str, str]] = {
    "beside the configuration": (
        {"nginx.conf": main("/etc/nginx/conf/mime.types", "/etc/nginx/conf/site.conf"), "mime.types": "types {}\n", "site.conf": SITE},
        "site.conf",
        "nginx.conf: /etc/nginx/conf is taken for ., which contains mime.types",
    ),
    "globs": (
        {"nginx.conf": main("/srv/gw/sites/*.conf", "/usr/share/nginx/modules/*.conf"), "sites/a.conf": SITE},
        "sites/a.conf",
        "nginx.conf: /srv/gw is taken for ., which contains sites/*.conf",
    ),
    "a directory above": (
        {"conf/nginx.conf": main("/opt/shop/snippets/a.conf", "/opt/shop/conf/b.conf"), "snippets/a.conf": SITE, "conf/b.conf": "gzip on;\n"},
        "snippets/a.conf",
        "conf/nginx.conf: /opt/shop is taken for ., which contains snippets/a.conf",
    ),
    "the usual place, one above": (
        {"conf/nginx.conf": main("/etc/nginx/sites/*"), "sites/a.conf": SITE},
        "sites/a.conf",
        "conf/nginx.conf: /etc/nginx is taken for ., which contains sites/*",
    ),
    "in a directory of a repository": (
        {"deploy/nginx/nginx.conf": main("/app/nginx/common/a.conf"), "deploy/nginx/common/a.conf": SITE},
        "deploy/nginx/common/a.conf",
        "deploy/nginx/nginx.conf: /app/nginx is taken for deploy/nginx, which contains common/a.conf",
    ),
}  # fmt: skip

NOT_SHOWN: dict[str, dict[str, str]] = {
    "the usual place": {"nginx.conf": main("/etc/nginx/sites/*.conf"), "sites/a.conf": SITE},
    "one of several is at the usual place": {
        "nginx.conf": main("/etc/nginx/mime.types", "/usr/share/nginx/modules/*.conf"),
        "mime.types": "types {}\n",
        "modules/a.conf": "load_module modules/a.so;\n",
    },
    "a file of the same name": {"nginx.conf": main("/srv/app/default.conf"), "default.conf": SITE},
    "nothing of it is there": {"nginx.conf": main("/srv/gw/nginx/a.conf")},
    "most of it is not there": {
        "nginx.conf": main("/srv/nginx/a.conf", "/srv/nginx/b.conf", "/srv/nginx/c.conf"),
        "a.conf": SITE,
    },
    "in a comment": {"nginx.conf": main() + "# include /srv/nginx/conf.d/a.conf;\n", "conf.d/a.conf": SITE},
}  # fmt: skip


def on_disk(files: Mapping[str, str], directory: Path) -> str:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return "."


def in_archive(files: Mapping[str, str], directory: Path) -> str:
    on_disk(files, directory / "tree")
    with tarfile.open(directory / "it.tar", "w") as archive:
        for name in files:
            archive.add(directory / "tree" / name, name)
    return "it.tar"


def scan(path: str, settings: Settings | None = None) -> Report:
    report = audit([path], settings or Settings())
    assert not report.crashes
    return report


@pytest.mark.parametrize("case", SHOWN)
def test_a_place_that_the_tree_shows(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, site, remark = SHOWN[case]
    monkeypatch.chdir(tmp_path)
    report = scan(on_disk(files, tmp_path))
    assert report.remarks == (f"{remark} (--prefix says otherwise)",)
    assert site in report.sources
    assert not [note for note in report.notes if "modules" not in note]
    packed = scan(in_archive(files, tmp_path / "packed") and str(tmp_path / "packed" / "it.tar"))
    top = f"{tmp_path}/packed/it.tar!"
    (said,) = packed.remarks
    assert said.startswith(top) and remark.split(": ")[1].split(" is")[0] in said
    assert f"{top}{site}" in packed.sources


@pytest.mark.parametrize("case", NOT_SHOWN)
def test_a_place_that_is_not_shown(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not scan(on_disk(NOT_SHOWN[case], tmp_path)).remarks
    assert not scan(
        in_archive(NOT_SHOWN[case], tmp_path / "packed") and str(tmp_path / "packed" / "it.tar")
    ).remarks


def test_a_single_file(tmp_path: Path) -> None:
    files, _, _ = SHOWN["beside the configuration"]
    on_disk(files, tmp_path)
    report = scan(str(tmp_path / "nginx.conf"))
    assert f"{tmp_path}/site.conf" in report.sources
    assert "is taken for" in report.remarks[0]


def test_the_prefix_that_is_given_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files, site, _ = SHOWN["beside the configuration"]
    report = scan(on_disk(files, tmp_path), Settings(prefix="/etc/nginx"))
    assert not report.remarks
    assert scan(".", Settings(prefix="/etc/nginx/conf")).remarks == ()
    assert site in scan(".", Settings(prefix="/etc/nginx/conf")).sources


def test_nothing_outside_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link out of the tree is no sign of its place."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.conf").write_text(SITE)
    monkeypatch.chdir(tmp_path)
    on_disk({"tree/nginx.conf": main("/srv/nginx/x/a.conf")}, tmp_path)
    (tmp_path / "tree" / "x").symlink_to("../outside")
    assert not scan("tree").remarks


@pytest.mark.slow
def test_many_includes_on_one_line_take_no_time() -> None:
    text = "".join(f"include /a/b/c/d/{number}.conf; " for number in range(100_000))
    asked = []
    begun = time.process_time()
    assert inferred(text, ["a", ""], ["/etc/nginx"], lambda path: bool(asked.append(path))) is None
    assert time.process_time() - begun < 5
    assert len(asked) < 2000
