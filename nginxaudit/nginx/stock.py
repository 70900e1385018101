"""What is in the files that nginx and its packages install beside ``nginx.conf``, and that a copy of a tree often lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

_CGI = (
    "QUERY_STRING $query_string",
    "REQUEST_METHOD $request_method",
    "CONTENT_TYPE $content_type",
    "REQUEST_URI $request_uri",
    "DOCUMENT_ROOT $document_root",
    "SERVER_PROTOCOL $server_protocol",
    "REQUEST_SCHEME $scheme",
    "HTTPS $https if_not_empty",
    "REMOTE_ADDR $remote_addr",
    "REMOTE_PORT $remote_port",
    "SERVER_PORT $server_port",
    "SERVER_NAME $server_name",
)
_LENGTH = "CONTENT_LENGTH $content_length"  # scgi_pass sends it anyway
_FASTCGI = (
    *_CGI,
    _LENGTH,
    "SCRIPT_NAME $fastcgi_script_name",
    "DOCUMENT_URI $document_uri",
    "GATEWAY_INTERFACE CGI/1.1",
    "SERVER_SOFTWARE nginx/$nginx_version",
    "REMOTE_USER $remote_user",
    "SERVER_ADDR $server_addr",
    "REDIRECT_STATUS 200",
)
_SCRIPT = "SCRIPT_FILENAME $document_root$fastcgi_script_name"
_TYPES = (
    "text/html html htm shtml",
    "text/css css",
    "text/xml xml",
    "text/plain txt",
    "image/gif gif",
    "image/jpeg jpeg jpg",
    "image/png png",
    "image/svg+xml svg svgz",
    "image/webp webp",
    "image/avif avif",
    "image/x-icon ico",
    "application/javascript js",
    "application/json json",
    "application/atom+xml atom",
    "application/rss+xml rss",
    "application/pdf pdf",
    "application/wasm wasm",
    "application/zip zip",
    "application/octet-stream bin exe dll deb dmg iso img msi",
    "font/woff woff",
    "font/woff2 woff2",
    "audio/mpeg mp3",
    "audio/ogg ogg",
    "video/mp4 mp4",
    "video/mpeg mpeg mpg",
    "video/webm webm",
    "video/quicktime mov",
)
"""Those that sites serve; the files of packages have more."""


def stock_text(argument: str) -> str | None:
    """What the file that an include calls ``argument`` has where nobody changed it; None for any other file."""
    directory, _, name = argument.rpartition("/")
    make = _FILES.get(name)
    if make is None or directory.rpartition("/")[2] not in _DIRECTORIES:
        return None
    return "\n".join(make())


def _lines(directive: str, *values: str) -> Iterator[str]:
    return (f"{directive} {value};" for value in values)


def _fastcgi_php() -> Iterator[str]:
    yield r"fastcgi_split_path_info ^(.+?\.php)(/.*)$;"
    yield "try_files $fastcgi_script_name =404;"
    yield "set $path_info $fastcgi_path_info;"
    yield from _lines("fastcgi_param", "PATH_INFO $path_info", _SCRIPT, *_FASTCGI)
    yield "fastcgi_index index.php;"


def _snakeoil() -> Iterator[str]:
    yield "ssl_certificate /etc/ssl/certs/ssl-cert-snakeoil.pem;"
    yield "ssl_certificate_key /etc/ssl/private/ssl-cert-snakeoil.key;"


def _proxy() -> Iterator[str]:
    return _lines(
        "proxy_set_header",
        "Host $host",
        "X-Real-IP $remote_addr",
        "X-Forwarded-For $proxy_add_x_forwarded_for",
        "X-Forwarded-Proto $scheme",
    )


_DIRECTORIES = frozenset({"", ".", "conf", "nginx", "snippets"})
_FILES: dict[str, Callable[[], Iterable[str]]] = {
    "mime.types": lambda: ("types {", *(f"{each};" for each in _TYPES), "}"),
    "fastcgi_params": lambda: _lines("fastcgi_param", *_FASTCGI),
    "fastcgi.conf": lambda: _lines("fastcgi_param", _SCRIPT, *_FASTCGI),
    "uwsgi_params": lambda: _lines(
        "uwsgi_param", *_CGI, _LENGTH, "PATH_INFO $document_uri", "HTTP_HOST $host"
    ),
    "scgi_params": lambda: _lines("scgi_param", *_CGI, "DOCUMENT_URI $document_uri", "SCGI 1"),
    "proxy_params": _proxy,
    "fastcgi-php.conf": _fastcgi_php,
    "snakeoil.conf": _snakeoil,
    "koi-utf": tuple,
    "koi-win": tuple,
    "win-utf": tuple,
}
