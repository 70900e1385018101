"""The ``sarif`` format: SARIF 2.1.0 for GitHub code scanning and other viewers.

The same report gives the same bytes: no times, no machine names, no random identifiers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

import attr
import sarif_om as om

import nginxaudit
from nginxaudit.finding import Finding, Suppression, Versions
from nginxaudit.report.base import RenderOptions, versions_of, witness_of
from nginxaudit.report.coverage import crash_line, gaps
from nginxaudit.report.masked import shareable
from nginxaudit.report.sarif_places import Places, artifact
from nginxaudit.report.sarif_provenance import base_ids, provenance
from nginxaudit.report.sarif_rules import LEVELS, MESSAGE_ID, descriptor, sentence, stand_in
from nginxaudit.report.sarif_taxonomies import references, taxonomies
from nginxaudit.report.strict_json import write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.rules.rule import Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


# What GitHub takes, https://docs.github.com/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning
MOST_RESULTS = 25_000
MOST_LOCATIONS = 100  # of a result; GitHub leaves out what is beyond


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write one run with all findings; suppressed ones are marked as such."""
    data = _plain(log(report, options))
    ordered = {key: data[key] for key in ("$schema", "version", "runs")}  # who reads it decides by these
    write(stream, ordered, depth=6, dense=True)  # it lists hundreds of rules


def log(report: Report, options: RenderOptions) -> om.SarifLog:
    """The report as SARIF objects; ``results`` is an iterator of plain data."""
    findings, cut = _most_severe(report)
    rules = _rules(report)
    index = {rule.slug: number for number, rule in enumerate(rules)}
    found = {finding.rule for finding in findings}
    places = Places(report.sources)
    standards = taxonomies(found)
    run = om.Run(
        tool=om.Tool(
            driver=om.ToolComponent(
                name="nginxaudit",
                version=nginxaudit.__version__,
                semantic_version=nginxaudit.__version__,
                information_uri=nginxaudit.HOME,
                rules=[descriptor(rule, with_page=rule.slug in found) for rule in rules],
                supported_taxonomies=references(standards) or None,
            )
        ),
        taxonomies=standards or None,
        invocations=[_invocation(report, options, index, cut)],
        original_uri_base_ids=base_ids(),
        version_control_provenance=provenance(),
        column_kind="unicodeCodePoints",
        properties={**_nginx(report), "edition": report.edition, "facts": str(report.facts)},
        # One at a time: 20,000 results as objects would take more memory than the audit did.
        results=(
            _plain(_result(finding, index[finding.rule], places, report.baseline is not None))
            for finding in findings
        ),
    )
    return om.SarifLog(schema_uri=_SCHEMA, version="2.1.0", runs=[run])


def _nginx(report: Report) -> dict[str, str | list[str]]:
    """The nginx that was asked about: one version, or the oldest and the newest of several."""
    if report.nginx_versions is not None:
        return {"nginxVersions": list(report.nginx_versions)}
    return {"nginxVersion": report.nginx_version or ""}


def _most_severe(report: Report) -> tuple[Sequence[Finding], int]:
    """As many findings as GitHub takes, in their order, and how many are left out: the least severe ones."""
    cut = len(report.findings) - MOST_RESULTS
    if cut <= 0:
        return report.findings, 0
    ranked = sorted(
        range(len(report.findings)),
        key=lambda at: (report.findings[at].suppressed is not None, -report.findings[at].severity.rank, at),
    )
    return [report.findings[at] for at in sorted(ranked[:MOST_RESULTS])], cut


def _rules(report: Report) -> list[Rule]:
    """The rules that run by default, those that something is reported of, and those of findings that came without a rule."""
    named = {finding.rule for finding in report.findings} | {crash.rule for crash in report.crashes}
    rules = {rule.slug: rule for rule in report.rules if rule.default or rule.slug in named}
    for finding in report.findings:
        if finding.rule not in rules:
            rules[finding.rule] = stand_in(finding)
    return list(rules.values())


def _result(finding: Finding, rule_index: int, places: Places, compared: bool) -> om.Result:
    fix, text = shareable(finding.fix, places.sources), sentence(finding.claim)
    return om.Result(
        rule_id=finding.id,
        rule_index=rule_index,
        level=LEVELS[finding.severity],
        # The text is what GitHub shows; the identifier lets other viewers group and translate.
        message=om.Message(text=text, id=MESSAGE_ID, arguments=[text.removesuffix(".")]),
        locations=[places.primary(finding.span)],
        related_locations=[
            places.related(number, related, sentence(related.message))
            for number, related in enumerate(finding.related[:MOST_LOCATIONS], 1)
        ]
        or None,
        partial_fingerprints=_fingerprints(finding, places),
        fixes=[places.fix(fix, sentence(fix.title))] if fix else None,
        suppressions=[_suppression(finding.suppressed)] if finding.suppressed else None,
        baseline_state=_state(finding) if compared else None,
        properties={
            "confidence": finding.confidence.label,
            "rejectedByNginx": finding.rejected_by_nginx,
            **({"versions": _versions(finding.versions)} if finding.versions else {}),
            **({"help": finding.help} if finding.help else {}),
            **({"why": finding.why} if finding.why else {}),
            **({"witness": witness_of(finding.witness)} if finding.witness else {}),
            **({"fixApplicability": fix.applicability.value} if fix else {}),
        },
    )


def _versions(versions: Versions) -> dict[str, Any]:
    return {key: value for key, value in versions_of(versions).items() if value is not None}


def _state(finding: Finding) -> str:
    """Whether a baseline knows the finding. What a comment silences was not compared: it is as it was."""
    return "new" if finding.suppressed is None else "unchanged"


def _fingerprints(finding: Finding, places: Places) -> dict[str, str]:
    found = {
        "primaryLocationLineHash": places.line_hash(finding.span),
        "nginxaudit/v1": finding.fingerprint,
    }
    return {name: value for name, value in found.items() if value}


def _suppression(suppressed: Suppression) -> om.Suppression:
    kind = "inSource" if suppressed.kind == "inline" else "external"
    return om.Suppression(kind=kind, justification=suppressed.reason)


def _invocation(report: Report, options: RenderOptions, index: dict[str, int], cut: int) -> om.Invocation:
    code = report.exit_code(options.fail_on)
    return om.Invocation(
        execution_successful=not (report.incomplete or report.crashes),
        exit_code=code,
        tool_execution_notifications=list(_notifications(report, index, cut)) or None,
    )


def _notifications(report: Report, index: dict[str, int], cut: int) -> Iterator[om.Notification]:
    if cut:
        yield om.Notification(
            level="warning",
            message=om.Message(
                text=f"{cut:,} findings are not in this log: GitHub takes {MOST_RESULTS:,}; the most severe ones are here."
            ),
        )
    for gap in gaps(report):
        place = om.Location(physical_location=om.PhysicalLocation(artifact_location=artifact(gap.place)))
        yield om.Notification(
            level="error" if gap.place else "warning",
            message=om.Message(text=sentence(f"Not analysed: {gap}")),
            locations=[place] if gap.place else None,
        )
    for remark in report.remarks:
        yield om.Notification(level="note", message=om.Message(text=sentence(remark)))
    rules = {rule.slug: rule for rule in report.rules}
    for crash in report.crashes:
        rule = rules.get(crash.rule)
        yield om.Notification(
            level="error",
            message=om.Message(text=sentence(crash_line(crash))),
            associated_rule=om.ReportingDescriptorReference(id=rule.id, index=index[rule.slug])
            if rule
            else None,
        )


# -- objects to plain data

# Absent, these would mean the default of the rule, not the one of the schema.
_ALWAYS = frozenset({"level"})


@cache
def _fields(kind: Any) -> dict[str, tuple[str, Any]]:
    """SARIF name and default of the attributes of ``kind``, by their Python name."""
    fields = {}
    for field in attr.fields(kind):
        default = field.default
        if isinstance(default, attr.Factory):  # type: ignore[arg-type]
            default = default.factory()
        fields[field.name] = field.metadata["schema_property_name"], default
    return fields


def _plain(value: Any) -> Any:
    """``value`` under its SARIF names, without what is unset or at its default."""
    if isinstance(value, str | int | float | Iterator):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    kind: Any = type(value)
    fields = _fields(kind)
    data = {}
    for name, item in vars(value).items():  # in the order of the fields
        if item is not None:
            schema_name, default = fields[name]
            if item != default or name in _ALWAYS:
                data[schema_name] = _plain(item)
    return data
