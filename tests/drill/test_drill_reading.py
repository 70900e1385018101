"""Groups and uses out of configurations, and the reasons where there is nothing to simulate."""

from __future__ import annotations

import pytest

from nginxaudit.drill.reading import AUTO_WORKERS, subjects, with_workers
from nginxaudit.drill.spec import ActiveCheck, Queue, Sticky, Subject
from nginxaudit.nginx import Target
from tests.model.model_support import http, model_of


def _one(text: str, **more: object) -> Subject:
    found = subjects(http(text, **more))
    assert len(found) == 1
    return found[0]


def _why(group: str, location: str = "proxy_pass http://app;", **more: object) -> str | None:
    text = f"upstream app {{ {group} }} server {{ listen 80; location / {{ {location} }} }}"
    return _one(text, **more).why_not


def test_everything_that_matters_is_read() -> None:
    found = _one(
        """
        upstream app {
            zone app 64k;
            server 10.0.0.1:8080 weight=3 max_fails=2 fail_timeout=5s max_conns=7;
            server 10.0.0.2:8080 down;
            server 10.0.0.1:9090 backup;
            keepalive 8;
        }
        server {
            listen 80;
            server_name shop.example;
            proxy_connect_timeout 2s;
            location /api {
                proxy_pass https://app;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_next_upstream error http_503;
                proxy_next_upstream_tries 2;
                proxy_next_upstream_timeout 3s;
                proxy_read_timeout 500ms;
                proxy_request_buffering off;
            }
        }
        """
    )
    group, use = found.group, found.use
    assert group is not None and use is not None and found.why_not is None
    assert (found.upstream, found.location) == ("app", "shop.example location /api")
    first, second, third = group.servers
    assert (first.name, first.host, first.weight, first.max_fails) == ("10.0.0.1:8080", "10.0.0.1", 3, 2)
    assert (first.fail_timeout_s, first.max_conns) == (5, 7)
    assert second.down and third.backup and third.host == first.host
    assert group.zone and group.keepalive == 8 and group.method == "round_robin" and group.workers == 1
    assert use.conditions == {"error", "http_503"}
    assert (use.tries, use.budget, use.connect, use.send, use.read) == (2, 3000, 2000, 60_000, 500)
    assert use.tls and use.reuses and not use.buffered
    assert "proxy_connect_timeout" in use.written and "proxy_send_timeout" not in use.written


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("", "round_robin"), ("least_conn;", "least_conn"), ("ip_hash;", "ip_hash"), ("hash $uri;", "hash"),
        ("hash $uri consistent;", "consistent"), ("random;", "random"), ("random two least_conn;", "random_two"),
        ("least_time header;", "least_time"),
    ],
)  # fmt: skip
def test_methods(line: str, method: str) -> None:
    found = _one(
        f"upstream app {{ {line} server 10.0.0.1; }} server {{ location / {{ proxy_pass http://app; }} }}"
    )
    assert found.group is not None and found.group.method == method


@pytest.mark.parametrize(
    ("group", "location", "reason"),
    [
        ("server 10.0.0.1 backup;", "proxy_pass http://app;", "nginx refuses it"),
        ("server 10.0.0.1 weigth=3;", "proxy_pass http://app;", "nginx refuses its server 10.0.0.1"),
        ("server 10.0.0.1 down;", "proxy_pass http://app;", "all its servers are down"),
        ("server app.internal service=http resolve;", "proxy_pass http://app;", "come from somewhere else"),
        ("server 10.0.0.1; include missing.conf;", "proxy_pass http://app;", "could not be read"),
        ("server 10.0.0.1; fair;", "proxy_pass http://app;", 'method "fair" does is not known'),
        ("server 10.0.0.1;", "proxy_pass http://app; proxy_read_timeout soon;", "proxy_read_timeout"),
        ("server 10.0.0.1;", "proxy_pass http://app; proxy_connect_timeout soon;", "connect timeout"),
        ("server 10.0.0.1;", "return 204;", "nothing that was read passes requests"),
        ("hash $uri consistent; server 10.0.0.1 weight=9999; server 10.0.0.2 weight=2;", "proxy_pass http://app;", "ring"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_said(group: str, location: str, reason: str) -> None:
    assert reason in (_why(group, location) or "")


def test_least_time_needs_a_version_that_has_it() -> None:
    group = "least_time header; server 10.0.0.1;"
    assert "does not exist in nginx 1.28.0" in (_why(group, target=Target((1, 28, 0))) or "")
    assert _why(group, target=Target((1, 28, 0), "plus")) is None


def test_a_host_name_is_one_server_and_that_is_said() -> None:
    text = "upstream app { server app.internal resolve; zone z 1m; } server { location / { proxy_pass http://app; } }"
    group = _one(text).group
    assert group is not None and len(group.servers) == 1
    assert "a host name is taken for one server" in group.notes[0]


def test_connections_are_kept_by_default_since_1_29_7() -> None:
    text = "upstream app { server 10.0.0.1; } server { location / { proxy_pass http://app; } }"
    new, old = _one(text), _one(text, target=Target((1, 29, 6)))
    assert new.group is not None and new.use is not None and old.group is not None and old.use is not None
    assert (new.group.keepalive, new.use.reuses) == (32, True)
    assert (old.group.keepalive, old.use.reuses) == (0, False)


def test_stream_and_udp() -> None:
    model = model_of(
        "events {} worker_processes 3; stream { upstream dns { server 10.0.0.1:53; server 10.0.0.2:53; }"
        "server { listen 53 udp; proxy_pass dns; proxy_timeout 3s; proxy_next_upstream off; proxy_connect_timeout 1s; } }"
    )
    (found,) = subjects(model)
    assert found.group is not None and found.use is not None
    assert found.group.family == "stream" and found.group.workers == 3 and found.group.keepalive == 0
    assert found.use.udp and found.use.idle == 3000 and found.use.connect == 1000
    assert found.use.conditions == {"off"}


def test_other_protocols_have_their_own_settings() -> None:
    text = (
        "upstream app { server 10.0.0.1; keepalive 4; } server { location / { fastcgi_pass app; fastcgi_keep_conn on;"
        "fastcgi_read_timeout 4s; proxy_read_timeout 9s; } location /g { grpc_pass grpc://app; } }"
    )
    php, grpc = subjects(http(text))
    assert php.use is not None and grpc.use is not None
    assert (php.use.prefix, php.use.read, php.use.reuses) == ("fastcgi", 4000, True)
    assert (grpc.use.prefix, grpc.use.buffered, grpc.use.reuses) == ("grpc", False, True)


def test_every_location_is_a_use() -> None:
    text = (
        "upstream app { server 10.0.0.1; } server { location /a { proxy_pass http://app; }"
        "location /b { set $to app; proxy_pass http://$to; } }"
    )
    assert sorted(found.location for found in subjects(http(text))) == [
        "*:80 location /a",
        "*:80 location /b",
    ]


def test_a_site_without_its_nginx_conf_has_several_workers() -> None:
    text = (
        "upstream app { server 10.0.0.1; server 10.0.0.2; } server { location / { proxy_pass http://app; } }"
    )
    (alone,) = subjects(model_of(text, context="http"))
    (whole,) = subjects(model_of(f"events {{}} http {{ {text} }}"))
    assert alone.group is not None and whole.group is not None
    assert (alone.group.workers, whole.group.workers) == (AUTO_WORKERS, 1)
    assert any("nginx.conf is not there" in note for note in alone.group.notes)
    assert not whole.group.notes


_CHECKED = "upstream app {{ zone app 64k; {group} }} server {{ listen 80; location / {{ proxy_pass http://app; {location} }} }}"
_PAIR = "server 10.0.0.1; server 10.0.0.2;"
_PLUS = Target((1, 31, 0), "plus")


def _checks(group: str, location: str = "", more: str = "", **options: object) -> tuple[ActiveCheck, ...]:
    found = _one(_CHECKED.format(group=group, location=location) + more, **options).group
    assert found is not None
    return found.checks


def test_health_check_with_its_defaults_and_the_timeouts_of_its_location() -> None:
    (check,) = _checks(_PAIR, "health_check; proxy_read_timeout 7s;", target=_PLUS)
    assert check == ActiveCheck("health_check", 5000, 1, 1, 60_000, 7_000)


def test_parameters_of_health_check() -> None:
    (check,) = _checks(
        _PAIR, "health_check interval=2s jitter=1s fails=3 passes=2 mandatory persistent;", target=_PLUS
    )
    assert (check.interval, check.jitter, check.fails, check.passes) == (2000, 1000, 3, 2)
    assert check.starts_down


def test_every_health_check_counts_once() -> None:
    more = "server { listen 81; location /a { proxy_pass http://app; health_check uri=/a; } }"
    text = _CHECKED.format(group=_PAIR, location="health_check uri=/b interval=9s;") + more
    first, second = subjects(http(text, target=_PLUS))
    assert first.group is not None and second.group is not None
    assert [each.interval for each in first.group.checks] == [9000, 5000]
    assert first.group.checks == second.group.checks


@pytest.mark.parametrize(
    ("tests", "good", "bad"),
    [
        ("status 200 204;", (200, 204), (302, 503)),
        ("status ! 500-599;", (200, 404), (503, 500)),
        ("status 200-399 503;", (200, 503), (404,)),
        ("status 200-599; body ~ fine;", (200, 302), (503,)),
        ("header Host;", (200,), (503,)),
    ],
)  # fmt: skip
def test_statuses_that_pass_a_match(tests: str, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    (check,) = _checks(_PAIR, "health_check match=m;", f"match m {{ {tests} }}", target=_PLUS)
    alive = {status for first, last in check.alive for status in range(first, last + 1)}
    assert alive >= set(good) and not alive & set(bad)


def test_health_check_of_stream_wants_a_connection() -> None:
    text = (
        "events {} stream { match hello { send hi; expect ~ ho; } upstream app { zone app 64k; server 10.0.0.1:1; server 10.0.0.2:1; }"
        "server { listen 53%s; proxy_pass app; health_check %s; } }"
    )
    found = {}
    for kind, words in ((" ", ""), (" udp", "udp"), ("", "match=hello")):
        (subject,) = subjects(model_of(text % (kind, words), target=_PLUS))
        assert subject.group is not None
        found[words] = subject.group.checks[0]
    assert [each.looks_at for each in found.values()] == ["connect", "icmp", "status"]
    assert found["match=hello"].answer == 5000


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("check;", ActiveCheck("check", 30_000, 5, 2, 1000, 1000, looks_at="connect", starts_down=True)),
        ("check interval=3000 rise=1 fall=3 timeout=500 type=http default_down=FALSE;", ActiveCheck("check", 3000, 3, 1, 500, 500)),
        ("check type=http; check_http_expect_alive http_2xx http_5xx;",
         ActiveCheck("check", 30_000, 5, 2, 1000, 1000, alive=((200, 299), (500, 599)), starts_down=True)),
        ("check type=mysql;", ActiveCheck("check", 30_000, 5, 2, 1000, 1000, looks_at="answer", starts_down=True)),
    ],
)  # fmt: skip
def test_check_with_its_defaults(line: str, check: ActiveCheck) -> None:
    assert _checks(f"{_PAIR} {line}") == (check,)


@pytest.mark.parametrize(
    ("group", "location", "note"),
    [
        ("random; server 10.0.0.1; server 10.0.0.2; check;", "", "random does not ask the module"),
        (f"{_PAIR} check interval=soon;", "", "cannot be known"),
        (f"{_PAIR} healthcheck;", "", "a module that is not known"),
        (f"{_PAIR}", "health_check; proxy_connect_timeout soon;", "cannot be known"),
    ],
)  # fmt: skip
def test_checks_that_are_left_out_are_named(group: str, location: str, note: str) -> None:
    text = _CHECKED.format(group=group, location=location)
    more = "server { listen 81; location /other { proxy_pass http://app; } }"
    found = next(each.group for each in subjects(http(text + more, target=_PLUS)) if each.group is not None)
    assert not found.checks
    assert any(note in each for each in found.notes), found.notes


def test_a_health_check_without_a_zone_is_left_out() -> None:
    text = _CHECKED.replace("zone app 64k;", "").format(group=_PAIR, location="health_check;")
    group = _one(text, target=_PLUS).group
    assert group is not None and not group.checks
    assert any("needs a zone" in note for note in group.notes)


def test_notes_tell_the_times_of_a_check() -> None:
    group = _one(_CHECKED.format(group=f"{_PAIR} check interval=3000 type=http;", location="")).group
    assert group is not None
    assert group.notes == (
        "check: a probe every 3s; a server is out at most 16.5s after it begins to refuse connections (23.5s if packets are lost, "
        "23.5s if it never answers), and back at most 7.5s after it recovers",
        "after a start of nginx requests get 502 until a server has passed 2 probes: up to 7.5s",
    )


def test_what_follows_the_documentation_alone_is_said() -> None:
    lines = "server 10.0.0.1 slow_start=30s; server 10.0.0.2; queue 10 timeout=2s;"
    found = _one(_CHECKED.format(group=lines, location="health_check mandatory;"), target=_PLUS).group
    assert found is not None
    assert [each.slow_start for each in found.servers] == [30_000, 0]
    assert found.queue == Queue(10, 2000)
    for name in ("health_check", "slow_start", "queue"):
        assert any(note.startswith(f"{name} is simulated as NGINX Plus documents it") for note in found.notes)
    assert any("after a start or a reload of nginx requests get 502" in note for note in found.notes)


@pytest.mark.parametrize(
    ("line", "sticky"),
    [
        ("sticky cookie srv expires=1h;", Sticky("cookie", 3_600_000)),
        ("sticky cookie srv expires=max;", Sticky("cookie")),
        ("sticky cookie srv;", Sticky("cookie")),
        ("sticky route $cookie_route;", Sticky("route")),
        ("sticky learn create=$upstream_cookie_a lookup=$cookie_a zone=s:1m timeout=5m;", Sticky("learn", 300_000)),
        ("sticky learn create=$upstream_cookie_a lookup=$cookie_a zone=s:1m;", Sticky("learn", 600_000)),
        ("sticky name=srv;", None),
    ],
)  # fmt: skip
def test_sessions(line: str, sticky: Sticky | None) -> None:
    group = _one(_CHECKED.format(group=f"{_PAIR} {line}", location=""), target=_PLUS).group
    assert group is not None and group.sticky == sticky
    assert any("sticky" in note for note in group.notes)
    assert any("third-party" in note for note in group.notes) == (sticky is None)


@pytest.mark.parametrize("method", ["ip_hash;", "random two;", "hash $uri consistent;"])
def test_methods_without_slow_start(method: str) -> None:
    lines = f"{method} server 10.0.0.1 slow_start=30s; server 10.0.0.2;"
    group = _one(_CHECKED.format(group=lines, location=""), target=_PLUS).group
    assert group is not None and not any(each.slow_start for each in group.servers)


@pytest.mark.parametrize(
    ("head", "workers", "why"),
    [
        ("worker_processes 3;", 3, ""),
        ("worker_processes 0;", 1, ""),
        ("", 1, ""),
        ("worker_processes auto;", AUTO_WORKERS, "worker_processes auto is what the machine decides"),
        ("worker_processes $cores;", AUTO_WORKERS, "worker_processes cannot be known"),
        ("include main/missing.conf;", AUTO_WORKERS, "worker_processes may stand in a file that could not be read"),
        ("include main/missing.conf; worker_processes 2;", 2, ""),
    ],
)  # fmt: skip
def test_workers_that_the_text_does_not_tell(head: str, workers: int, why: str) -> None:
    text = (
        "upstream app { server 10.0.0.1; server 10.0.0.2; } server { location / { proxy_pass http://app; } }"
    )
    (found,) = subjects(model_of(f"{head} events {{}} http {{ {text} }}"))
    assert found.group is not None and found.group.workers == workers
    notes = [f"{why}: 4 workers are taken (--workers)"] if why else []
    assert [note for note in found.group.notes if "worker" in note] == notes


def test_workers_that_are_given_are_those_that_are_shown() -> None:
    text = (
        "upstream app { server 10.0.0.1; server 10.0.0.2; } server { location / { proxy_pass http://app; } }"
    )
    (found,) = subjects(model_of(f"worker_processes auto; events {{}} http {{ {text} }}"))
    given = with_workers(found, 8)
    assert given.group is not None and (given.group.workers, given.group.notes) == (8, ())
    assert with_workers(found, None) is found
