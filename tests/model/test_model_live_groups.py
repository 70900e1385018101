"""Claims of the model about groups and passes, asked of nginx."""

from __future__ import annotations

import re
from pathlib import Path

from model_support import check, conf, free_ports, group, http, live, running

pytestmark = live


def test_only_a_single_address_is_never_taken_out(tmp_path: Path):
    port, dead, other = free_ports(3)
    groups = {
        "one": f"server 127.0.0.1:{dead};",
        "down": f"server 127.0.0.1:{dead}; server 127.0.0.1:{other} down;",
        "spare": f"server 127.0.0.1:{dead}; server 127.0.0.1:{other} backup down;",
        "lonely": f"server 127.0.0.1:{dead} max_fails=5 fail_timeout=99s;",
    }
    text = "".join(f"upstream {name} {{ {body} }}" for name, body in groups.items())
    text += f"server {{ listen 127.0.0.1:{port};" + "".join(
        f"location /{name} {{ proxy_pass http://{name}; }}" for name in groups
    )
    path = conf(tmp_path, text + "}")
    model = http(text + "}")
    with running(path, port) as nginx:
        for name in groups:
            before = len(nginx.errors)
            for _ in range(3):
                assert nginx.get(port, f"/{name}").status == 502
            taken_out = "no live upstreams" in nginx.errors[before:]
            assert group(model, name).is_single_peer is not taken_out, name


def test_group_names_in_targets(tmp_path: Path):
    port, back = free_ports(2)
    text = f"""upstream Group {{ server 127.0.0.1:{back}; }}
        map $arg_m $mapped {{ default group; }}
        server {{ listen 127.0.0.1:{back}; return 200 "$request_uri"; }}
        server {{ listen 127.0.0.1:{port}; set $port {back};
            location /case {{ proxy_pass http://gROUP; }}
            location /variable {{ proxy_pass http://$mapped; }}
            location /with-port {{ proxy_pass http://$mapped:{back}; }}
            location /uri {{ proxy_pass http://group$request_uri; }}
            location /scheme {{ proxy_pass $scheme://$mapped/x; }}
            location /address {{ proxy_pass http://127.0.0.1:$port; }}
        }}"""
    path = conf(tmp_path, text)
    model = http(text)
    passes = {each.location.pattern: each for each in model.passes}
    with running(path, port) as nginx:
        for uri, each in passes.items():
            reply = nginx.get(port, uri)
            reached = reply.status == 200
            assert reached == bool(each.upstreams or any(t.kind == "address" for t in each.targets)), uri
            assert each.complete, uri
        assert "no resolver defined" in nginx.errors  # what "with-port" ends in: the group is not found
    assert not passes["/with-port"].upstreams


def test_port_beside_a_group_is_refused(tmp_path: Path):
    text = "upstream app { server 127.0.0.1:1; } server { location / { proxy_pass http://app:8080; } }"
    accepted, said = check(conf(tmp_path, text))
    assert not accepted
    assert "may not have port 8080" in said
    (each,) = http(text).passes
    assert each.target.explicit_port


def test_refused_server_parameters(tmp_path: Path):
    words = (
        "weight=0",
        "weight=1.5",
        "weight=-1",
        "weight=",
        "max_fails=x",
        "max_fails=0",
        "fail_timeout=500ms",
        "fail_timeout=1m30s",
        "fail_timeout=30",
        "fail_timeout=",
        "backup=1",
        "down",
        "backup",
        "max_conns=0",
        "max_conns=10k",
        "nonsense",
        "weigth=2",
        "Weight=2",
        "fail_timeout=1s1m",
    )
    for word in words:
        servers = f"server 127.0.0.1:1; server 127.0.0.1:2 {word};"
        text = f"upstream app {{ {servers} }} server {{ listen unix:{tmp_path}/s; }}"
        accepted, said = check(conf(tmp_path, text))
        invalid = group(http(text)).peers[1].invalid
        assert accepted == (not invalid), (word, said)
        assert accepted or re.search("invalid parameter|invalid", said)


def test_refused_server_addresses(tmp_path: Path):
    for text in (
        "http://127.0.0.1:1",
        "127.0.0.1/x",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "[::1",
        "[::1]:1",
        "unix:/x",
        "unix:",
        ":80",
    ):
        body = f"upstream app {{ server 127.0.0.1:1; server {text}; }} server {{ listen unix:{tmp_path}/s; }}"
        accepted, said = check(conf(tmp_path, body))
        peer = group(http(body)).peers[1]
        assert accepted == (peer.address is not None), (text, said)


def test_targets_are_refused_as_nginx_refuses(tmp_path: Path):
    targets = {
        "proxy_pass": (
            "http://1.2.3.4",
            "https://[::1]:8/x",
            "1.2.3.4:80",
            "ws://1.2.3.4",
            "http://unix:/s:/x",
            "http://:80",
            "http://1.2.3.4:x/",
            "http://",
            "HTTP://1.2.3.4?x",
            "http://1.2.3.4:8:9/",
        ),
        "fastcgi_pass": (
            "1.2.3.4:9000",
            "unix:/s",
            "http://1.2.3.4:9000",
            "1.2.3.4:9000/x",
            "fastcgi://1.2.3.4:9000",
        ),
        "grpc_pass": (
            "1.2.3.4:50051",
            "grpcs://1.2.3.4:1",
            "http://1.2.3.4:1",
            "grpc://1.2.3.4:1/x",
            "unix:/s",
        ),
        "uwsgi_pass": ("1.2.3.4:1", "suwsgi://1.2.3.4:1", "http://1.2.3.4:1"),
        "memcached_pass": ("1.2.3.4:11211", "$upstream:1", "memcached://1.2.3.4:1"),
    }
    for name, texts in targets.items():
        for target in texts:
            inside = f"set $memcached_key k; location / {{ {name} {target}; }}"
            text = f"server {{ listen unix:{tmp_path}/s; {inside} }}"
            accepted, said = check(conf(tmp_path, text))
            (each,) = http(text).passes
            if "host not found" in said:  # the text is fine, the name is not
                assert each.target_kind == "hostname", (name, target, said)
            else:
                assert accepted == (each.target_kind != "invalid"), (name, target, said)
