"""How the runner of GitHub Actions reads a log: which commands it obeys, line by line.

After ``ActionCommand.cs``, ``ActionCommandManager.cs`` and ``OutputManager.cs`` of github.com/actions/runner.
"""

from __future__ import annotations

import re

_COMMANDS = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
]
_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace() and code not in range(0x1C, 0x20))
"""What .NET calls white space."""


class Runner:
    """Reads lines; ``obeyed`` are the commands and what they were told."""

    def __init__(self) -> None:
        self.obeyed: list[tuple[str, str]] = []
        self._registered = set(_COMMANDS)
        self._token: str | None = None

    def read(self, text: str) -> list[tuple[str, str]]:
        """All lines of ``text``; what was obeyed so far."""
        for line in re.split(r"\r\n|\r|\n", text):
            found = self._new(line) or self._old(line)
            if found is not None:
                self._obey(*found)
        return self.obeyed

    def _new(self, line: str) -> tuple[str, str] | None:
        line = line.lstrip(_SPACE)
        end = line.find("::", 2)
        if not line.startswith("::") or end < 0:
            return None
        name = line[2:end].partition(" ")[0].lower()
        return (name, line[end + 2 :]) if name in self._registered else None

    def _old(self, line: str) -> tuple[str, str] | None:
        begin = line.find("##[")
        end = line.find("]", begin)
        if begin < 0 or end < 0:
            return None
        name = line[begin + 3 : end].partition(" ")[0].lower()
        return (name, line[end + 1 :]) if name in self._registered else None

    def _obey(self, name: str, data: str) -> None:
        if self._token is not None:
            if name == self._token:
                self._registered.discard(self._token)
                self._token = None
        elif name == "stop-commands":
            self._token = data.lower()
            self._registered.add(self._token)
            self.obeyed.append((name, ""))
        else:
            self.obeyed.append((name, data))


def obeyed(*texts: str) -> list[tuple[str, str]]:
    """What the runner obeys in ``texts``, each a whole output of a command."""
    return [command for text in texts for command in Runner().read(text)]
