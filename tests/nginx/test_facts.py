"""Look-ups answer for a version and an edition, and cost next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nginxaudit.nginx import Target, directives, facts_for, parse_version, variable, variables
from nginxaudit.nginx.availability import Availability


def target(version: str, edition: str = "oss") -> Target:
    return Target(parse_version(version), edition)


@pytest.mark.parametrize(
    ("name", "context", "version", "edition", "expected"),
    [
        ("http2", "server", "1.25.0", "oss", Availability.TOO_NEW),
        ("http2", "server", "1.25.1", "oss", Availability.YES),
        ("health_check", "location", "1.29.0", "oss", Availability.PLUS_ONLY),
        ("health_check", "location", "1.29.0", "plus", Availability.YES),
        ("proxy_pass", "location", "1.18.0", "oss", Availability.YES),
        ("more_set_headers", "location", "1.29.0", "oss", Availability.THIRD_PARTY),
    ],
)
def test_availability(name: str, context: str, version: str, edition: str, expected: Availability) -> None:
    asked = target(version, edition)
    assert expected in {fact.available(asked) for fact in facts_for(name, context)}


def test_names_are_case_sensitive_and_unknown_ones_have_no_facts() -> None:
    assert directives("listen")
    assert directives("Listen") == ()


def test_families_do_not_share_facts() -> None:
    assert facts_for("listen", "server") != facts_for("listen", "stream-server")
    assert not facts_for("server_name", "events")


def test_variables_with_a_prefix() -> None:
    assert variable("request_uri", "http") is not None
    assert variable("http_x_any", "http") is not None
    assert variable("no_such_thing", "http") is None
    assert "request_uri" not in variables("stream")
    for family in ("http", "stream"):
        known = variables(family)
        assert all(name.endswith("_") == fact.prefix for name, fact in known.items())
        assert all(variable(name, family) is not None for name in known)


@pytest.mark.slow
def test_loading_costs_under_ten_milliseconds() -> None:
    """The best of several processes: the first ones may read what is on no page of memory yet."""
    code = (
        "import nginxaudit.nginx as n, time; t = time.process_time(); n.directives('listen');"
        "n.facts_for('proxy_pass', 'location'); n.parameters('server', 'http'); print(time.process_time() - t)"
    )
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    assert min(runs) < 0.010
