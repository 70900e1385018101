"""Files that are read by mistake."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, listed, whole
from nginxaudit.source.globbing import is_pattern
from nginxaudit.source.root import is_backup_name
from nginxaudit.syntax.tree import Directive


def backup_file_included(ctx: CheckContext) -> Iterable[Hit]:
    """A pattern that matches copies which were left beside the file in use."""
    config = ctx.model.config
    copies = {path for path in config.sources if is_backup_name(os.path.basename(path))}
    if not copies:
        return
    loaded: dict[Directive, dict[str, None]] = {}
    for node in config.top.walk():
        if node.source.path in copies and node.via is not None and is_pattern(node.via.args[0]):
            loaded.setdefault(node.via, {})[node.source.path] = None
    for include, paths in loaded.items():
        files = "the backup file" if len(paths) == 1 else "the backup files"
        yield Hit(
            whole(include),
            f"loads {files} {listed(sorted(paths))}: its directives take effect",
            include,
            help="Move the copy elsewhere, or write a pattern such as *.conf that it does not match.",
        )
