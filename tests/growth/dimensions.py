"""Configurations that grow in one direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Files: TypeAlias = dict[str, str]
"""Names of files and their texts; ``nginx.conf`` is what is given to a command."""


def _http(body: str) -> Files:
    return {"nginx.conf": f"events {{}}\nhttp {{\n{body}}}\n"}


def _server(body: str) -> Files:
    return _http(f"server {{\nlisten 80;\n{body}}}\n")


def _in_http(line: Callable[[int], str], rest: str = "server { listen 80; }\n") -> Callable[[int], Files]:
    return lambda count: _http("".join(f"{line(each)}\n" for each in range(count)) + rest)


def _in_server(line: Callable[[int], str]) -> Callable[[int], Files]:
    return lambda count: _server("".join(f"{line(each)}\n" for each in range(count)))


def _within(head: str, line: Callable[[int], str], use: str = "") -> Callable[[int], Files]:
    """A block of many lines and a server that uses it."""

    def make(count: int) -> Files:
        lines = "".join(f"{line(each)}\n" for each in range(count))
        return _http(f"{head} {{\n{lines}}}\nserver {{ listen 80; {use} }}\n")

    return make


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _listens(count: int) -> Files:
    return _server("".join(f"listen {_address(each)}:{80 + each % 2};\n" for each in range(count)))


def _names(count: int) -> Files:
    half = "".join(f"www{each}.example.com *.w{each}.example.com " for each in range(count // 2))
    return _server(f"server_name {half};\n")


def _peers(count: int) -> Files:
    lines = "".join(
        f"server {_address(each)}:80 max_fails={each % 3}{' backup' * (each % 2)};\n" for each in range(count)
    )
    return _http(f"upstream u {{\n{lines}}}\nserver {{ listen 80; location / {{ proxy_pass http://u; }} }}\n")


def _upstreams(count: int) -> Files:
    groups = "".join(
        f"upstream u{each} {{ server {_address(each)}:80; server b{each}:80 backup; keepalive 8; }}\n"
        f"server {{ listen 80; server_name u{each}.com; location / {{ proxy_pass http://u{each}; }} }}\n"
        for each in range(count)
    )
    return _http(groups)


def _nested_paths(count: int) -> Files:
    tails = "".join(
        f"location /{'d/' * (each % 40)}{each} {{ root /srv/{each}; }}\n" for each in range(count)
    )
    return _server(tails)


def _includes(count: int) -> Files:
    files = _http("include sites/*.conf;\n")
    files.update(
        (f"sites/{each}.conf", f"server {{ listen 80; server_name s{each}.com; include common.inc; }}\n")
        for each in range(count)
    )
    files["common.inc"] = "location / { proxy_set_header A $host; proxy_pass http://10.0.0.1; }\n"
    return files


def _include_chain(count: int) -> Files:
    """Files that include each other in a row, as deep as is allowed, again and again."""
    files = _http("server { listen 80; include c0.inc; }\n" * max(count // 30, 1))
    files.update(
        (f"c{each}.inc", f"location /{each} {{ return 204; }}\ninclude c{each + 1}.inc;\n")
        for each in range(30)
    )
    files["c30.inc"] = ""
    return files


def _chain(count: int) -> Files:
    """Variables made of each other."""
    return _server(
        'set $v0 "$arg_x";\n'
        + "".join(f'set $v{each + 1} "${{v{each}}}x";\n' for each in range(count))
        + f"location / {{ proxy_pass http://$v{count}; return 301 $v{count // 2}; }}\n"
    )


def _map_chain(count: int) -> Files:
    return _http(
        "".join(
            f"map $m{each} $m{each + 1} {{ default $m{each}; a $m{max(each - 1, 0)}; }}\n"
            for each in range(count)
        )
        + f"server {{ listen 80; location / {{ proxy_pass http://$m{count}; add_header A $m{count}; }} }}\n"
    )


def _suppressions(count: int) -> Files:
    return _http(
        "".join(
            f"# nginxaudit: ignore[missing-listen] known {each}\nserver {{ return 204; }}\n"
            for each in range(count)
        )
    )


def _tls(count: int) -> Files:
    return _http(
        "".join(
            f"server {{ listen 443 ssl; server_name t{each}.com; ssl_certificate c{each}.pem;"
            f" ssl_certificate_key c{each}.key; ssl_protocols TLSv1 TLSv1.2; ssl_ciphers HIGH:!aNULL; }}\n"
            for each in range(count)
        )
    )


def _stream(count: int) -> Files:
    text = "".join(
        f"upstream s{each} {{ server {_address(each)}:53; }}\n"
        f"server {{ listen {_address(each)}:53 udp; proxy_pass s{each}; proxy_timeout 3s; }}\n"
        for each in range(count)
    )
    return {"nginx.conf": f"events {{}}\nstream {{\n{text}}}\n"}


def _roots(count: int) -> Files:
    """Many configurations of their own, each with the same snippet."""
    one = "events {}\nhttp { include common.inc; server { listen 80; } }\n"
    files = {f"r{each}/nginx.conf": one for each in range(count)}
    files |= {f"r{each}/common.inc": "add_header A b;\n" for each in range(count)}
    return files


def _fragments(count: int) -> Files:
    return {f"f{each}.conf": f"location /{each} {{ proxy_pass http://u{each}; }}\n" for each in range(count)}


def _dump(count: int) -> Files:
    parts = "".join(
        f"# configuration file /etc/nginx/c{each}.conf:\nserver {{ listen 80; server_name d{each}.com; }}\n"
        for each in range(count)
    )
    return {
        "nginx.conf": "# configuration file /etc/nginx/nginx.conf:\nevents {}\n"
        f"http {{ include /etc/nginx/c*.conf; }}\n{parts}"
    }


def _broken(count: int) -> Files:
    return _http("server { listen 80;\n" + "location /a {\n" * 20 + "proxy_pass http://b\n" * count)


DIMENSIONS: dict[str, Callable[[int], Files]] = {
    "servers": _in_http(lambda n: f"server {{ listen 80; server_name s{n}.com; location / {{ root /srv/{n}; }} }}"),
    "listens": _listens,
    "listens of servers": _in_http(lambda n: f"server {{ listen {_address(n)}:80; listen [::1]:{n + 1}; }}"),
    "server names": _names,
    "server names, regex": _in_http(lambda n: f"server {{ listen 80; server_name ~^w{n}\\.(?<x>.+)\\.com$; }}"),
    "zones": _in_http(lambda n: f"limit_req_zone $binary_remote_addr zone=z{n}:1m rate={n + 1}r/s;"),
    "zones in use": _in_http(lambda n: f"limit_req_zone $binary_remote_addr zone=z{n}:1m rate={n + 1}r/s;\nserver {{ listen 80; server_name z{n}.com; limit_req zone=z{n} burst=5; }}"),
    "log formats": _in_http(lambda n: f"log_format f{n} '$remote_addr {n} $status';\nserver {{ listen 80; access_log /var/log/{n}.log f{n}; }}"),
    "caches": _in_http(lambda n: f"proxy_cache_path /var/cache/{n} keys_zone=c{n}:1m;\nserver {{ listen 80; server_name c{n}.com; location / {{ proxy_cache c{n}; proxy_pass http://10.0.0.1; }} }}"),
    "rewrites": _in_server(lambda n: f"rewrite ^/old{n}/(.*)$ /new{n}/$1 last;"),
    "redirects in a circle": _in_server(lambda n: f"location = /p{n} {{ rewrite ^ /p{n + 1} last; return 302 /p{n + 2}; }}"),
    "ifs": _in_server(lambda n: f"if ($arg_a{n} = b) {{ return 301 /x{n}; }}"),
    "ifs in locations": _in_server(lambda n: f"location /i{n} {{ if ($host ~ ^a{n}) {{ add_header X y; }} proxy_pass http://10.0.0.1; }}"),
    "nested paths": _nested_paths,
    "includes": _includes,
    "includes in a row": _include_chain,
    "comments": _in_http(lambda n: f"# comment number {n}: standby, active-active"),
    "blank lines": _in_http(lambda n: "\n \n"),
    "trailing spaces": _in_http(lambda n: f"gzip_min_length {n};   "),
    "variables": _in_server(lambda n: f"set $v{n} $arg_a{n};\nadd_header X-{n} $v{n};"),
    "variables of each other": _chain,
    "maps of each other": _map_chain,
    "suppressions": _suppressions,
    "upstreams": _upstreams,
    "upstreams not in use": _in_http(lambda n: f"upstream u{n} {{ server {_address(n)}:80; server b{n} backup; }}"),
    "peers": _peers,
    "secrets": _in_server(lambda n: f"location /k{n} {{ proxy_set_header Authorization 'Bearer eyJhbGciOiJIUzI{n:06}'; proxy_pass http://u:pw{n}@10.0.0.1; }}"),
    "unknown directives": _in_http(lambda n: f"unknown_directive_{n:x} on;"),
    "misspelt directives": _in_server(lambda n: "proxy_pss http://10.0.0.1;"),
    "split_clients": _within("split_clients $remote_addr $s", lambda n: f"0.0{n % 10}% u{n};", "return 301 /$s;"),
    "maps": _in_http(lambda n: f"map $host $m{n} {{ default 0; a{n} 1; ~^b{n} 2; }}"),
    "lines of a map": _within("map $host $m", lambda n: f"h{n}.com /u{n};", "return 301 $m;"),
    "regexes of a map": _within("map $uri $m", lambda n: f"~^/a{n}/(.*)$ /b{n}/$1;", "return 301 $m;"),
    "geo": _within("geo $g", lambda n: f"{_address(n)}/32 {n};", "return 301 /$g;"),
    "stream servers": _stream,
    "TLS servers": _tls,
    "Lua blocks": _in_server(lambda n: f"location /l{n} {{ content_by_lua_block {{ ngx.say('}}{n}') -- }}\n }} }}"),
    "locations": _in_server(lambda n: f"location /a{n}/ {{ proxy_pass http://10.0.0.1/; }}"),
    "regex locations": _in_server(lambda n: f"location ~ ^/a{n}/.*\\.php$ {{ fastcgi_pass 10.0.0.1:9000; }}"),
    "aliases": _in_server(lambda n: f"location /a{n} {{ alias /srv/{n}/; }}"),
    "try_files": _in_server(lambda n: f"location /t{n}/ {{ try_files $uri /t{n + 1}/ @n{n}; }}\nlocation @n{n} {{ return 404; }}"),
    "add_headers": _in_server(lambda n: f"add_header X-{n} {n};"),
    "headers in locations": _in_server(lambda n: f"location /h{n} {{ add_header X-{n} $arg_x; proxy_set_header A b; proxy_pass http://10.0.0.1; }}"),
    "error pages": _in_server(lambda n: f"error_page 404 /e{n}.html;"),
    "error pages in locations": _in_server(lambda n: f"location /e{n} {{ error_page 502 504 @f{n}; proxy_pass http://10.0.0.1; }}\nlocation @f{n} {{ return 503; }}"),
    "access rules": _in_server(lambda n: f"deny {_address(n)};"),
    "proxied by variable": _in_server(lambda n: f"location /v{n} {{ set $b u{n % 7}; proxy_pass http://$b; }}"),
    "words of a directive": lambda n: _server("try_files " + "".join(f"/f{each} " for each in range(n)) + "=404;\n"),
    "variables of a word": lambda n: _server(f'proxy_set_header A "{"$a" * n * 16}";\nproxy_pass http://10.0.0.1;\n'),
    "entries of a header": lambda n: _server(f'add_header Content-Security-Policy "{"script-src a.example; " * n * 16}";\n'),
    "length of an expression": lambda n: _server(f'location ~ "^{"x*" * n * 16}$" {{ rewrite ^/(.*)$ /$1; }}\n'),
    "groups of an expression": lambda n: _server(f'location ~ "^{"(a|b)" * min(n * 16, 60_000)}$" {{ return 204; }}\n'),
    "length of a value": lambda n: _server(f'return 301 "/{"a=b;" * n * 16}";\n'),
    "length of a comment": lambda n: _server(f"# {'password: a ' * n * 16}\n"),
    "length of Lua": lambda n: _server(f"location / {{ content_by_lua_block {{ {'local key = [[a]] ' * n * 16} }} }}\n"),
    "broken": _broken,
    "unclosed quotes": _in_http(lambda n: f"add_header A{n} \"b;"),
    "missing semicolons": _in_server(lambda n: f"add_header A{n} b"),
    "template marks": _in_server(lambda n: f"server_name {{{{ name{n} }}}};"),
    "unclosed marks": lambda n: _http("{% " * n + "\n"),
    "roots": _roots,
    "fragments": _fragments,
    "dump": _dump,
}  # fmt: skip
"""What grows, and a configuration that has so many of it."""


def on_one_line(files: Files) -> Files:
    """The same without line ends, except those that end comments."""
    return {
        name: "".join(line if "#" in line else f"{line.rstrip()} " for line in text.splitlines(keepends=True))
        for name, text in files.items()
    }
