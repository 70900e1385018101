"""Words that the function of a directive compares its arguments with: its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tools.facts import records
from tools.facts.records import Record
from tools.facts.tables import commands

_FUNCTION = re.compile(
    r"^(\w+)\(ngx_conf_t \*\w+, ngx_command_t \*\w+,\s*void \*\w+\)\n\{(.*?)^\}", re.S | re.M
)
_WORD = re.compile(r'ngx_str(?:n|case|ncase)?cmp\(\s*[^"]*?,\s*(?:\(\s*u_char\s*\*\s*\)\s*)?"([^"]+)"')


def words_of(texts: Iterable[str]) -> dict[tuple[str, str], set[str]]:
    """Words by directive and page."""
    pages = records.Pages(records.read("directives"))
    found: dict[tuple[str, str], set[str]] = {}
    for text in texts:
        if "ngx_command_t" not in text:
            continue
        bodies = dict(_FUNCTION.findall(text))
        for each in commands(text):
            body = bodies.get(each.handler)
            if body is not None:
                key = each.name, pages.page(each.name, each.module)
                found.setdefault(key, set()).update(_WORD.findall(body))
    return found


def added_parameters(texts: Iterable[str], others: Iterable[str]) -> list[Record]:
    """Parameters in ``texts`` that are not in ``others``, of directives whose parameters are known."""
    judged = {(each["directive"], each["module"]) for each in records.read("parameters")}
    have: Mapping[tuple[str, str], set[str]] = words_of(others)
    return [
        {
            "directive": key[0],
            "module": key[1],
            "parameter": word.rstrip("=:"),
            "kind": "string" if word.endswith(("=", ":")) else "flag",
        }
        for key, words in sorted(words_of(texts).items())
        if key in judged
        for word in sorted(words - have.get(key, set()))
        if re.fullmatch(r"\w+[=:]?", word)
    ]
