"""A drill as JSON: one document, a scenario of every place in ``scenarios``. Times are ms, shares 0 to 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

import msgspec

import nginxaudit
from nginxaudit.drill.probing import longest_back, longest_out, longest_start
from nginxaudit.drill.results import Outcome, Remedy, Result, ServerLoad
from nginxaudit.drill.spec import ActiveCheck
from nginxaudit.nginx import format_version
from nginxaudit.report.masked import veiled, veiled_data
from nginxaudit.report.strict_json import write as write_json
from nginxaudit.views.drill.view import Drilled, DrillPlace, Section, Skipped, fixable, lost_share

SCHEMA_VERSION = 1


def write(drilled: Drilled, stream: TextIO) -> None:
    """Write the document; its schema is ``nginxaudit/views/drill/drill.schema.json``."""
    results = [result for block in drilled.blocks for _ in block.places for result in block.results]
    write_json(
        stream,
        {
            "schema_version": SCHEMA_VERSION,
            "tool": {
                "name": "nginxaudit",
                "version": nginxaudit.__version__,
                "nginx_version": format_version(drilled.target.version),
                "edition": drilled.target.edition,
            },
            "load": _load(drilled),
            "scenarios": _scenarios(drilled),
            "not_drilled": [_skipped(each) for each in drilled.skipped],
            "summary": {
                "scenarios": len(results),
                "passed": sum(each.verdict.passed for each in results),
                "lossy": sum(not each.verdict.passed for each in results),
                "fixable": sum(fixable(each) for each in results),
                "not_drilled": len(drilled.skipped),
                "left_out": drilled.left_out,
            },
        },
        3,
    )


def _load(drilled: Drilled) -> dict[str, Any]:
    load = drilled.load
    return {
        "rate": load.rate,
        "methods": dict(load.methods),
        "workers": load.workers,
        "response_time": load.response_time,
        "client_timeout": load.client_timeout,
        "restart": load.restart,
        "pause": load.pause,
        "slow_time": load.slow_time,
        "error_status": load.error_status,
        "flap_down": load.flap_down,
        "flap_up": load.flap_up,
        "seed": load.seed,
    }


def _scenarios(drilled: Drilled) -> Iterator[Any]:
    for block in drilled.blocks:
        told = [veiled_data(_result(each)) for each in block.results]
        for place in block.places:
            head = _head(block, place)
            yield from ({**head, **each} for each in told)


def _head(block: Section, place: DrillPlace) -> dict[str, Any]:
    group = block.group
    return {
        "upstream": veiled(block.upstream),
        "location": veiled(place.location),
        "file": place.file,
        "line": place.line,
        "family": group.family,
        "method": group.method,
        "topology": block.topology,
        "remark": place.remark,
        "refused_by_nginx": veiled(place.refused),
        "workers": group.workers,
        "zone": group.zone,
        "active_checks": [_check(each) for each in group.checks],
        "sticky": group.sticky.kind if group.sticky is not None else None,
        "queue": group.queue.size if group.queue is not None else None,
        "slow_start": {each.name: each.slow_start for each in group.servers if each.slow_start},
        "notes": [veiled(note) for note in group.notes],
    }


def _check(check: ActiveCheck) -> dict[str, Any]:
    return {
        "directive": check.name,
        "interval": check.interval,
        "fails": check.fails,
        "passes": check.passes,
        "looks_at": check.looks_at,
        "out_within": longest_out(check),
        "back_within": longest_back(check),
        "first_requests_within": longest_start(check),
    }


def _result(result: Result) -> dict[str, Any]:
    scenario, verdict = result.scenario, result.verdict
    return {
        "scenario": scenario.name,
        "kind": scenario.kind,
        "scope": scenario.scope,
        "target": scenario.target,
        "begin": scenario.begin,
        "end": scenario.end,
        "duration": scenario.duration,
        **_outcome(result.outcome, result),
        "passed": verdict.passed,
        "fixable": fixable(result),
        "verdict": verdict.text,
        "causes": [{"setting": cause.setting, "text": cause.text} for cause in verdict.causes],
        "remedies": [_remedy(remedy) for remedy in verdict.remedies],
        "timeline": msgspec.to_builtins(result.outcome.timeline),
    }


def _outcome(outcome: Outcome, result: Result) -> dict[str, Any]:
    return {
        "requests": outcome.requests,
        "ok": outcome.ok,
        "lost": outcome.lost,
        "lost_share": round(lost_share(result), 6),
        "failed": outcome.failed,
        "by_status": {str(status): number for status, number in outcome.by_status.items()},
        "gave_up": outcome.gave_up,
        "retried": outcome.retried,
        "no_live_server": outcome.lonely,
        "cut_off": outcome.broken,
        "unavoidable": outcome.died,
        "added_latency": msgspec.to_builtins(outcome.latency),
        "left_after": outcome.left,
        "back_after": outcome.back,
        "backups_served": outcome.backups_served,
        "survivor_overload": outcome.survivor_overload,
        "sessions_moved": outcome.moved,
        "servers": [_server(each) for each in outcome.servers],
    }


def _server(each: ServerLoad) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(each)
    return {**data, **{name: round(data[name], 4) for name in ("before", "during", "after")}}


def _remedy(remedy: Remedy) -> dict[str, Any]:
    return {
        "steps": [{"text": step.text, "where": step.where} for step in remedy.steps],
        "lost_before": remedy.lost_before,
        "lost_after": remedy.lost_after,
        "fixes": remedy.fixes,
        "trade_off": remedy.trade_off,
    }


def _skipped(each: Skipped) -> dict[str, Any]:
    return {
        "upstream": veiled(each.upstream),
        "location": veiled(each.location),
        "file": each.file,
        "line": each.line,
        "reason": veiled(each.reason),
    }
