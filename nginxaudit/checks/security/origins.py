"""Requests of other sites that pass a check of Origin or Referer, or may read an answer."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.checks.witnesses import Try, shown
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext
from nginxaudit.model.expressions import Written
from nginxaudit.model.regex import matches
from nginxaudit.model.uses import variable_uses
from nginxaudit.pcre.sample import sample
from nginxaudit.request.records import Outcome
from nginxaudit.syntax.tree import Directive

_STRANGER = "https://evil.test"
_DEPTH = 3  # maps one after the other
_PLACES = 3


def reflected(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request of another site that is named as allowed in the answer."""

    def ends(end: Outcome) -> bool:
        return ("access-control-allow-origin", _STRANGER) in _lower(end)

    return shown(ctx, node, ends, (Try(headers=(("Origin", _STRANGER),)),))


def answered_with(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request of another site whose answer has the header that ``node`` adds."""
    wanted = (str(node.args[0]).lower(), str(node.args[1]))
    return shown(ctx, node, lambda end: wanted in _lower(end), (Try(headers=(("Origin", _STRANGER),)),))


def _lower(end: Outcome) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in end.headers]


def accepted(ctx: CheckContext, written: Written, header: str, host: str) -> Witness | None:
    """A request of another site that an expression takes for one of ``host``: it is named as allowed, or let in."""
    for site in _sites(written, header, host):
        other = "Origin" if header == "Referer" else "Referer"
        # Another check may want the other header.
        tries = (Try(headers=((header, site),)), Try(headers=((other, site), (header, site))))

        def named(end: Outcome, site: str = site) -> bool:
            return any(site == value for _, value in end.headers)

        for node in _places(ctx, written):
            found = shown(ctx, node, named, tries) or shown(
                ctx, node, _lets_in, tries, unlike=(header, _STRANGER)
            )
            if found is not None:
                return found
    return None


def _lets_in(end: Outcome) -> bool:
    if end.unknown is not None or end.closed:
        return False
    return end.passed is not None or (end.status is not None and end.status < 400)


def _sites(written: Written, header: str, host: str) -> Iterator[str]:
    """Sites and pages of others that the expression matches."""
    name = host or sample(written.text).partition("://")[2].strip("/") or "example.com"
    domain = ".".join(name.rsplit(".", 2)[-2:])
    sites = [f"https://{name}.evil.test", f"https://not{name}", f"https://evil{domain}"]
    if header == "Referer":
        sites = [f"{each}/" for each in sites] + [
            f"https://evil.test/{name}/",
            f"https://evil.test/x.{name}/",
        ]
    yield from (each for each in sites if matches(written.text, each, caseless=written.caseless))


def _places(ctx: CheckContext, written: Written) -> list[Directive]:
    """Where the verdict of an expression counts: the ``if``, or what uses the variable of a map."""
    node = written.directive
    if written.kind == "if":
        return [node]
    block = node.parent
    found: dict[Directive, None] = {}
    names = [str(block.args[-1])[1:].lower()] if block is not None and block.args else []
    for _ in range(_DEPTH):
        inner: list[str] = []
        for name in names:
            for use, _ in ctx.once(variable_uses).get(("http", name), ()):
                if use.name == "map" and len(use.args) > 1:
                    inner.append(str(use.args[-1])[1:].lower())
                elif use.name in ("if", "add_header") and use.parent is not None:
                    found[use.parent if use.name == "if" else use] = None
        names = inner
    return list(found)[:_PLACES]
