"""Rule pages of the repository that is scanned (``--rules``, ``rules`` in its settings) are a stranger's, too."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nginxaudit.report import FORMATS
from nginxaudit.report.pages import harmless_markdown
from tests.security.runner import obeyed
from tests.security.test_output import UNSAFE
from tests.support.command import nginxaudit

EVIL = (
    "<script>evil()</script> <img src=x onerror=evil()> ![p](http://evil.example/p.png) [c](javascript:evil()) "
    "<javascript:evil()> @evil `code` | pipe ]]> -->\" ' %0A::add-mask::evil ##[add-path]evil \u202e \x1b[31m"
)
PAGE = """+++
id = "{id}"
severity = "warning"
confidence = "high"
tags = ["evil \\u001b[2J"]
references = ["javascript:evil()", "https://x.example/<b>", "https://good.example/page", "https://x.example/) [c](javascript:evil()"]
[check]
directive = "root"
message = 'found {evil}'
help = 'help {evil}'
+++
# Title {evil}

## What it does
What {evil}

## Why it matters
Why {evil}
::stop-commands::evil

## How to fix
Fix {evil}

[evil]: javascript:evil()

   ```nginx bad
root <script>; # in a fence
  ```
~~~
<img src=x onerror=evil()>
````
<iframe src=evil>

```nginx
never closed <b>
"""


def page(directory: Path, *, category: str = "security", name: str = "own", rule: str = "XYZ0001") -> Path:
    file = directory / "pages" / category / f"{name}.md"
    file.parent.mkdir(parents=True)
    evil = EVIL.replace("'", "").replace("\x1b", "")  # TOML literal strings hold neither
    text = PAGE.format(id=rule, evil=evil).partition("\n# Title")
    file.write_text(
        f"{text[0]}\n# Title{PAGE.format(id=rule, evil=EVIL).partition(f'{chr(10)}# Title')[2]}",
        encoding="utf-8",
    )
    (directory / "nginx.conf").write_text("events {}\nhttp { root /srv; }\n")
    return file


def scanned(format_name: str) -> str:
    done = nginxaudit(
        "scan", "--rules", "pages", "--select", "XYZ0001", "--format", format_name, "nginx.conf"
    )
    assert done.returncode == 1, done.stderr
    assert "evil" in done.stdout
    return done.stdout


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_is_obeyed_or_acts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = scanned(name)
    assert {command for command, _ in obeyed(text)} <= (
        {"warning", "notice", "error"} if name == "github" else set()
    )
    assert UNSAFE.search(text.replace("\n", " ")) is None


def test_html(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page(tmp_path)
    monkeypatch.chdir(tmp_path)
    read = _Page()
    read.feed(scanned("html"))
    assert {tag for tag, _ in read.found}.isdisjoint({"img", "iframe", "base", "object"})
    assert sum(tag == "script" for tag, _ in read.found) == 1
    assert not [name for _, attributes in read.found for name in attributes if name.startswith("on")]
    links = [attributes["href"] for tag, attributes in read.found if tag == "a"]
    assert all(link.startswith("#") for link in links), "our documentation has no such page"


def test_markdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"\\[\\`*_{}\[\]<>()#+!|~@&]", "", scanned("markdown"))
    assert "<script" not in text and "<img" not in text and "](" not in text
    assert not re.search(r"(?<!\w)@evil", text)
    assert all(row.count("|") == 5 for row in text.splitlines() if row.startswith("| "))


@pytest.mark.parametrize("name", ["junit", "checkstyle"])
def test_xml(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page(tmp_path)
    monkeypatch.chdir(tmp_path)
    tags = {element.tag for element in ElementTree.fromstring(scanned(name)).iter()}
    assert tags <= {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "system-out",
        "checkstyle",
        "file",
        "error",
    }


def test_help_in_sarif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page(tmp_path)
    monkeypatch.chdir(tmp_path)
    run = json.loads(scanned("sarif"))["runs"][0]
    rule = next(each for each in run["tool"]["driver"]["rules"] if each["id"] == "XYZ0001")
    assert "helpUri" not in rule
    markdown = rule["help"]["markdown"]
    assert_harmless_markdown(markdown)
    assert "<https://good.example/page>" in markdown
    assert "javascript" not in markdown.partition("## References")[2]
    for text in (
        rule["shortDescription"]["text"],
        rule["fullDescription"]["text"],
        rule["help"]["text"],
        markdown,
    ):
        assert UNSAFE.search(text.replace("\n", " ")) is None
    assert UNSAFE.search(run["results"][0]["message"]["text"]) is None


def assert_harmless_markdown(text: str) -> None:
    """Outside of fences there is no HTML, picture or link but to the web."""
    outside, inside = [], False
    for line in text.split("\n"):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            assert not re.match(r" {0,3}(?:```|~~~)", line), line
            outside.append(line)
    assert not inside
    rest = re.sub(r"\\[\\!\]]", "", "\n".join(outside))
    assert not re.search(r"<(?!https://)", rest)
    assert "![" not in rest and not re.search(r"\]\((?!https://)|\]:", rest)
    assert "@evil" not in rest


@pytest.mark.parametrize(
    "text",
    [
        "```\n<b>\n   ```\n<img src=x>", "    ```\n<img src=x>\n```", "> ```\n> <img>\n<img>", "~~~~\n```\n<img>", "- ```\n<img>", "`````\n```\n<img>",
        "``` a`b\n<img>", "\\```\n<img>", "&lt;img&gt; &#60;img>", "[x]\n(javascript:evil())", "![x]\n[y]\n\n[y]: http://evil", "<!--\n```\n-->\n<img>",
    ],
    ids=repr,
)  # fmt: skip
def test_no_fence_hides_what_is_outside(text: str) -> None:
    shown = harmless_markdown(text)
    assert_harmless_markdown(shown)
    for line in shown.split("\n"):
        assert (
            "<img" not in html.unescape(line)
            or "&lt;" in line
            or "&amp;" in line
            or "`" not in shown
            or inside(shown, line)
        )


def inside(text: str, wanted: str) -> bool:
    """Whether a line of ``text`` is in a fence that begins in the first column."""
    state = False
    for line in text.split("\n"):
        if line.startswith("```"):
            state = not state
        elif line == wanted:
            return state
    return False


@pytest.mark.parametrize(
    ("category", "name", "rule"),
    [
        ('sec" onmouseover="evil()', "own", "XYZ0001"),
        ("security", 'own"><img src=x>', "XYZ0001"),
        ("security", "own](javascript:evil)", "XYZ0001"),
        ("security", "::add-mask::evil", "XYZ0001"),
        ("security", "own\x1b[2J", "XYZ0001"),
        ("security", "own", "XYZ<b>"),
        ("security", "own", "XYZ 1\\n::add-mask::evil"),
    ],
)
def test_names_that_are_no_names_are_refused(
    category: str, name: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page(tmp_path, category=category, name=name, rule=rule)
    monkeypatch.chdir(tmp_path)
    done = nginxaudit("scan", "--rules", "pages", "nginx.conf")
    assert done.returncode == 2
    assert "letters, digits and hyphens are expected" in done.stderr
    assert not obeyed(done.stdout, done.stderr)


def test_pages_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page(tmp_path)
    (tmp_path / "nginxaudit.toml").write_text('rules = ["pages"]\nselect = ["XYZ0001"]\n')
    monkeypatch.chdir(tmp_path)
    done = nginxaudit("scan", "--statistics", "nginx.conf")
    assert done.returncode == 1 and "own" in done.stdout
    for arguments in (
        ["rules"],
        ["explain", "XYZ0001"],
        ["rules", "evil"],
        ["scan", "--profile", "nginx.conf"],
    ):
        done = nginxaudit(*arguments)
        assert not obeyed(done.stdout, done.stderr)
        assert UNSAFE.search((done.stdout + done.stderr).replace("\n", " ")) is None
