"""Where nginx stumbles and where the mistake is: both asked about the same text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from tests.support import nginx

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pages" / "usage.md"

FORGOTTEN_SEMICOLON = """\
events {}
http {
    server {
        listen 8080;
        root /srv/www
        index index.html;
        server_name example.com;
    }
}
"""
UNCLOSED_BLOCK = """\
events {}
http {
    server {
        listen 8080;
        location / {
            return 204;
        location /status {
            return 200 ok;
        }
    }
}
"""
TORN_EXPRESSION = """\
events {}
http {
    server {
        listen 8080;
        location ~ ^/[0-9]{2,3}$ {
            return 204;
        }
    }
}
"""
SEVERAL = """\
events {}
http {
    gzip true;
    server {
        listen 8080;
        client_max_body_size 10MB;
        location / {
            proxy_pass 127.0.0.1:8081;
            proxy_read_timeout 1min;
        }
    }
}
"""


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize(
    ("text", "nginx_line", "nginx_says", "ours"),
    [
        (
            FORGOTTEN_SEMICOLON,
            6,
            'invalid number of arguments in "root" directive',
            {5: '"root" is not terminated by ";": index follows on the next line'},
        ),
        (
            UNCLOSED_BLOCK,
            12,
            'unexpected end of file, expecting "}"',
            {5: 'the "location" block is never closed'},
        ),
        (
            TORN_EXPRESSION,
            5,
            'unknown directive "2,3}$"',
            {5: "unquoted {2,3} in ^/[0-9]{2,3}$: nginx reads the { as the start of a block"},
        ),
        (
            SEVERAL,
            3,
            'invalid value "true" in "gzip" directive, it must be "on" or "off"',
            {
                3: 'invalid value "true" in "gzip" directive: it must be "on" or "off"',
                6: '"client_max_body_size" directive invalid value: "10MB" is not a size such as 10g, 16m, 512k or 4096',
                8: "the URL has no http:// or https://: 127.0.0.1:8081",
                9: '"proxy_read_timeout" directive invalid value: "1min" is not a time such as 500ms, 30s, 5m or 1h30m',
            },
        ),
    ],
    ids=["semicolon", "brace", "expression", "several"],
)
def test_the_place_and_the_reason(
    text: str, nginx_line: int, nginx_says: str, ours: dict[int, str], tmp_path: Path
) -> None:
    output = nginx.check(tmp_path, text).output
    found = re.search(r"\[emerg\] (.*) in \S+:(\d+)\n", output)
    assert found is not None, output
    assert (found[1], int(found[2])) == (nginx_says, nginx_line)
    report = audit([str(tmp_path / "nginx.conf")], Settings())
    said = {each.span.line: each.message for each in report.findings if each.severity.name == "ERROR"}
    assert said == ours


def test_the_site_shows_them() -> None:
    shown = PAGE.read_text()
    for text in (FORGOTTEN_SEMICOLON, UNCLOSED_BLOCK, TORN_EXPRESSION):
        report = audit(["-"], Settings(stdin_filename="nginx.conf"), stdin=_stream(text))
        message = next(each for each in report.findings if each.severity.name == "ERROR")
        assert f"{message.span.line}: {message.message}" in shown


def _stream(text: str):  # type: ignore[no-untyped-def]
    import io

    return io.BytesIO(text.encode())
