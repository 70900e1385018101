"""The facts are renewed from nginx's source: tables are read as they stand, and what people wrote is kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.facts import records
from tools.facts.__main__ import Report, renew_directives
from tools.facts.checkout import Checkout
from tools.facts.compiled import DATA, compiled
from tools.facts.history import Life, walk
from tools.facts.tables import commands, variables

_TABLE = """
static ngx_command_t  ngx_http_shop_commands[] = {
    { ngx_string("shop"),            /* ngx_string("no_shop"), */
      NGX_HTTP_MAIN_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|%s,
      ngx_conf_set_str_slot, 0, 0, NULL },
#if 0
    { ngx_string("shut"), NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG, ngx_conf_set_flag_slot, 0, 0, NULL },
#else
    { ngx_string("open"), NGX_HTTP_SRV_CONF|NGX_CONF_FLAG, ngx_conf_set_flag_slot, 0, 0, NULL },
#endif
#if (NGX_SHOP)
    { ngx_string("sell"), NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS|NGX_CONF_TAKE13, sell, 0, 0, NULL },
#endif
      ngx_null_command
};
static ngx_http_variable_t  ngx_http_shop_vars[] = {
    { ngx_string("shop_name"), NULL, ngx_http_shop_variable, 0, 0, 0 },
    { ngx_string("shop_"), NULL, ngx_http_shop_variable, 0, NGX_HTTP_VAR_PREFIX, 0 },
      ngx_http_null_variable
};
ngx_module_t  ngx_http_shop_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_shop_module_ctx,             /* module context */
    ngx_http_shop_commands,                /* module directives */
    NGX_HTTP_MODULE,
};
"""


def test_tables_are_read_as_they_stand() -> None:
    found = {each.name: each for each in commands(_TABLE % "NGX_CONF_1MORE")}
    assert set(found) == {"shop", "open", "sell"}
    assert {each.module for each in found.values()} == {"ngx_http_shop_filter_module"}
    assert found["shop"].contexts == {"http", "location", "if-in-location"}
    assert found["shop"].arguments == (1, None, None, False)
    assert found["open"].arguments == (1, 1, None, True)
    assert found["sell"].arguments == (0, 3, (0, 1, 3), False) and found["sell"].block
    assert [(each.name, each.prefix) for each in variables(_TABLE)] == [("shop_name", False), ("shop_", True)]


def _checkout(directory: Path, releases: dict[str, str]) -> Checkout:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(directory), "-c", "user.name=n", "-c", "user.email=n@example.com", *arguments],
            check=True,
            capture_output=True,
        )

    (directory / "src").mkdir(parents=True)
    git("init", "-q")
    for version, text in releases.items():
        (directory / "src" / "ngx_http_shop.c").write_text(text)
        git("add", "-A")
        git("commit", "-qm", version, "--allow-empty")
        git("tag", f"release-{version}")
    return Checkout(directory)


def test_releases_are_walked_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """1.4.9 came after 1.5.2: the stable branch got it, too."""
    one, many = _TABLE % "NGX_CONF_TAKE1", _TABLE % "NGX_CONF_TAKE12"
    made = {"1.4.8": "", "1.5.1": "", "1.5.2": one, "1.4.9": one, "1.5.3": many, "1.5.10": many, "1.7.0": ""}
    checkout = _checkout(tmp_path / "nginx", made)
    releases = checkout.releases((1, 0, 0))
    assert releases[-2:] == [(1, 5, 10), (1, 7, 0)]
    pages = records.Pages([])
    found = walk(checkout, releases, pages.page)
    shop = found.directives["shop", "ngx_http_shop_module"]
    assert shop.life == Life((1, 5, 2), (1, 5, 10), (((1, 4, 9), (1, 4, 9)),))
    said = records.as_record(shop, releases)
    assert (said["since"], said["also_in"], said["until"], said["removed_in"]) == (
        "1.5.2",
        ["1.4.9"],
        "1.5.10",
        "1.7.0",
    )
    assert said["history"] == [{"version": "1.5.3", "args": {"min": 1, "max": 2, "flag": False}}]


def test_what_people_wrote_is_kept_and_what_is_new_is_to_be_looked_at(tmp_path: Path) -> None:
    checkout = _checkout(
        tmp_path / "nginx", {"1.5.1": _TABLE % "NGX_CONF_TAKE1", "1.5.2": _TABLE % "NGX_CONF_TAKE12"}
    )
    known = [
        {
            "name": "shop",
            "module": "ngx_http_shop_module",
            "c_modules": ["ngx_http_shop_filter_module"],
            "contexts": ["http", "location", "if-in-location"],
            "args": {"min": 1, "max": 1, "flag": False},
            "since": "0.8.1",
            "repeat": "append",
            "note": "read by a person",
        }
    ]
    pages, report = records.Pages(known), Report()
    found = walk(checkout, checkout.releases((1, 0, 0)), pages.page)
    made = {each["name"]: each for each in renew_directives(known, found, pages, report)}
    shop = made["shop"]
    assert (shop["since"], shop["repeat"], shop["note"]) == ("0.8.1", "append", "read by a person")
    assert shop["contexts"] == ["http", "location", "if-in-location"], "the order is that of the record"
    assert shop["args"]["max"] == 2
    assert "shop (ngx_http_shop_module): args:" in str(report)
    assert "open (ngx_http_shop_module): default, repeatable" in str(report).partition("To be looked at")[2]


def test_the_data_are_those_of_the_records() -> None:
    for name, text in compiled().items():
        assert (DATA / name).read_text(encoding="utf-8") == text, f"{name}: python -m tools.facts --write"
