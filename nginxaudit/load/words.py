"""Words for messages about directives: where they belong, what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from nginxaudit.nginx import Availability, DirectiveFact, Nginx, Target, facts_of, known_names
from nginxaudit.suggest import near

_LABELS = {
    "main": "at the top level",
    "events": "inside events",
    "http": "directly in http",
    "server": "in a server of http",
    "location": "in a location",
    "if-in-server": "in an if of a server",
    "if-in-location": "in an if of a location",
    "limit_except": "in limit_except",
    "upstream": "in an upstream of http",
    "stream": "directly in stream",
    "stream-server": "in a server of stream",
    "stream-upstream": "in an upstream of stream",
    "mail": "directly in mail",
    "mail-server": "in a server of mail",
}
_ORDER = tuple(_LABELS)

NAME_HINTS = {
    "documentroot": 'That is Apache; nginx says "root".',
    "servername": 'That is Apache; nginx says "server_name".',
    "serveralias": 'That is Apache; list all names in "server_name".',
    "proxypass": 'That is Apache; nginx says "proxy_pass" in a location.',
    "rewriterule": 'That is Apache; nginx says "rewrite" or "return".',
    "rewriteengine": "That is Apache; nginx needs no switch for rewriting.",
    "directoryindex": 'That is Apache; nginx says "index".',
    "errordocument": 'That is Apache; nginx says "error_page".',
    "customlog": 'That is Apache; nginx says "access_log".',
    "errorlog": 'That is Apache; nginx says "error_log".',
    "options": 'That is Apache; for listings nginx says "autoindex".',
    "balancer": 'nginx balances with "upstream".',
    "backend": 'That is HAProxy; nginx says "upstream".',
    "frontend": 'That is HAProxy; nginx says "server".',
    "fallback": 'nginx marks a standby with the parameter "backup" of "server".',
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
