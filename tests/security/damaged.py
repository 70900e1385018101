"""A directory of files that are broken in every way, some of which include all of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

_SITE = """server {{
    listen 443 ssl;
    server_name app{0}.example.com;
    ssl_certificate /etc/ssl/{0}.pem;
    ssl_certificate_key "/etc/ssl/{0}.key";
    location ~ ^/api/(?<rest>.*)$ {{
        proxy_set_header Host $host;
        proxy_pass http://app{0}/$rest;
    }}
    location / {{ root /var/www/{0}; try_files $uri $uri/ =404; }}
}}
upstream app{0} {{ server 10.0.0.1:8080 max_fails=3; server 10.0.0.2:8080 backup; keepalive 32; }}
"""
EVERYTHING = b"include *.conf;\ninclude *.conf;\n"


def _noise(text: bytes, chance: random.Random) -> bytes:
    return bytes(chance.randrange(1, 256) for _ in range(3000))


def _cut(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text))]


def _flipped(text: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(text)
    for _ in range(30):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(7)
    return bytes(damaged).replace(b"\0", b" ")


def _opened(text: bytes, chance: random.Random) -> bytes:
    return chance.choice((b"a {\n", b"a { ")) * 5000


def _long_word(text: bytes, chance: random.Random) -> bytes:
    return b"w" * 200_000 + b";\n" + text


def _run_together(text: bytes, chance: random.Random) -> bytes:
    return text.replace(b";", b"")


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _noise, _cut, _flipped, _opened, _long_word, _run_together,
)  # fmt: skip


def damaged(directory: Path, count: int = 400, including: int = 8, seed: int = 7) -> None:
    """Fill ``directory`` with ``count`` files, every ``including``-th of which includes all of them twice."""
    chance = random.Random(seed)
    for number in range(count):
        text = "".join(_SITE.format(number * 5 + each) for each in range(5)).encode()
        data = _DAMAGES[number % len(_DAMAGES)](text, chance)
        if number % including == 0:
            data = EVERYTHING + data
        (directory / f"f{number:03}.conf").write_bytes(data)
