"""What is claimed of a template is found in something that the real engine makes of it: templates at random, rendered by Jinja."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

jinja2 = pytest.importorskip("jinja2")

MOST = 5
"""Conditions of one template: all combinations of what they may be are rendered."""
STATEMENTS = [
    "listen 80;", "listen 81;", "listen 443 ssl;", "ssl_certificate c.pem; ssl_certificate_key c.key;", "listen 80{% if FLAG %} default_server{% endif %};",
    "server_name {{ name }};", "server_name a.example.com;", "root {{ root }};", "root /srv/www;", "autoindex maybe;", "gzip {{ gzip }};",
    "location / { return 404; }", "location / { root {{ root }}; }", "location {{ path }} { alias /srv/x; }", "client_max_body_size 1m;",
    "client_max_body_size {% if FLAG %}1m{% else %}2k{% endif %};", "return {{ code }};", "unknown_thing on;", "add_header X {{ name }};",
    "{{ line }}", "{% if both %}location /c { {% endif %}sendfile on;{% if both %} }{% endif %}", "listen 80",
]  # fmt: skip
VALUES = {
    "name": "b.example.com",
    "root": "/srv/b",
    "gzip": "on",
    "path": "/p",
    "code": "404",
    "line": "index i.html;",
}


def _block(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(children, max_size=3).map("\n".join)
    either = st.tuples(some, some).map(
        lambda each: f"{{% if FLAG %}}\n{each[0]}\n{{% else %}}\n{each[1]}\n{{% endif %}}"
    )
    only = some.map(lambda text: f"{{% if FLAG %}}\n{text}\n{{% endif %}}")
    loop = some.map(lambda text: f"{{% for x in range(2) %}}\n{text}\n{{% endfor %}}")
    comment = some.map(lambda text: f"{{# {text} #}}")
    return either | only | loop | comment


BODIES = st.lists(st.recursive(st.sampled_from(STATEMENTS), _block, max_leaves=6), max_size=5).map("\n".join)


def _claims(path: Path, text: str) -> set[tuple[str, str]]:
    path.write_text(text)
    report = audit([str(path)], Settings())
    assert not report.crashes
    lines = text.split("\n")
    lines = [_filled(line) for line in lines]
    return {
        (each.rule, lines[each.span.line - 1].strip())
        for each in report.active
        if each.rejected_by_nginx or each.rule.startswith("duplicate")
    }


def _filled(line: str) -> str:
    for name, value in VALUES.items():
        line = line.replace(f"{{{{ {name} }}}}", value)
    return line


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BODIES)
def test_a_refusal_is_one_of_some_rendering(tmp_path: Path, body: str) -> None:
    pieces = body.split("FLAG")  # each condition is one of its own
    assume(len(pieces) <= MOST)
    flags = [*(f"flag{number}" for number in range(len(pieces) - 1)), "both"]
    body = "".join(map("".join, zip(pieces, [*flags[:-1], ""], strict=True)))
    text = "events {}\nhttp {\nserver {\n" + body + "\n}\n}\n"
    claimed = _claims(tmp_path / "site.j2", text)
    if not claimed:
        return
    engine = jinja2.Environment(keep_trailing_newline=True).from_string(text)
    found: set[tuple[str, str]] = set()
    for values in product([False, True], repeat=len(flags)):
        found |= _claims(
            tmp_path / "site.conf", engine.render(VALUES, **dict(zip(flags, values, strict=True)))
        )
    assert claimed <= found
