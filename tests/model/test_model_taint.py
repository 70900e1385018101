"""Where the parts of a text come from."""

from __future__ import annotations

import pytest

from nginxaudit.model.taint import Origin
from tests.model.model_support import model_of

_MAPS = """
map $http_x_a $copied { default $http_x_a; }
map $http_x_a $chosen { default a; b c; }
map $uri $page { ~^/p/(?<name>[^/]*)$ $name; ~^/q/(.*)$ /x/$1; }
map $cycle_a $cycle_b { default $cycle_b; }
"""


def origins(text: str, around: str = "location / {{ {} }}") -> list[Origin]:
    directive = f"add_header X '{text}';"
    model = model_of(
        f"events {{}} http {{ {_MAPS} server {{ set $kept $arg_k; {around.format(directive)} }} }}"
    )
    node = model.config.named("add_header")[0]
    return model.taint.origins(text, node)


def summary(text: str, around: str = "location / {{ {} }}") -> list[tuple[str, str, bool, bool]]:
    return [(each.variable, each.kind, each.newline, each.slash) for each in origins(text, around)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", []), ("$remote_addr$chosen", []), ("$arg_x", [("$arg_x", "free", False, False)]),
        ("${uri}", [("$uri", "path", True, True)]), ("$request_uri", [("$request_uri", "path", False, True)]),
        ("$copied", [("$http_x_a", "free", False, False)]), ("$kept", [("$arg_k", "free", False, False)]),
        ("$host", [("$host", "host", False, False)]), ("$unknown", []), ("$cycle_b", []),
        ("$page", [("$uri", "path", True, False), ("$uri", "path", False, True)]),
    ],
)  # fmt: skip
def test_origins(text: str, expected: list[tuple[str, str, bool, bool]]) -> None:
    assert summary(text) == expected


@pytest.mark.parametrize(
    ("around", "text", "expected"),
    [
        ("location ~ ^/a/([^/]*)$ {{ {} }}", "$1", [("$uri", "path", True, False)]),
        ("location ~ ^/a/(.*)$ {{ {} }}", "$1", [("$uri", "path", False, False)]),
        ("location ~ ^/a(/.*)$ {{ {} }}", "$1", [("$uri", "path", False, True)]),
        ("location ~ ^/(en|de)/ {{ {} }}", "$1", []),
        ("location ~ ^/(?<X>[^/]+) {{ {} }}", "$x", [("$uri", "path", True, False)]),
        ("location / {{ if ($request_uri ~ ^/([^?]*)) {{ {} }} }}", "$1", [("$request_uri", "path", False, False)]),
        ("location / {{ if ($uri !~ ^/([^?]*)) {{ {} }} }}", "$1", []),
        ("location ~ ^/a/([^/]*)$ {{ rewrite ^/b/(.)$ /c; {} }}", "$1", []),
        ("location / {{ {} }}", "$1", []),
    ],
)  # fmt: skip
def test_captures(around: str, text: str, expected: list[tuple[str, str, bool, bool]]) -> None:
    assert summary(text, around) == expected
