"""The graph and the questions it answers."""

from __future__ import annotations

from nginxaudit.views.graph.build import (
    build_graph,
    focus,
    hosts,
    loops,
    lost_with,
    nodes,
    shared_peers,
    single_points,
    unused_upstreams,
)
from tests.model.model_support import model_of

CONFIG = """
http {
    upstream shop { server 10.0.0.1:80; server 10.0.0.2:80 backup; server 10.0.0.3:80 down; }
    upstream mail { server 10.0.0.1:80; server 10.0.0.1:81; }
    upstream idle { server 10.0.0.9:80; }
    map $cookie_x $pool { default shop; m mail; }
    server {
        listen 80 default_server;
        server_name shop.example;
        location / { proxy_pass http://shop; }
        location /mail { proxy_pass http://mail; }
        location /pool { proxy_pass http://$pool; }
        location /any { proxy_pass http://$arg_host; }
        location /direct { if ($arg_a) { proxy_pass http://10.0.0.7:8080; } }
    }
    server { listen 80; server_name other.example; location / { proxy_pass http://127.0.0.1:80; } }
}
stream {
    upstream db { server 10.0.0.5:5432; }
    server { listen 5432; proxy_pass db; }
}
"""


def _graph():
    return build_graph(model_of(CONFIG))


def _edges(graph, how: str = "") -> set[tuple[str, str, str]]:
    label = {name: node.label for name, node in graph.nodes(data="data")}
    return {
        (label[tail], label[head], edge.condition)
        for tail, head, edge in graph.edges(data="data")
        if not how or edge.how == how
    }


def test_the_way_from_socket_to_peer():
    graph = _graph()
    assert [node.label for node in nodes(graph, "socket")] == ["*:80", "*:5432"]
    assert ("*:80", "shop.example", "default server") in _edges(graph, "listen")
    assert ("*:80", "other.example", "") in _edges(graph, "listen")
    assert ("/", "shop", "") in _edges(graph, "proxy_pass")
    assert ("stream server", "db", "") in _edges(graph, "proxy_pass")
    assert ("shop", "10.0.0.2:80", "") in _edges(graph, "backup")
    assert ("shop", "10.0.0.3:80", "") in _edges(graph, "down")


def test_conditions_and_unknown_targets_are_said():
    graph = _graph()
    edges = _edges(graph, "proxy_pass")
    assert ("/pool", "mail", "http://$pool is http://mail") in edges
    assert ("/direct", "10.0.0.7:8080", "if ($arg_a)") in edges
    unknown = [node for node in nodes(graph, "upstream") if node.role == "unknown"]
    assert [node.label for node in unknown] == ["http://$arg_host"]


def test_every_edge_of_the_text_knows_its_place():
    edges = [edge for _, _, edge in _graph().edges(data="data")]
    assert len(edges) > 10
    for edge in edges:
        assert edge.how == "this nginx" or (edge.file and edge.line > 1), edge


def test_roles():
    peers = {node.label: node.role for node in nodes(_graph(), "peer")}
    assert peers["10.0.0.1:80"] == "primary"
    assert peers["10.0.0.2:80"] == "backup"
    assert peers["10.0.0.3:80"] == "down"
    assert peers["10.0.0.7:8080"] == "direct"


def test_unused_and_shared():
    graph = _graph()
    assert [node.label for node in unused_upstreams(graph)] == ["idle"]
    shared = {peer.label: sorted(user.label for user in users) for peer, users in shared_peers(graph)}
    assert shared == {"10.0.0.1:80": ["mail", "shop"]}


def test_what_is_lost_with_a_peer_or_a_host():
    graph = _graph()
    machines = hosts(graph)
    assert sorted(peer.label for peer in machines["10.0.0.1"]) == ["10.0.0.1:80", "10.0.0.1:81"]
    one = [peer for peer in machines["10.0.0.1"] if peer.label.endswith(":80")]
    assert lost_with(graph, one) == []  # the other instance and the backup still serve
    assert [node.label for node in lost_with(graph, machines["10.0.0.1"])] == ["/mail", "/pool"]
    points = {host: [node.label for node in lost] for host, _, lost in single_points(graph)}
    assert points["10.0.0.5"] == ["stream server"]
    assert points["10.0.0.7"] == ["/direct"]
    assert "10.0.0.2" not in points


def test_the_way_back_into_this_nginx():
    (way,) = loops(_graph())
    assert {"*:80", "other.example", "127.0.0.1:80"} <= {node.label for node in way}


def test_focus():
    graph = _graph()
    shown = {node.label for node in nodes(focus(graph, upstream="SHOP"))}
    assert {"*:80", "shop.example", "/", "/pool", "shop", "10.0.0.2:80"} <= shown
    assert not {"mail", "db", "idle"} & shown
    served = {node.label for node in nodes(focus(graph, server="other"))}
    assert "other.example" in served
    assert "db" not in served
    assert nodes(focus(graph, upstream="nothing")) == []
