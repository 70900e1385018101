"""An outcome in one sentence."""

from __future__ import annotations

from nginxaudit.views.trace.view import ShownOutcome


def summary(outcome: ShownOutcome) -> str:
    """What the client gets."""
    if outcome.unknown is not None:
        return f"unknown from here on: {outcome.unknown}"
    if outcome.closed and outcome.server is None:
        return "the connection is refused"
    if outcome.closed:
        return "the connection is closed without an answer"
    if outcome.passed is not None:
        return _passed(outcome)
    if outcome.status is None:
        return f'the text "{_short(outcome.body or "")}"'
    status = str(outcome.status)
    if outcome.redirect is not None:
        return f"{status} to {outcome.redirect}"
    if outcome.file is not None:
        kind = "list of" if outcome.file.endswith("/") else "file"
        return f"{status}, {kind} {outcome.file}"
    if outcome.body:
        return f'{status}, text "{_short(outcome.body)}"'
    return status


def _passed(outcome: ShownOutcome) -> str:
    if outcome.upstream_method is None:
        return f"passed to {outcome.passed}" + (f" (upstream {outcome.upstream})" if outcome.upstream else "")
    status = "the backend's answer" if outcome.status is None else str(outcome.status)
    line = f"{outcome.upstream_method} {outcome.upstream_uri}" if outcome.upstream_uri is not None else ""
    upstream = f" (upstream {outcome.upstream})" if outcome.upstream else ""
    redirect = f", Location {outcome.redirect}" if outcome.redirect else ""
    return f"{status} from {outcome.passed}{upstream}{': ' if line else ''}{line}{redirect}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
