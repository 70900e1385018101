"""Texts of strangers in reports: nothing of them acts on a terminal, a page, a comment or a CI server."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nginxaudit.report import FORMATS
from nginxaudit.views.drill import FORMATS as DRILLS
from nginxaudit.views.graph import FORMATS as GRAPHS
from nginxaudit.views.trace import FORMATS as TRACES
from nginxaudit.views.upstreams import FORMATS as UPSTREAMS
from tests.support.command import nginxaudit

CONTROL = "\x1b[2J\x1b]0;title\x07\x9b31m\b\x7f\x85\u202e\u2066\u200b\u200d\u2028\ufeff\U000e0041"
MARKUP = "<script>evil()</script>\"><img src=x onerror=evil()>'&amp;]]><!--"
MARKDOWN = "](javascript:evil) ![x](http://evil) | `evil` @evil #1 <details>"
DRAWING = '"]; evil [label="x"] %%{init: {"evil": 1}}%% #quot;]-->evil'
COMMANDS = "::set-output name=evil::1 ##[add-path]evil %0A::error::evil"
FORMULA = "=cmd|'/C evil'!A0"
WORDS = {
    "control": CONTROL,
    "markup": MARKUP,
    "markdown": MARKDOWN,
    "drawing": DRAWING,
    "commands": COMMANDS,
    "formula": FORMULA,
}
# Everything that a terminal obeys, reorders or hides; a line feed ends lines.
UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
_REPORTS = [("scan", name) for name in FORMATS]
_REPORTS += [("graph", name) for name in GRAPHS] + [("upstreams", name) for name in UPSTREAMS]
_REPORTS += [("drill", name) for name in DRILLS] + [("trace", name) for name in TRACES]


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def configuration(word: str) -> str:
    """``word`` wherever a configuration has a text of its own."""
    text = quoted(word)
    comment = word.replace("\n", " ")
    return f"""events {{}}
http {{
    # nginxaudit: ignore[missing-listen] {comment}
    # nginxaudit: ignore[{comment}]
    # nginxaudit: topology={comment}
    {text} {text}; # {comment}
    server_tokens {text};
    include {text};
    log_format {text} {text};
    upstream {text} {{
        server {text} {text};
        server 127.0.0.1:8081; # {comment}
        server 127.0.0.1:8082 {text} backup;
    }}
    map $uri $x {{ {text} {text}; ~{text} 1; }}
    server {{
        listen 8080 {text};
        server_name {text};
        if ($uri = {text}) {{ return 301 {text}; }}
        location {text} {{
            proxy_pass http://{text[1:-1].replace('"', "")};
            rewrite {text} {text} {text};
            alias {text};
        }}
        location / {{ proxy_pass {quoted("http://" + word)}; set ${text[1:-1].split(" ")[0]} x; }}
        location ~ {quoted("(" + word)} {{ add_header {text} {text}; }}
    }}
}}
"""


@pytest.fixture(params=list(WORDS))
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory with the words of one kind in texts and in names of files."""
    word = WORDS[request.param]
    name = word.replace("/", "_")[:60]
    (tmp_path / "nginx.conf").write_text(configuration(word), encoding="utf-8", newline="")
    (tmp_path / f"{name}.conf").write_text(configuration(word), encoding="utf-8", newline="")
    (tmp_path / f"{name}2.conf").symlink_to(f"{name}-nowhere")
    return tmp_path


def assert_harmless(text: str) -> None:
    found = UNSAFE.search(text)
    assert found is None, ascii(text[max(found.start() - 60, 0) : found.end() + 20])
    assert not re.search("[\ud800-\udfff]", text)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), _REPORTS)
def test_nothing_acts(command: str, name: str, tree: Path) -> None:
    arguments = ["--show-suppressed", "--all"] if command == "scan" else []
    urls = ["http://localhost:8080/a", "localhost/<i>"] if command == "trace" else []
    done = nginxaudit(command, "--format", name, *arguments, ".", *urls, cwd=tree)
    assert done.returncode in (0, 1, 3), done.stderr
    assert done.stdout or (command == "trace" and done.returncode == 3)
    assert_harmless(done.stdout)
    assert_harmless(done.stderr)
    _READERS.get(name, _no_reader)(done.stdout)


@pytest.mark.parametrize("arguments", [("--diff",), ("--diff", "--unsafe-fixes"), ("--statistics",)])
def test_messages_on_standard_error(arguments: tuple[str, ...], tree: Path) -> None:
    done = nginxaudit("scan", *arguments, ".", cwd=tree)
    assert_harmless(done.stderr)
    assert "::set-output" not in "".join(f"\n{line[:3]}" for line in done.stderr.splitlines())
    if arguments == ("--statistics",):
        assert_harmless(done.stdout)
    else:  # a diff repeats the lines of the file as they are; the names of files are its syntax
        headers = [line for line in done.stdout.split("\n") if line.startswith(("--- ", "+++ "))]
        assert_harmless("".join(line.removesuffix("\t") for line in headers))  # which ends a name with spaces


@pytest.mark.slow
def test_baselines(tree: Path) -> None:
    (tree / "known.json").write_text(
        json.dumps(
            {
                "baseline_version": 1,
                "findings": [
                    {"rule": word, "fingerprint": word, "file": word, "message": word}
                    for word in WORDS.values()
                ],
            }
        )
    )
    for path in tree.glob("*2.conf"):
        path.unlink()  # a baseline wants complete input
    for arguments in (("check", "--baseline", "known.json"), ("write",), ("check",)):
        done = nginxaudit("baseline", *arguments, "nginx.conf", cwd=tree)
        assert_harmless(done.stdout + done.stderr)
        assert not any(line.lstrip().startswith("::") for line in done.stdout.splitlines())


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_what_a_baseline_quotes(word: str, tmp_path: Path) -> None:
    text = quoted(word)
    (tmp_path / "nginx.conf").write_text(
        f"events {{}}\nhttp {{\n  server_tokens {text};\n  upstream a {{ server 10.0.0.1 {text}; }}\n"
        f"  server {{ server_name {text}; location / {{ return 301 {text}; }} }}\n}}\n",
        encoding="utf-8",
    )
    done = nginxaudit("baseline", "write", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "nginxaudit-baseline.json").read_text(encoding="utf-8")
    assert len(json.loads(written)["findings"]) >= 3
    assert_harmless(written)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "concise"])
def test_the_log_of_a_ci_server_obeys_nothing(name: str, tmp_path: Path) -> None:
    """GitHub's runner takes a line that begins with ``::``, after blanks, and ``##[`` anywhere, for a command."""
    (tmp_path / "nginx.conf").write_text(configuration(COMMANDS))
    (tmp_path / "::set-output name=a::b.conf").write_text(configuration("::stop-commands::x"))
    env = {"GITHUB_ACTIONS": "true", "COLUMNS": "40"}
    for arguments in (("scan", "--all", "--fragments", "-f", name), ("upstreams",), ("graph",), ("drill",)):
        done = nginxaudit(*arguments, ".", cwd=tmp_path, env=env)
        assert done.stdout.count("\n") > 3
        for line in (done.stdout + done.stderr).splitlines():
            assert not line.lstrip().startswith("::"), line
            assert "##[" not in line


def test_annotations_are_one_line_each(tree: Path) -> None:
    done = nginxaudit("scan", ".", cwd=tree, env={"GITHUB_ACTIONS": "true"})
    assert done.stdout.count("\n") > 3
    for line in done.stdout.splitlines():
        assert re.match(r"::(?:error|warning|notice)(?: [^:]*)?::|nginxaudit: ", line), line


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "{0}"),
        ("scan", "missing/{0}"),
        ("scan", "--select", "{0}", "nginx.conf"),
        ("scan", "--ignore", "{0}", "nginx.conf"),
        ("scan", "--settings", "{0}", "nginx.conf"),
        ("scan", "--baseline", "{0}", "nginx.conf"),
        ("scan", "--rules", "{0}", "nginx.conf"),
        ("scan", "--output", "missing/{0}", "nginx.conf"),
        ("scan", "--topology", "{0}", "nginx.conf"),
        ("scan", "--context", "{0}", "nginx.conf"),
        ("scan", "--nginx-version", "{0}", "nginx.conf"),
        ("scan", "--format", "{0}", "nginx.conf"),
        ("scan", "--{0}", "nginx.conf"),
        ("{0}",),
        ("explain", "{0}"),
        ("rules", "{0}"),
        ("upstreams", "--upstream", "{0}", "nginx.conf"),
        ("graph", "--server", "{0}", "nginx.conf"),
        ("drill", "--upstream", "{0}", "nginx.conf"),
        ("drill", "--methods", "{0}", "nginx.conf"),
        ("drill", "--rate", "{0}", "nginx.conf"),
        ("drill", "--restart", "{0}", "nginx.conf"),
        ("baseline", "check", "--baseline", "{0}", "nginx.conf"),
        ("completion", "{0}"),
        ("init", "{0}"),
    ],
    ids=lambda each: " ".join(each),
)
@pytest.mark.parametrize("kind", ["control", "commands"])
def test_errors_of_the_command_line(arguments: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    word = WORDS[kind].replace("/", "_") + ("\n::error::evil" if kind == "commands" else "")
    (tmp_path / "nginx.conf").write_text("events {}\n")
    done = nginxaudit(*(each.format(word) for each in arguments), cwd=tmp_path)
    assert done.returncode in (2, 3)
    assert_harmless(done.stdout + done.stderr)
    assert not any(line.lstrip().startswith("::") for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        '"{0}" = 1',
        'select = ["{0}"]',
        'edition = "{0}"',
        'nginx-version = "{0}"',
        '[rule."{0}"]\nseverity = "info"',
        '[rule.server-tokens]\n"{0}" = 1',
        '[upstreams."{0}"]\nx = 1',
        '[limits]\n"{0}" = 1',
        '[limits]\nmax-file-size = "{0}"',
        'rules = ["{0}"]',
        'entry = ["../{0}"]',
        'baseline = "{0}"',
        '[per-file-ignores]\n"*" = ["{0}"]',
        'rules = ["pages"]',
    ],
)
def test_errors_of_settings(text: str, tmp_path: Path) -> None:
    word = CONTROL.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00") + "\\n::error::evil"
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { server { listen 80; listen; } }\n")
    (tmp_path / "nginxaudit.toml").write_text(text.format(word))
    (tmp_path / "pages" / f"a{CONTROL}").mkdir(parents=True)
    (tmp_path / "pages" / f"a{CONTROL}" / f"{CONTROL}.md").write_text(CONTROL)
    done = nginxaudit("scan", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 2
    assert_harmless(done.stderr)
    assert not any(line.startswith("::") for line in done.stderr.splitlines())


@pytest.mark.slow
def test_pages_of_rules_in_reports(tmp_path: Path) -> None:
    """Title, reason and remedy of a page are a stranger's, too."""
    pages = tmp_path / "pages" / "security"
    pages.mkdir(parents=True)
    hostile = f"{CONTROL}{MARKUP}{MARKDOWN}".replace("\u2028", "").replace("\x85", "")
    (pages / "own.md").write_text(
        '+++\nid = "XYZ0001"\nseverity = "warning"\nconfidence = "high"\ntags = ["\\u001b[2J"]\n'
        f'references = ["javascript:evil()", "https://x/\\u202e<b>"]\n[check]\ndirective = "root"\nmessage = \'found\'\n+++\n'
        f"# Title {hostile}\n\n## What it does\nWhat {hostile}.\n\n## Why it matters\nWhy {hostile}.\n\n"
        f"## How to fix\nFix {hostile}.\n",
        encoding="utf-8",
    )
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { root /srv; }\n")
    for name in FORMATS:
        done = nginxaudit("scan", "--rules", "pages", "-f", name, "nginx.conf", cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert_harmless(done.stdout + done.stderr)
        _READERS.get(name, _no_reader)(done.stdout)


# -- readers of the formats


def _no_reader(text: str) -> None:
    """Formats for people, of which nothing but control characters is to be feared."""


class _Page(HTMLParser):
    """Tags and attributes as a browser would find them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _read_page(text: str) -> None:
    page = _Page()
    page.feed(text)
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert len(scripts) <= 2, "its own, and data"
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "iframe", "object", "embed", "base", "link"})
    for _, attributes in page.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcdoc", "action")
        ]
        link = attributes.get("href") or attributes.get("xlink:href") or "https://"
        assert link.startswith(("https://", "#")), link


def _read_svg(text: str) -> None:
    for element in ElementTree.fromstring(text).iter():
        assert element.tag.rpartition("}")[2] in {
            "svg",
            "g",
            "rect",
            "text",
            "title",
            "path",
            "circle",
            "style",
        }
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]


def _read_dot(text: str) -> None:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert "evil" not in bare
    assert '"' not in bare.replace('""', "")


def _read_mermaid(text: str) -> None:
    bare = re.sub(r'"[^"\n]*"', "", text)
    assert "evil" not in bare and '"' not in bare
    assert "%%" not in text
    assert re.findall(r"<(?!br/>)", re.sub(r"-->|-\.->", "", text)) == []


def _read_markdown(text: str) -> None:
    bare = re.sub(r"\\[\\`*_{}\[\]<>()#+!|~@&]", "", text)
    # The line of <details> is HTML, in which nothing of Markdown counts.
    bare = re.sub(
        r"^<details.*$", lambda match: match[0].replace("](", "").replace("@", ""), bare, flags=re.M
    )
    assert "<script" not in bare and "<img" not in bare
    assert "](javascript" not in bare and "](http://evil" not in bare
    assert not re.search(r"(?<!\w)@evil", bare)
    for row in (line for line in bare.splitlines() if line.startswith("| ")):
        assert row.count("|") == 5, row


def _read_xml(text: str) -> None:
    ElementTree.fromstring(text)


_READERS = {
    "html": _read_page,
    "svg": _read_svg,
    "dot": _read_dot,
    "mermaid": _read_mermaid,
    "markdown": _read_markdown,
    "junit": _read_xml,
    "checkstyle": _read_xml,
    "json": json.loads,
    "sarif": json.loads,
    "rdjson": json.loads,
    "gitlab": json.loads,
}
