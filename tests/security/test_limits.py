"""Every limit ends in a finding or a note, and never in a crash: at its default and where settings put it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nginxaudit.engine.settings.document import limits, limits_table
from nginxaudit.report import FORMATS
from nginxaudit.source.limits import DEFAULTS, read_size, shown_size
from tests.support.command import nginxaudit

SITE = "server { return 204; }\n"  # missing-listen


def limited(tree: Path, line: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tree / "nginxaudit.toml").write_text(f"[limits]\n{line}\n")
    done = nginxaudit("scan", "--all", *(arguments or ("nginx.conf",)), cwd=tree)
    assert "internal error" not in done.stderr
    return done


def large_file(tree: Path) -> None:
    (tree / "nginx.conf").write_text("events {}\nhttp { include large.conf; " + SITE + "}\n")
    (tree / "large.conf").write_text("# filler\n" * 1000)


def many_files(tree: Path) -> None:
    (tree / "nginx.conf").write_text("events {}\nhttp { include sites/*.conf; }\n")
    (tree / "sites").mkdir()
    for number in range(20):
        (tree / "sites" / f"{number:02}.conf").write_text(SITE)


def nested_includes(tree: Path) -> None:
    (tree / "nginx.conf").write_text("events {}\nhttp { include 0.conf; " + SITE + "}\n")
    for number in range(10):
        (tree / f"{number}.conf").write_text(f"include {number + 1}.conf;\n")
    (tree / "10.conf").write_text("")


def nested_blocks(tree: Path) -> None:
    (tree / "nginx.conf").write_text(
        "events {}\nhttp { " + SITE + "server { listen 80; include a.conf; } }\n"
    )
    (tree / "a.conf").write_text("location /a { location /a/b { location /a/b/c { return 204; } } }\n")


def directives(tree: Path) -> None:
    (tree / "nginx.conf").write_text("events {}\nhttp { " + SITE + "include a.conf; }\n")
    (tree / "a.conf").write_text("sendfile on;\n" * 50)


def repeats(tree: Path) -> None:
    servers = "".join(f"server {{ listen {8000 + n}; include a.conf; }}\n" for n in range(10))
    (tree / "nginx.conf").write_text("events {}\nhttp { " + SITE + servers + "}\n")
    (tree / "a.conf").write_text("deny 10.0.0.1;\n" * 20)


def long_expression(tree: Path) -> None:
    text = "|".join(f"bot{number}" for number in range(200))
    (tree / "nginx.conf").write_text(
        f"events {{}}\nhttp {{\n{SITE}server {{ listen 80;\nlocation ~ ^/({text}) {{ return 403; }} }} }}\n"
    )


CASES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "max-file-size": (large_file, '"8k"', "it has 9,000 bytes, more than the limit of 8,192 bytes"),
    "max-files": (many_files, "6", "more than 6 files were read; sites/05.conf was not analysed"),
    "max-include-depth": (nested_includes, "4", "includes are nested more than 4 deep; 4.conf was not analysed"),
    "max-depth": (nested_blocks, "4", "blocks are nested more than 4 levels deep; the inner ones were not analysed"),
    "max-directives": (directives, "20", "the configuration has more than 20 directives; a.conf was not analysed"),
    "max-repeats": (repeats, "100", "files that are included again have more than 100 directives; a.conf was not analysed"),
    "max-regex-size": (long_expression, '"1k"', "the regular expression is longer than 1,024 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_limit_ends_in_a_finding(name: str, tmp_path: Path) -> None:
    make, value, message = CASES[name]
    make(tmp_path)
    free = nginxaudit("scan", "nginx.conf", cwd=tmp_path)
    assert free.returncode == 1 and "limit-exceeded" not in free.stdout
    done = limited(tmp_path, f"{name} = {value}")
    assert done.returncode == 3
    assert "error[limit-exceeded]" in done.stdout
    assert message in " ".join(done.stdout.split())
    assert f"raise {name} in [limits] of the settings" in " ".join(done.stdout.split())
    assert "warning[missing-listen]" in done.stdout, "what was found is kept"


def test_every_limit_is_tested() -> None:
    assert {key for key, *_ in limits()} == {*CASES, "max-findings-per-rule"}


def test_directives_are_counted_over_includes(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { " + SITE + "include a.conf; include b.conf; }\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.conf").write_text("sendfile on;\n" * 15)
    done = limited(tmp_path, "max-directives = 25")
    assert done.returncode == 3
    assert "the configuration has more than 25 directives; b.conf was not analysed" in done.stdout


def test_directives_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { " + SITE * 100 + "}\n")
    done = limited(tmp_path, "max-directives = 50")
    assert done.returncode == 3
    assert "the file has more than 50 directives; the others were not analysed" in done.stdout
    assert "unmatched-braces" not in done.stdout, "that the block is not closed is the limit's fault"


def test_a_glob_of_far_too_many_files(tmp_path: Path) -> None:
    many_files(tmp_path)
    done = limited(tmp_path, "max-files = 3")
    assert done.returncode == 3
    assert "sites/*.conf was not analysed: it matches too many files" in done.stdout


def test_files_of_a_directory(tmp_path: Path) -> None:
    many_files(tmp_path)
    (tmp_path / "nginx.conf").unlink()
    done = limited(tmp_path, "max-files = 6", ".", "--fragments")
    assert done.returncode == 3
    assert "it contains 20 configuration files; only the first 6 were analysed" in done.stdout


def test_a_large_file_that_is_asked_for(tmp_path: Path) -> None:
    large_file(tmp_path)
    done = limited(tmp_path, "max-file-size = 4096", "large.conf", "nginx.conf")
    assert done.returncode == 3
    assert "error[limit-exceeded]: large.conf could not be read" in done.stdout
    (tmp_path / "nginxaudit.toml").write_text("[limits]\nmax-file-size = 4096\n")
    done = nginxaudit("scan", "-", cwd=tmp_path, stdin="# filler\n" * 1000)
    assert done.returncode == 3
    assert "error[limit-exceeded]" in done.stdout


# -- findings of one rule


def many_findings(tree: Path, suppressed: str = "") -> None:
    servers = f"{suppressed}{SITE}" * 30
    (tree / "nginx.conf").write_text(f"events {{}}\nhttp {{\n{servers}}}\n")


@pytest.mark.parametrize("name", FORMATS)
def test_findings_of_one_rule_are_counted(name: str, tmp_path: Path) -> None:
    many_findings(tmp_path)
    done = limited(tmp_path, "max-findings-per-rule = 10", "--format", name, "nginx.conf")
    assert done.returncode == 1, "as without the limit"
    if name == "json":
        rules = [each["rule"] for each in json.loads(done.stdout)["findings"]]
        assert rules.count("missing-listen") == 10
    if name not in ("checkstyle", "gitlab", "rdjson"):  # forms without room for a note
        assert "20 more findings" in " ".join(done.stdout.replace("\\", "").split())


def test_the_exit_code_is_that_of_all_findings(tmp_path: Path) -> None:
    """Suppressed and harmless findings come first here: they must not push out what counts."""
    many_findings(tmp_path, suppressed="# nginxaudit: ignore[missing-listen] known\n")
    text = (tmp_path / "nginx.conf").read_text()
    (tmp_path / "nginx.conf").write_text(text.replace("}\n}\n", "}\n" + SITE + "}\n"))
    done = limited(tmp_path, "max-findings-per-rule = 1", "nginx.conf", "--show-suppressed")
    assert done.returncode == 1
    assert "\nwarning[missing-listen]" in done.stdout
    assert "suppressed warning" not in done.stdout


def test_a_baseline_knows_all_findings(tmp_path: Path) -> None:
    many_findings(tmp_path)
    (tmp_path / "nginxaudit.toml").write_text(
        '[limits]\nmax-findings-per-rule = 3\n[rule.missing-listen]\nseverity = "error"\n'
    )
    done = nginxaudit("baseline", "write", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 0
    known = json.loads((tmp_path / "nginxaudit-baseline.json").read_text())["findings"]
    assert [each["rule"] for each in known].count("missing-listen") == 30
    done = nginxaudit("scan", "--baseline", "nginxaudit-baseline.json", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


# -- the settings


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("max-depht = 3", 'limits.max-depht: unknown setting; did you mean "max-depth"?'),
        ("max-depth = 0", "limits.max-depth: a whole number from 1 to 200 is expected, not 0"),
        ("max-depth = 100000", "limits.max-depth: a whole number from 1 to 200 is expected"),
        ("max-depth = true", "limits.max-depth: a whole number"),
        ("max-depth = 1.5", "limits.max-depth: a whole number"),
        ('max-depth = "9"', "limits.max-depth: a whole number"),
        ("max-files = -1", "limits.max-files: a whole number"),
        ('max-file-size = "lots"', "limits.max-file-size: 'lots' is not a size such as 16m, 512k or 4096"),
        ('max-file-size = "9g"', "limits.max-file-size: a size from 1 to 1g is expected"),
        ('max-file-size = ""', "is not a size"),
        ('max-file-size = "1.5m"', "is not a size"),
        ("max-file-size = inf", "limits.max-file-size: a size"),
    ],
)
def test_limits_that_are_none(line: str, expected: str, tmp_path: Path) -> None:
    many_findings(tmp_path)
    done = limited(tmp_path, line)
    assert done.returncode == 2
    assert expected in done.stderr


def test_limits_must_be_a_table(tmp_path: Path) -> None:
    many_findings(tmp_path)
    (tmp_path / "nginxaudit.toml").write_text("limits = 3\n")
    assert "limits: a table is expected" in nginxaudit("scan", "nginx.conf", cwd=tmp_path).stderr


def test_sizes() -> None:
    assert [read_size(text) for text in ("16m", "16M", "4k", "1g", "77")] == [
        16 << 20,
        16 << 20,
        4096,
        1 << 30,
        77,
    ]
    for size in (1, 1000, 1024, 4096, 16 << 20, 3 << 30):
        assert read_size(shown_size(size)) == size
    assert DEFAULTS.max_file_size == 16 << 20


def test_the_schema_and_the_sample_know_all_limits() -> None:
    schema = json.loads(nginxaudit("init", "--json-schema").stdout)["definitions"]["Limits"]["properties"]
    assert list(schema) == [key for key, *_ in limits()]


def test_the_sample_sets_defaults(tmp_path: Path) -> None:
    nginxaudit("init", cwd=tmp_path)
    text = (tmp_path / "nginxaudit.toml").read_text()
    table = text[text.index("# [limits]") :].partition("\n\n")[0].replace("# ", "", 1).replace("\n# ", "\n")
    (tmp_path / "nginxaudit.toml").write_text(table + "\n")
    many_findings(tmp_path)
    assert nginxaudit("scan", "nginx.conf", cwd=tmp_path).returncode == 1
    for key, default, _, _ in limits():
        assert f"{key} = {default}" in table


# -- the highest values


@pytest.fixture
def deepest(tmp_path: Path) -> Path:
    """As many blocks in blocks, and files in files, as settings allow: every recursion ends before Python's limit."""
    (tmp_path / "nginxaudit.toml").write_text("[limits]\nmax-depth = 200\nmax-include-depth = 60\n")
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { server { listen 80; include 0.conf; } }\n")
    for number in range(59):
        block = f"location /{'a/' * number} {{ if ($a) {{ location /{'a/' * number}b {{ "
        (tmp_path / f"{number}.conf").write_text(f"{block} include {number + 1}.conf; }} }} }}\n")
    (tmp_path / "59.conf").write_text("location / { " * 30 + "proxy_pass http://127.0.0.1:81;" + "}" * 30)
    return tmp_path


@pytest.mark.parametrize("name", FORMATS)
def test_the_deepest_configuration(name: str, deepest: Path) -> None:
    done = nginxaudit("scan", "--select", "ALL", "--format", name, "nginx.conf", cwd=deepest)
    assert done.returncode in (1, 3), done.stderr + done.stdout[-500:]
    assert "RecursionError" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("graph", "-f", name) for name in ("text", "json", "dot", "mermaid", "svg", "html")]
    + [("upstreams",), ("scan", "--diff", "--unsafe-fixes"), ("baseline", "check", "--baseline", "b.json")],
    ids=" ".join,
)
def test_the_deepest_configuration_in_other_commands(arguments: tuple[str, ...], deepest: Path) -> None:
    (deepest / "b.json").write_text('{"baseline_version": 1, "findings": []}')
    done = nginxaudit(*arguments, "nginx.conf", cwd=deepest)
    assert done.returncode in (0, 1, 3), done.stderr
    assert "RecursionError" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("depth", [50, 99, 100, 5_000, 100_000])
def test_nested_blocks_in_all_commands(depth: int, tmp_path: Path) -> None:
    text = "events {}\nhttp { server { listen 80; " + "location / { " * depth + "}" * depth + " } }\n"
    (tmp_path / "nginx.conf").write_text(text)
    for command in ("scan", "graph", "upstreams"):
        done = nginxaudit(command, "nginx.conf", cwd=tmp_path)
        assert done.returncode in (0, 1, 3), done.stderr
        assert "RecursionError" not in done.stdout + done.stderr


# -- inputs that cost more than they weigh


MANY = "".join(
    f"---\nkind: ConfigMap\ndata: {{a.conf: 'include nowhere.inc; include {each % 9}/*.conf;'}}\n"
    for each in range(3000)
)
BOMBS = {
    "objects.yaml": MANY,
    "aliases.yaml": "kind: ConfigMap\ndata:\n  a.conf: &a |\n"
    + "    server { listen 80; }\n" * 10_000
    + "".join(f"  b{each}.conf: *a\n" for each in range(2000)),
    "nested.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "deep.json": "[" * 100_000,
    "one-line.conf": "events {} http { " + "server { listen 80; } " * 20_000 + "}",
    "unknown.conf": "".join(f"unknown_directive_{each:x};\n" for each in range(30_000)),
    "expressions.conf": "events {} http { server { listen 80;"
    + "".join(f"rewrite ^(a+)+{each}$ /{'a' * 60}!; location ~ ^/(\\w*\\s?)*{each}$ {{ }}" for each in range(300))
    + "} }",
    "names.conf": "events {} http {"
    + "".join(f"server {{ listen 80; server_name ~^(\\w+\\.?)+{each}$ {'a' * 60}{each}.com; }}" for each in range(300))
    + "}",
    "maps.conf": "events {} http { map $uri $a0 { default $uri; }"
    + "".join(f"map $a{each} $a{each + 1} {{ default $a{each}$a{each}; x $a{each}; }}" for each in range(60))
    + "server { listen 80; location / { proxy_pass http://$a60; return 301 $a60; } } }",
    "rewrites.conf": "events {} http { server { listen 80;"
    + "".join(f"location /{each} {{ rewrite ^ /{(each + 1) % 400}; return 301 /{(each + 1) % 400}; }}" for each in range(400))
    + "} }",
    "comments.conf": "# nginxaudit: ignore[missing-listen] x\n" * 30_000,
    "words.conf": "map " + "a " * 300_000 + ";",
    "quotes.conf": "'" * 200_001,
    "escapes.conf": "\\" * 500_000,
    "dump.conf": "# configuration file /a:\n" * 30_000,
    "upstreams.conf": "events {} http { "
    + "".join(f"upstream u{each} {{ server 127.0.0.1:{each + 1}; server b{each}; }}\n" for each in range(1500))
    + "server { listen 80; location / { proxy_pass http://u1; } } }",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_inputs_made_to_take_for_ever(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(BOMBS[name])
    done = nginxaudit("scan", "--format", "concise", name, cwd=tmp_path)
    assert done.returncode in (0, 1, 3), done.stderr
    assert "internal error" not in done.stderr and "crashed" not in done.stdout
    assert done.seconds < 60, "seconds on a slow machine"


def test_the_page_of_the_settings_tells_all_limits() -> None:
    page = Path(__file__).parents[2] / "docs" / "pages" / "settings.md"
    assert limits_table() in page.read_text(encoding="utf-8")
