"""What may be shown of a rule page that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.engine.rules.rule import Rule
from nginxaudit.nginx.patterns import compiled
from nginxaudit.report.sanitize import visible

_LINK = r"https?://[^\s<>\"'`\\|]+\Z"


def links(rule: Rule) -> list[str]:
    """The references of ``rule`` that lead to the web."""
    return [link for link in rule.references if compiled(_LINK).match(link)]


def harmless_markdown(text: str) -> str:
    """Markdown of a page that is not ours, without HTML, pictures, links that do not lead to the web and invisible characters."""
    return "\n".join(_harmless_lines(text))


def _harmless_lines(text: str) -> Iterator[str]:
    """Fences begin and end in the first column, so that whoever shows the text sees them where they are seen here."""
    inside = False
    for line in map(visible, text.split("\n")):
        bare = line.strip()
        if bare.startswith(("```", "~~~")):
            inside = not inside
            yield "```nginx" if inside and "nginx" in bare else "```"
        elif inside:
            yield line
        else:
            line = line.replace("&", "&amp;").replace("<", "&lt;")
            line = compiled(r"!(?=\[)").sub(r"\\!", line)
            line = compiled(r"\](?=\((?!https://)|:)").sub(r"\\]", line)
            yield line.replace("@", "&#64;")
    if inside:
        yield "```"
