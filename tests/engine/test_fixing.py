"""Fixes together: they do not overlap, what would break the configuration is left out, and it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nginxaudit.cli.fixing import applied
from nginxaudit.engine.fix import fixing
from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.fix.patch import unified_diff
from nginxaudit.engine.fix.repair import Fixer
from nginxaudit.engine.run import parallel
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.source.directory import WriteError
from nginxaudit.source.write import Change, written
from tests.engine.own_rule import own_rule


def _main(directory: Path, text: str) -> str:
    path = directory / "nginx.conf"
    path.write_text(text)
    return str(path)


def test_a_fix_that_nginx_would_refuse_is_not_applied(tmp_path: Path) -> None:
    wanted = own_rule(
        tmp_path, title="Break it", repair='replace = "server_tokenz off"', directive="server_tokens"
    )
    main = _main(tmp_path, "events {}\nhttp {\n    server_tokens on;\n}\n")
    fixed = fix([main], wanted)
    assert fixed.changes == () and fixed.applied == ()
    ((finding, reason),) = fixed.rejected
    assert finding.rule == "own"
    assert reason.startswith(f"with it there would be a new error: {main}:3: unknown-directive: ")


def test_a_fix_that_some_version_of_the_target_would_refuse_is_not_applied(tmp_path: Path) -> None:
    wanted = own_rule(tmp_path, title="Write it", repair='replace = "keepalive 0"', directive="keepalive")
    main = _main(
        tmp_path,
        "events {}\nhttp {\n    upstream a {\n        server 10.0.0.1;\n        keepalive 8;\n    }\n}\n",
    )
    fixed = fix([main], wanted)  # only nginx 1.29.7 and newer take zero
    assert fixed.changes == ()
    ((_, reason),) = fixed.rejected
    assert reason.startswith(f"with it there would be a new error: {main}:5: invalid-value: ")
    assert fix([main], wanted.with_options(nginx_version="1.31.0")).applied


def test_a_weakness_that_is_there_is_no_reason_in_a_copy_or_on_another_line(tmp_path: Path) -> None:
    """What is put in has an error that another line has already; nginx does not refuse it."""
    bad = "proxy_read_timeout 0;"
    wanted = own_rule(
        tmp_path, title="Add", repair=f'insert = "{bad}"\nwhere = "first"', directive="location"
    )
    wanted = wanted.with_options(extend_select=("zero-timeout",))
    there = "location /a {\n    proxy_read_timeout 0;\n    proxy_pass http://127.0.0.1:1;\n}\n"
    text = f"events {{}}\nhttp {{\nserver {{\nlisten 8080;\n{there}}}\n}}\n"
    new = fix([_main(tmp_path, text.replace("    proxy_read_timeout 0;\n", ""))], wanted)
    assert ["zero-timeout" in reason for _, reason in new.rejected] == [True]
    (tmp_path / "more").mkdir()
    copied = text.replace("location /a {\n    proxy_read_timeout 0;", "location /a {\n").replace(
        "server {", "proxy_read_timeout 0;\nserver {\nlocation /b {\n proxy_pass http://127.0.0.1:1;\n}\n"
    )
    known = fix([_main(tmp_path, copied)], wanted)
    assert [reason for _, reason in known.rejected if "zero-timeout" in reason] == []
    assert known.applied


def test_a_flaw_of_the_version_is_none_that_is_new_where_another_line_leads_to_it(tmp_path: Path) -> None:
    """``http2 on`` does what the parameter did: the flaws that were reported at ``listen`` are reported at both."""
    main = _main(
        tmp_path,
        "events {}\nhttp {\nserver {\nlisten 443 ssl http2;\nssl_certificate a;\nssl_certificate_key b;\n"
        "location / {\nproxy_pass http://10.0.0.1;\n}\n}\n}\n",
    )
    fixed = fix([main], Settings(nginx_version="1.31.3"), unsafe=True)
    assert [finding.rule for finding in fixed.applied] == ["listen-http2-deprecated"]
    assert fixed.rejected == ()
    lines = [each.span.line for each in fixed.report.active if each.rule == "vulnerable-nginx-version"]
    assert len(lines) == 2


def test_no_fix_makes_a_flaw_reachable(tmp_path: Path) -> None:
    """What is written does not switch on TLS 1.3, which nginx 1.22.1 leaves off by default."""
    main = _main(
        tmp_path,
        "events {}\nhttp {\nserver {\nlisten 443 ssl;\nssl_certificate a;\nssl_certificate_key b;\n}\n}\n",
    )
    fixed = fix([main], Settings(nginx_version="1.22.1"), unsafe=True)
    assert [finding.rule for finding in fixed.applied] == ["tls-protocols-unset"]
    assert "vulnerable-nginx-version" not in {each.rule for each in fixed.report.active}


def test_the_good_ones_of_a_round_are_kept(tmp_path: Path) -> None:
    wanted = own_rule(tmp_path, title="Rename", repair='replace = "{1} on"', directive="add_header")
    text = "events {}\nhttp {\n    add_header gzip;\n    add_header sendfile;\n    add_header nonsense;\n}\n"
    fixed = fix([_main(tmp_path, text)], wanted)
    (change,) = fixed.changes
    assert "    gzip on;\n    sendfile on;\n    add_header nonsense;\n" in change.after
    assert len(fixed.applied) == 2 and len(fixed.rejected) == 1


@pytest.mark.slow
def test_a_rule_whose_fixes_break_things_is_given_up(tmp_path: Path) -> None:
    """Each one that breaks is found out by several audits: fifty of them took seconds."""
    wanted = own_rule(tmp_path, title="Rename", repair='replace = "{1} on"', directive="add_header")
    bad = "".join(f"    add_header nonsense{number};\n" for number in range(20))
    fixed = fix([_main(tmp_path, f"events {{}}\nhttp {{\n{bad}}}\n")], wanted)
    reasons = [reason for _, reason in fixed.rejected]
    assert fixed.changes == () and len(reasons) == 20
    assert sum("not tried" in reason for reason in reasons) == 20 - fixing.MOST_BROKEN


def test_what_takes_too_many_audits_waits_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixing, "MAX_AUDITS", 3)
    main = _main(tmp_path, "events {}\nhttp {\n    server {\n    server {\n    server {\n    server {\n")
    fixed = fix([main], Settings(), unsafe=True)
    assert fixed.applied and fixing.ENOUGH in [reason for _, reason in fixed.rejected]


def test_a_run_that_stops_early_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fixing, "MAX_AUDITS", 3)
    main = _main(tmp_path, "events {}\nhttp {\n    server {\n    server {\n    server {\n    server {\n")
    with applied(fix([main], Settings(), unsafe=True), [main], Settings(), None, left=False):
        pass
    assert "could be fixed, run it again" in capsys.readouterr().err


@pytest.mark.slow
def test_a_fix_that_never_ends_is_stopped(tmp_path: Path) -> None:
    wanted = own_rule(
        tmp_path,
        title="Add",
        repair='insert = "gzip_types text/css;"\nwhere = "after"',
        directive="gzip_types",
    )
    fixed = fix([_main(tmp_path, "events {}\nhttp {\n    gzip_types text/plain;\n}\n")], wanted)
    assert 1 < sum(change.after.count("gzip_types") for change in fixed.changes) <= 2**10


def test_edits_at_one_place_wait_for_the_next_round(tmp_path: Path) -> None:
    wanted = own_rule(
        tmp_path, title="Add", repair='insert = "tcp_nodelay on;"\nwhere = "http"', directive="gzip"
    )
    text = "events {}\nhttp {\n    server {\n        listen 8080;\n        gzip on;\n    }\n    server {\n        listen 8081;\n        gzip on;\n    }\n}\n"
    fixed = fix([_main(tmp_path, text)], wanted)
    (change,) = fixed.changes
    assert change.after.count("tcp_nodelay") == 1
    assert len(fixed.rejected) == 2, "a second one would be a duplicate"


def test_a_diff_tells_of_a_missing_line_end() -> None:
    change = Change("/x", "x", "a\nb", "a\nc")
    assert "".join(unified_diff(change.before, change.after, change.path)).endswith(
        "+c\n\\ No newline at end of file\n"
    )


def test_a_file_that_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("new")
    change = Change(str(path), str(path), "old", "fixed")
    with pytest.raises(WriteError, match="changed since it was read"), written([change], [str(tmp_path)]):
        pass
    assert path.read_text() == "new"


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_bytes(
        b"events {}\n# caf\xe9\nhttp {\n    server {\n        listen 8080;\n        health_check;\n    }\n}\n"
    )
    fixed = fix([str(path)], Settings(select=("health-check-requires-plus",)), unsafe=True)
    with written(fixed.changes, [str(tmp_path)]):
        pass
    assert (
        path.read_bytes() == b"events {}\n# caf\xe9\nhttp {\n    server {\n        listen 8080;\n    }\n}\n"
    )


_LINES = st.sampled_from(
    [
        "server_tokens on;", "ssl_protocols TLSv1 TLSv1.2;", "gzip on; # c", "health_check;", "add_header X-A b;",
        "listen 80 default;", "ssl on;", "proxy_pass http://127.0.0.1:1;", "rewrite ^ /x permanent;",
    ]
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_LINES, max_size=6), st.lists(_LINES, max_size=6))
def test_fixing_twice_changes_nothing(tmp_path: Path, one: list[str], two: list[str]) -> None:
    servers = "".join(
        "    server {\n" + "".join(f"        {line}\n" for line in lines) + "    }\n" for lines in (one, two)
    )
    main = _main(tmp_path, f"events {{}}\nhttp {{\n{servers}}}\n")
    first = fix([main], Settings(select=("ALL",)), unsafe=True)
    with written(first.changes, [str(tmp_path)]):
        pass
    assert fix([main], Settings(select=("ALL",)), unsafe=True).changes == ()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fix_that_crashes_costs_no_other_fix(
    jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nginxaudit.engine.run import tasks

    make = tasks.fix_for_all

    def crash(hit: Hit, fixer: Fixer, model: Model) -> Fix | None:
        if "autoindex" in hit.message:
            raise ZeroDivisionError("on purpose")
        return make(hit, fixer, model)

    monkeypatch.setattr(tasks, "fix_for_all", crash)
    main = _main(
        tmp_path, "events {}\nhttp { server_tokens on; server { listen 80; location / { autoindex on; } } }\n"
    )
    fixed = fix([main], Settings(), unsafe=True, jobs=jobs)
    assert [finding.rule for finding in fixed.applied] == ["server-tokens"]
    assert "autoindex-enabled" in {finding.rule for finding in fixed.report.findings}
    assert fixed.report.exit_code() == 4


def test_processes_are_used_for_fixes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They make the same report of the same text."""
    servers = "".join(
        f"server {{ listen 80; server_name {number}.example; server_tokens on; }}\n" for number in range(20)
    )
    main = _main(tmp_path, f"events {{}}\nhttp {{\n{servers}}}\n")
    fork, children = os.fork, []

    def counted() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr("threading.active_count", lambda: 1)  # the runner of the tests may have more
    monkeypatch.setattr(os, "fork", counted)
    monkeypatch.setattr(parallel, "_LARGE", 10)
    alone, together = (fix([main], Settings(), unsafe=True, jobs=jobs) for jobs in (1, 2))
    assert children
    assert together.changes == alone.changes != ()
    assert (together.applied, together.rejected) == (alone.applied, alone.rejected)
    assert together.report.findings == alone.report.findings
