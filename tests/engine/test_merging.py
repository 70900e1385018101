"""What has one cause is one finding; what acts on places still sees each of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.results.baseline import entry_of
from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit, examine
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding, Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.github import render
from nginxaudit.views.graph.view import views_of as graphs_of
from nginxaudit.views.upstreams.view import views_of

_SPOOFED = """\
    server {{
        listen {port};
        server_name {name};
        location / {{
            proxy_set_header Host $http_host;{remark}
            proxy_pass http://10.0.0.9;
        }}
    }}
"""
_RULE = "host-header-spoofing"


def _main(*inside: str) -> str:
    return "events {}\nhttp {\n" + "".join(inside) + "}\n"


def _server(number: int, remark: str = "") -> str:
    return _SPOOFED.format(port=8080 + number, name=f"*.{number}.example.org", remark=remark)


def _audited(tmp_path: Path, text: str, **options: object) -> Report:
    (tmp_path / "nginx.conf").write_text(text)
    return audit([str(tmp_path)], Settings().with_options(**options))


def _of(report: Report, rule: str) -> list[Finding]:
    return [finding for finding in report.active if finding.rule == rule]


def test_one_cause_is_one_finding_with_its_places(tmp_path: Path) -> None:
    (found,) = _of(_audited(tmp_path, _main(*map(_server, range(3)))), _RULE)
    assert found.message.endswith(" (3 places)")
    assert (found.span.line, [each.span.line for each in found.related]) == (7, [15, 23])
    assert len({each.fingerprint for each in found.alone}) == 3


def test_another_cause_is_another_finding(tmp_path: Path) -> None:
    other = _server(2).replace("$http_host", "$arg_host")
    assert len(_of(_audited(tmp_path, _main(_server(0), _server(1), other)), _RULE)) == 2


def test_two_configurations_have_two_causes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nginx.conf").write_text(_main(_server(0), _server(1)))
    report = audit([str(tmp_path)], Settings())
    assert [len(each.alone) for each in _of(report, _RULE)] == [2, 2]


def test_a_comment_takes_its_place_out(tmp_path: Path) -> None:
    remark = f" # nginxaudit: ignore[{_RULE}] meant"
    report = _audited(tmp_path, _main(_server(0, remark), _server(1), _server(2)))
    (found,) = _of(report, _RULE)
    assert (found.span.line, found.message.endswith("(2 places)")) == (15, True)
    (quiet,) = [each for each in report.findings if each.suppressed]
    assert (quiet.span.line, quiet.parts) == (7, ())


def test_a_baseline_knows_each_place(tmp_path: Path) -> None:
    before = _audited(tmp_path, _main(_server(0), _server(1)), select=(_RULE,))
    known = tuple(entry_of(each, str(tmp_path)) for each in before.apart)
    assert len(known) == 2
    added = "    # a line\n" + _server(2)
    (tmp_path / "nginx.conf").write_text(_main(_server(0), _server(1), added))
    assert {
        each.fingerprint for each in audit([str(tmp_path)], Settings().with_options(select=(_RULE,))).apart
    } > {each.fingerprint for each in known}


def test_settings_per_file_see_each_place(tmp_path: Path) -> None:
    for name in ("a.conf", "b.conf", "c.conf"):
        (tmp_path / name).write_text(_server(0))
    report = audit([str(tmp_path)], Settings().with_options(per_file_ignores={"b.conf": (_RULE,)}))
    (found,) = _of(report, _RULE)
    assert [Path(each.span.file).name for each in found.alone] == ["a.conf", "c.conf"]


def test_one_fix_is_for_all_places(tmp_path: Path) -> None:
    report = _audited(tmp_path, _main(*map(_server, range(3))), select=(_RULE,))
    (found,) = report.active
    assert found.fix is not None
    assert len(found.fix.edits) == 3
    fixed = fix([str(tmp_path)], Settings().with_options(select=(_RULE,)), unsafe=True)
    (change,) = fixed.changes
    assert "$http_host" not in change.after
    assert len(fixed.applied) == 3


def test_what_waits_for_a_connection_is_one_finding(tmp_path: Path) -> None:
    text = _main(
        *(
            f"    upstream {name} {{\n"
            + "".join(
                f"        server 10.0.{number}.{last}{more};\n"
                for last, more in enumerate(("", " fail_timeout=2s", ""))
            )
            + "    }\n"
            for number, name in enumerate(("one", "two"))
        ),
        "    server {\n        listen 8080;\n"
        "        location /1/ { proxy_pass http://one; }\n        location /2/ { proxy_pass http://two; }\n    }\n",
    )
    trio = ("failover-slower-than-client", "next-upstream-unbounded", "fail-timeout-too-short")
    (tmp_path / "nginx.conf").write_text(text)
    seen = examine([str(tmp_path)], Settings())
    (found,) = [each for each in seen.report.active if each.rule in trio]
    assert found.rule == trio[0]
    assert sorted(each.rule for each in found.alone) == sorted(trio * 2)
    for view in views_of(seen.models, seen.active):
        assert {each.rule for each in view.findings} >= set(trio)
    (graph,) = graphs_of(seen.models, seen.active)
    for node in graph.layer("upstream"):
        assert trio[0] in {each.rule for each in graph.findings[node.id]}


def test_a_setting_for_several_upstreams_is_shown_at_each(tmp_path: Path) -> None:
    groups = "".join(
        f"    upstream {name} {{ server 10.0.0.1; server 10.0.0.2; }}\n" for name in ("one", "two")
    )
    server = (
        "    server { location /1/ { proxy_pass http://one; } location /2/ { proxy_pass http://two; } }\n"
    )
    (tmp_path / "nginx.conf").write_text(_main("    proxy_connect_timeout 40s;\n", groups, server))
    seen = examine([str(tmp_path)], Settings())
    for view in views_of(seen.models, seen.active):
        assert "failover-slower-than-client" in {each.rule for each in view.findings}, view.name
    (graph,) = graphs_of(seen.models, seen.active)
    shown = [
        node.label
        for node in graph.layer("upstream")
        if "failover-slower-than-client" in _rules(graph.findings, node.id)
    ]
    assert shown == ["one", "two"]


def test_servers_show_what_was_merged_over_them(tmp_path: Path) -> None:
    (tmp_path / "part.conf").write_text("add_header X-Powered-By $uri;\n")
    servers = [
        _server(number).replace("location", "include part.conf;\n        location") for number in range(3)
    ]
    (tmp_path / "nginx.conf").write_text(_main(*servers))
    seen = examine([str(tmp_path / "nginx.conf")], Settings())
    (graph,) = graphs_of(seen.models, seen.active)
    for node in graph.layer("server"):
        inside = [node.id, *graph.graph.successors(node.id)]
        assert {_RULE, "http-splitting"} <= {rule for name in inside for rule in _rules(graph.findings, name)}


def _rules(found: dict[str, list[Finding]], name: str) -> set[str]:
    return {each.rule for each in found.get(name, ())}


def test_a_file_that_is_missing_is_one_finding(tmp_path: Path) -> None:
    for name in ("a.conf", "b.conf", "c.conf"):
        (tmp_path / name).write_text(
            "server {\n    include /opt/app/common.conf;\n    include /opt/app/tls.conf;\n}\n"
        )
    found = _of(audit([str(tmp_path)], Settings()), "include-not-found")
    assert [len(each.alone) for each in found] == [3, 3]


def test_nothing_follows_from_a_second_http(tmp_path: Path) -> None:
    text = (
        _main("    upstream a { server 10.0.0.1; }\n", _server(0))
        + _main("    upstream a { server 10.0.0.1; }\n")[10:]
    )
    report = _audited(tmp_path, text)
    assert [each.rule for each in report.active if each.severity is Severity.ERROR] == ["duplicate-directive"]


@pytest.mark.parametrize("count", [2, 9])
def test_an_annotation_names_the_other_places(tmp_path: Path, count: int) -> None:
    report = _audited(tmp_path, _main(*map(_server, range(count))), select=(_RULE,))
    stream = io.StringIO()
    render(report, stream, RenderOptions())
    (line,) = [each for each in stream.getvalue().splitlines() if _RULE in each]
    assert "nginx.conf:15" in line
    assert ("and 3 more" in line) == (count == 9)
