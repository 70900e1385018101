"""Help of a command with many options: under headings, as a manual page has them."""

from __future__ import annotations

import click

from nginxaudit.cli.help import Untranslated
from nginxaudit.engine.settings.record import READ, REPORTED, RULES, TARGET, all_settings

_SECTIONS = {
    "What happens": ("scenarios", "upstream", "rate", "methods", "workers", "response_time", "client_timeout", "restart", "pause", "slow_time", "error_status", "seed", "fails_on"),
    RULES: (),
    REPORTED: ("show_suppressed",),
    "Fixing": ("fix", "fix_only", "unsafe_fixes", "diff"),
    "Report": ("format_name", "outputs", "output", "title", "color", "sort", "verbose", "quiet", "silent", "show_all", "statistics", "watch"),
    TARGET: (),
    READ: ("settings_file", "no_settings"),
}  # fmt: skip


class Sectioned(Untranslated):
    """A command whose options have the headings above, settings those of their records; the others come last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records: dict[str | None, list[tuple[str, str]]] = {}
        for param in options:
            record = param.get_help_record(ctx)
            if record is not None:
                records.setdefault(param.name, []).append(record)
        for heading, others in _SECTIONS.items():
            names = [each.name for each in all_settings() if each.heading == heading]
            rows = [row for name in (*names, *others) for row in records.pop(name, ())]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        if records:
            with formatter.section("Other options"):
                formatter.write_dl([row for rows in records.values() for row in rows])
