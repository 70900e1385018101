"""Witnesses: how a request is written for people, and what is left out of it."""

from __future__ import annotations

import io
import json

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Witness
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.json_v1 import render as render_json
from nginxaudit.report.text import render as render_text

CONFIG = """events {}
http {
    server {
        listen 8080;
        server_name a.example;
        root /srv;
        location /private/ { deny all; }
        location ~ \\.php$ { proxy_pass http://127.0.0.1:8081; }
    }
}
"""


def test_a_command_line():
    plain = Witness("GET", "http://127.0.0.1:8080/a%20b", (("Host", "x.example"),))
    assert plain.command == "curl -i --path-as-is -H 'Host: x.example' http://127.0.0.1:8080/a%20b"
    post = Witness("POST", "http://127.0.0.1/?a=1&b", (("X-A", "it's"),), "192.0.2.1")
    assert post.command == (
        """curl -i --path-as-is -X POST -H 'X-A: it'"'"'s' 'http://127.0.0.1/?a=1&b'  (from 192.0.2.1)"""
    )
    tls = Witness("HEAD", "https://127.0.0.1:8443/", (("Host", "x.example"),))
    assert tls.command == (
        "curl -i --path-as-is -k --connect-to ::127.0.0.1:8443 -I -H 'Host: x.example' https://x.example:8443/"
    )


def test_reports_show_the_request(tmp_path):
    (tmp_path / "nginx.conf").write_text(CONFIG)
    report = audit([str(tmp_path)], Settings().with_options(select=("access-rules-overridden",)))
    text, data = io.StringIO(), io.StringIO()
    render_text(report, text, RenderOptions())
    command = "curl -i --path-as-is -H 'Host: a.example' http://127.0.0.1:8080/private/index.php"
    assert f"= try: {command}\n" in text.getvalue()
    render_json(report, data, RenderOptions())
    (finding,) = json.loads(data.getvalue())["findings"]
    assert finding["witness"] == {
        "method": "GET",
        "url": "http://127.0.0.1:8080/private/index.php",
        "headers": [["Host", "a.example"]],
        "from": None,
        "command": command,
    }
