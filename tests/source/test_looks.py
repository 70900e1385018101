"""What nginx's files and other software's look like."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.source.looks import HEAD, Look, kind_of, look

ROOT = Path(__file__).resolve().parents[2]

NGINX = {
    "a site": "server {\n  listen 80;\n}\n",
    "one line": "server{listen 80;location /{return 204;}}",
    "a snippet": "ssl_protocols TLSv1.2;\nssl_session_tickets off;\n",
    "a location": "location ~ \\.php$ {\n  include fastcgi_params;\n  fastcgi_pass unix:/run/php.sock;\n}\n",
    "parameters": "fastcgi_param  QUERY_STRING  $query_string;\n",
    "an access list": "allow 10.0.0.0/8;\nallow ::1;\ndeny all;\n",
    "a map": "map $http_upgrade $connection_upgrade {\n  default upgrade;\n  ''      close;\n}\n",
    "types": "types {\n  text/html html htm;\n}\n",
    "an upstream": "upstream app {\n  server 10.0.0.1:80;\n}\n",
    "a log format": 'log_format main \'{"a": "$status"; \'\n  \'"b": {}}\';\naccess_log /var/log/a.log main;\n',
    "Lua": "location / {\n  content_by_lua_block {\n    local a = { b = 1 }\n    for k in pairs(a) do print(k); end\n  }\n}\n",
    "a brace is missing": "server {\n  listen 80;\n  location / {\n    root /srv;\n",
    "a semicolon is missing": "server {\n  listen 80\n  server_name a.example;\n  root /srv;\n}\n",
    "a brace too many at the beginning": "{server {\n  listen 80;\n}\n",
    "a semicolon too many at the beginning": ";\nevents {}\nhttp {\n  server {\n    listen 80;\n  }\n}\n",
    "a third-party directive alone": "# Brotli\n\nbrotli_static on;\n",
    "a module's name first": "brotli on;\nbrotli_comp_level 6;\n",
    "third-party directives": "vhost_traffic_status_zone;\nmore_set_headers 'Server: x';\n",
    "comments first": "# Redis = not here\n\nserver {\n  listen 80;\n}\n",
    "Jinja": "{% if tls %}\nserver {\n  listen {{ port }};\n}\n{% endif %}\n",
    "a comment of Jinja": "{# the site; of all #}\nserver {\n  listen {{ port }};\n}\n",
    "ERB": "<% if @tls %>\nserver {\n  listen <%= @port %>;\n}\n<% end %>\n",
    "envsubst": "server {\n  listen ${PORT};\n  server_name ${NAME};\n}\n",
    "BOM and CRLF": "\ufeffserver {\r\n  listen 80;\r\n}\r\n",
}
OTHER = {
    "words that modules have, too": "echo hello;\ncheck it;\n",
    "assignments that look like a module's": "redis_pass = secret;\nmore_set_headers: x;\n",
    "redis": "bind 127.0.0.1\nport 6379\nsave 900 1\n",
    "systemd": "[Unit]\nDescription=nginx\n[Service]\nExecStart=/usr/sbin/nginx\n",
    "php-fpm": "; a pool\n[www]\nuser = www-data\nlisten = 127.0.0.1:9000\n",
    "apache": "<VirtualHost *:80>\n  ServerName a.example\n</VirtualHost>\n",
    "apache without sections": "LoadModule ssl_module modules/mod_ssl.so\nListen 443\n",
    "sysctl": "net.core.somaxconn = 1024\n",
    "logstash": "input {\n  beats {\n    port => 5044\n  }\n}\nfilter {\n  if [type] == \"nginx\" {\n    grok { match => { } }\n  }\n}\n",
    "modsecurity": 'SecRuleEngine On\nSecRule ARGS "@rx x" "id:1,deny"\n',
    "supervisor": "[program:nginx]\ncommand=nginx\n",
    "haproxy": "global\n  user haproxy\ndefaults\n  mode http\nfrontend www\n  bind :80\n",
    "varnish": "vcl 4.0;\nbackend default {\n  .host = \"a\";\n}\nsub vcl_recv {\n  if (req.url ~ \"^/x\") {\n    return (pass);\n  }\n  set req.http.X = \"1\";\n}\n",
    "dnsmasq": "server=/example/10.0.0.1\nlisten-address=127.0.0.1\n",
    "postgres": "listen_addresses = '*'\nssl = on\nport = 5432\n",
    "sshd": "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\nPermitRootLogin no\n",
    "mysql": "[mysqld]\nbind-address = 127.0.0.1\n",
    "bind": 'options {\n  directory "/var/cache/bind";\n  listen-on { any; };\n};\nzone "." {\n  type hint;\n  file "/x";\n};\ninclude "/etc/bind/local";\n',
    "squid": "acl localnet src 10.0.0.0/8\nhttp_access allow localnet\nhttp_port 3128\n",
    "prosody": 'modules_enabled = {\n  "roster";\n}\nssl = {\n  key = "/x";\n  certificate = "/y";\n}\n',
    "dovecot": "ssl = required\nservice auth {\n  user = root\n}\n",
    "syslog-ng": "source s_src {\n  internal();\n};\nlog { source(s_src); destination(d); };\n",
    "logrotate": "/var/log/nginx/*.log {\n  daily\n  postrotate\n    kill -USR1 1\n  endscript\n}\n",
    "a script": "#!/bin/sh\nset -e\ncat > x <<EOF\nserver {\n  listen 80;\n}\nEOF\n",
    "a script without its first line": "set -e\nif [ -f x ]; then\n  return 0;\nfi\n",
    "PHP": "<?php\nif ($x) {\n  return $y;\n}\n",
    "Perl": "use strict;\nmy $x = 1;\nif ($x == 1) {\n  return $x;\n}\n",
    "C": "static int f(void) {\n  if (x) {\n    return 0;\n  }\n  break;\n}\n",
    "CSS": "body {\n  margin: 0;\n}\n",
    "YAML": "server:\n  listen: 80\nlocation: x\n",
    "a manifest": "kind: ConfigMap\ndata:\n  nginx.conf: |\n    server {\n      listen 80;\n    }\n",
    "a block of JavaScript": "{ let server = 1; f(server); }\n",
    "JSON": '{"server": {"listen": 80}}\n',
    "TOML": "[server]\nlisten = 80\n",
    "XML": "<?xml version='1.0'?>\n<server/>\n",
    "prose": "The server listens; see below.\n\nserver {\n",
}  # fmt: skip


@pytest.mark.parametrize("name", NGINX)
def test_nginx(name: str) -> None:
    assert look(NGINX[name], "a") is Look.NGINX


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("named", [False, True])
def test_other_software(name: str, named: bool) -> None:
    assert look(OTHER[name], "a", named=named) is Look.OTHER


def test_weak_signs_need_the_name_of_a_configuration() -> None:
    assert look("include parts/a.conf;\n", "a") is Look.OTHER
    assert look("include parts/a.conf;\n", "a", named=True) is Look.NGINX


def test_nothing_to_look_at() -> None:
    assert look("# off\n\n", "a") is Look.EMPTY
    assert look("", "a") is Look.EMPTY


@pytest.mark.parametrize(
    ("name", "kind"),
    [("systemd", "systemd"), ("apache", "Apache httpd"), ("supervisor", "Supervisor"), ("bind", "BIND"), ("redis", "")],
)  # fmt: skip
def test_what_it_is_called(name: str, kind: str) -> None:
    assert kind_of(OTHER[name]) == kind


def test_own_configurations_are_recognised() -> None:
    """Whatever the fixtures hold, they are nginx's."""
    for path in sorted((ROOT / "fixtures").rglob("*.conf")):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")[:HEAD]
        assert look(text, str(path), named=True) is not Look.OTHER, path


@pytest.mark.parametrize("first", ["Load_module x.so;", "EVENTS {}", "events' {}", "~*spider 1;", "{"])
def test_a_main_configuration_is_one_whatever_its_first_line(first: str) -> None:
    assert (
        look(f"{first}\nhttp {{\n    server {{ listen 80; }}\n}}\n", "nginx.conf", named=True) is Look.NGINX
    )


def test_a_pipeline_of_logstash_is_none() -> None:
    text = "input {\n  http {\n    port => 5044\n  }\n}\noutput { stdout {} }\n"
    assert look(text, "pipeline.conf", named=True) is Look.OTHER
