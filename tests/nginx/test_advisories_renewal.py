"""Advisories are renewed from nginx's list and exports of OSV; what people wrote is kept."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nginxaudit.nginx.advisories import parse_advisories
from tools.advisories.__main__ import FILE, render, renewed
from tools.advisories.ranges import events_of
from tools.advisories.sources import of_nginx, of_osv, records

_XML = """<security>
<item name="Overflow in the shop module" severity="medium" advisory="https://example.com/1"
      cve="2027-0001" good="1.31.9+, 1.30.7+" vulnerable="1.5.13-1.31.8"> </item>
<item name="Path on Windows" severity="major" cve="2027-0002" good="1.3.1+, 1.2.1+"
      vulnerable="nginx/Windows 0.7.52-1.3.0" />
<item name="Nothing to be done" severity="none" cve="2027-0003" good="none" vulnerable="all" />
<item name="Before there were numbers" severity="major" good="0.8.41+" vulnerable="0.8.0-0.8.40" />
</security>"""
_HTML = """<ul><li><p>Overflow in the shop module<br>Severity: <b>medium</b><br><a href="https://example.com/1">Advisory</a><br>
<a href="https://www.cve.org/CVERecord?id=CVE-2027-0001">CVE-2027-0001</a><br>Not vulnerable: 1.31.9+, 1.30.7+<br>
Vulnerable: 1.5.13-1.31.8</p></li></ul>"""
_BOTH = [{"introduced": "1.5.13"}, {"fixed": "1.30.7"}, {"introduced": "1.31.0"}, {"fixed": "1.31.9"}]


def _osv(cve: str, **more: Any) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": "Bitnami", "name": "nginx"},
        "ranges": [{"type": "SEMVER", "events": _BOTH}],
    }
    return {"id": f"BIT-nginx-{cve}", "aliases": [f"CVE-{cve}"], "affected": [affected], **more}


@pytest.mark.parametrize(
    ("vulnerable", "good", "expected"),
    [
        ("1.5.13-1.31.8", "1.31.9+, 1.30.7+", "1.5.13 <1.30.7 1.31.0 <1.31.9"),
        ("1.31.0-1.31.1", "1.31.2+", "1.31.0 <1.31.2"),
        ("1.25.0-1.25.5, 1.26.0", "1.27.0+, 1.26.1+", "1.25.0 ≤1.25.5 1.26.0 <1.26.1"),
        ("1.1.3-1.15.5, 1.0.7-1.0.15", "1.15.6+, 1.14.1+", "1.0.7 ≤1.0.15 1.1.3 <1.14.1 1.15.0 <1.15.6"),
        ("0.6.18-1.20.0", "1.21.0+, 1.20.1+", "0.6.18 <1.20.1"),
        ("1.3.9-1.4.0", "", "1.3.9 ≤1.4.0"),
        ("all", "none", ""),
    ],
)
def test_each_branch_is_vulnerable_up_to_its_fix(vulnerable: str, good: str, expected: str) -> None:
    signs = {"introduced": "", "fixed": "<", "last_affected": "≤"}
    found = [f"{signs[key]}{value}" for event in events_of(vulnerable, good) for key, value in event.items()]
    assert " ".join(found) == expected


def test_a_version_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not a version"):
        events_of("newer than before", "1.2.3+")


def test_the_list_of_nginx_is_read_as_xml_and_as_a_page() -> None:
    shop, windows, nothing = of_nginx(_XML)
    assert (shop.cve, shop.severity, shop.url, shop.events) == (
        "CVE-2027-0001", "medium", "https://example.com/1", _BOTH
    )  # fmt: skip
    assert windows.platform == "windows"
    assert nothing.events is None
    (page,) = of_nginx(_HTML)
    assert page == shop


@pytest.mark.parametrize("form", ["one", "list", "lines", "directory", "zip"])
def test_exports_of_osv_come_in_many_forms(tmp_path: Path, form: str) -> None:
    made = [_osv("2027-0001"), _osv("2027-0004")]
    texts = [json.dumps(each) for each in made]
    path = tmp_path / "export"
    if form == "directory":
        path.mkdir()
        for number, text in enumerate(texts):
            (path / f"{number}.json").write_text(text)
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for number, text in enumerate(texts):
                archive.writestr(f"{number}.json", text)
    else:
        path.write_text({"one": texts[0], "list": json.dumps(made), "lines": "\n".join(texts)}[form])
    assert list(records(path)) == (made[:1] if form == "one" else made)


def test_of_a_distribution_only_the_fix_is_named() -> None:
    record = _osv("2027-0005")
    record["affected"] = [
        {
            "package": {"ecosystem": "Alpine:v3.22", "name": "nginx"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.30.7-r0"}]}],
        }
    ]
    said = of_osv(record)
    assert said is not None
    assert said.events is None
    made, lines = renewed([], [said])
    assert made == []
    assert lines == [
        "CVE-2027-0005 (BIT-nginx-2027-0005): no versions of nginx itself, to be looked at: fixed in Alpine:v3.22 1.30.7-r0"
    ]


def test_git_ranges_count_by_the_tags_that_they_name() -> None:
    record = _osv("2027-0006")
    record["affected"] = [
        {
            "ranges": [
                {
                    "type": "GIT",
                    "repo": "https://github.com/nginx/nginx",
                    "events": [{"introduced": "a1"}, {"fixed": "b2"}],
                    "database_specific": {
                        "versions": [{"introduced": "1.5.13"}, {"fixed": "release-1.31.9"}]
                    },
                }
            ]
        }
    ]
    said = of_osv(record)
    assert said is not None
    assert said.events == [{"introduced": "1.5.13"}, {"fixed": "1.31.9"}]


def test_other_software_is_passed_over() -> None:
    record = _osv("2027-0007")
    record["affected"][0]["package"]["name"] = "nginx-ingress"
    assert of_osv(record) is None


def test_a_new_one_gets_a_record_and_what_people_wrote_is_kept() -> None:
    shop = next(of_nginx(_XML))
    made, lines = renewed([], [shop])
    assert "check what must be configured" in lines[0]
    mine = json.loads(json.dumps(made[0]))
    mine["affected"][0]["ecosystem_specific"] = {"needs": ["mp4"]}
    mine["affected"][0]["ranges"][0]["events"] = [{"introduced": "1.5.13"}, {"fixed": "1.31.9"}]
    mine["database_specific"]["note"] = "as published"
    osv = of_osv(_osv("2027-0001", published="2027-01-02T00:00:00Z"))
    assert osv is not None
    (again,), lines = renewed([mine], [shop, osv])
    assert lines == [
        "CVE-2027-0001: versions: introduced 1.5.13, fixed 1.31.9 -> introduced 1.5.13, fixed 1.30.7, introduced 1.31.0, fixed 1.31.9",
        "CVE-2027-0001 (BIT-nginx-2027-0001): published: 2027-01-02T00:00:00Z",
    ]
    assert again["affected"][0]["ecosystem_specific"] == {"needs": ["mp4"]}
    assert again["database_specific"] == {"severity": "medium", "note": "as published"}
    (entry,) = parse_advisories(render("2027-01-03", [again])).entries
    assert entry.published == "2027-01-02"
    assert entry.fixed == ("1.31.9", "1.30.7")
    assert renewed([again], [shop, osv])[1] == [], "the second time nothing is new"


def test_the_file_that_is_shipped_is_written_as_it_is() -> None:
    document = json.loads(FILE.read_text(encoding="utf-8"))
    assert render(document["date"], document["advisories"]) == FILE.read_text(encoding="utf-8")
