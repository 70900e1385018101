"""A template is no configuration yet: what is to be filled in is said once, and nothing is guessed about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

TEMPLATE = """\
upstream {{ name }} {
{% for host in hosts %}
    server {{ host }}:{{ port }} max_fails={{ fails }};
{% endfor %}
}
server {
    listen {{ port | default(80) }};
    server_name {{ domain }};
    {% if tls %}
    listen 443 ssl;
    {% endif %}
    gzip {{ gzip }};
    location / {
        proxy_pass http://{{ name }};
        proxy_read_timeout {{ timeout }} ;
        sendfile maybe;
    }
}
"""


@pytest.mark.parametrize(("name", "expected"), [("site.conf", ["unrendered-template"]), ("site.conf.j2", [])])
def test_a_template(name: str, expected: list[str], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEMPLATE)
    report = audit([str(path)], Settings())
    assert not report.crashes
    assert not report.incomplete
    found = [finding.rule for finding in report.active]
    assert found == [*expected, "invalid-value"], "what is written out is judged all the same"
