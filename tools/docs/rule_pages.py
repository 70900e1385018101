"""The pages of the rules: ``rules/<category>/<slug>.md`` as pages of the site, and the indexes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from nginxaudit import HOME
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.coverage import coverage
from nginxaudit.engine.rules.pages import body_of
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.rules.standards import broken_by, standards
from nginxaudit.finding import Severity

_FENCE = re.compile(r"^```nginx([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FOUND = re.compile(r"# finding\b")
_LABELS = {"bad": "Bad", "good": "Good", "fixed": "Fixed"}
_EDITIONS = {"oss": "open source nginx", "plus": "NGINX Plus"}


def rule_pages() -> Iterator[tuple[str, str]]:
    """Path in the site and Markdown of the page of every rule."""
    for rule in builtin():
        yield f"rules/{rule.slug}.md", rule_page(rule)


def indexes() -> Iterator[tuple[str, str]]:
    """Path in the site and Markdown of the lists of rules."""
    rules = list(builtin())
    yield "rules/index.md", _by_category(rules)
    yield "catalogue/severity.md", _by_severity(rules)
    yield "catalogue/tools.md", _by_tool()
    yield "catalogue/standards.md", _by_standard()


def rule_page(rule: Rule) -> str:
    """The page of ``rule``: its title, what it is, and the page below it."""
    title, _, body = body_of(rule).lstrip().partition("\n")
    parts = [
        f"---\ndescription: {json.dumps(rule.what)}\n---",
        f"{title}\n",
        _facts(rule),
        _FENCE.sub(_labelled, body.strip()),
        _options(rule),
        _standards(rule),
        _elsewhere(rule),
        _references(rule),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(rule: Rule) -> str:
    facts = {
        "Rule": f"`{rule.slug}`, `{rule.id}`",
        "Category": f"[{rule.category}](index.md#{rule.category}) of all [rules](index.md)",
        "Severity": f"{rule.severity.label}, confidence {rule.confidence.label}",
        "Runs": "by default" if rule.default else f"when selected: `--extend-select {rule.slug}`",
        "Fix": {"none": "", "safe": "`--fix`", "unsafe": "`--fix --unsafe-fixes`"}[rule.fix],
        "nginx": "refuses to load such a configuration" if rule.rejected_by_nginx else "",
        "Applies to": rule.scope,
        "Tags": ", ".join(f"`{tag}`" for tag in rule.tags),
        "CWE": ", ".join(
            f"[CWE-{number}](https://cwe.mitre.org/data/definitions/{number}.html)" for number in rule.cwe
        ),
        "Since": f"nginxaudit {rule.since}",
    }
    rows = "".join(f"| {name} | {value} |\n" for name, value in facts.items() if value)
    return f"| | |\n|---|---|\n{rows}"


def _labelled(match: re.Match[str]) -> str:
    """A fence of a rule page as one of the site: a title in the place of words for the tests, lines of findings highlighted."""
    info, text = match[1].split(), match[2]
    kind = next((word for word in info if word in _LABELS), "")
    options = dict(word.split("=", 1) for word in info if "=" in word)
    label = _LABELS.get(kind) or options.pop("file", "nginx")
    said = [label, *(_option(name, value) for name, value in options.items())]
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _FOUND.search(line)]
    highlight = f' hl_lines="{" ".join(map(str, lines))}"' if lines else ""
    return f'```nginx title="{", ".join(filter(None, said))}"{highlight}\n{text}```'


def _option(name: str, value: str) -> str:
    """What a word of a fence says to a reader; empty where only the tests need it."""
    return {
        "edition": f"for {_EDITIONS.get(value, value)}",
        "nginx-version": f"for nginx {value}",
        "name": value,
        "since": f"since nginx {value}",
        "until": f"before nginx {value}",
        "openssl": f"with OpenSSL {value}",
    }.get(name, f"with {name} = {value}")


def _options(rule: Rule) -> str:
    if not rule.options:
        return ""
    rows = "".join(
        f"| `{name}` | {option.type} | `{json.dumps(option.default)}` | {option.description} |\n"
        for name, option in rule.options.items()
    )
    name, option = next(iter(rule.options.items()))
    example = f"```toml\n[rule.{rule.slug}]\n{name} = {json.dumps(option.default)}\n```"
    return f"## Options\n\n| option | type | default | |\n|---|---|---|---|\n{rows}\n{example}"


def _standards(rule: Rule) -> str:
    """The controls that a finding of ``rule`` breaks."""
    known = standards()
    found = "".join(
        f"| [{known[name].title} {known[name].version}](../catalogue/standards.md#{name}) | {number} | "
        f"{known[name].controls[number].title} |\n"
        for name, number in broken_by(rule.slug)
    )
    return f"## In standards\n\n| standard | control | |\n|---|---|---|\n{found}" if found else ""


def _elsewhere(rule: Rule) -> str:
    """The checks of other tools that see the same."""
    found = [
        f"- {tool.name}: `{check}`"
        for tool in coverage()
        for check, slugs in tool.checks.items()
        if rule.slug in slugs
    ]
    return "## In other tools\n\n" + "\n".join(found) if found else ""


def _references(rule: Rule) -> str:
    source = f"{HOME}/blob/main/rules/{rule.category}/{rule.slug}.md"
    links = [*(f"- <{link}>" for link in rule.references), f"- [The page of this rule]({source})"]
    return "## References\n\n" + "\n".join(links)


def _by_category(rules: list[Rule]) -> str:
    text = (
        f"# Rules\n\n{len(rules)} rules, by category. Also [by severity](../catalogue/severity.md), "
        "[by the checks of other tools](../catalogue/tools.md) and [by standard](../catalogue/standards.md).\n"
        "A rule is selected by its name, its id, its category or one of its tags: `--select NAME`, `--ignore NAME`.\n"
    )
    return text + _sections(rules, lambda rule: rule.category, "")


def _by_severity(rules: list[Rule]) -> str:
    ordered = sorted(rules, key=lambda rule: -rule.severity.rank)
    names = {Severity.ERROR: "Errors", Severity.WARNING: "Warnings", Severity.INFO: "Info"}
    return "# Rules by severity\n" + _sections(
        ordered, lambda rule: names[rule.severity], "../rules/", sort=False
    )


def _by_tool() -> str:
    """For each check of other tools: the rules that see the same."""
    text = "# Rules by the checks of other tools\n\n`nginxaudit rules --coverage` prints this list.\n"
    for tool in coverage():
        text += f"\n## {tool.name} {tool.version}\n\n| check | rules |\n|---|---|\n"
        for check, slugs in tool.checks.items():
            text += f"| `{check}` | {linked(slugs, '../rules/')} |\n"
    return text


def _by_standard() -> str:
    """For each control of a standard: the rules that check it."""
    text = (
        "# Rules by standard\n\nA standard is selected like a category: `--select cis`. Reports name the controls that a finding breaks: "
        "`standards` in JSON, taxonomies in SARIF, a line in HTML. `nginxaudit rules --standards` prints this list.\n\n"
        "Titles are short descriptions; the wording that counts is the publisher's. A control is *not checked* when a configuration does "
        "not show it, or when there is no rule for it. No finding is therefore not a proof of compliance.\n"
    )
    for name, standard in standards().items():
        also = f" or `--select {standard.alias}`" if standard.alias else ""
        text += f"\n## {standard.title} {standard.version} {{ #{name} }}\n\n"
        text += f"`--select {name}`{also}: {len(standard.rules)} rules. "
        text += (
            f"Document: version {standard.version} of {standard.published}, published at <{standard.url}>. "
        )
        text += f"Basis: {standard.basis[0].lower()}{standard.basis[1:]}\n\n"
        text += "| control | | rules |\n|---|---|---|\n"
        for number, control in standard.controls.items():
            rules = linked(control.rules, "../rules/") or "*not checked*"
            text += f"| {number} | {control.title} | {rules} |\n"
    return text


def linked(slugs: Iterable[str], prefix: str) -> str:
    """Links to the pages of rules."""
    return ", ".join(f"[{slug}]({prefix}{slug}.md)" for slug in slugs)


def _sections(rules: list[Rule], key: Callable[[Rule], str], prefix: str, *, sort: bool = True) -> str:
    text = ""
    for name, group in groupby(sorted(rules, key=key) if sort else rules, key=key):
        text += f"\n## {name}\n\n| rule | | severity | fix |\n|---|---|---|---|\n"
        for rule in group:
            title = rule.title.replace("|", "\\|")
            opt_in = "" if rule.default else " (opt-in)"
            fix = "" if rule.fix == "none" else rule.fix
            text += f"| [{rule.slug}]({prefix}{rule.slug}.md) | {title}{opt_in} | {rule.severity.label} | {fix} |\n"
    return text
