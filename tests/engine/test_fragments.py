"""Files that are parts of a configuration: where they are judged, and what is said of what may be elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import examine
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding


def found(path: Path, rule: str, **options: object) -> list[Finding]:
    report = examine([str(path)], Settings().with_options(**options)).report
    assert not report.crashes
    return [each for each in report.findings if each.rule == rule]


def written(directory: Path, text: str, name: str = "site.conf") -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("server { listen 80; }", "http"),
        ("server { listen 53 udp; }", "stream"),
        ("server { listen 3306; proxy_pass db; }", "stream"),
        ("server { listen 80; proxy_pass http://app; }", "http"),
        ("server { listen 80; return greeting; }", "stream"),
        ("server { listen 80; return 204; }", "http"),
        ("upstream app { server 10.0.0.1:80; }", "http"),
        ("upstream app { least_time connect; server 10.0.0.1:80; }", "stream"),
        ("server 10.0.0.1:80; server 10.0.0.2:80;", "upstream"),
        ("map $uri $a { default 1; }", "http"),
        ("location / { }", "server"),
        ("add_header X-A b;", "server"),
        ("if ($arg_a) { return 403; }", "server"),
        ("return 301 https://$host$request_uri;", "server"),
        ("proxy_pass http://app;", "location"),
        ("proxy_pass $backend;", "location"),
        ("log_format main $uri;", "http"),
        ("worker_processes 4;", "main"),
        ("http { }", "main"),
        ("what_is_this on;", "main"),
    ],
)
def test_most_likely_place(text: str, context: str, tmp_path: Path) -> None:
    (model,) = examine([str(written(tmp_path, text))]).models
    assert model.config.top.inner == context
    assert model.config.fragment


@pytest.mark.parametrize(
    "name", ["streams-enabled/db.conf", "stream.d/db.conf", "nginx-stream.conf", "tcp/db"]
)
def test_the_path_says_stream_where_the_text_does_not(name: str, tmp_path: Path) -> None:
    (model,) = examine([str(written(tmp_path, "upstream db { server 10.0.0.1:1; }", name))]).models
    assert model.config.top.inner == "stream"
    (model,) = examine([str(written(tmp_path, "location / { }", name))]).models
    assert model.config.top.inner == "server"
    for other in ("stream-app/web.conf", "streaming.example.com", "upstream.conf"):
        (model,) = examine([str(written(tmp_path, "upstream db { server 10.0.0.1:1; }", other))]).models
        assert model.config.top.inner == "http"


@pytest.mark.parametrize("block", ["http", "stream", "mail"])
def test_a_lone_block_is_a_part_unless_its_file_is_the_main_one(block: str, tmp_path: Path) -> None:
    text = f"{block} {{ }}"
    assert not found(written(tmp_path, text), "missing-events-block")
    assert found(written(tmp_path, text, "nginx.conf"), "missing-events-block")
    assert found(written(tmp_path, f"worker_processes 1; {text}", "main.conf"), "missing-events-block")
    dump = f"# configuration file /srv/main.conf:\n{text}\n"
    assert found(written(tmp_path, dump, "dump.txt"), "missing-events-block")


def test_a_lone_http_block_is_all_of_http(tmp_path: Path) -> None:
    path = written(tmp_path, "http { server { listen 80; location / { proxy_pass http://app; } } }")
    assert found(path, "undefined-upstream")


def test_context_says_where_a_fragment_is_and_nothing_about_whole_configurations(tmp_path: Path) -> None:
    text = "events { } http { server { listen 80; location /a { alias /srv/a/; } } }"
    whole = written(tmp_path, text, "nginx.conf")
    for context in (None, "http", "http,server"):
        assert found(whole, "alias-traversal", context=context)
        assert not found(whole, "directive-wrong-context", context=context)


def test_what_the_text_says_is_judged_and_what_it_lacks_may_be_elsewhere(tmp_path: Path) -> None:
    pass_on = "location / {{ {} proxy_pass https://10.1.1.1; }}"
    rule = "upstream-tls-unverified"
    (lacking,) = found(written(tmp_path, pass_on.format("")), rule)
    assert lacking.severity.label == "info" and "unless" in lacking.message
    for text in (pass_on.format("proxy_ssl_verify off;"), "proxy_ssl_verify off; " + pass_on.format("")):
        (said,) = found(written(tmp_path, text), rule)
        assert "unless" not in said.message
    assert not found(written(tmp_path, pass_on.format("proxy_ssl_verify on;")), rule)


def test_an_inner_list_hides_what_is_elsewhere(tmp_path: Path) -> None:
    text = "location ~ \\.php$ {{ {} fastcgi_pass 127.0.0.1:9000; }}"
    rule = "fastcgi-missing-script-filename"
    assert not found(written(tmp_path, text.format("")), rule)
    assert found(written(tmp_path, text.format("fastcgi_param QUERY_STRING $query_string;")), rule)


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("location /s { stub_status; }", "info"),
        ("stub_status;", "info"),
        ("server { listen 80; location /s { stub_status; } }", "warning"),
        ("http { server { listen 80; location /s { stub_status; } } }", "warning"),
    ],
)
def test_only_an_outer_server_is_thought_to_restrict(text: str, severity: str, tmp_path: Path) -> None:
    (each,) = found(written(tmp_path, text), "status-page-exposed")
    assert each.severity.label == severity
    assert ("unless" in each.message) is (severity == "info")


PHP = "server {{ listen 80; location ~ \\.php$ {{ {} fastcgi_pass 127.0.0.1:9000; }} }}"


@pytest.mark.parametrize(
    ("include", "lacks"),
    [
        ("fastcgi_params", True),
        ("fastcgi.conf", False),
        ("/etc/nginx/fastcgi_params", True),
        ("snippets/fastcgi-php.conf", False),
        ("own.conf", False),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_stock_files_that_are_not_there_are_known(
    include: str, lacks: bool, whole: bool, tmp_path: Path
) -> None:
    text = PHP.format(f"include {include};")
    path = (
        written(tmp_path, f"events {{ }} http {{ {text} }}", "nginx.conf")
        if whole
        else written(tmp_path, text)
    )
    assert bool(found(path, "fastcgi-missing-script-filename")) is lacks
    if include != "own.conf":
        assert not found(path, "include-not-found") and not found(path, "include-not-analysed")


def test_nothing_is_found_in_a_stock_file_that_is_not_there(tmp_path: Path) -> None:
    text = "include proxy_params; proxy_pass http://10.0.0.1:8080;"
    path = written(tmp_path, f"location /a {{ {text} }} location /b {{ {text} }}")
    report = examine([str(path)], Settings(select=("ALL",))).report
    assert not report.crashes
    assert {each.span.file for each in report.findings} <= {str(path)}
    related = {place.span.file for each in report.findings for place in each.related}
    assert related <= {str(path)}
    assert [each.path for each in report.files] == [str(path)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("server_tokens on;", "server-tokens"),
        ("server { listen 80; include missing.conf; server_tokens on; }", "server-tokens"),
        ("ssl_protocols TLSv1 TLSv1.2;", "deprecated-tls-protocol"),
        ("proxy_ssl_protocols TLSv1;", "deprecated-tls-protocol"),
        ("set_real_ip_from 0.0.0.0/0;", "real-ip-trusts-all"),
        ("return 301 https://$host$uri;", "http-splitting"),
        ("location /a { alias /srv/a/; }", "alias-traversal"),
        ("more_set_headers 'X-A: b\n  c';", "multiline-header-value"),
    ],
)
def test_what_is_written_is_judged(text: str, rule: str, tmp_path: Path) -> None:
    (each,) = found(written(tmp_path, text), rule)
    assert "unless" not in each.message
