"""Requests in which a client chooses a target: of a redirect, of a pass, the host that a backend reads, headers behind a newline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.checks.witnesses import PLAIN, Try, carrying, entered, shown
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition
from nginxaudit.model.taint import Origin
from nginxaudit.pcre.sample import sample
from nginxaudit.request.records import Outcome
from nginxaudit.request.showing import gives
from nginxaudit.syntax.tree import Directive

_SITE = "evil.example"
_HOSTS = (f".{_SITE}", _SITE, f".{_SITE}/", f"{_SITE}/", f".{_SITE}/x", f"{_SITE}/x.html")
_URLS = (f"https://{_SITE}/", _SITE, f"/{_SITE}", f"//{_SITE}", f"//{_SITE}/", f"/{_SITE}/x")
_INSIDE = "169.254.169.254"
"""Where clouds tell an instance its passwords: what clients must not reach through a proxy."""
_BACKENDS = (
    _INSIDE,
    f"{_INSIDE}:9000",
    f"http://{_INSIDE}",
    f"{_INSIDE}/",
    f"http://{_INSIDE}/?",
    f"{_INSIDE}?",
)
_INJECTED = "X-Injected"
_LINES = (f"\r\n{_INJECTED}: 1", f"\n{_INJECTED}:1", f"x\r\n{_INJECTED}: 1", f"x\n{_INJECTED}:1")


def written(model: Model, node: Directive, variable: str, texts: Iterable[str]) -> Iterator[Try]:
    """Requests that give a variable one of ``texts``; of a path where it captures or ends."""
    for text in texts:
        found = entered(variable, text)
        if found is not None:
            yield found
        else:
            yield from (Try(target=target) for target in carrying(model, node, text))


def lured(ctx: CheckContext, node: Directive, origin: Origin, *, behind_host: bool = False) -> Witness | None:
    """A request that ``node`` redirects to another site."""
    texts = _HOSTS if behind_host else (*_URLS, *_HOSTS)
    return shown(ctx, node, _leads_away, written(ctx.model, node, origin.variable, texts), through=node)


def _leads_away(outcome: Outcome) -> bool:
    scheme, slashes, host = (outcome.redirect or "").partition("//")
    if not slashes or scheme not in ("", "http:", "https:"):
        return False
    for end in "/?#":
        host = host.partition(end)[0]
    return host == _SITE or host.endswith(f".{_SITE}")


def forged_backend(ctx: CheckContext, node: Directive, origin: Origin) -> Witness | None:
    """A request that is passed on to a server which the client names."""

    def ends(end: Outcome) -> bool:
        host = (end.passed or "").rpartition("//")[2]
        return host.partition(":")[0] == _INSIDE

    texts = [*_BACKENDS, *(f"{_INSIDE}/{end}" for end in _asked_for(node, origin))]
    return shown(ctx, node, ends, written(ctx.model, node, origin.variable, texts))


def _asked_for(node: Directive, origin: Origin) -> Iterator[str]:
    """Texts of the variable that conditions around a pass want."""
    for block in node.ancestors():
        for each in block.named("if"):
            asked = condition(each)
            if asked is not None and asked.is_match and asked.left.lower() in (origin.variable, origin.via):
                yield sample(asked.right)


def forged_host(ctx: CheckContext, node: Directive, origin: Origin) -> Witness | None:
    """A request of which the backend reads another host than the one that the server is for."""
    name = str(node.args[0]).lower()

    def ends(end: Outcome) -> bool:
        return any(
            header.lower() == name and value.startswith(_SITE) for header, value in end.upstream_headers
        )

    return shown(ctx, node, ends, written(ctx.model, node, origin.variable, (_SITE,)))


def split(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request with a newline in its path that becomes a header: of the answer, or of what the backend gets."""
    tries = [Try(target=target) for text in _LINES for target in carrying(ctx.model, node, text)]
    return shown(ctx, node, _has_line, tries)


def _has_line(end: Outcome) -> bool:
    values = [end.redirect or "", end.upstream_uri or ""]
    values += [value for _, value in (*end.headers, *end.upstream_headers)]
    return any(f"\n{_INJECTED}:" in value for value in values)


# -- headers that should not get through


def proxied(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request with a Proxy header, which FastCGI and its like make a parameter."""
    tries = (Try(headers=(("Proxy", f"http://{_SITE}:3128"),)),)

    def ends(end: Outcome) -> bool:
        return end.passed is not None and not any(name == "HTTP_PROXY" for name, _ in end.upstream_headers)

    return shown(ctx, node, ends, tries)


def upgraded(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that asks the backend for HTTP/2."""
    headers = (
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
    )
    return shown(ctx, node, lambda end: ("Upgrade", "h2c") in end.upstream_headers, (Try(headers=headers),))


def without_referer(ctx: CheckContext, node: Directive, loose: str) -> Witness | None:
    """A request without a Referer, or with a masked one, that is served."""
    tries = PLAIN if loose == "none" else (Try(headers=(("Referer", "masked"),)),)
    return shown(ctx, node, gives, tries)
