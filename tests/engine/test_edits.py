"""What an edit does to the lines around it: comments, empty lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit import edits
from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Edit
from tests.model.model_support import block, model_of

_BELONGS = "events {}\nhttp {\n    tcp_nodelay on;\n\n    # why it is so\n    # in two lines\n    sendfile on; # and here\n\n    gzip on;\n}\n"
_OF_MORE = "events {}\nhttp {\n    # of both\n    sendfile on;\n    gzip on;\n}\n"
_CODE = "events {}\nhttp {\n    #gzip off;\n    sendfile on;\n\n    gzip on;\n}\n"
_FIRST = "events {}\nhttp {\n    sendfile on;\n\n    gzip on;\n}\n"


def _done(text: str, edit: Edit) -> str:
    return text[: edit.start] + edit.text + text[edit.end :]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (_BELONGS, "events {}\nhttp {\n    tcp_nodelay on;\n\n    gzip on;\n}\n"),
        (_OF_MORE, "events {}\nhttp {\n    # of both\n    gzip on;\n}\n"),
        (_CODE, "events {}\nhttp {\n    #gzip off;\n\n    gzip on;\n}\n"),
        (_FIRST, "events {}\nhttp {\n    gzip on;\n}\n"),
    ],
    ids=["belongs", "of-more", "code", "first"],
)
def test_what_is_deleted_takes_its_comments_along(text: str, left: str) -> None:
    assert _done(text, edits.deleted(block(model_of(text), "sendfile", "on"))) == left


def test_what_is_put_before_a_directive_stands_before_its_comments() -> None:
    done = _done(_OF_MORE, edits.before(block(model_of(_OF_MORE), "sendfile", "on"), "aio on;"))
    assert done == _OF_MORE.replace("    # of both", "    aio on;\n    # of both")


_ALIGNED = """\
worker_processes 2;
events {}
http {
    keepalive_requests  100;
    sendfile            on;
    error_log           /var/log/nginx/error.log debug;
    upstream app {
        server  10.0.0.1:80;
        server  10.0.0.2:80 max_fails=3;
    }
    server {
        listen 80;
        location / {
            proxy_pass          http://app;
            proxy_set_header    X-Real-IP   $remote_addr;
            proxy_read_timeout  30s;
        }
    }
}
"""


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("low-keepalive-requests", ("    keepalive_requests  1000;",)),
        ("error-log-debug", ("    error_log           /var/log/nginx/error.log warn;",)),
        ("upstream-without-zone", ("        zone    app 64k;",)),
        (
            "upstream-keepalive-missing",
            (
                "            proxy_http_version  1.1;",
                '            proxy_set_header    Connection "";',
            ),
        ),
    ],
)
def test_values_stay_in_their_column(rule: str, lines: tuple[str, ...], tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(_ALIGNED)
    fixed = fix([str(main)], Settings(select=(rule,), nginx_version="1.22.1"), unsafe=True)
    (change,) = fixed.changes
    assert set(lines) <= set(change.after.splitlines()), change.after


def test_two_spaces_alone_are_no_column(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text("events {}\nhttp {\n    server {\n        listen  443 ssl http2;\n    }\n}\n")
    wanted = Settings(select=("listen-http2-deprecated",), nginx_version="1.26.0")
    (change,) = fix([str(main)], wanted, unsafe=True).changes
    assert "        http2 on;\n" in change.after
