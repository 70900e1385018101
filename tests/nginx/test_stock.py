"""The files of nginx's packages: what is known of them is in those that are installed, where some are."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.nginx.stock import stock_text
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Statement

INSTALLED = Path("/etc/nginx")
FILES = ("fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params", "proxy_params", "mime.types")


def read(text: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The lines by what they set."""

    def lines(statements: list[Statement], around: str) -> dict[tuple[str, ...], tuple[str, ...]]:
        found: dict[tuple[str, ...], tuple[str, ...]] = {}
        for each in statements:
            words = (str(each.name), *map(str, each.args))
            if each.block is not None:
                found |= lines(each.block, str(each.name))
            else:
                key = (around, *words[: 1 if around else 2])
                found[key] = found.get(key, ()) + words[1 if around else 2 :]
        return found

    return lines(parse(SourceText("", text)).statements, "")


@pytest.mark.parametrize("name", FILES)
def test_known_lines_are_in_the_installed_file(name: str) -> None:
    file = INSTALLED / name
    if not file.exists():
        pytest.skip(f"{file} is not installed")
    known, installed = read(stock_text(name) or ""), read(file.read_text(encoding="utf-8"))
    assert known
    for key, values in known.items():
        assert key in installed
        assert name == "proxy_params" or set(values) <= set(installed[key])


def test_only_fastcgi_conf_has_the_script() -> None:
    assert "SCRIPT_FILENAME" not in (stock_text("fastcgi_params") or "SCRIPT_FILENAME")
    for name in ("fastcgi.conf", "snippets/fastcgi-php.conf"):
        assert "SCRIPT_FILENAME" in (stock_text(name) or "")


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ("mime.types", True),
        ("/etc/nginx/mime.types", True),
        ("/usr/local/nginx/conf/fastcgi.conf", True),
        ("snippets/snakeoil.conf", True),
        ("sites/fastcgi.conf", False),
        ("/srv/app/mime.types", False),
        ("snippets/ssl.conf", False),
    ],
)
def test_which_files_are_known(argument: str, known: bool) -> None:
    assert (stock_text(argument) is not None) is known
