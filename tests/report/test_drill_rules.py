"""The rules that drill: their numbers, their options, and that they end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding
from tests.report.drills import configuration

PASS = "proxy_pass http://shop;"
ROLLING = "rolling-restart-loses-requests"
FAILOVER = "failover-loses-requests"


def _found(directory: Path, text: str, rule: str, **options: Any) -> list[Finding]:
    path = directory / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    named = {name.replace("_", "-"): value for name, value in options.items()}
    report = audit([str(path)], Settings(select=(rule,), rule={rule: named}))
    assert not report.crashes
    return list(report.active)


@pytest.mark.slow
def test_both_belong_to_the_set_drill_and_are_off(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(configuration(PASS), encoding="utf-8")
    assert {each.rule for each in audit([str(path)], Settings(select=("drill",))).active} == {
        ROLLING,
        FAILOVER,
    }
    assert not {ROLLING, FAILOVER} & {each.rule for each in audit([str(path)]).active}


@pytest.mark.slow
def test_the_message_has_the_numbers_and_the_help_the_change(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, configuration(PASS), ROLLING)
    assert finding.message.startswith('a rolling restart of "shop" loses ')
    assert finding.message.endswith(" requests: fail_timeout=30s")
    assert finding.why.startswith("A server stays out for up to 31s after its last failure")
    assert (
        "Simulated with 50 requests a second; each server is gone for 20s, the next one stops 10s later."
        in finding.why
    )
    assert (
        finding.help == 'Write fail_timeout=8s on every server in upstream "shop": it then loses no requests.'
    )
    assert finding.related[0].message == "used here by *:80 location /0"
    (finding,) = _found(tmp_path, configuration(PASS), FAILOVER)
    assert "when the host of 10.0.0.1:80 is gone: proxy_connect_timeout 60s" in finding.message


@pytest.mark.parametrize(
    "options", [{"pause": "60s"}, {"restart": "5s", "pause": "40s"}, {"tolerate": 5}, {"rate": 1, "tolerate": 9.5}]
)  # fmt: skip
def test_a_restart_as_it_is_done_here(options: dict[str, Any], tmp_path: Path) -> None:
    assert _found(tmp_path, configuration(PASS), ROLLING, **options) == []


@pytest.mark.slow
def test_a_failover_as_it_matters_here(tmp_path: Path) -> None:
    text = configuration(f"{PASS} proxy_connect_timeout 2s;")
    assert _found(tmp_path, text, FAILOVER) == []
    (hanging,) = _found(tmp_path, text, FAILOVER, hang=True)
    assert "10.0.0.1:80 hangs: proxy_read_timeout" in hanging.message
    assert _found(tmp_path, configuration(PASS), FAILOVER, client_timeout="5m") == []


def test_one_finding_per_group_for_the_worst_use(tmp_path: Path) -> None:
    text = configuration(*[PASS] * 5, f"{PASS} proxy_next_upstream off;", PASS)
    (finding,) = _found(tmp_path, text, ROLLING)
    assert finding.related[0].message == "used here by *:80 location /5"


@pytest.mark.slow
def test_values_out_of_bounds_are_no_crash(tmp_path: Path) -> None:
    for options in ({"rate": 0}, {"rate": -5}, {"rate": 10**9}, {"restart": "0"}, {"pause": "0"}):
        _found(tmp_path, configuration(PASS, servers="server 10.0.0.1; server 10.0.0.2;"), ROLLING, **options)
    assert _found(tmp_path, configuration(PASS), FAILOVER, client_timeout="0")


@pytest.mark.slow
def test_it_ends_and_says_what_it_left_out(tmp_path: Path) -> None:
    groups = "".join(f"upstream g{n} {{ server 10.0.0.{n}:80; server 10.0.1.{n}:80; }}" for n in range(100))
    uses = "".join(
        f"location /{n} {{ proxy_pass http://g{n}; proxy_read_timeout {n + 1}s; }}" for n in range(100)
    )
    begin = time.process_time()
    text = f"events {{}} http {{ {groups} server {{ listen 80; {uses} }} }}"
    found = _found(tmp_path, text, FAILOVER, rate=5)
    assert time.process_time() - begin < 60
    assert "are not simulated: 30 different uses of upstreams come first" in found[-1].message
    assert found[-1].severity.label == "info"


def test_groups_of_which_too_little_is_known_are_left_out(tmp_path: Path) -> None:
    many = "".join(f"server 10.0.{n // 200}.{n % 200}:80; " for n in range(60))
    for servers in (many, "server 10.0.0.1:80;", "server 10.0.0.1:80; server 10.0.0.2:80 down;"):
        text = configuration(f"{PASS} proxy_next_upstream off;", servers=servers)
        assert _found(tmp_path, text, ROLLING) == []
        assert _found(tmp_path, text, FAILOVER) == []
