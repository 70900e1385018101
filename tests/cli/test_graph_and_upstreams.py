"""``nginxaudit graph`` and ``nginxaudit upstreams``, as commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.support.browser import needs_browser, shown
from tests.support.command import nginxaudit

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "etc-nginx"
HOSTILE = """events {}
http {
    upstream "</script><b>" { server 10.0.0.1:80; server 10.0.0.2:80; }
    server { listen 8080; server_name "a\\"b"; location "/<i>&x" { proxy_pass http://10.0.0.3:80; } }
}
"""


def _graph(form: str, *more: str) -> str:
    run = nginxaudit("graph", "--no-settings", "--format", form, str(FIXTURE), *more)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_text_shows_the_tree_and_the_findings() -> None:
    text = _graph("text")
    assert re.search(r"├── \*:443  TLS\b.*\n.*shop\.example", text)
    assert "10.20.0.62:5432  backup" in text
    assert "payments  round robin  [active-passive-missing-backup]" in text
    assert "unused: upstream intranet" in text
    assert "single point of failure: without the server 10.20.0.41" in text


def test_json_can_be_followed_from_a_socket_to_its_peers() -> None:
    (configuration,) = json.loads(_graph("json"))["configurations"]
    nodes = {node["id"]: node for node in configuration["nodes"]}
    following: dict[str, list[str]] = {}
    for edge in configuration["edges"]:
        assert edge["from"] in nodes
        assert edge["to"] in nodes
        following.setdefault(edge["from"], []).append(edge["to"])
    waiting, met = ["http:socket:*:443"], set()
    while waiting:
        name = waiting.pop()
        met.add(nodes[name]["label"])
        waiting.extend(following.get(name, []))
    assert {"shop", "10.20.0.11:8080", "pay-standby.shop.internal:8443"} <= met
    assert "postgres" not in met
    assert [nodes[name]["label"] for name in configuration["unused_upstreams"]] == ["intranet"]


def test_svg_is_a_picture_of_its_own() -> None:
    text = _graph("svg")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in text
    boxes = [
        (float(rect.get("x", 0)), float(rect.get("y", 0)))
        for group in root.iter("{http://www.w3.org/2000/svg}g")
        if group.get("class") == "node"
        for rect in group.findall("{http://www.w3.org/2000/svg}rect")
    ]
    assert len(boxes) > 20
    for number, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[number + 1 :]:
            assert x != other_x or abs(y - other_y) >= 40, "boxes of one layer lie upon each other"


def test_boxes_that_look_alike_say_where_they_are_written(tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    inner = "location / { proxy_pass http://127.0.0.1:9000; }"
    config.write_text(
        f"events {{}}\nhttp {{\nserver {{ listen 80; {inner} }}\nserver {{ listen 81; {inner} }}\n}}\n"
    )
    text = nginxaudit("graph", "--no-settings", "--format", "svg", str(config)).stdout
    shown_places = re.findall(r"<text [^>]*>(…[^<]*nginx\.conf:\d+|nginx\.conf:\d+)</text>", text)
    assert {place.rpartition(":")[2] for place in shown_places} == {"3", "4"}


def test_mermaid_and_dot_name_every_node() -> None:
    mermaid, dot = _graph("mermaid"), _graph("dot")
    assert mermaid.startswith("flowchart LR\n")
    for label in ("shop.example", "payments", "10.20.0.62:5432"):
        assert label in mermaid
        assert label in dot
    assert dot.count("{") == dot.count("}")
    assert re.search(r"n0_\d+ -\.-> n0_\d+", mermaid), "the way to a backup is dashed"


@pytest.mark.skipif(shutil.which("dot") is None, reason="no Graphviz here")
def test_graphviz_reads_it() -> None:
    subprocess.run(["dot", "-Tsvg"], input=_graph("dot"), text=True, capture_output=True, check=True)


def test_html_needs_no_network_and_holds_hostile_names(tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    config.write_text(HOSTILE)
    page = nginxaudit("graph", "--no-settings", "--format", "html", str(config)).stdout
    assert not re.search(r"(?:src|href)=", page)
    assert page.count("</script>") == 2, "the names of a configuration end no script"
    assert "<b>" not in page
    assert "<i>&x" not in page.split("<script")[0]
    ElementTree.fromstring(nginxaudit("graph", "--no-settings", "--format", "svg", str(config)).stdout)
    assert "<h1>Request flow</h1>" in page
    titled = nginxaudit(
        "graph", "--no-settings", "--format", "html", "--title", "Shop <b>", str(config)
    ).stdout
    assert "<h1>Shop &lt;b&gt;</h1>" in titled and "<title>Shop &lt;b&gt;: " in titled


@pytest.mark.slow
@needs_browser
def test_html_in_a_browser(tmp_path: Path) -> None:
    """The script runs: it makes every box reachable by keyboard, and a click tells about it."""
    page = tmp_path / "graph.html"
    text = _graph("html")
    click = (
        "<script>[...document.querySelectorAll('.node')].find(n => n.dataset.id.includes('upstream:payments'))"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}));"
        "const chosen = document.querySelector('main').innerHTML, said = [], box = document.querySelector('input');"
        "for (const words of ['payments', 'nothing such']) { box.value = words; box.dispatchEvent(new Event('input'));"
        "said.push(document.getElementById('hits').textContent); }"
        "document.querySelector('main').innerHTML = chosen; document.title = said.join(' | ');</script></body>"
    )
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert len(policy.findall(text)) == 1
    page.write_text(policy.sub("", text).replace("</body>", click))
    dom = shown(page.as_uri())
    aside = dom.split("<aside>")[1].split("</aside>")[0]
    assert "<h2>payments</h2>" in aside
    assert 'class="warning">warning: "payments" looks active-passive' in aside
    assert dom.count('tabindex="0"') > 20
    assert re.search(r"<title>\d+ box(es)? \| Nothing is called \"nothing such\"</title>", dom)
    assert 'class="node faded" data-id="http:upstream:shop"' in dom


LOCATIONS = """events {}
http {
    server {
        listen 80;
        listen [::]:80;
        server_name a.test;
        location /static { alias /srv/static/; }
        location /quiet { return 204; }
        location / { proxy_pass http://127.0.0.1:3000; }
    }
    upstream first { server 10.0.0.1:80; }
    upstream second { server 10.0.0.2:80; }
}
"""


def test_findings_of_locations_without_a_backend_and_globs(tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    config.write_text(LOCATIONS)
    text = nginxaudit("graph", "--no-settings", str(config)).stdout
    assert "/static  [alias-traversal]" in text
    assert "/quiet" not in text
    assert "*:80, [::]:80" in text
    assert text.count("127.0.0.1:3000") == 1, "equal sockets are drawn once"
    text = nginxaudit("graph", "--no-settings", "--upstream", "F*T", str(config)).stdout
    assert "10.0.0.1:80" in text
    assert "10.0.0.2:80" not in text


@pytest.mark.parametrize("columns", ["40", "500"])
def test_addresses_are_never_cut(columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "instance-0123456789." * 6 + "internal:18080"
    config = tmp_path / "nginx.conf"
    config.write_text(f"http {{ upstream a {{ server {name}; server 10.0.0.1:80; }} }}")
    monkeypatch.setenv("COLUMNS", columns)
    assert name in nginxaudit("upstreams", "--no-settings", str(config)).stdout
    for form in ("svg", "mermaid", "dot"):
        assert name in nginxaudit("graph", "--no-settings", "--format", form, str(config)).stdout
    shown = nginxaudit("graph", "--no-settings", str(config)).stdout
    assert name in re.sub(r"[\s│]", "", shown)


def test_focus_and_names_that_are_not_there() -> None:
    text = _graph("text", "--upstream", "Postgres")
    assert "10.20.0.61:5432" in text
    assert "payments" not in text
    run = nginxaudit("graph", "--no-settings", "--upstream", "nope", str(FIXTURE))
    assert run.returncode == 2
    assert 'there is no upstream or server named "nope"' in run.stderr
    run = nginxaudit("upstreams", "--no-settings", "--upstream", "nope", str(FIXTURE))
    assert run.returncode == 2
    assert 'there is no upstream named "nope"' in run.stderr


def test_upstreams_tell_how_they_fail_over() -> None:
    run = nginxaudit("upstreams", "--no-settings", str(FIXTURE), "--upstream", "postgres")
    assert run.returncode == 0
    assert "postgres  active-passive  stream" in run.stdout
    assert re.search(r"10\.20\.0\.62:5432\s+backup\s+1\s+1\s+10s", run.stdout)
    assert "a failed connection counts; one failure within 10s: unavailable for 10s" in run.stdout
    assert "shared by all workers (zone postgres 64k)" in run.stdout
    assert "connecting takes up to 2s" in run.stdout


def test_upstreams_by_a_pattern() -> None:
    run = nginxaudit("upstreams", "--no-settings", "--format", "json", "--upstream", "PAY*", str(FIXTURE))
    assert [view["name"] for view in json.loads(run.stdout)["upstreams"]] == ["payments"]


def test_upstreams_as_json() -> None:
    run = nginxaudit(
        "upstreams", "--no-settings", "--nginx-version", "1.31.4", "--format", "json", str(FIXTURE)
    )
    found = {view["name"]: view for view in json.loads(run.stdout)["upstreams"]}
    assert found["reports"]["topology"] == "single"
    assert found["reports"]["failures"].startswith("none:")
    assert found["payments"]["topology"] == "active-active"
    assert found["payments"]["intent"].startswith("active-passive")
    assert [each["rule"] for each in found["payments"]["findings"]] == [
        "active-passive-missing-backup",
        "static-dns-upstream",
    ]
    assert found["intranet"]["users"] == []
    assert [peer["role"] for peer in found["search"]["peers"]] == ["primary", "primary", "down"]


@pytest.mark.parametrize("command", ["graph", "upstreams"])
def test_input_that_cannot_be_read(command: str, tmp_path: Path) -> None:
    run = nginxaudit(command, "--no-settings", str(tmp_path / "missing.conf"))
    assert run.returncode in (2, 3)
    assert "Traceback" not in run.stderr
    run = nginxaudit(
        command,
        "--no-settings",
        "-",
        stdin="http { upstream a { server 10.0.0.1; } server { listen 80; location / { proxy_pass http://a; } } }",
    )
    assert run.returncode == 0, run.stderr
    assert "10.0.0.1" in run.stdout
