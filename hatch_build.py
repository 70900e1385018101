"""Ships the rule pages inside the wheel, with their front matter compiled into one index file."""

from __future__ import annotations

import compileall
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RulePages(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``rules/`` as ``nginxaudit/_rules/`` to a wheel; an editable install reads ``rules/`` itself."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the index and name the files to be added."""
        root = Path(self.root)
        if version == "editable":  # as pip does with what it installs: half of a small run is spared
            compileall.compile_dir(root / "nginxaudit", quiet=2)
            return
        sys.path.insert(0, str(root))
        try:
            from nginxaudit.engine.rules import coverage, standards
            from nginxaudit.engine.rules.catalogue import INDEX_NAME, compile_index
        finally:
            sys.path.remove(str(root))
        rules = root / "rules"
        self._scratch = tempfile.TemporaryDirectory()
        index = Path(self._scratch.name) / INDEX_NAME
        index.write_bytes(compile_index(str(rules)))
        included = build_data["force_include"]
        included[str(index)] = f"nginxaudit/_rules/{INDEX_NAME}"
        for page in [*sorted(rules.glob("*/*.md")), rules / coverage.FILE_NAME, rules / standards.FILE_NAME]:
            included[str(page)] = f"nginxaudit/_rules/{page.relative_to(rules)}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the scratch file."""
        if hasattr(self, "_scratch"):
            self._scratch.cleanup()
