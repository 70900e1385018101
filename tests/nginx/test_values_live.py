"""The value grammars, value by value, against the real ``nginx -t``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nginxaudit.nginx import parse_flag, parse_number, parse_offset, parse_size, parse_time_ms, parse_time_s
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

TIMES = (
    "0", "1", "30s", "30S", "500ms", "1h30m", "1h 30m", "30m1h", "1m1m", "1s500ms", "500ms1s", "1M", "1y1M1w1d1h1m1s", "1d1w",
    "1.5s", "-1", "+1", "s", "ms", "1x", "1hh", "10 s", "5m30", "1h30", "30 5m", "30s5", "99999999999999999999", "1e3", "0x10", "1ms",
    "h1", "1hm", "30 5", "1h 5", "25d", "4w", "60w", "2y", "68y", "1w1M", "30 ", "1h  30m ", " 30", "",
)  # fmt: skip
SIZES = (
    "0",
    "1",
    "1k",
    "1K",
    "1m",
    "1M",
    "1g",
    "1G",
    "1kb",
    "1b",
    "k",
    "-1",
    "+1",
    "1.5m",
    "1 k",
    "99999999999999999999",
    "1t",
)
NUMBERS = ("0", "1", "007", "-1", "+1", "1k", "1.0", "a", "99999999999999999999", "9223372036854775807", "9223372036854775808")  # fmt: skip
FLAGS = ("on", "off", "ON", "Off", "oN", "yes", "true", "1", "0", "onn", "o")

CASES: list[tuple[str, Callable[[str], object], str]] = [
    *(("keepalive_time", parse_time_ms, text) for text in TIMES),
    *(("valid", parse_time_s, text) for text in TIMES),
    *(("large_client_header_buffers 4", parse_size, text) for text in SIZES if text != "0"),
    *(("client_max_body_size", parse_offset, text) for text in SIZES),
    *(("keepalive_requests", parse_number, text) for text in NUMBERS),
    *(("sendfile", parse_flag, text) for text in FLAGS),
]


def config(directive: str, value: str) -> str:
    if directive == "valid":  # a time in whole seconds
        return f'events {{}} http {{ upstream u {{ server 127.0.0.1 "fail_timeout={value}"; }} }}'
    return f'events {{}} http {{ {directive} "{value}"; }}'


@pytest.mark.parametrize(("directive", "parse", "text"), CASES, ids=[f"{d}-{t}" for d, _, t in CASES])
def test_nginx_agrees(directive: str, parse: Callable[[str], object], text: str, tmp_path: Path) -> None:
    try:
        parse(text)
        accepted = True
    except ValueError:
        accepted = False
    answer = nginx.check(tmp_path, config(directive, text))
    assert accepted == answer.accepted, answer.output
