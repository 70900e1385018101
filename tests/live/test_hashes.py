"""Which keys no bucket of a hash table holds: asked of nginx at the exact byte, with and without a size of the buckets."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.nginx import Target
from tests.parity.judge import predict
from tests.support import nginx
from tests.support.targets import settings_for

PLACES = {
    "map": ("map $uri $v {{ {key} 1; }}", "map_hash_bucket_size"),
    "map-escaped": ("map $uri $v {{ \\{key} 1; }}", "map_hash_bucket_size"),
    "map-wildcard": ("map $host $v {{ hostnames; *.{key}.example.com 1; }}", "map_hash_bucket_size"),
    "map-tail": ("map $host $v {{ hostnames; www.{key}.* 1; }}", "map_hash_bucket_size"),
    "map-dot": ("map $host $v {{ hostnames; .{key}.example.com 1; }}", "map_hash_bucket_size"),
    "map-variable": ("map $uri ${key} {{ default 1; }}", "variables_hash_bucket_size"),
    "geo-variable": ("geo ${key} {{ default 1; }}", "variables_hash_bucket_size"),
    "set": ("server {{ listen {port}; set ${key} 1; }}", "variables_hash_bucket_size"),
    "auth-request-set": (
        "server {{ listen {port}; auth_request_set ${key} 1; }}",
        "variables_hash_bucket_size",
    ),
    "server-names": (
        "server {{ listen {port}; server_name {key}; }} server {{ listen {port}; server_name b; }}",
        "server_names_hash_bucket_size",
    ),
    "server-names-wildcard": (
        "server {{ listen {port}; server_name *.{key}.a; }} server {{ listen {port}; server_name b; }}",
        "server_names_hash_bucket_size",
    ),
    "server-names-captures": (
        "server {{ listen {port}; server_name {key} ~a ~(.)b; }}",
        "server_names_hash_bucket_size",
    ),
    "server-names-last-captures-nothing": (
        "server {{ listen {port}; server_name {key} ~(.)b ~a; }}",
        "server_names_hash_bucket_size",
    ),
    "referers": ("server {{ listen {port}; valid_referers {key}/path; }}", "referer_hash_bucket_size"),
    "referers-wildcard": (
        "server {{ listen {port}; valid_referers *.{key}.a; }}",
        "referer_hash_bucket_size",
    ),
    "types": ("types {{ text/plain {key}; }} server {{ listen {port}; }}", "types_hash_bucket_size"),
    "gzip": ("gzip_types {key}; server {{ listen {port}; }}", ""),
    "gzip-no-server": ("gzip_types {key};", ""),
    "gzip-overridden": ("gzip_types {key}; server {{ listen {port}; gzip_types a/b; }}", ""),
    "gzip-any": ("gzip_types {key} *; server {{ listen {port}; }}", ""),
    "set-header": (
        "proxy_set_header {key} 1; server {{ listen {port}; }}",
        "proxy_headers_hash_bucket_size",
    ),
    "set-header-overridden": (
        "proxy_set_header {key} 1; server {{ listen {port}; proxy_set_header A b; }}",
        "proxy_headers_hash_bucket_size",
    ),
    "hide-header": ("server {{ listen {port}; proxy_hide_header {key}; }}", "proxy_headers_hash_bucket_size"),
    "hide-and-pass": (
        "server {{ listen {port}; proxy_hide_header {key}; proxy_pass_header {key}; }}",
        "proxy_headers_hash_bucket_size",
    ),
    "fastcgi": ("server {{ listen {port}; fastcgi_param HTTP_{key} 1; }}", ""),
    "fastcgi-other": ("server {{ listen {port}; fastcgi_param {key} 1; }}", ""),
    "scgi": ("server {{ listen {port}; scgi_param HTTP_{key} 1; }}", ""),
    "uwsgi": ("server {{ listen {port}; uwsgi_param HTTP_{key} 1; }}", ""),
    "grpc": ("server {{ listen {port}; grpc_set_header {key} 1; }}", ""),
    "grpc-hide": ("server {{ listen {port}; grpc_hide_header {key}; }}", ""),
    "fastcgi-hide": ("server {{ listen {port}; fastcgi_hide_header {key}; }}", ""),
}


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("place", PLACES)
def test_buckets_hold_what_nginx_says(tmp_path: Path, place: str) -> None:
    text, size = PLACES[place]
    (port,) = nginx.free_ports(1)
    sizes = ["", *(f"{size} {each}; " for each in (1, 65, 128, 65472) if size)]
    for first in sizes:
        for length in (46, 47, 110, 111):
            body = text.format(key="k" * length, port=port)
            answer = nginx.check(tmp_path, f"events {{}}\nhttp {{ access_log off; {first}{body} }}\n")
            predicted, reasons = predict(tmp_path / "nginx.conf", Target(nginx.version()))
            assert predicted == answer.accepted, (first, length, answer.output, reasons)


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize(
    "text",
    [
        "charset utf-8; source_charset koi8-r; server { listen PORT; }",
        "charset utf-8; source_charset koi8-r;",
        "charset utf-8; source_charset UTF-8; server { listen PORT; }",
        "charset off; source_charset koi8-r; server { listen PORT; }",
        "source_charset koi8-r; server { listen PORT; location /a { charset $arg_a; } }",
        "source_charset koi8-r; server { listen PORT; location /a { charset windows-1251; } }",
        "charset utf-8; source_charset koi8-r; server { listen PORT; charset off; }",
        "charset_map koi8-r utf-8 { } charset utf-8; source_charset koi8-r; server { listen PORT; }",
        "charset_map koi8-r utf-8 { } charset KOI8-R; source_charset utf-8; server { listen PORT; }",
        "charset_map koi8-r utf-8 { } charset windows-1251; source_charset utf-8; server { listen PORT; }",
        "charset_map a b { } charset_map B A { }",
        "charset_map utf-8 a { }",
        "charset_map a A { }",
        "types_hash_bucket_size 65472; server { listen PORT; }",
        "types_hash_bucket_size 65473; server { listen PORT; }",
        "variables_hash_bucket_size 65472; server { listen PORT; }",
        "variables_hash_bucket_size 65473; server { listen PORT; }",
        "variables_hash_bucket_size 1; server { listen PORT; }",
    ],
)
def test_charsets_and_sizes(tmp_path: Path, text: str) -> None:
    (port,) = nginx.free_ports(1)
    text = text.replace("PORT", str(port))
    answer = nginx.check(tmp_path, f"events {{}}\nhttp {{ access_log off; {text} }}\n")
    predicted, reasons = predict(tmp_path / "nginx.conf", Target(nginx.version()))
    assert predicted == answer.accepted, (answer.output, reasons)


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("case", range(12))
def test_hashes_without_a_size_that_fits(tmp_path: Path, case: int) -> None:
    """Random names and keys around the number from which on nginx finds no size."""
    chance = random.Random(case)
    name, many = ("map_hash", (200, 330, 500)) if case % 2 else ("server_names_hash", (50, 110, 200))
    words = [f"{chance.getrandbits(60):x}"[: chance.randrange(5, 15)] for _ in range(chance.choice(many))]
    words = list(dict.fromkeys(words))
    settings = chance.choice(
        ["", f"{name}_max_size 256;", f"{name}_bucket_size 128;", f"{name}_max_size 12000;"]
    )
    (port,) = nginx.free_ports(1)
    server = f"server {{{{ listen {port}; server_name {{}}; }}}}"
    if name == "map_hash":
        body = f"map $uri $v {{ {' '.join(f'k{word} 1;' for word in words)} }} {server.format('a')}"
    else:
        body = server.format(" ".join(words[1:])) + server.format(words[0])
    answer = nginx.check(tmp_path, f"events {{}} http {{ access_log off; {settings} {body} }}")
    report = audit([str(tmp_path / "nginx.conf")], settings_for(Target(nginx.version())))
    found = [each.message for each in report.findings if each.message.startswith("could not build optimal")]
    assert ("could not build optimal" in answer.output) == bool(found), answer.output
    assert all(message in answer.output for message in found)
