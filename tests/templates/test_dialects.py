"""Of a template in any dialect what is written out is judged in its lines; nothing is called refused, nothing there twice."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.report import FORMATS, render

WRITTEN = {
    "deprecated-tls-protocol",
    "autoindex-enabled",
    "upstream-tls-unverified",
    "alias-traversal",
    "invalid-value",
}
"""Rules whose findings in these templates are compared; none needs anything but what is written out."""

JINJA = """\
{# the main site, with "an open quote #}
{%- macro proxied(name) %}
    proxy_pass http://{{ name }};
{%- endmacro %}
{% set bodies %}
    client_max_body_size 1m;
{% endset %}
server {
    listen 80;{# plain #}
{% if tls and names['all'] -%}
    listen 443 ssl;
    ssl_protocols SSLv3;
{% elif other %}
    listen 443 ssl;
    ssl_protocols TLSv1.3;
{% else %}
    listen 80;
{% endif %}
    server_name {{ names | join(' ') }};
    {{ extra | indent(4) }}
{% for each in locations %}
    location {{ each.path }} {
        alias {{ each.root }};
        autoindex on;
{% for header in each.headers %}
        add_header {{ header.name }} "{{ header.value | replace('"', '\\"') }}";
{% endfor %}
        {{ proxied(each.name) }}
    }
{% endfor %}
{% include 'more.j2' %}
{% raw %}
    location /raw {
        return 200 "{{ not a value }}";
    }
{% endraw %}
}
"""

ERB = """\
<%# made by a program %>
<%- @ports.each do |port| -%>
server {
  listen <%= port %>;
  server_name <%= @name -%>;
<% if @maintenance %>
  location / { return 503; }
<% elsif @proxy
     x = "{" %>
  location / {
    proxy_pass https://<%= @backend %>;
    proxy_ssl_verify off;
<% unless @host.nil? %>
    proxy_set_header Host <%= @host %>;
<% else %>
    proxy_set_header Host $host;
<% end %>
  }
<% end -%>
  <%= key %> <%= value %>;
  <%- if @lines then -%>
  <%= @lines.join("\\n") %>
  <%- end -%>
  location /files {
    alias /srv/files/;
  }
}
<% end %>
"""

EPP = """\
<%- | String $name, Boolean $tls = false | -%>
server {
<% if $tls { -%>
  ssl_certificate <%= $cert %>;
  ssl_certificate_key <%= $key %>;
  listen 443 ssl;
<% } elsif $other { -%>
  listen 8443 ssl;
<% } else { -%>
  listen 80;
  listen 81;
<% } -%>
  server_name <%= $name %>;
<% $locations.each |$path, $root| { -%>
  location <%= $path %> {
    root <%= $root %>;
    autoindex on;
  }
<% } -%>
}
"""

GO = """\
{{- /* made by the operator, isn't it { */ -}}
{{- $name := .Name }}
{{- define "location" }}
location {{ .Path }} {
    root {{ .Root }};
    autoindex on;
}
{{- end }}
{{- if .Tls }}
server {
    listen 443 ssl;
    ssl_certificate {{ .Certificate }};
    ssl_protocols {{ range .Protocols }}{{ . }} {{ end }};
{{- else }}
server {
    listen 80;
{{- end }}
    server_name "{{ .Name | default "a b" }}";
    location /tls { proxy_pass {{ .Scheme }}://{{ .Backend }};
    proxy_ssl_verify off; }
    {{- with $.Root }}
    root {{ . }};
    {{- end }}
    {{- range $index, $each := .Locations }}
    {{ template "location" $each }}
    {{- else }}
    location / { autoindex on; }
    {{- end }}
    {{- if eq .Protocol "http" }}
    listen 80;
    {{- else if eq .Protocol "both" }}
    listen 80; gzip {{ .Gzip }};
    {{- end }}
}
"""

MUSTACHE = """\
{{! a comment }}
{{#upstreams}}
upstream {{name}} {
  {{#servers}}
  server {{address}}:{{port}};
  {{/servers}}
  {{^servers}}
  server 127.0.0.1:9;
  {{/servers}}
}
{{/upstreams}}
server {
  {{#if tls}}
  listen 443 ssl; ssl_certificate {{cert}};
  ssl_protocols SSLv3;
  {{else}}
  listen 80;
  {{/if}}
  server_name {{{names}}};
  {{> locations}}
  {{!-- {{ hidden }} { --}}
  {{#each roots}}
  location {{@key}} { root {{this}}; }
  {{/each}}
}
"""

CONSUL = """\
upstream app {
{{ range service "app" }}
  server {{ .Address }}:{{ .Port }};{{ else }}
  server 127.0.0.1:65535;{{ end }}
}
server {
  listen {{ key "port" }};
  location / {
    proxy_pass https://app;
    proxy_ssl_verify off;
  }
}
"""

SHELL = """\
server {
    listen ${PORT};
    listen ${OTHER_PORT:-8080};
    server_name $NAME ${NAMES:-"a b"};
    client_max_body_size ${MAX_BODY}m;
    resolver ${DNS:-${FALLBACK}} valid=30s;
    location / {
        proxy_pass https://${BACKEND}:9000$$request_uri;
        proxy_ssl_verify off;
        proxy_set_header Host $$host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_read_timeout ${timeout:-30}s;
    }
}
"""

PERCENT = """\
server {
    listen %ip%:%web_port%;
    listen %ip%:80 %proxy%;
    server_name %domain_idn% %alias_idn%;
    root %docroot%;
    ssl_protocols SSLv3;
    include %home%/%user%/conf/web/%domain%/nginx.conf_*;
    location ~ /(app|%deny%)/ {
        autoindex on;
    }
}
"""

FORMAT = """\
server {{
    listen {port};
    server_name {name} www.{name};
    location /a {{ proxy_pass http://{host!s}:{port}; }}
    location / {{
        autoindex on;
    }}
}}
"""

SINGLE = """\
server {
    listen {port};
    server_name {server.name};
    location / {
        root {root};
        autoindex on;
    }
}
"""

AT = """\
server {
    listen @@PORT@@;
    listen @OTHER_PORT@;
    server_name @server_name@;
    location / {
        try_files $uri @app;
        autoindex on;
    }
    location @app {
        proxy_pass http://@@BACKEND@@;
    }
}
"""

NAMES = """\
server {
    listen __PORT__;
    listen <PORT>;
    server_name <YOUR-DOMAIN> CHANGE_ME;
    location ~ ^/(?<part>[a-z]+)$ {
        root __ROOT__/$part;
        autoindex on;
    }
}
"""

RUBY = """\
server {
    listen #{port};
    server_name #{names.join(" ")};
    root /srv/#{name};  # a comment
    autoindex on;
}
"""

TERRAFORM = """\
server {
    listen ${port};
    server_name ${join(" ", names)};
%{ if tls ~}
    ssl_protocols SSLv3;
%{ else ~}
    ssl_protocols TLSv1.3;
%{ endif ~}
    location / {
        proxy_set_header Host $host;
        proxy_pass http://${backend.host}:${backend.port}$${request_uri};
    }
%{ for each in roots ~}
    location ${each} { autoindex on; }
%{ endfor ~}
}
"""

CASES = [
    ("site.conf.j2", JINJA, ["deprecated-tls-protocol:12", "autoindex-enabled:24"]),
    ("site.conf", JINJA, ["deprecated-tls-protocol:12", "autoindex-enabled:24"]),
    ("site.sls", JINJA, ["deprecated-tls-protocol:12", "autoindex-enabled:24"]),
    ("site.conf.erb", ERB, ["upstream-tls-unverified:12", "alias-traversal:25"]),
    ("site.epp", EPP, ["autoindex-enabled:17"]),
    ("site.tmpl", GO, ["autoindex-enabled:6", "upstream-tls-unverified:20", "autoindex-enabled:27"]),
    ("site.conf", GO, ["autoindex-enabled:6", "upstream-tls-unverified:20", "autoindex-enabled:27"]),
    ("site.mustache", MUSTACHE, ["deprecated-tls-protocol:15"]),
    ("site.ctmpl", CONSUL, ["upstream-tls-unverified:9"]),
    ("default.conf.template", SHELL, ["upstream-tls-unverified:9"]),
    ("site.conf", SHELL, ["upstream-tls-unverified:9"]),
    ("vhost.conf", PERCENT, ["deprecated-tls-protocol:6", "autoindex-enabled:9"]),
    ("nginx.tpl", PERCENT, ["deprecated-tls-protocol:6", "autoindex-enabled:9"]),
    ("site.conf", FORMAT, ["autoindex-enabled:6"]),
    ("site.conf", SINGLE, ["autoindex-enabled:6"]),
    ("nginx.conf.in", AT, ["autoindex-enabled:7"]),
    ("site.conf", AT, ["autoindex-enabled:7"]),
    ("site.conf", NAMES, ["autoindex-enabled:7"]),
    ("site.conf", RUBY, ["autoindex-enabled:5"]),
    ("site.tftpl", TERRAFORM, ["deprecated-tls-protocol:5", "autoindex-enabled:14"]),
]


@pytest.mark.parametrize(("name", "text", "expected"), CASES)
@pytest.mark.parametrize("place", ["alone", "main"])
def test_a_template(name: str, text: str, expected: list[str], place: str, tmp_path: Path) -> None:
    before, after = {"alone": ("", ""), "main": ("events {}\nhttp {\n", "}\n")}[place]
    if text is FORMAT:
        before, after = before.replace("{", "{{").replace("}", "}}"), after.replace("}", "}}")
    path = tmp_path / name
    path.write_text(before + text + after)
    report = audit([str(path)], Settings())
    lines = before.count("\n")
    found = [f"{each.rule}:{each.span.line - lines}" for each in report.active if each.rule in WRITTEN]
    assert found == expected
    assert not [
        f"{each.span.line} {each.rule}: {each.message}" for each in report.active if each.rejected_by_nginx
    ]
    assert not [each for each in report.active if each.rule.startswith("duplicate")]
    assert [remark for remark in report.remarks if f"{name} is a template" in remark]
    assert not report.crashes


@pytest.mark.parametrize(
    "text",
    [
        "server { {# a comment\n listen 80; }",
        'server { return 200 "{{ a }} {% b %} <% c %> {d} %e_f% @g@ #{h} <PORT>"; }',
        "# {{ a }} ${PORT} @@B@@\nserver { listen 80; }",
        "server { location ~ ^/(?<Name>[a-z]{2,3})$ { return 200 $Name; } }",
        "server { location /a%20b%C3%A9tait%20 { return 302 /%7Euser%2Fa%E2%82%ACb; } }",
        "server { location @app { return 404; } location / { try_files $uri @app; } }",
        "server { content_by_lua_block { local t = {{1, 2}, {3}} ngx.say(\"${A}\") } }",
        "log_format main '%{a}b $host ${request_uri}x';",
        "server { set $PORT 80; return 200 ${PORT}; }",
        "server { location ~ ^/a{2}$ {return 404;} }",
        "server { server_name a__b__c.example.com; root /srv/__init__; }",
        "map $a $b { default 1; ~^{x} 2; }",
        "server { sub_filter </head> '<b></head>'; }",
    ],
)  # fmt: skip
def test_what_is_no_template(text: str, tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_text(text)
    assert not [remark for remark in audit([str(path)], Settings()).remarks if "template" in remark]


def test_capitals_in_what_is_called_a_template(tmp_path: Path) -> None:
    for name, refused in [("site.conf.template", False), ("site.conf", True)]:
        path = tmp_path / name
        path.write_text("server { listen 80; autoindex $FLAG; }")
        assert any(each.rejected_by_nginx for each in audit([str(path)], Settings()).active) == refused


@pytest.mark.parametrize("form", FORMATS)
def test_every_report_names_it(form: str, tmp_path: Path) -> None:
    path = tmp_path / "site.conf.j2"
    path.write_text("server { listen 80; server_name {{ name }}; root /srv; }")
    report = audit([str(path)], Settings())
    stream = StringIO()
    render(form, report, stream)
    assert "a template" in " ".join(stream.getvalue().split())  # lines of text are wrapped
    if form == "json":
        assert json.loads(stream.getvalue())["files"][0]["template"] is True


@pytest.mark.parametrize(
    "line", ["listen ${port};", "client_max_body_size ${max_body}m;", "listen 10.0.0.1:${port} ssl;"]
)
def test_small_letters_where_nginx_takes_no_variable(line: str, tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_text(
        f"server {{\n    {line}\n    ssl_certificate a.pem; ssl_certificate_key a.key;\n    proxy_set_header X ${{host}};\n}}"
    )
    report = audit([str(path)], Settings())
    assert not [each for each in report.active if each.rejected_by_nginx]
    assert [each.rule for each in report.active if each.rule == "unrendered-template"]
