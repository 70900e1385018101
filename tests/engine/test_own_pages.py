"""Rule pages of the user: every command knows them, their options are typed, their mistakes are reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.checking import require_sense
from nginxaudit.engine.rules.declarative import compile_check
from nginxaudit.engine.rules.options import defaults_of
from tests.support.command import nginxaudit

TEXT = "events {}\nhttp {\n    server_tokens off;\n    client_max_body_size 5m;\n    server { listen 80; return 204; }\n}\n"
CHECK = 'directive = "client_max_body_size"\nabove = { option = "most" }\nunit = "size"\nmessage = "{value} is above {most}"'
OPTION = '[options.most]\ntype = "size"\ndefault = "1m"\ndescription = "The largest body."'
BODY = """
# Bodies are too large

## What it does
Finds large bodies.

## Why it matters
They fill the disk.

## How to fix
Allow less.
"""


def page(check: str = CHECK, more: str = "", tables: str = OPTION) -> str:
    front = f'id = "OWN1"\nseverity = "warning"\nconfidence = "high"\n{more}\n[check]\n{check}\n{tables}'
    return f"+++\n{front}\n+++\n{BODY}"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "nginx.conf").write_text(TEXT)
    (tmp_path / "pages" / "house").mkdir(parents=True)
    return tmp_path


def write(directory: Path, text: str) -> None:
    (directory / "pages" / "house" / "large-bodies.md").write_text(text)


def scan(directory: Path, *options: str) -> str:
    done = nginxaudit(
        "scan", "--rules", "pages", "--select", "OWN1", "-f", "concise", *options, "nginx.conf", cwd=directory
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def error(directory: Path, text: str) -> str:
    """What is said about a page, whether its rule is selected or not."""
    write(directory, text)
    done = nginxaudit("scan", "--rules", "pages", "--select", "missing-listen", "nginx.conf", cwd=directory)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "large-bodies.md: " in done.stderr
    return done.stderr


# -- commands


@pytest.mark.parametrize("how", [("--rules", "pages"), ("--settings", "own.toml"), ()])
def test_commands_know_the_pages(how: tuple[str, ...], directory: Path) -> None:
    write(directory, page())
    name = "nginxaudit.toml" if not how else "own.toml"
    (directory / name).write_text('rules = ["pages"]\n')
    listed = nginxaudit("rules", *how, "house", cwd=directory)
    assert "OWN1  large-bodies  warning  Bodies are too large" in listed.stdout
    rows = json.loads(nginxaudit("rules", *how, "OWN1", "--format", "json", cwd=directory).stdout)["rules"]
    assert rows[0]["options"]["most"]["default"] == "1m"
    explained = nginxaudit("explain", *how, "large-bodies", cwd=directory).stdout
    assert explained.startswith("# Bodies are too large")
    assert "most" in explained and "The largest body." in explained
    written = nginxaudit("baseline", "write", *how, "nginx.conf", cwd=directory)
    assert written.returncode == 0, written.stderr
    known = json.loads((directory / "nginxaudit-baseline.json").read_text())["findings"]
    assert "large-bodies" in [each["rule"] for each in known]
    assert nginxaudit("baseline", "check", *how, "nginx.conf", cwd=directory).returncode == 0


def test_without_the_pages_the_rule_is_not_known(directory: Path) -> None:
    write(directory, page())
    for command in ("explain", "rules"):
        done = nginxaudit(command, "large-bodies", cwd=directory)
        assert done.returncode == 2 and "large-bodies" in done.stderr


def test_reports_do_not_link_to_a_page_that_is_nowhere(directory: Path) -> None:
    write(directory, page())
    done = nginxaudit(
        "scan",
        "--rules",
        "pages",
        "--select",
        "OWN1,missing-listen",
        "-f",
        "rdjson",
        "nginx.conf",
        cwd=directory,
    )
    (found,) = json.loads(done.stdout)["diagnostics"]
    assert found["code"] == {"value": "large-bodies"}


# -- options


def test_the_bound_is_an_option(directory: Path) -> None:
    write(directory, page())
    assert "5m is above 1m" in scan(directory)
    (directory / "nginxaudit.toml").write_text('[rule.large-bodies]\nmost = "10m"\n')
    assert "large-bodies" not in scan(directory)


@pytest.mark.parametrize(
    ("check", "option", "given", "found"),
    [
        ('directive = "server_tokens"\nequals = { option = "x" }\nmessage = "{x}!"', 'type = "string"\ndefault = "on"', '"off"', "off!"),
        ('directive = "server_tokens"\none-of = { option = "x" }\nmessage = "{x}!"', 'type = "list"\ndefault = []', '["off", "build"]', "off, build!"),
        ('directive = "server_tokens"\nnot-one-of = { option = "x" }\nmessage = "{x}!"', 'type = "list"\ndefault = ["off"]', '["on"]', "on!"),
        ('directive = "server_tokens"\nmatches = { option = "x" }\nmessage = "{x}!"', 'type = "string"\ndefault = "^x"', '"^o"', "^o!"),
        ('directive = "listen"\nbelow = { option = "x" }\nmessage = "{x}!"', 'type = "integer"\ndefault = 80', "1024", "1024!"),
        ('lacks = "etag"\nin = ["server"]\nmessage = "{directive} {x}!"', 'type = "boolean"\ndefault = false', "true", "server true!"),
    ],
)  # fmt: skip
def test_values_of_checks_and_texts_are_options(
    check: str, option: str, given: str, found: str, directory: Path
) -> None:
    write(directory, page(check, tables=f'[options.x]\n{option}\ndescription = "It."'))
    before = scan(directory)
    assert found not in before
    (directory / "nginxaudit.toml").write_text(f"[rule.OWN1]\nx = {given}\n")
    assert found in scan(directory)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("most = 3", "rule.large-bodies.most: a string is expected, not 3"),
        ('most = "much"', 'rule.large-bodies.most: "much" is not a size'),
        ('mots = "1m"', 'rule.large-bodies.mots: unknown option; did you mean "most"?'),
    ],
)
def test_options_are_typed(given: str, reason: str, directory: Path) -> None:
    write(directory, page())
    (directory / "nginxaudit.toml").write_text(f"[rule.large-bodies]\n{given}\n")
    done = nginxaudit("scan", "--rules", "pages", "--select", "missing-listen", "nginx.conf", cwd=directory)
    assert done.returncode == 2
    assert reason in done.stderr


# -- for which nginx


@pytest.mark.parametrize(
    ("more", "options", "runs"),
    [
        ('edition = "plus"', (), False),
        ('edition = "plus"', ("--edition", "plus"), True),
        ('nginx-since = "1.25.1"', ("--nginx-version", "1.25.0"), False),
        ('nginx-since = "1.25.1"', ("--nginx-version", "1.25.1"), True),
        ('nginx-until = "1.25.1"', ("--nginx-version", "1.25.1"), True),
        ('nginx-until = "1.25.1"', ("--nginx-version", "1.25.2"), False),
    ],
)
def test_a_rule_runs_for_its_nginx_alone(
    more: str, options: tuple[str, ...], runs: bool, directory: Path
) -> None:
    write(directory, page(more=more))
    found = scan(directory, *options)
    assert ("5m is above 1m" in found) is runs
    assert ("large-bodies: not run: it is for" in found) is not runs


# -- mistakes


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ('directive = "servr_tokens"\nmessage = "x"', 'check.directive: unknown directive "servr_tokens"; did you mean "server_tokens"?'),
        ('directive = ["root", "servr_tokens"]\nmessage = "x"', 'unknown directive "servr_tokens"'),
        ('lacks = "servr_tokens"\nin = ["http"]\nmessage = "x"', 'check.lacks: unknown directive "servr_tokens"; did you mean "server_tokens"?'),
        ('directive = "root"\ncontexts = ["locaton"]\nmessage = "x"', 'check.contexts: unknown context "locaton"; did you mean "location"?'),
        ('lacks = "root"\nin = ["sever"]\nmessage = "x"', 'check.in: unknown context "sever"; did you mean "server"?'),
        ('directive = "root"\nmessage = "{vlaue}"', 'check.message: unknown placeholder {vlaue}; did you mean "{value}"?'),
        ('directive = "root"\nmessage = "x"\nhelp = "{argz}"', 'check.help: unknown placeholder {argz}; did you mean "{args}"?'),
        ('directve = "root"\nmessage = "x"', 'check.directve: unknown key; did you mean "directive"?'),
        ('directive = "root"\nabove = { option = "mots" }\nmessage = "x"', 'check.above: unknown option "mots"; did you mean "most"?'),
        ('directive = "root"\nabove = { optoin = "most" }\nmessage = "x"', 'check.above.optoin: unknown key; did you mean "option"?'),
        ('directive = "root"\nabove = { option = "most" }\nmessage = "x"', 'check.above: the option "most" is of type size, integer is expected'),
        ('directive = "root"\nunit = "size"\nmessage = "x"', "check.unit: it has no meaning together with no above or below"),
        ('lacks = "root"\nin = ["http"]\nequals = "x"\nmessage = "x"', "check.equals: it has no meaning together with lacks"),
        ('lacks = "root"\nmessage = "x"', "check.in: lacks needs the contexts of the blocks"),
        ('message = "x"', "check: one of directive and lacks is needed"),
        ('directive = "root"', "check.message: a check needs one"),
        ('directive = "root"\nargument = 0\nmessage = "x"', "check.argument: "),
        ('directive = "root"\nmatches = "("\nmessage = "x"', "check.matches: "),
    ],
)  # fmt: skip
def test_a_mistake_in_a_check_is_an_error(check: str, reason: str, directory: Path) -> None:
    assert reason in error(directory, page(check))


@pytest.mark.parametrize(
    ("repair", "reason"),
    [
        ('title = "Less"\nreplace = "{fonud}"', 'repair.replace: unknown placeholder {fonud}; did you mean "{found}"?'),
        ('title = "Less"\nreplce = "x"', 'repair.replce: unknown key; did you mean "replace"?'),
        ('title = "Less"', "repair: one of delete, replace, append and insert is needed"),
        ('title = "Less"\ndelete = "directve"', "repair.delete: 'directve' is not one of directive, found; did you mean"),
        ('title = "Less"\ninsert = "etag on;"\nwhere = "sever"', 'repair.where: one of before, after, first, last or the name of a block is expected, not "sever"; did you mean "server"?'),
    ],
)  # fmt: skip
def test_a_mistake_in_a_fix_is_an_error(repair: str, reason: str, directory: Path) -> None:
    assert reason in error(directory, page(more='fix = "safe"', tables=f"{OPTION}\n[repair]\n{repair}"))


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ('[options.most]\ntype = "size"\ndefault = 3\ndescription = "x"', "options.most: a string is expected, not 3"),
        ('[options.most]\ntype = "bytes"\ndefault = 3\ndescription = "x"', "options.most.type: 'bytes' is not one of"),
        ('[options.most]\ntype = "size"\ndescription = "x"', "options.most: required but missing: default"),
        (f'{OPTION}\n[options.severity]\ntype = "string"\ndefault = ""\ndescription = "x"', "options.severity: "),
        (f'{OPTION}\n[options.value]\ntype = "string"\ndefault = ""\ndescription = "x"', "options.value: {value} has a meaning"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_option_is_an_error(tables: str, reason: str, directory: Path) -> None:
    assert reason in error(directory, page(tables=tables))


def test_directives_of_unknown_modules_are_declared(directory: Path) -> None:
    check = 'directive = "my_cache"\nmessage = "{args} is old"'
    assert 'unknown directive "my_cache"' in error(directory, page(check))
    write(directory, page(f'{check}\nthird-party = ["my_cache"]'))
    (directory / "nginx.conf").write_text(TEXT.replace("server_tokens off", "my_cache on"))
    assert "on is old" in scan(directory)


def test_words_of_a_map_are_no_directives(directory: Path) -> None:
    write(directory, page('directive = "~*bot"\ncontexts = ["map-block"]\nmessage = "{args}"'))
    text = TEXT.replace("server_tokens off;", "map $http_user_agent $bot { ~*bot 7; }")
    (directory / "nginx.conf").write_text(text)
    assert "large-bodies: 7" in scan(directory)


def test_braces_are_written_twice(directory: Path) -> None:
    write(directory, page('directive = "server_tokens"\nmessage = "{{args}} is {args}"'))
    assert "{args} is off" in scan(directory)


def test_shipped_pages_make_sense() -> None:
    """They are not checked at every start."""
    declarative = [rule for rule in builtin() if not rule.check.runs_code]
    assert declarative
    for rule in declarative:
        require_sense(rule)
        compile_check(rule, defaults_of(rule))
