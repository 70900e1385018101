"""What users read is in plain technical English: words that earlier versions had of their own do not come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from nginxaudit.cli.main import main
from nginxaudit.engine.rules.catalogue import builtin

ROOT = Path(__file__).parent.parent

REFUSED = {
    r"\bmend(s|ed|ing|able|er)?\b": "fix",
    r"\b(is|are|was|were|be) told\b": "is reported",
    r"\bshall\b": "should",
    r"\bis to be\b": "should be",
    r"\bblanks?\b": "space, trailing whitespace",
    r"\binfos\b": "info findings",
    r"\bstands? (before|behind)\b": "comes before, follows",
    r"\b(anybody|nobody|strangers?|whoever|everybody)\b": "any client, no client, unauthenticated clients",
    r"\blooked at\b": "checked",
    r"\bway of a request\b": "request flow",
    r"\bas many as pay\b": "automatic",
    r"\bsilences?d?\b": "suppress",
    r"\bof (its|his|their|your|one's) own\b": "its own, separate",
    r"\bwho remembers\b": "where the state is kept",
    r"\bthe price:": "trade-off:",
    r"\bwithout a word\b": "silently",
    r"\bis no (parameter|value|name|variable|status|method)\b": "invalid parameter",
    r"\bgroups? of servers\b": "upstream",
    r", too\b": "also, as well",
    r"\bbeside\b": "next to",
    r"\bwhat was read\b": "the input",
    r"[:;,] who\b": "an attacker, a client that",
    r"\bbehind (the (slash|quote|point)|\")": "after",
}  # fmt: skip


def _prose(page: str) -> str:
    """A page without its front matter, its examples and code in it."""
    body = page.split("\n+++\n", 1)[-1]
    body = re.sub(r"```.*?^```", "", body, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`]*`", "", body)


def texts() -> Iterator[tuple[str, str]]:
    """What is read, with where it comes from."""
    for rule in builtin().rules:
        path = ROOT / "rules" / rule.category / f"{rule.slug}.md"
        yield rule.slug, _prose(path.read_text(encoding="utf-8"))
    for found in _found():
        shown = (found["message"], found.get("help", ""), found.get("why", ""), *found.get("related", ()))
        fix = found.get("fix") or {}
        titles = [fix[name] for name in ("safe", "unsafe") if name in fix]
        yield found["example"], "\n".join([*shown, *titles])
    for path in [ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]:
        yield path.name, _prose(path.read_text(encoding="utf-8"))
    yield from _helps()


def _helps() -> Iterator[tuple[str, str]]:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        options = (getattr(each, "help", None) or "" for each in command.params)
        yield f"{name} --help", "\n".join([command.help or "", *options])


def test_words() -> None:
    found = [
        f"{where}: {match[0]!r}, better {better!r}"
        for where, text in texts()
        for pattern, better in REFUSED.items()
        for match in [re.search(pattern, text, re.IGNORECASE)]
        if match
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["this shall work", "no parameter of its own", "nobody knows", "the bits behind the slash"]
)
def test_what_is_refused_is_found(text: str) -> None:
    assert any(re.search(pattern, text) for pattern in REFUSED)


def test_reasons_do_not_repeat_the_message() -> None:
    whys = {rule.slug: rule.why for rule in builtin().rules}
    repeated = []
    for found in _found():
        slug = re.sub(r"-(more-)?bad-\d+.*", "", found["example"])
        why = found.get("why") or whys.get(slug, "")
        said, reason = _meaning(found["message"]), _meaning(why)
        if len(reason) > 2 and len(said & reason) >= 0.7 * len(reason):
            repeated.append(f"{found['example']}: {found['message']} / {why}")
    assert not repeated, "\n".join(repeated)


def _meaning(text: str) -> set[str]:
    return set(re.findall(r"[a-z_]{4,}", text.lower())) - {"with", "that", "this", "from", "only"}


def _found() -> Iterator[dict[str, Any]]:
    """What is expected in all examples."""
    for path in sorted((ROOT / "tests" / "rules" / "expected").glob("*.jsonl")):
        yield from map(msgspec.json.decode, path.read_text(encoding="utf-8").splitlines())


MOST = 120
"""Characters of a message with names of ordinary length, such as those in the examples."""


def test_messages_fit_a_line() -> None:
    long = [f"{each['example']}: {each['message']}" for each in _found() if len(each["message"]) > MOST]
    assert not long, "\n".join(long)
