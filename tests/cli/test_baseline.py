"""``nginxaudit baseline``: known findings are silent, new ones fail, bad files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

TEXT = """events {}
http {
    upstream b { server 10.0.0.1:80; server 10.0.0.2:80 fail_timeout=0; }
    server {
        location / { proxy_pass http://b; }
    }
}
"""


def _run(directory: Path, *args: str) -> tuple[int, str]:
    run = nginxaudit(*args, cwd=directory)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "nginx.conf").write_text(TEXT)
    assert _run(tmp_path, "scan", "nginx.conf")[0] == 1
    assert _run(tmp_path, "baseline", "write", "nginx.conf")[0] == 0
    return tmp_path


def _scan(tree: Path, *args: str) -> tuple[int, list[dict[str, object]]]:
    code, text = _run(tree, "scan", "--baseline", "nginxaudit-baseline.json", "--format", "json", *args)
    return code, json.loads(text)["findings"]


def test_known_findings_are_silent(tree: Path) -> None:
    code, findings = _scan(tree, "nginx.conf")
    assert code == 0 and findings
    assert {str(each["suppressed"]["kind"]) for each in findings} == {"baseline"}  # type: ignore[index]


def test_they_stay_known_when_lines_move_and_the_file_is_renamed(tree: Path) -> None:
    (tree / "nginx.conf").unlink()
    (tree / "proxy.conf").write_text("# moved\n\n" + TEXT.replace("    ", "\t"))
    assert _scan(tree, "proxy.conf")[0] == 0


def test_a_new_one_fails_and_a_second_of_a_known_kind_is_new(tree: Path) -> None:
    (tree / "nginx.conf").write_text(
        TEXT.replace("    server {\n", "    server {\n        location /a/ { autoindex on; }\n")
    )
    code, findings = _scan(tree, "nginx.conf", "--fail-on", "info")
    assert code == 1
    assert {each["rule"] for each in findings if each["suppressed"] is None} == {"autoindex-enabled"}


def test_check_and_prune(tree: Path) -> None:
    assert _run(tree, "baseline", "check", "nginx.conf")[0] == 0
    (tree / "nginx.conf").write_text(TEXT.replace(" fail_timeout=0", ""))
    code, text = _run(tree, "baseline", "check", "nginx.conf")
    assert code == 1 and "gone  nginx.conf: fail-timeout-zero" in text
    before = len(json.loads((tree / "nginxaudit-baseline.json").read_text())["findings"])
    code, text = _run(tree, "baseline", "prune", "nginx.conf")
    assert code == 0 and "removed" in text
    assert len(json.loads((tree / "nginxaudit-baseline.json").read_text())["findings"]) < before
    assert _run(tree, "baseline", "check", "nginx.conf")[0] == 0


@pytest.mark.slow
def test_sarif_says_so(tree: Path) -> None:
    (tree / "nginx.conf").write_text(
        TEXT.replace("    server {\n", "    server {\n        location /a/ { autoindex on; }\n")
    )
    text = _run(tree, "scan", "--baseline", "nginxaudit-baseline.json", "-f", "sarif", "nginx.conf")[1]
    results = json.loads(text)["runs"][0]["results"]
    assert {(each["baselineState"], bool(each.get("suppressions"))) for each in results} == {
        ("new", False),
        ("unchanged", True),
    }


def test_the_settings_may_name_it(tree: Path) -> None:
    (tree / "nginxaudit.toml").write_text('baseline = "nginxaudit-baseline.json"\n')
    assert _run(tree, "scan", "nginx.conf")[0] == 0
    assert _run(tree, "baseline", "check", "nginx.conf")[0] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON"),
        (
            '{"baseline_version": 2, "findings": []}',
            "a baseline of version 1 is expected, this one has version 2",
        ),
        ("[]", "has no baseline_version"),
        ('{"baseline_version": 1, "findings": [{"rule": "x"}]}', "findings[0]"),
        ('{"baseline_version": 1, "findings": {}}', "a list is expected"),
    ],
)
def test_a_bad_baseline_is_refused(text: str, said: str, tree: Path) -> None:
    (tree / "nginxaudit-baseline.json").write_text(text)
    code, output = _run(tree, "scan", "--baseline", "nginxaudit-baseline.json", "nginx.conf")
    assert code == 2 and said in output


def test_a_missing_baseline_says_how_to_make_one(tree: Path) -> None:
    code, output = _run(tree, "scan", "--baseline", "none.json", "nginx.conf")
    assert code == 2 and "nginxaudit baseline write" in output


def test_what_was_not_analysed_is_no_baseline(tree: Path) -> None:
    (tree / "nginx.conf").write_text("http {")
    code, output = _run(tree, "baseline", "write", "nginx.conf")
    assert code == 2 and "could not be analysed" in output


def test_the_same_problem_in_a_new_file_is_new(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/m.conf").write_text(TEXT)
    assert _run(tmp_path, "baseline", "write", "s")[0] == 0
    (tmp_path / "s/a.conf").write_text(TEXT)
    code, text = _run(tmp_path, "baseline", "check", "s")
    assert code == 1
    assert {line.split(":")[0] for line in text.splitlines() if line.startswith("new")} == {"new   s/a.conf"}
    assert "s/m.conf" not in text
    code, findings = _scan(tmp_path, "s")
    assert code == 1
    assert {each["location"]["file"] for each in findings if each["suppressed"] is None} == {"s/a.conf"}  # type: ignore[index]


def test_what_stands_in_files_that_were_not_scanned_is_not_gone(tree: Path) -> None:
    (tree / "other.conf").write_text("events {}\n")
    assert _run(tree, "baseline", "check", "other.conf")[0] == 0
    assert _run(tree, "baseline", "prune", "other.conf")[0] == 0
    assert _scan(tree, "nginx.conf")[0] == 0


def test_a_known_problem_of_a_file_that_exists_excuses_no_other_file(tree: Path) -> None:
    (tree / "copy.conf").write_text(TEXT)
    assert _scan(tree, "copy.conf")[0] == 1


def test_embedded_configurations_are_known_by_the_file_that_holds_them(tmp_path: Path) -> None:
    body = "".join(f"    {line}\n" for line in TEXT.splitlines())
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: n}}\ndata:\n  nginx.conf: |\n{body}"
    (tmp_path / "map.yaml").write_text(manifest)
    assert _run(tmp_path, "baseline", "write", "map.yaml")[0] == 0
    code, findings = _scan(tmp_path, "map.yaml")
    assert code == 0 and findings
    assert _run(tmp_path, "baseline", "check", "map.yaml")[0] == 0


def test_links_to_the_directory_make_nothing_new(tree: Path) -> None:
    link = tree.parent / f"{tree.name}-link"
    link.symlink_to(tree)
    assert nginxaudit("baseline", "write", "nginx.conf", cwd=tree).returncode == 0
    for base, place in ((link, tree), (tree, link), (link, link)):
        known = ("--baseline", str(base / "nginxaudit-baseline.json"))
        run = nginxaudit("scan", *known, str(place / "nginx.conf"), cwd=tree.parent)
        assert run.returncode == 0, run.stdout


def test_it_takes_the_options_that_select_rules(tree: Path) -> None:
    assert _run(tree, "baseline", "write", "--select", "fail-timeout-zero", "nginx.conf")[0] == 0
    entries = json.loads((tree / "nginxaudit-baseline.json").read_text())["findings"]
    assert {each["rule"] for each in entries} == {"fail-timeout-zero"}
