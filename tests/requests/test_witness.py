"""Requests as commands for curl."""

from nginxaudit.request.records import Ask
from nginxaudit.request.showing import sent, witness


def test_where_the_host_is():
    assert sent(Ask("/a/../b", "x.example")).command == "curl -i --path-as-is http://x.example/a/../b"
    assert sent(Ask("/", "x.example", tls=True, sni="x.example", port=8443)).command == (
        "curl -i --path-as-is -H 'Host: x.example' https://x.example:8443/"
    )
    odd = Ask("?a=1", "y.example", "PUT", (("X-A", "b c"),), tls=True, sni="x.example", port=443)
    assert sent(odd).command == (
        "curl -i --path-as-is -X PUT -H 'Host: y.example' -H 'X-A: b c' 'https://x.example?a=1'"
    )
    assert sent(Ask("/", "x.example", address="::1")).command == (
        "curl -i --path-as-is -H 'Host: x.example' 'http://[::1]/'"
    )
    assert (
        sent(Ask("/", None, "POST", body=3)).command
        == "curl -i --path-as-is -H 'Host;' -d xxx http://localhost/"
    )


def test_on_this_machine():
    assert witness(Ask("/a", "x.example", port=8080)).command == (
        "curl -i --path-as-is -H 'Host: x.example' http://127.0.0.1:8080/a"
    )
    assert witness(Ask("/", "x.example", tls=True, sni="x.example", port=443)).command == (
        "curl -i --path-as-is -k --connect-to ::127.0.0.1:443 https://x.example/"
    )
    assert witness(
        Ask("/", "y.example", tls=True, sni="x.example", port=443, address="10.0.0.1")
    ).command == (
        "curl -i --path-as-is -k --connect-to ::10.0.0.1:443 -H 'Host: y.example' https://x.example/"
    )
    assert witness(Ask("/", "x.example", client="2001:db8::9")).command == (
        "curl -i --path-as-is -H 'Host: x.example' 'http://[::1]/'"
    )
