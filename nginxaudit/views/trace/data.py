"""Traces as JSON: what README documents, one object per request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from nginxaudit.report.strict_json import write as write_json
from nginxaudit.request.records import Ask, Step
from nginxaudit.views.trace.view import ShownOutcome, TraceView, shown_step


def write(views: Iterable[TraceView], stream: TextIO) -> None:
    """Write one array with an object for each request."""
    write_json(stream, (as_data(view) for view in views), 3)


def as_data(view: TraceView) -> dict[str, Any]:
    """One request with its steps and outcomes."""
    return {
        "request": request_data(view.ask),
        "steps": [_step(step) for step in view.trace.steps],
        "outcomes": [outcome_data(outcome) for outcome in view.outcomes],
    }


def request_data(ask: Ask) -> dict[str, Any]:
    """The request as it was asked."""
    return {
        "method": ask.method,
        "url": ask.url,
        "host": ask.host,
        "target": ask.target,
        "headers": dict(ask.headers),
        "tls": ask.tls,
        "sni": ask.sni,
        "address": ask.address,
        "port": ask.port,
        "client": ask.client,
        "alpn": list(ask.alpn) if ask.alpn is not None else None,
        "proxy_protocol": ask.proxied,
    }


def _step(step: Step) -> dict[str, Any]:
    shown = shown_step(step)
    why = shown.why
    if shown.others:
        why += f"{'. ' if why else ''}Others: {'; '.join(shown.others)}"
    return {"phase": step.phase, "file": step.file, "line": step.line, "text": shown.text, "why": why}


def outcome_data(outcome: ShownOutcome) -> dict[str, Any]:
    """One outcome with the fields that every outcome has."""
    return {
        "when": list(outcome.when),
        "status": outcome.status,
        "redirect": outcome.redirect,
        "server": outcome.server,
        "location": outcome.location,
        "pass": outcome.passed,
        "upstream": outcome.upstream,
        "upstream_uri": outcome.upstream_uri,
        "upstream_headers": outcome.upstream_headers,
        "file": outcome.file,
        "body": outcome.body,
        "headers": outcome.headers,
    }
