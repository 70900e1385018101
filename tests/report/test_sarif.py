import json
import os
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

import nginxaudit
from nginxaudit.engine.results.report import FileStatus
from nginxaudit.engine.rules import pages
from nginxaudit.finding import Applicability, Edit, Fix, Severity, Span, Suppression, Witness
from nginxaudit.report.linehash import LineHashes
from nginxaudit.source.text import SourceText
from tests.report.samples import (
    MAIN,
    MISMATCH,
    RULES,
    SHARED,
    TRAVERSAL,
    at,
    finding,
    full,
    one,
    rendered,
    report,
    troubled,
)
from tests.support.command import nginxaudit as nginxaudit_command

GOLDEN = Path(__file__).parent / "golden" / "report.sarif"


def run_of(what, **options):
    text = rendered("sarif", what, **options)
    assert text.isascii()
    data = json.loads(text)
    json.dumps(data, ensure_ascii=False).encode("utf-8")
    assert list(data) == ["$schema", "version", "runs"]
    return data["runs"][0]


def result_of(what, number=0):
    return run_of(what)["results"][number]


def covered(text, region):
    """What a reader finds at ``region``."""
    lines = [*text.splitlines(keepends=True), ""]
    first, last = region["startLine"] - 1, region["endLine"] - 1
    if first == last:
        return lines[first][region["startColumn"] - 1 : region["endColumn"] - 1]
    middle = "".join(lines[first + 1 : last])
    return lines[first][region["startColumn"] - 1 :] + middle + lines[last][: region["endColumn"] - 1]


@pytest.fixture(autouse=True)
def _outside_of_any_repository(tmp_path, monkeypatch):
    """Provenance is tested on its own: here no commit of this checkout may show."""
    monkeypatch.chdir(tmp_path)


def test_golden():
    assert rendered("sarif", troubled()).replace(nginxaudit.__version__, "VERSION") == GOLDEN.read_text(
        "utf-8"
    )


def test_tool_and_run():
    run = run_of(full())
    driver = run["tool"]["driver"]
    assert driver["name"] == "nginxaudit"
    assert driver["version"] == driver["semanticVersion"] == nginxaudit.__version__
    assert driver["informationUri"] == "https://github.com/nginxaudit/nginxaudit"
    assert run["properties"] == {
        "nginxVersion": "1.31.4",
        "edition": "oss",
        "facts": "directives known up to nginx 1.31.4 (2026-08-11)",
    }
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["originalUriBaseIds"]["%SRCROOT%"]["description"]["text"].endswith(".")


FIVE = """events {}
http {
    upstream b { server 10.0.0.1:80; server 10.0.0.2:80 fail_timeout=0; }
    server {
        listen 80;
        autoindex on;
        location / { proxy_pass http://b; proxy_set_header Host $host; proxy_connect_timeout 2s; }
        location /i { alias /srv/i/; }
    }
}
"""


def found(*rules):
    """A report with a finding of each rule."""
    return report(*(finding(rule, "m", at(MAIN, "backend")) for rule in rules), rules=rules)


def test_rules_without_results_are_listed_without_their_pages():
    rules = run_of(report())["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["NGX2007", "NGX4002", "NGX5001"]
    assert rules[0] == {
        "id": "NGX2007",
        "name": "UpstreamSettingsMismatch",
        "shortDescription": {"text": "Online."},
        "fullDescription": {"text": "Online."},
        "help": {"text": "Online."},
        "helpUri": rules[0]["helpUri"],
    }
    assert rules[0]["helpUri"].endswith("/rules/upstream-settings-mismatch/")


def test_opt_in_rules_are_listed_where_something_is_reported_of_them():
    rules = (replace(MISMATCH, default=False), replace(TRAVERSAL, default=False))
    run = run_of(report(finding(rules[1], "m", at(MAIN, "backend")), rules=rules))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [TRAVERSAL.id]
    assert run["results"][0]["ruleIndex"] == 0


@pytest.mark.parametrize("options", [(), ("--select", "ALL")])
def test_all_rules_and_few_results_are_no_megabyte(options, tmp_path):
    (tmp_path / "nginx.conf").write_text(FIVE)
    run = nginxaudit_command("scan", *options, "--format", "sarif", "nginx.conf", cwd=tmp_path)
    sarif = json.loads(run.stdout)["runs"][0]
    rules = sarif["tool"]["driver"]["rules"]
    assert len(rules) > 200
    found = {result["ruleId"] for result in sarif["results"]}
    assert {rule["id"] for rule in rules if "markdown" in rule["help"]} == found
    others = json.dumps([rule for rule in rules if rule["id"] not in found], separators=(",", ":"))
    assert len(others) < 70_000
    if not options:
        assert len(found) == 5
        assert len(run.stdout) < 90_000


def test_every_rule_with_results_is_described():
    rules = run_of(found(*RULES))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["NGX2007", "NGX4002", "NGX5001"]
    rule = rules[2]
    assert rule["name"] == "AliasTraversal"
    assert rule["shortDescription"]["text"] == "Alias lets clients read outside of its directory."
    assert rule["fullDescription"]["text"] == (
        "Finds a location without a final slash whose alias has one. A client can climb one directory up."
    )
    assert rule["helpUri"].endswith("/rules/alias-traversal/")
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule["properties"] == {
        "tags": ["security", "files", "external/cwe/cwe-022"],
        "precision": "high",
        "problem.severity": "error",
        "security-severity": "8.0",
    }


def test_standards_are_taxonomies():
    run = run_of(found(*RULES))
    (owasp,) = [each for each in run["taxonomies"] if each["name"] == "owasp"]
    assert owasp["taxa"] == [{"id": "A01:2021", "shortDescription": {"text": "Broken access control."}}]
    driver = run["tool"]["driver"]
    assert {"name": "owasp"} in driver["supportedTaxonomies"]
    assert driver["rules"][2]["relationships"] == [
        {"target": {"id": "A01:2021", "toolComponent": {"name": "owasp"}}}
    ]
    assert "relationships" not in driver["rules"][0]
    assert "taxonomies" not in run_of(report())


def test_only_security_rules_have_a_security_severity():
    rules = run_of(found(*RULES))["tool"]["driver"]["rules"]
    assert ["security-severity" in rule["properties"] for rule in rules] == [False, False, True]
    assert ["security" in rule["properties"]["tags"] for rule in rules] == [False, False, True]
    assert rules[1]["properties"]["problem.severity"] == "recommendation"
    assert rules[1]["properties"]["precision"] == "low"


def test_tls_counts_as_security_for_github():
    (rule,) = run_of(found(replace(MISMATCH, category="tls")))["tool"]["driver"]["rules"]
    assert rule["properties"]["tags"] == ["tls", "high-availability", "security"]
    assert rule["properties"]["security-severity"] == "5.5"


def test_help_is_the_page_of_the_rule(monkeypatch):
    body = "# Title\n\n## What it does\nFinds `x`.\n\n```nginx bad\na b; # finding\n```\n"
    monkeypatch.setattr(pages, "body_of", lambda rule: body)
    rule = run_of(found(*RULES))["tool"]["driver"]["rules"][2]
    assert rule["help"]["markdown"] == (
        "## What it does\nFinds `x`.\n\n```nginx bad\na b; # finding\n```\n\n## References\n\n"
        "- <https://nginx.org/en/docs/http/ngx_http_core_module.html#alias>"
    )
    assert rule["help"]["text"] == "End both with a slash, or neither."


def test_rule_whose_page_is_gone_still_has_help():
    rule = run_of(found(MISMATCH))["tool"]["driver"]["rules"][0]
    assert rule["help"]["markdown"].startswith("Finds servers of one upstream whose failure settings differ.")


def test_finding_of_a_rule_that_did_not_run_is_described():
    base = finding(MISMATCH, "m", at(MAIN, "backend"))
    other = replace(base, id="NGX1001", rule="unreadable-file", category="input")
    run = run_of(report(other))
    result = run["results"][0]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (rule["id"], rule["name"]) == ("NGX1001", "UnreadableFile")
    assert result["ruleId"] == "NGX1001"


def test_rule_index_and_level():
    run = run_of(full())
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert [result["level"] for result in run["results"]] == ["note", "warning", "error", "error"]


def test_level_is_written_when_the_rule_has_another_one():
    softened = finding(TRAVERSAL, "m", at(MAIN, "alias"), severity=Severity.WARNING)
    assert result_of(report(softened))["level"] == "warning"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("no listen", "no listen."),
        ("done.", "done."),
        ("why:", "why."),
        ("see [x](https://evil.example) and [y]", "see \\[x](https://evil.example) and [y]."),
        ("byte \udce9", "byte \\xe9."),
    ],
)
def test_message(message, text):
    found = result_of(one("a b;", "b", message))["message"]
    assert found == {"text": text, "id": "finding", "arguments": [text.removesuffix(".")]}


def test_regions_and_snippets_are_the_text_of_the_file():
    run = run_of(full())
    texts = {"nginx.conf": MAIN.text, "conf.d/app.conf": SHARED.text}
    seen = 0
    for result in run["results"]:
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            place = location["physicalLocation"]
            assert place["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
            text = texts[place["artifactLocation"]["uri"]]
            assert covered(text, place["region"]) == place["region"]["snippet"]["text"] != ""
            context = place["contextRegion"]
            assert covered(text, context) == context["snippet"]["text"]
            assert place["region"]["snippet"]["text"] in context["snippet"]["text"]
            seen += 1
    assert seen == 6


def test_huge_lines_and_spans_are_not_repeated_in_the_log():
    text = "x" * 500_000 + " needle " + "y" * 500_000
    place = result_of(one(text, "needle"))["locations"][0]["physicalLocation"]
    assert place["region"]["snippet"]["text"] == "needle"
    assert place["contextRegion"]["snippet"]["text"] == "x" * 199 + " needle " + "y" * 199
    assert covered(text, place["contextRegion"]) == place["contextRegion"]["snippet"]["text"]
    whole = result_of(one(text, text))["locations"][0]["physicalLocation"]
    assert "snippet" not in whole["region"]
    assert "contextRegion" not in whole


def test_span_of_a_whole_file_has_no_context():
    place = result_of(one("listen 80;", "listen 80;"))["locations"][0]["physicalLocation"]
    assert place["region"]["snippet"]["text"] == "listen 80;"
    assert "contextRegion" not in place


def test_related_places_are_numbered():
    related = result_of(full())["relatedLocations"]
    assert [(each["id"], each["message"]["text"]) for each in related] == [(1, "included from here.")]


def test_fingerprints():
    result = result_of(full(), 2)
    assert result["partialFingerprints"] == {
        "primaryLocationLineHash": LineHashes(MAIN.text).of(7),
        "nginxaudit/v1": "f" * 32,
    }
    assert re.fullmatch(r"[0-9a-f]+:1", result["partialFingerprints"]["primaryLocationLineHash"])


def test_equal_problems_have_fingerprints_that_stay_when_lines_move(tmp_path):
    """GitHub tells results apart by file, rule and the hash of the line, which counts equal lines of the file."""
    server = "server {\n    listen 80;\n    location / {\n        autoindex on;\n    }\n}\n"
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { include *.inc; }\n")

    def fingerprints():
        run = nginxaudit_command(
            "scan", "--select", "autoindex-enabled", "-f", "sarif", "nginx.conf", cwd=tmp_path
        )
        return [
            (
                result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
                *result["partialFingerprints"].values(),
            )
            for result in json.loads(run.stdout)["runs"][0]["results"]
        ]

    for name in ("a.inc", "m.inc"):
        (tmp_path / name).write_text(server * 2)
    before = fingerprints()
    assert len(before) == 4
    assert (
        len({(file, line) for file, line, _ in before}) == len({(file, own) for file, _, own in before}) == 4
    )
    assert before[0][1:] == before[2][1:], "the same in another file"
    for name in ("a.inc", "m.inc"):
        (tmp_path / name).write_text("# moved\n\n" + server * 2)
    assert fingerprints() == before


@pytest.mark.parametrize(
    ("kind", "sarif"), [("inline", "inSource"), ("per-file", "external"), ("baseline", "external")]
)
def test_suppressions(kind, sarif):
    result = result_of(one("a b;", "b", suppressed=Suppression(kind, "because")))
    assert result["suppressions"] == [{"kind": sarif, "justification": "because"}]
    assert "suppressions" not in result_of(one("a b;", "b"))


def test_fix_changes_the_files_it_names():
    first, second = SourceText("a.conf", "a;\r\nbé c;\n"), SourceText("b.conf", "d;\n")
    edits = (Edit("a.conf", 0, 1, "A"), Edit("a.conf", 5, 6, ""), Edit("b.conf", 2, 2, "\ne;"))
    what = finding(MISMATCH, "m", at(first, "c"), fix=Fix("Fix it", Applicability.UNSAFE, edits))
    result = result_of(report(what, sources=(first, second)))
    (fix,) = result["fixes"]
    assert result["properties"]["fixApplicability"] == "unsafe"
    assert fix["description"]["text"] == "Fix it."
    assert [change["artifactLocation"]["uri"] for change in fix["artifactChanges"]] == ["a.conf", "b.conf"]
    assert [
        (covered(source.text, each["deletedRegion"]), each["insertedContent"]["text"])
        for source, change in zip((first, second), fix["artifactChanges"], strict=True)
        for each in change["replacements"]
    ] == [("a", "A"), ("é", ""), ("", "\ne;")]


def test_fix_of_a_file_without_text_counts_characters():
    what = finding(
        MISMATCH, "m", at(MAIN, "backend"), fix=Fix("t", Applicability.SAFE, (Edit("gone.conf", 4, 6, "x"),))
    )
    (change,) = result_of(report(what))["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["deletedRegion"] == {"charLength": 2, "charOffset": 4}


# -- files


def uri_of(path):
    span = Span(path, 1, 1, 1, 1, 0, 0)
    return result_of(report(finding(MISMATCH, "m", span), sources=()))["locations"][0]["physicalLocation"][
        "artifactLocation"
    ]


def test_paths_below_the_current_directory_are_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = {"uriBaseId": "%SRCROOT%"}
    assert uri_of("conf/nginx.conf") == {"uri": "conf/nginx.conf", **root}
    assert uri_of("./conf/../nginx.conf") == {"uri": "nginx.conf", **root}
    assert uri_of(os.path.join(tmp_path, "a.conf")) == {"uri": "a.conf", **root}
    assert uri_of("..a.conf") == {"uri": "..a.conf", **root}
    assert uri_of("/etc/nginx/nginx.conf") == {"uri": "file:///etc/nginx/nginx.conf"}
    assert uri_of("../other.conf") == {"uri": f"file://{tmp_path.parent}/other.conf"}


def test_paths_are_percent_encoded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert uri_of("my conf/日 #1?%.conf")["uri"] == "my%20conf/%E6%97%A5%20%231%3F%25.conf"
    assert uri_of("byte\udce9.conf")["uri"] == "byte%E9.conf"
    assert uri_of("<stdin>")["uri"] == "%3Cstdin%3E"
    assert uri_of("c:evil://x")["uri"] == "c%3Aevil%3A//x".replace("//", "/")


# -- how it went


def test_invocation_of_a_complete_run():
    assert run_of(full())["invocations"] == [{"executionSuccessful": True, "exitCode": 1}]
    assert run_of(full(), fail_on=None)["invocations"] == [{"executionSuccessful": True, "exitCode": 0}]


def test_invocation_tells_what_was_not_analysed():
    run = run_of(troubled())
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 4)
    file, note, crash = invocation["toolExecutionNotifications"]
    assert file["message"]["text"] == 'Not analysed: broken.conf: line 3: unexpected "}".'
    assert file["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "broken.conf"
    assert note["level"] == "warning"
    assert "include of ../x.conf lies outside and was not read" in note["message"]["text"]
    assert crash["level"] == "error"
    assert crash["associatedRule"] == {"id": "NGX4002", "index": 1}
    assert crash["message"]["text"].endswith(
        "(this is a bug in nginxaudit, please report it: https://github.com/nginxaudit/nginxaudit/issues)."
    )


def test_unanalysed_file_alone():
    run = run_of(report(files=(FileStatus("a", analysed=False, errors=("x",)),), incomplete=True))
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is False


def test_a_witness_without_a_sender_has_no_empty_key():
    witness = Witness("GET", "http://127.0.0.1:8080/a", (("Host", "a"),), None)
    result = result_of(report(finding(MISMATCH, "m", at(MAIN, "backend"), witness=witness)))
    assert "from" not in result["properties"]["witness"]
    assert result["properties"]["witness"]["url"] == "http://127.0.0.1:8080/a"
