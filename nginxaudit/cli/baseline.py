"""``nginxaudit baseline``: begin with a configuration that has findings, and fail on new ones only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.options import setting_options, settings_of
from nginxaudit.cli.output import write_text
from nginxaudit.cli.streams import CommandError, say
from nginxaudit.engine.settings.record import BASELINE_NAME, READ, RULES, TARGET

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.source.fence import Fence


@click.group("baseline", short_help="Write, check or prune the list of known findings.")
def command() -> None:
    """Keep a list of known findings, so that only new ones fail.

    A finding is identified by its file and its fingerprint, which does not change when lines move. If the file
    no longer exists, it counts as renamed: the fingerprint then matches in other files. A copy in another file is new.

    \b
    Examples:
      nginxaudit baseline write nginx.conf       record all current findings
      nginxaudit scan --baseline nginxaudit-baseline.json nginx.conf
      nginxaudit baseline prune nginx.conf       remove what was fixed
    """


def _common(run: Callable[..., int]) -> Callable[..., int]:
    run = setting_options(TARGET, READ, RULES)(run)
    run = click.option(
        "--baseline",
        "file",
        metavar="FILE",
        help=f"The baseline (default: the settings' baseline, else {BASELINE_NAME}).",
    )(run)
    return click.argument("paths", nargs=-1, metavar="[PATH]...")(run)


@command.command("write", cls=Untranslated)
@_common
def write(paths: tuple[str, ...], file: str | None, **options: Any) -> int:
    """Write all findings of PATH to the baseline."""
    from nginxaudit.engine.results.baseline import dump, entry_of

    report, name, _ = _audited(paths, file, options, known=False)
    if report.incomplete:
        raise CommandError(
            "some of the input could not be analysed: scan it first, or the baseline would be incomplete"
        )
    entries = [entry_of(finding, os.path.dirname(name) or ".") for finding in report.apart]
    _replace(name, dump(entries), typed=file is not None)
    say(f"{name}: {len(entries)} finding{'s' * (len(entries) != 1)} known")
    return 0


@command.command("check", cls=Untranslated)
@_common
def check(paths: tuple[str, ...], file: str | None, **options: Any) -> int:
    """Report what is new and what is gone, compared with the baseline. Exits with 1 if they differ."""
    from nginxaudit.nginx.secrets import mask_secrets

    report, name, _ = _audited(paths, file, options, known=True)
    for finding in report.apart:
        place = f"{finding.span.file}:{finding.span.line}"
        say(f"new   {place}: {finding.rule}: {finding.message}")
    for entry in report.gone:
        say(mask_secrets(f"gone  {entry.file}: {entry.rule}: {entry.message}", prose=True))
    known = sum(
        each.suppressed is not None and each.suppressed.kind == "baseline" for each in report.findings
    )
    say(f"{name}: {len(report.apart)} new, {len(report.gone)} gone, {known} known")
    return 3 if report.incomplete else int(bool(report.apart or report.gone))


@command.command("prune", cls=Untranslated)
@_common
def prune(paths: tuple[str, ...], file: str | None, **options: Any) -> int:
    """Remove fixed findings from the baseline; new findings are not added."""
    from collections import Counter

    from nginxaudit.engine.results.baseline import dump, load

    report, name, home = _audited(paths, file, options, known=True)
    if report.incomplete:
        raise CommandError("some of the input could not be analysed: what is gone is not known")
    gone = Counter(report.gone)
    kept = []
    for entry in load(name, home):
        if gone[entry]:
            gone[entry] -= 1
        else:
            kept.append(entry)
    if report.gone:
        _replace(name, dump(kept), typed=file is not None)
    say(f"{name}: {len(report.gone)} removed, {len(kept)} kept")
    return 0


def _audited(
    paths: tuple[str, ...], file: str | None, options: dict[str, Any], *, known: bool
) -> tuple[Report, str, Fence]:
    """The report, the baseline, and what that may lead to."""
    from msgspec.structs import replace

    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.run.audit import audit
    from nginxaudit.engine.settings import SettingsError

    try:
        settings = settings_of(paths, options)
        name = file or settings.baseline or BASELINE_NAME
        own = settings.own_paths if file else settings.own_paths | {name}
        # All of them: a list that a limit cut short would make known findings look new.
        limits = replace(settings.limits, max_findings_per_rule=sys.maxsize)
        settings = replace(settings, baseline=name if known else None, limits=limits, own_paths=own)
        report = audit(paths, settings, stdin=sys.stdin.buffer if "-" in paths else None)
        return report, name, settings.home_of(name)
    except (SettingsError, PageError) as error:
        raise CommandError(str(error)) from None


def _replace(path: str, text: str, *, typed: bool) -> None:
    from nginxaudit.engine.results.baseline import is_baseline
    from nginxaudit.report.logs import without_commands

    write_text(path, without_commands(text, "json"), typed=typed, replaces=is_baseline, kind="a baseline")
