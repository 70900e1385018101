"""Configurations of the sizes at which tools differ, made anew for each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SERVERS = (20, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class Workload:
    """``paths`` are what a tool is given: one path is one run of it, several may be one run or one run each."""

    name: str
    paths: tuple[Path, ...]
    is_dump: bool = False


def workloads(directory: Path, wanted: str = "") -> Iterator[Workload]:
    """All workloads whose name contains ``wanted``, written below ``directory``."""
    for name, make in _makers().items():
        if wanted in name:
            place = directory / name
            place.mkdir(parents=True)
            yield make(name, place)


def _makers() -> dict[str, Callable[[str, Path], Workload]]:
    return {
        **{f"servers-{count}": _servers(count) for count in SERVERS},
        "snippet-2000": _snippet,
        "locations-10000": _locations,
        "map-20000": _map,
        "files-300": _files,
        "dump-1mb": _dump,
    }


def servers_text(count: int) -> str:
    """``count`` applications: an upstream with a standby, and a server with a proxied and a static location."""
    return "".join(["events {}\nhttp {\n", *map(_application, range(count)), "}\n"])


def _application(number: int) -> str:
    name, host = f"app{number}", f"{number // 250 % 250}.{number % 250}"
    return f"""    upstream {name} {{
        zone {name} 64k;
        server 10.0.{host}:8080 max_fails=3 fail_timeout=30s;
        server 10.1.{host}:8080 max_fails=3 fail_timeout=30s backup;
        keepalive 32;
    }}
    server {{
        listen 443 ssl;
        server_name {name}.example.com;  # the application
        ssl_certificate /etc/ssl/{name}.pem;
        ssl_certificate_key "/etc/ssl/{name}.key";
        location ~ ^/api/(?<rest>.*)$ {{
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_pass http://{name}/$rest;
        }}
        location / {{
            root /var/www/{name};
            try_files $uri $uri/ =404;
        }}
    }}
"""


def _write(name: str, place: Path, text: str) -> Workload:
    path = place / "nginx.conf"
    path.write_text(text)
    return Workload(name, (path,))


def _servers(count: int) -> Callable[[str, Path], Workload]:
    return lambda name, place: _write(name, place, servers_text(count))


def _snippet(name: str, place: Path) -> Workload:
    (place / "proxy.conf").write_text(
        "proxy_set_header Host $host;\nproxy_set_header X-Real-IP $remote_addr;\nproxy_connect_timeout 3s;\nproxy_pass http://app;\n"
    )
    one = "    server {{\n        listen 8080;\n        server_name s{}.example.com;\n        location / {{\n            include proxy.conf;\n        }}\n    }}\n"
    body = "".join(one.format(number) for number in range(2000))
    return _write(
        name,
        place,
        f"events {{}}\nhttp {{\n    upstream app {{ server 10.0.0.1:80; server 10.0.0.2:80; }}\n{body}}}\n",
    )


def _locations(name: str, place: Path) -> Workload:
    kinds = ("= /a{}", "^~ /b{}/", "/c{}/", "~ ^/d{}/[0-9]+$")
    body = "".join(
        f"        location {kinds[number % 4].format(number)} {{\n            return 204;\n        }}\n"
        for number in range(10_000)
    )
    return _write(
        name, place, f"events {{}}\nhttp {{\n    server {{\n        listen 8080;\n{body}    }}\n}}\n"
    )


def _map(name: str, place: Path) -> Workload:
    entries = "".join(f"        /old/page-{number} /new/page-{number};\n" for number in range(20_000))
    text = (
        f"events {{}}\nhttp {{\n    map_hash_max_size 65536;\n    map $uri $target {{\n        default '';\n{entries}    }}\n"
        "    server {\n        listen 8080;\n        if ($target) {\n            return 301 $target;\n        }\n    }\n}\n"
    )
    return _write(name, place, text)


def _files(name: str, place: Path) -> Workload:
    paths = []
    for number in range(300):
        path = place / f"site{number}.conf"
        path.write_text(servers_text(5).replace("app", f"site{number}x"))
        paths.append(path)
    return Workload(name, tuple(paths))


def _dump(name: str, place: Path) -> Workload:
    main = "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"
    parts = [f"# configuration file /etc/nginx/nginx.conf:\n{main}\n"]
    for number in range(150):
        text = "".join(_application(number * 10 + each) for each in range(10))
        parts.append(f"# configuration file /etc/nginx/conf.d/site{number:03}.conf:\n{text}\n")
    path = place / "dump.conf"
    path.write_text("".join(parts))
    return Workload(name, (path,), is_dump=True)
