"""Targets that variables make: what nginx answers to those that it cannot use is what the walk says."""

import http.client
from pathlib import Path

import pytest

from nginxaudit.request.records import Ask
from nginxaudit.request.walk import trace
from tests.model.model_support import model_of
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_VALUES = (
    "http://127.0.0.1:1", "127.0.0.1", "127.0.0.1:1", "unix:/none", "unix:", "", "a.example:9", "a.example", "a:b", "app", "app:9",
    ".example:9", "[::1]:1", "grpc://127.0.0.1", "grpc://127.0.0.1:1", "suwsgi://127.0.0.1:1", "127.0.0.1/x", "127.0.0.1:1/x",
)  # fmt: skip


@pytest.mark.parametrize("protocol", ["proxy", "fastcgi", "uwsgi", "scgi", "grpc"])
def test_targets_of_variables(protocol: str, tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    scheme = "http://" if protocol == "proxy" else ""
    text = f"""
    upstream app {{ server 127.0.0.1:1; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ {protocol}_pass {scheme}$arg_to; }}
    }}"""
    model = model_of(f"events {{}}\nhttp {{ {text} }}")
    wrong = []
    with nginx.running(tmp_path, text):
        for value in _VALUES:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", f"/?to={value}", headers={"Host": "localhost"})
            answered = connection.getresponse().status
            connection.close()
            found = trace(model, Ask(f"/?to={value}", "localhost", port=port)).outcomes
            # A backend that is asked is not there: that is a 502, too.
            said = {502 if each.passed is not None else each.status for each in found}
            if said != {answered}:
                wrong.append((value, answered, said))
    assert not wrong
