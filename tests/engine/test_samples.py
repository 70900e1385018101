"""Texts that are no configuration yet: what nginx would refuse in them is no error of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding, Severity


def _found(tmp_path: Path, name: str, text: str) -> tuple[Finding, ...]:
    (tmp_path / name).write_text(text)
    return audit([str(tmp_path / name)], Settings()).active


@pytest.mark.parametrize(
    "line", ["set $proto <http or https>;", "listen 80 backlog=<somax>;", "keepalive_timeout <seconds>;"]
)
def test_a_placeholder_is_information(tmp_path: Path, line: str) -> None:
    found = _found(
        tmp_path, "app.conf.sample", f"server {{\n    {line}\n    server_name a.example.com;\n}}\n"
    )
    (placeholder,) = [each for each in found if "placeholder" in each.message]
    assert (placeholder.severity, placeholder.span.line) == (Severity.INFO, 2)


@pytest.mark.parametrize("line", ["keepalive_timeout 5x;", "set $proto http or https;"])
def test_another_mistake_is_an_error(tmp_path: Path, line: str) -> None:
    found = _found(tmp_path, "app.conf.sample", f"server {{\n    {line}\n}}\n")
    assert [each.span.line for each in found if each.severity is Severity.ERROR] == [2]


def test_a_template_of_a_template_is_not_judged(tmp_path: Path) -> None:
    text = "server {\n    {{ '{%' }} if tls {{ '%}' }}\n    listen {{ '{{' }} port }} {{ '{{' }} more }};\n    {{ '{%' }} endif {{ '%}' }}\n}\n"
    assert not [each for each in _found(tmp_path, "site.conf.j2", text) if each.severity > Severity.INFO]


def test_both_sides_of_a_condition_are_not_compared(tmp_path: Path) -> None:
    text = (
        "location / {\n<% if @a -%>\n    add_header Access-Control-Allow-Origin $one always;\n<%- else -%>\n"
        "    add_header Access-Control-Allow-Origin * always;\n<% end -%>\n}\n"
    )
    assert "cors-wildcard-credentials" not in {each.rule for each in _found(tmp_path, "site.conf.erb", text)}


def test_an_address_that_is_filled_in_may_be_asked_for_a_password(tmp_path: Path) -> None:
    text = (
        "location / {\n    satisfy any;\n    deny <%= @ip %>;\n    allow all;\n"
        "    auth_basic a;\n    auth_basic_user_file b;\n    proxy_pass http://10.0.0.1;\n}\n"
    )
    assert "satisfy-any-opens-access" not in {each.rule for each in _found(tmp_path, "site.conf.erb", text)}
    plain = text.replace("    deny <%= @ip %>;\n", "")
    assert "satisfy-any-opens-access" in {each.rule for each in _found(tmp_path, "plain.conf", plain)}


def test_a_glob_beside_a_configuration_does_not_make_its_directory_conf_d(tmp_path: Path) -> None:
    (tmp_path / "cloud.inc").write_text("real_ip_header X-Real-IP;\n")
    text = "events {}\nhttp {\n    include /etc/nginx/conf.d/cloud.inc;\n    include /etc/nginx/conf.d/*.conf;\n}\n"
    assert "include-cycle" not in {each.rule for each in _found(tmp_path, "nginx.conf", text)}


def test_params_of_an_image_may_name_the_script(tmp_path: Path) -> None:
    text = "server {\n    listen 80;\n    location ~ \\.php$ {\n        fastcgi_pass 127.0.0.1:9000;\n        include /etc/nginx/fastcgi_params;\n    }\n}\n"
    (found,) = [
        each
        for each in _found(tmp_path, "nginx.conf", f"events {{}}\nhttp {{\n{text}}}\n")
        if each.rule == "fastcgi-missing-script-filename"
    ]
    assert found.severity is Severity.INFO


def test_a_stock_file_that_is_not_in_the_copy_makes_no_error(tmp_path: Path) -> None:
    text = (
        "server {\n    listen 80;\n    location ~ \\.php$ {\n        include snippets/fastcgi-php.conf;\n"
        "        try_files $fastcgi_script_name =404;\n        fastcgi_pass unix:/run/php.sock;\n    }\n}\n"
    )
    found = [each for each in _found(tmp_path, "site.conf", text) if each.rule == "duplicate-directive"]
    assert [(each.severity, each.rejected_by_nginx) for each in found] == [(Severity.INFO, False)]
