from nginxaudit.request.records import Ask
from nginxaudit.request.witness import curl


def test_requests_as_commands():
    assert curl(Ask("/a/../b", "x.example")) == "curl -i --path-as-is http://x.example/a/../b"
    assert curl(Ask("/", "x.example", tls=True, sni="x.example", port=8443)) == (
        "curl -i --path-as-is -H 'Host: x.example' https://x.example:8443/"
    )
    assert curl(Ask("/?a=1", "y.example", "PUT", (("X-A", "b c"),), tls=True, sni="x.example", port=443)) == (
        "curl -i --path-as-is -X PUT -H 'Host: y.example' -H 'X-A: b c' 'https://x.example/?a=1'"
    )
    assert curl(Ask("/", "x.example", address="10.0.0.1")) == (
        "curl -i --path-as-is --connect-to ::10.0.0.1: http://x.example/"
    )
    assert curl(Ask("", "x", "TCP", port=1, protocol="tcp")) is None
