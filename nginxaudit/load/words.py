"""Words for messages about directives: where they belong, what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from nginxaudit.nginx import Availability, DirectiveFact, Nginx, Target, facts_of, known_names
from nginxaudit.suggest import near

_LABELS = {
    "main": "at the top level",
    "events": "in events",
    "http": "in http",
    "server": "in server (http)",
    "location": "in location",
    "if-in-server": "in if inside server",
    "if-in-location": "in if inside location",
    "limit_except": "in limit_except",
    "upstream": "in upstream (http)",
    "stream": "in stream",
    "stream-server": "in server (stream)",
    "stream-upstream": "in upstream (stream)",
    "mail": "in mail",
    "mail-server": "in server (mail)",
}
_ORDER = tuple(_LABELS)

NAME_HINTS = {
    "documentroot": 'Apache directive; in nginx use "root".',
    "servername": 'Apache directive; in nginx use "server_name".',
    "serveralias": 'Apache directive; list all names in "server_name".',
    "proxypass": 'Apache directive; in nginx use "proxy_pass" in a location.',
    "rewriterule": 'Apache directive; in nginx use "rewrite" or "return".',
    "rewriteengine": "Apache directive; rewriting is always enabled in nginx.",
    "directoryindex": 'Apache directive; in nginx use "index".',
    "errordocument": 'Apache directive; in nginx use "error_page".',
    "customlog": 'Apache directive; in nginx use "access_log".',
    "errorlog": 'Apache directive; in nginx use "error_log".',
    "options": 'Apache directive; for directory listings use "autoindex".',
    "balancer": 'For load balancing use "upstream".',
    "backend": 'HAProxy keyword; in nginx use "upstream".',
    "frontend": 'HAProxy keyword; in nginx use "server".',
    "fallback": 'Use the "backup" parameter of "server" in the upstream.',
    "else": 'nginx has no else: use "map", or a second "if".',
    "elseif": 'nginx has no elseif: use "map".',
}


def context_label(context: str) -> str:
    """Where ``context`` is, to put behind "is not allowed"."""
    return _LABELS.get(context, f"in {context}")


def belongs_in(facts: Iterable[DirectiveFact], target: Nginx) -> str:
    """Where directives with these facts may stand, widest context first."""
    contexts = {context for fact in facts for context in fact.contexts_for(target)}
    labels = [_LABELS[context] for context in _ORDER if context in contexts]
    return " or ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels) or "elsewhere"


@cache
def suggest_directive(name: str, context: str, target: Target) -> str | None:
    """The known directive that ``name`` was probably meant to be; one that fits the context first."""
    spelled = name.lower().replace("-", "_")
    for candidates, cutoff in ((_fitting(context, target), 0.75), (known_names(), 0.82)):
        found = near(spelled, candidates, 1, cutoff)
        if found:
            return found[0]
    return None


@cache
def _fitting(context: str, target: Target) -> tuple[str, ...]:
    return tuple(known for known in known_names() if _fits(known, context, target))


def _fits(name: str, context: str, target: Target) -> bool:
    return any(
        context in fact.contexts and fact.available(target) is Availability.YES
        for fact in facts_of(name, target)
    )
