"""Modules and forks are read from clones of their repositories: what stands in their tables, by release, and only what differs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.facts import dialects, modules
from tools.facts.clones import Clones, joined, listed, texts
from tools.facts.editions import EDITIONS, Edition, Source
from tools.facts.parameters import words_of
from tools.facts.tables import commands

_TABLE = """
#define SHOP_NAME "shop_name"
#define SHOP_FLAGS NGX_HTTP_SRV_CONF | \\
    NGX_HTTP_LOC_CONF
static ngx_command_t ngx_http_shop_commands[] = {
    { ngx_string ("shop"), NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG, ngx_conf_set_flag_slot, 0, 0, NULL },
    { ngx_string(SHOP_NAME), SHOP_FLAGS|NGX_CONF_TAKE%s, ngx_conf_set_str_slot, 0, 0, NULL },
    { ngx_string("shop_by_lua_block"), NGX_HTTP_LOC_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS, shop_block, 0, 0, NULL },
#include "generated.c"
    ngx_null_command
};
"""
_GENERATED = (
    '{ ngx_string("shop_made"), NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1, ngx_conf_set_str_slot, 0, 0, NULL },'
)


def repository(directory: Path, files: dict[str, str], tag: str = "") -> None:
    """A commit with ``files`` in a repository, which is made where there is none."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    settings = ("-c", "user.name=n", "-c", "user.email=n@example.com")
    wanted = [("init", "-q"), ("add", "-A"), ("commit", "-qm", "x", "--allow-empty")]
    for arguments in (*wanted, *([("tag", tag)] if tag else [])):
        subprocess.run(["git", "-C", str(directory), *settings, *arguments], check=True, capture_output=True)


def test_names_and_flags_may_be_macros_and_tables_generated(tmp_path: Path) -> None:
    files = {
        "src/shop.c": _TABLE % "12",
        "src/generated.c": _GENERATED,
        "t/other.c": _TABLE.replace("shop", "test"),
    }
    repository(tmp_path / "me+shop", files)
    git = Clones(tmp_path).find("me/shop")
    assert git is not None
    found = {each.name: each for each in modules.tables_of(git)[0]}
    assert set(found) == {"shop", "shop_name", "shop_by_lua_block", "shop_made"}, "tests are not built"
    assert found["shop_name"].contexts == {"server", "location"}
    assert found["shop_name"].arguments == (1, 2, None, False)
    assert found["shop_made"].contexts == {"stream-server"}
    record = modules.directive_record("shop", found["shop_by_lua_block"])
    assert (record["block"], record["args"]["min"], record["args"]["max"]) == (False, 1, 1), (
        "the Lua is a word"
    )
    assert Clones(tmp_path).find("me/other") is None


def test_what_any_fork_of_a_module_allows_counts() -> None:
    one, other = (
        commands(_TABLE % "1", {}),
        commands(_TABLE.replace("NGX_HTTP_SRV_CONF", "NGX_HTTP_MAIN_CONF") % "3", {}),
    )
    found = {each.name: each for each in modules.joined_commands([*one, *other])}
    assert found["shop_name"].contexts == {"http", "server", "location"}
    assert found["shop_name"].arguments == (1, 3, (1, 3), False)


def _core(table: str) -> dict[str, str]:
    return {
        "src/core/nginx.h": '#define NGINX_VERSION "1.27.4"\n#define ANGIE_VERSION "1.9.0"\n',
        "src/http/shop.c": table,
    }


def test_a_fork_is_read_release_by_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "me" / "fork"
    plain = (
        _TABLE.replace('#include "generated.c"\n', "")
        .replace("SHOP_NAME", '"shop_name"')
        .replace("SHOP_FLAGS", "NGX_HTTP_SRV_CONF")
    )
    first = plain.replace(
        '    { ngx_string("shop_by_lua_block")', '#if 0\n    { ngx_string("shop_by_lua_block")'
    )
    first = first.replace("    ngx_null_command", "#endif\n    ngx_null_command")
    repository(clone, _core(first % "1"), "Fork-1.8.0")
    repository(clone, _core(plain % "12"), "Fork-1.9.0")
    edition = Edition("me/fork", r"Fork-([\d.]+)", ("src/core/nginx.h", "ANGIE_VERSION"))
    monkeypatch.setitem(EDITIONS, "angie", edition)
    source = Source(edition, Clones(tmp_path), (1, 18, 0))
    assert [each.version for each in source.releases] == [(1, 8, 0), (1, 9, 0)]
    assert source.newest.base == (1, 27, 4)
    said, words = dialects.read("angie", Clones(tmp_path))
    assert words.startswith("2 releases, the newest 1.9.0")
    own = {name: rows for name, rows in said["directives"].items() if rows}
    assert set(own) == {"shop", "shop_name", "shop_by_lua_block"}
    assert said["directives"]["proxy_pass"] == [], "nginx has it and the fork does not"

    (row,) = own["shop_by_lua_block"]
    assert "1.9.0" in row
    (row,) = own["shop_name"]
    assert {"version": "1.9.0", "args": [1, 2, None, False]} in row[-1]


def test_a_missing_clone_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no clone of webserver-llc/angie"):
        dialects.read("angie", Clones(tmp_path))


def test_parameters_are_the_words_that_a_function_compares_with() -> None:
    text = """
static ngx_command_t  ngx_http_shop_commands[] = {
    { ngx_string("shop"), NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE, ngx_http_shop, 0, 0, NULL },
    ngx_null_command
};
static char *
ngx_http_shop(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    if (ngx_strncmp(value[i].data, "size=", 5) == 0) { }
    if (ngx_strcmp(value[i].data, "off") == 0) { }
}
"""
    assert list(words_of([text]).values()) == [{"size=", "off"}]


def test_texts_that_a_clone_lacks_are_left_out(tmp_path: Path) -> None:
    repository(tmp_path / "shop", {"a.c": "int a;", "b.txt": "no source"})
    git = Clones(tmp_path).find("me/shop")
    assert git is not None
    files = listed(git, "HEAD")
    assert list(files) == ["a.c"]
    assert texts(git, {*files.values(), "0" * 40}) == {files["a.c"]: "int a;"}
    assert joined({"x/a.c": "#include <b.c>\n", "x/b.c": "int b;"})["x/a.c"] == "int b;\n"
