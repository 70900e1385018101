import json
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import nginxaudit
from nginxaudit.engine.results.report import RuleCrash
from nginxaudit.finding import Applicability, Edit, Fix, Related
from nginxaudit.source.text import SourceText
from tests.report.samples import MISMATCH, at, finding, full, one, rendered, report, troubled

SCHEMA = json.loads(files("nginxaudit.report").joinpath("schema/nginxaudit.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
GOLDEN = Path(__file__).parent / "golden" / "report.json"


def parsed(what):
    """The output, read as strictly as any reader may."""
    text = rendered("json", what)
    assert text.isascii()

    def refuse(constant):
        raise AssertionError(constant)

    data = json.loads(text, parse_constant=refuse)
    json.dumps(data, ensure_ascii=False).encode("utf-8")  # a lone surrogate would not pass
    VALIDATOR.validate(data)
    return data


def test_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_golden():
    assert rendered("json", full()).replace(nginxaudit.__version__, "VERSION") == GOLDEN.read_text("utf-8")


def test_keys_in_the_order_of_the_contract():
    data = parsed(full())
    assert list(data) == [
        "schema_version",
        "tool",
        "facts",
        "findings",
        "files",
        "summary",
        "notes",
        "remarks",
    ]
    assert data["schema_version"] == 1
    assert data["tool"] == {
        "name": "nginxaudit",
        "version": nginxaudit.__version__,
        "nginx_version": "1.31.4",
        "edition": "oss",
    }
    assert list(data["findings"][0]) == [
        *("id", "rule", "category", "severity", "confidence", "message", "why", "help", "url", "cwe"),
        "standards",
        "rejected_by_nginx",
        *("fingerprint", "location", "related", "fix", "suppressed"),
    ]
    assert list(data["summary"].items()) == [
        ("error", 1),
        ("warning", 1),
        ("info", 1),
        ("suppressed", 1),
        ("files", 2),
    ]


def test_finding_with_fix():
    found = parsed(full())["findings"][2]
    assert (found["id"], found["rule"], found["category"]) == ("NGX5001", "alias-traversal", "security")
    assert found["location"] == {
        "file": "nginx.conf",
        "line": 7,
        "column": 31,
        "end_line": 7,
        "end_column": 38,
    }
    start = found["fix"]["edits"][0]["start"]
    assert found["fix"] == {
        "title": "Add the missing slash",
        "applicability": "safe",
        "edits": [{"file": "nginx.conf", "start": start, "end": start, "text": "/"}],
    }
    assert found["suppressed"] is None


def test_related_place_is_a_location_with_a_message():
    assert parsed(full())["findings"][0]["related"] == [
        {
            "message": "included from here",
            "file": "nginx.conf",
            "line": 8,
            "column": 17,
            "end_line": 8,
            "end_column": 30,
        }
    ]


def test_suppressed_findings_are_always_there():
    assert parsed(full())["findings"][3]["suppressed"] == {"kind": "inline", "reason": "public files only"}


def test_files_that_were_not_analysed():
    assert parsed(troubled())["files"][2] == {
        "path": "broken.conf",
        "analysed": False,
        "errors": ['line 3: unexpected "}"'],
    }


def test_file_on_which_a_rule_crashed_does_not_look_analysed():
    data = parsed(troubled())
    assert data["files"][0]["path"] == "nginx.conf"
    assert data["files"][0]["analysed"] is False
    assert "rule old-proxy-protocol crashed on nginx.conf: KeyError: 'x'" in data["files"][0]["errors"][0]
    elsewhere = parsed(report(crashes=(RuleCrash("r", "gone.conf", "E"),)))
    assert elsewhere["files"][2]["path"] == "gone.conf"
    assert elsewhere["files"][2]["analysed"] is False
    assert elsewhere["summary"]["files"] == 3


def test_nothing_found():
    data = parsed(report())
    assert data["findings"] == []
    assert data["summary"] == {"error": 0, "warning": 0, "info": 0, "suppressed": 0, "files": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("byte \udce9", "byte \ufffd"),
        ("pair \ud83d\ude00", "pair \ufffd\ufffd"),
        ("日 😀 é", "日 😀 é"),
        ('\x1b[0m\r\n\u202e"\\', '\x1b[0m\r\n\u202e"\\'),
    ],
)
def test_any_text_is_valid_json(text, expected):
    source = SourceText(f"{text}.conf", "a b;")
    fix = Fix(text, Applicability.UNSAFE, (Edit(source.path, 0, 1, text),))
    what = finding(MISMATCH, text, at(source, "b"), related=(Related(text, at(source, "a")),), fix=fix)
    found = parsed(report(what, sources=(source,)))["findings"][0]
    assert found["message"] == found["related"][0]["message"] == found["fix"]["edits"][0]["text"] == expected
    assert found["location"]["file"] == f"{expected}.conf"


def test_a_finding_a_line():
    lines = rendered("json", full()).splitlines()
    assert sum(line.startswith('    {"id": "NGX') for line in lines) == 4
    assert rendered("json", one("a b;", "b")).count("\n    {") == 2, "one finding, one file"
