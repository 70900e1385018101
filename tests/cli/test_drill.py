"""``nginxaudit drill``, as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import nginxaudit

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = ROOT / "fixtures" / "deployments"
PASSIVE = str(DEPLOYMENTS / "active-passive.conf")
FIXED = str(DEPLOYMENTS / "active-passive-fixed.conf")
QUICK = ("--no-settings", "--scenario", "rolling")


def _json(*args: str, code: int | None = None, stdin: str | None = None) -> Any:
    done = nginxaudit("drill", "--format", "json", *args, stdin=stdin)
    assert code is None or done.returncode == code, done.stderr
    return json.loads(done.stdout)


def _config(*locations: str, servers: str = "server 10.0.0.1:80; server 10.0.0.2:80;") -> str:
    inside = "".join(f"location /{number} {{ {text} }}" for number, text in enumerate(locations))
    return f"events {{}} http {{ upstream shop {{ {servers} }} server {{ listen 80; {inside} }} }}"


@pytest.mark.slow
def test_active_passive_of_the_manual_is_active_active() -> None:
    done = nginxaudit("drill", *QUICK, PASSIVE)
    assert done.returncode == 1
    assert "meant as active-passive, is active-active" in done.stdout
    (scenario,) = _json(*QUICK, PASSIVE, code=1)["scenarios"]
    before = scenario["timeline"]["attempts"]
    assert sum(before["127.0.0.2:8080"][:10]) == sum(before["127.0.0.1:8080"][:10]) > 0
    assert scenario["remedies"][0]["lost_after"] == 0 < scenario["lost"]


def test_the_fixed_one_survives_a_restart_and_a_dead_primary() -> None:
    found = _json("--no-settings", "--scenario", "rolling", "--scenario", "refuse", FIXED, code=0)
    assert {each["kind"]: each["lost"] for each in found["scenarios"]} == {"refuse": 0, "rolling": 0}
    assert all(each["backups_served"] for each in found["scenarios"])


@pytest.mark.slow
def test_what_makes_it_fail() -> None:
    alone = _config("proxy_pass http://shop;", servers="server 10.0.0.1:80;")
    for fail_on, code in (("lost", 1), ("fixable", 0), ("never", 0)):
        done = nginxaudit("drill", *QUICK, "--fail-on", fail_on, "-", stdin=alone)
        assert done.returncode == code, done.stdout
        assert nginxaudit("drill", *QUICK, "--fail-on", fail_on, PASSIVE).returncode == int(
            fail_on != "never"
        )


@pytest.mark.slow
def test_options_change_what_happens() -> None:
    (usual,) = _json(*QUICK, PASSIVE)["scenarios"]
    (calm,) = _json(*QUICK, "--pause", "60s", PASSIVE, code=0)["scenarios"]
    (busy,) = _json(*QUICK, "--rate", "6000/m", "--restart", "5s", PASSIVE)["scenarios"]
    assert calm["lost"] == 0 < usual["lost"]
    assert busy["requests"] / busy["duration"] == pytest.approx(0.1)
    assert busy["end"] - busy["begin"] == 2 * 5_000 + 10_000
    hang = ("--no-settings", "--scenario", "hang")
    (patient, *_) = _json(*hang, "--client-timeout", "2m", PASSIVE)["scenarios"]
    assert patient["gave_up"] < _json(*hang, PASSIVE)["scenarios"][0]["gave_up"]
    text = _config("proxy_pass http://shop; proxy_next_upstream error timeout http_500;")
    errors = ("--no-settings", "--scenario", "5xx", "--methods", "GET", "-")
    retried = _json(*errors, "--error-status", "500", stdin=text)["scenarios"]
    assert {each["lost"] for each in retried if each["scope"] == "server"} == {0}
    assert {tuple(each["by_status"]) for each in _json(*errors, stdin=text)["scenarios"]} == {("503",)}


def test_the_target_counts() -> None:
    text = _config(
        "proxy_pass http://shop; proxy_set_header Connection ''; proxy_http_version 1.1;",
        servers="server 10.0.0.1:80 down; server 10.0.0.2:80; least_time header;",
    )
    old = _json(*QUICK, "--nginx-version", "1.28.0", "-", stdin=text, code=3)
    assert old["scenarios"] == []
    assert "least_time does not exist" in old["not_drilled"][0]["reason"]
    assert _json(*QUICK, "--nginx-version", "1.31.4", "-", stdin=text)["tool"]["nginx_version"] == "1.31.4"


def test_only_the_upstreams_asked_for() -> None:
    tree = str(ROOT / "fixtures" / "etc-nginx")
    found = _json(*QUICK, "--upstream", "SH*", tree)
    assert {each["upstream"] for each in found["scenarios"]} == {"shop"}
    done = nginxaudit("drill", *QUICK, "--upstream", "nope*", tree)
    assert done.returncode == 2
    assert 'there is no upstream named "nope*"' in done.stderr


@pytest.mark.slow
def test_two_runs_are_alike_and_a_seed_decides() -> None:
    args = ("--no-settings", "--scenario", "refuse", "--workers", "3", PASSIVE)
    assert _json(*args) == _json(*args)
    other = _json(*args, "--seed", "9")
    assert other["scenarios"][0]["servers"] != _json(*args)["scenarios"][0]["servers"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--rate", "fast", "write requests per second or minute, like 50/s"),
        ("--rate", "0/s", "from 0.01/s to 10000/s"),
        ("--rate", "nan", "from 0.01/s to 10000/s"),
        ("--methods", "GETT:1", "known are GET, HEAD, POST"),
        ("--methods", "GET:x", "write GET:0.9,POST:0.1"),
        ("--methods", "GET:0,POST:0", "no method has a share"),
        ("--methods", "GET,get:2", "GET is given twice"),
        ("--workers", "0", "1<=x<=512"),
        ("--restart", "soon", "write one like 500ms, 30s or 2m"),
        ("--pause", "2d", "from 0ms to 1h"),
        ("--client-timeout", "0", "from 1ms to 1h"),
        ("--scenario", "explode", "'rolling'"),
        ("--error-status", "404", "'503'"),
        ("--fail-on", "warning", "'fixable'"),
        ("--format", "sarif", "'html'"),
    ],
)
def test_wrong_values_are_refused_with_what_is_allowed(option: str, value: str, said: str) -> None:
    done = nginxaudit("drill", "--no-settings", option, value, PASSIVE)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_what_cannot_be_read_or_drilled_is_never_passed_over(tmp_path: Path) -> None:
    missing = nginxaudit("drill", *QUICK, str(tmp_path / "missing.conf"))
    assert missing.returncode in (2, 3)
    text = _config("proxy_pass http://shop;", servers="server 10.0.0.1:80; include servers/*.conf; state /x;")
    unknown = nginxaudit("drill", *QUICK, "--edition", "plus", "-", stdin=text)
    assert unknown.returncode == 3
    assert "shop  not drilled: its servers come from somewhere else" in unknown.stdout
    unused = "events {} http { upstream shop { server 10.0.0.1:80; } }"
    idle = nginxaudit("drill", *QUICK, "-", stdin=unused)
    assert idle.returncode == 0
    assert "nothing that was read passes requests to it" in idle.stdout
    assert "none loses requests" not in idle.stdout
    nothing = nginxaudit("drill", *QUICK, "-", stdin="events {}")
    assert "No upstream in the input" in nothing.stdout


def test_what_nginx_would_not_load_is_said() -> None:
    done = nginxaudit("drill", *QUICK, str(DEPLOYMENTS / "active-active-health-checks.conf"))
    text = " ".join(done.stdout.split())
    assert "nginx refuses to load" in text
    assert '"health_check" exists in NGINX Plus only' in text


def test_a_file_is_written(tmp_path: Path) -> None:
    target = tmp_path / "drill.html"
    done = nginxaudit(
        "drill", *QUICK, "--format", "html", "--title", "Shop <b>", "--output", str(target), PASSIVE
    )
    assert done.returncode == 1
    assert done.stdout == ""
    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<h1>Shop &lt;b&gt;</h1>" in page and "<title>Shop &lt;b&gt;: " in page


def test_help_and_the_list_of_commands_tell_of_it() -> None:
    assert "drill" in nginxaudit("--help").stdout
    text = nginxaudit("drill", "--help").stdout
    for word in ("--scenario", "--client-timeout", "Exit codes", "rolling", "fixable"):
        assert word in text
