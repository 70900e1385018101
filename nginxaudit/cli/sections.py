"""Help of a command with many options: under headings, as a manual page has them."""

from __future__ import annotations

import click

_SECTIONS = {
    "What happens": ("scenarios", "upstream", "rate", "methods", "workers", "response_time", "client_timeout", "restart", "pause", "slow_time", "error_status", "seed", "fails_on"),
    "Which rules": ("select", "extend_select", "ignore", "rule_directories", "min_severity", "min_confidence", "check_files"),
    "What is reported": ("changed", "baseline", "show_suppressed", "fail_on"),
    "Mending": ("fix", "unsafe_fixes", "diff"),
    "Report": ("format_name", "outputs", "output", "color", "show_all", "statistics", "watch"),
    "For which nginx": ("nginx_version", "edition", "module", "topology"),
    "What is read": ("context", "fragments", "stdin_filename", "prefix", "allow_outside", "settings_file", "no_settings"),
}  # fmt: skip


class Sectioned(click.Command):
    """A command whose options stand under the headings above; what has none stands at the end."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = {param.name: record for param in options if (record := param.get_help_record(ctx))}
        for heading, names in _SECTIONS.items():
            rows = [records.pop(name) for name in names if name in records]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        if records:
            with formatter.section("Other options"):
                formatter.write_dl(list(records.values()))
