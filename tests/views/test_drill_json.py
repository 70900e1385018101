"""A drill as JSON: it follows its schema, and its numbers add up."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report.drills import configuration, drilled, rendered

SCHEMA = json.loads(files("nginxaudit.views.drill").joinpath("drill.schema.json").read_text("utf-8"))
TEXT = configuration(
    "proxy_pass http://shop;", "proxy_pass http://shop;", "grpc_pass grpc://shop;", "proxy_pass http://shop; proxy_read_timeout $x;"
)  # fmt: skip


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return json.loads(rendered("json", drilled(tmp_path_factory.mktemp("json"), TEXT, None)))


@pytest.mark.slow
def test_it_follows_its_schema(document: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    known = SCHEMA["$defs"]["scenario"]["properties"]["kind"]["enum"]
    assert {each["kind"] for each in document["scenarios"]} == {*known} - {"start"}
    assert any(each["remedies"] for each in document["scenarios"])


@pytest.mark.slow
def test_the_schema_names_everything(document: Any) -> None:
    known = SCHEMA["$defs"]["scenario"]
    assert known["properties"].keys() == set(known["required"])
    for scenario in document["scenarios"]:
        assert scenario.keys() == known["properties"].keys()
        assert all(each.keys() == known["properties"]["servers"]["items"]["properties"].keys() for each in scenario["servers"])  # fmt: skip


@pytest.mark.slow
def test_the_numbers_add_up(document: Any) -> None:
    for each in document["scenarios"]:
        line = each["timeline"]
        assert each["requests"] == each["ok"] + each["lost"]
        assert each["lost"] == each["failed"] + each["gave_up"] == sum(line["failed"]) + sum(line["gave_up"])
        assert sum(each["by_status"].values()) == each["failed"]
        assert sum(line["ok"]) == each["ok"]
        assert each["passed"] == (each["lost"] == each["unavoidable"])
        assert all(remedy["lost_before"] == each["lost"] for remedy in each["remedies"])


def test_every_place_has_its_scenarios(document: Any) -> None:
    places: dict[str, list[str]] = {}
    for each in document["scenarios"]:
        places.setdefault(each["location"], []).append(each["scenario"])
    assert len(places) == 3
    assert len(set(map(tuple, places.values()))) == 1
    (skipped,) = document["not_drilled"]
    assert "proxy_read_timeout" in skipped["reason"]
    assert document["summary"]["scenarios"] == len(document["scenarios"])
    assert document["summary"]["passed"] + document["summary"]["lossy"] == len(document["scenarios"])


def test_what_is_beside_the_method(tmp_path: Path) -> None:
    servers = "server 10.0.0.1:80; server 10.0.0.2:80; check interval=1000 fall=2 rise=2 type=http; sticky cookie id;"
    text = configuration("proxy_pass http://shop;", servers=servers)
    document = json.loads(rendered("json", drilled(tmp_path, text, ("refuse",))))
    jsonschema.validate(document, SCHEMA)
    first = document["scenarios"][0]
    assert first["active_checks"] == [
        {
            "directive": "check", "interval": 1000, "fails": 2, "passes": 2, "looks_at": "status",
            "out_within": 2500, "back_within": 2550, "first_requests_within": 2550,
        }
    ]  # fmt: skip
    assert (first["sticky"], first["queue"], first["slow_start"]) == ("cookie", None, {})
    assert first["sessions_moved"] > 0
    assert not any(each["by_check"] for each in first["servers"]), "the first refused request took it out"
