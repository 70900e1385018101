"""Methods that change files: what nginx answers is what the walk says."""

import http.client
from pathlib import Path

import pytest

from nginxaudit.request.records import Ask, World
from nginxaudit.request.walk import trace
from tests.model.model_support import model_of
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_ASKED = (
    ("PUT", "/dir/new", 1, 201),
    ("PUT", "/dir/a.txt", 1, 204),
    ("PUT", "/none/x", 1, 500),
    ("PUT", "/dir", 1, 409),
    ("PUT", "/dir/", 1, 409),
    ("PUT", "/dir/b", None, 500),
    ("DELETE", "/dir/none", None, 404),
    ("DELETE", "/dir/none", 1, 415),
    ("DELETE", "/dir", None, 409),
    ("DELETE", "/top.txt", None, 409),
    ("DELETE", "/dir/a.txt", None, 204),
    ("MKCOL", "/dir/x/", None, 405),
)


def test_put_and_delete(tmp_path: Path) -> None:
    (tmp_path / "www" / "dir").mkdir(parents=True)
    files = frozenset({f"{tmp_path}/www/dir/a.txt", f"{tmp_path}/www/top.txt"})
    for path in files:
        Path(path).write_text("x")
    (port,) = nginx.free_ports(1)
    text = (
        f"server {{ listen 127.0.0.1:{port}; root {tmp_path}/www;\n"
        "dav_methods PUT DELETE; min_delete_depth 2; }"
    )
    model = model_of(f"events {{}}\nhttp {{ {text} }}")
    with nginx.running(tmp_path, text, main="user root;"):
        for method, target, body, wanted in _ASKED:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.putrequest(method, target)
            if body is not None:
                connection.putheader("Content-Length", str(body))
            connection.endheaders(b"x" * (body or 0))
            answered = connection.getresponse().status
            connection.close()
            ask = Ask(target, "localhost", method, port=port, body=body)
            found = trace(model, ask, World(files=files, complete=True)).outcomes
            assert answered == wanted, (method, target)
            assert wanted in {each.status for each in found}, (method, target, found)
