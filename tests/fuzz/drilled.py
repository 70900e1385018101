"""Simulations of groups that nobody would write: what must hold for every number that a drill tells."""

from __future__ import annotations

import io
import json

from hypothesis import strategies as st

from nginxaudit.drill.kinds import KINDS
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.results import Outcome, Result
from nginxaudit.engine.run.audit import examine
from nginxaudit.nginx import Target as Nginx
from nginxaudit.views.drill import FORMATS, render_drill
from nginxaudit.views.drill.view import Drilled, drilled_of
from tests.fuzz.grammar import Draw
from tests.support.targets import settings_for

_LOAD = Traffic(
    rate=3, restart=4_000, pause=2_000, client_timeout=9_000, flap_down=1_500, flap_up=2_500, seed=5
)
_NUMBERS = ("0", "1", "2", "3", "10", "1000", "65535", "2147483647", "x", "")
_TIMES = ("0", "1ms", "1s", "2s", "10s", "30s", "1h", "1d", "35791394m", "x")
_CONDITIONS = (
    "error",
    "timeout",
    "http_503",
    "http_404",
    "non_idempotent",
    "invalid_header",
    "off",
    "updating",
)
_METHODS = ("least_conn;", "ip_hash;", "hash $remote_addr;", "hash $uri consistent;", "hash k;", "random;", "random two;",
            "random two least_conn;", "least_time header;", "sticky cookie c;", "sticky learn create=$a lookup=$b zone=s:64k timeout=1ms;", "sticky route $a;", "sticky;",
            "check;", "check interval=1000 fall=2 rise=1 type=http;", "check interval=1 timeout=1;", "check interval=0;", "check rise=99999999 type=tcp;",
            "check_http_expect_alive http_5xx x;", "queue 1 timeout=1ms;", "zone z 64k;", "zone z 1;", "keepalive 2;",
            "keepalive 0;", "keepalive_requests 1;", "keepalive_timeout 0;", "queue 10;", "ntlm;")  # fmt: skip
_FLAGS = ("backup", "down", "resolve", "drain", "slow_start=10s")
_ADDRESSES = (
    "10.0.0.1",
    "10.0.0.1:81",
    "10.0.0.2:81",
    "10.0.0.2:82",
    "[::1]:81",
    "unix:/run/a",
    "app",
    "app:81",
    "$x",
)
_HTTP = ("proxy_next_upstream", "proxy_next_upstream_tries", "proxy_next_upstream_timeout", "proxy_connect_timeout", "proxy_read_timeout",
         "proxy_send_timeout", "proxy_request_buffering", "proxy_http_version", "proxy_timeout", "proxy_responses", "proxy_set_header")  # fmt: skip
_VALUES = (*_TIMES, *_NUMBERS[:8], "on", "off", "1.1", "Connection ''")


@st.composite
def _server(draw: Draw) -> str:
    words = [draw(st.sampled_from(_ADDRESSES))]
    for name, values in (
        ("weight", _NUMBERS),
        ("max_fails", _NUMBERS),
        ("max_conns", _NUMBERS),
        ("fail_timeout", _TIMES),
    ):
        if draw(st.integers(0, 3)) == 0:
            words.append(f"{name}={draw(st.sampled_from(values))}")
    words += draw(st.lists(st.sampled_from(_FLAGS), max_size=1))
    return f"server {' '.join(words)};"


_CHECKS = ("", "", "health_check;", "health_check interval=1ms fails=2 mandatory;", "health_check passes=3 jitter=1h match=m;", "health_check udp;",
           "health_check interval=0 match=none;", "health_check fails=2147483647;")  # fmt: skip


@st.composite
def _setting(draw: Draw) -> str:
    name = draw(st.sampled_from(_HTTP))
    if name == "proxy_next_upstream":
        return f"{name} {' '.join(draw(st.lists(st.sampled_from(_CONDITIONS), min_size=1, max_size=4)))};"
    return f"{name} {draw(st.sampled_from(_VALUES))};"


@st.composite
def groups(draw: Draw) -> bytes:
    """One group of http or stream, used once or twice; the first line says what goes wrong with it."""
    lines = draw(st.lists(_server() | st.sampled_from(_METHODS), min_size=1, max_size=7))
    settings = "\n".join([*draw(st.lists(_setting(), max_size=5)), draw(st.sampled_from(_CHECKS))])
    group = f"upstream g {{ {' '.join(lines)} }}\n"
    kind = draw(st.sampled_from(KINDS))
    workers = draw(
        st.sampled_from(("", "worker_processes 1;", "worker_processes 3;", "worker_processes auto;"))
    )
    if draw(st.integers(0, 3)) == 0:
        listen = draw(st.sampled_from(("81", "81 udp")))
        body = f"stream {{ {group} server {{ listen {listen};\n{settings}\nproxy_pass g; }} }}"
    else:
        more = draw(
            st.sampled_from(("", "location /b { proxy_pass http://g; }", "location /c { grpc_pass g; }"))
        )
        body = f"http {{ {group} server {{ listen 80; location / {{\n{settings}\nproxy_pass http://g; }} {more} }} }}"
    return f"# fuzz: {kind}\n{workers}\nevents {{}}\n{body}\n".encode()


def check(data: bytes, kind: str) -> None:
    """Drill what ``data`` defines, twice, and show it. Raises `AssertionError` for numbers that do not agree."""
    first = _drilled(data, kind)
    for result in first.results:
        _check(result)
    assert first == _drilled(data, kind), "two drills differ"
    for name in FORMATS:
        text = io.StringIO()
        render_drill(name, first, text, show_all=True)
        if name == "json":
            json.loads(text.getvalue())


def _drilled(data: bytes, kind: str) -> Drilled:
    kinds = (kind if kind in KINDS else "refuse",)
    target = Nginx(edition="plus", version=(1, 29, 8)) if len(data) % 2 else Nginx()
    settings = settings_for(target, select=("unrendered-template",))
    examination = examine(["-"], settings, stdin=io.BytesIO(data))
    return drilled_of(examination.models, _LOAD, kinds, target, findings=examination.active)


def _check(result: Result) -> None:
    outcome, verdict = result.outcome, result.verdict
    _check_outcome(outcome)
    assert verdict.text
    assert verdict.passed == (outcome.avoidable == 0), "passed, and something is lost; or the reverse"
    for remedy in verdict.remedies:
        assert remedy.steps
        assert all(step.text and step.where for step in remedy.steps)
        assert remedy.lost_before == outcome.lost
        assert 0 <= remedy.lost_after < remedy.lost_before, "a remedy that brings nothing"
        assert remedy.fixes or remedy.lost_after
    assert not (verdict.passed and verdict.remedies)


def _check_outcome(outcome: Outcome) -> None:
    assert outcome.requests == outcome.ok + outcome.failed + outcome.gave_up
    assert sum(outcome.by_status.values()) == outcome.failed
    assert 0 <= outcome.died <= outcome.lost
    assert 0 <= outcome.broken <= outcome.failed
    assert 0 <= outcome.lonely <= outcome.requests
    assert 0 <= outcome.latency.median <= outcome.latency.p99 <= outcome.latency.worst
    line = outcome.timeline
    for counts, total in (
        (line.ok, outcome.ok),
        (line.failed, outcome.failed),
        (line.gave_up, outcome.gave_up),
    ):
        assert sum(counts) == total
    for server in outcome.servers:
        assert all(0 <= share <= 1 for share in (server.before, server.during, server.after))
        assert all(moment is None or moment >= 0 for moment in (server.left, server.back))
        assert server.attempts >= 0
    assert sum(server.attempts for server in outcome.servers) == sum(map(sum, line.attempts.values()))
