"""Baselines: the findings that a team knows of, so that only new ones fail.

The file is JSON: ``{"baseline_version": 1, "tool": …, "findings": [{"rule", "fingerprint", "file", "message"}]}``,
sorted, so that two branches can be merged. What counts is rule and fingerprint, as often as they are listed:
fingerprints do not change when lines move or files are renamed. File and message are there for the reader.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.engine.settings import SettingsError
from nginxaudit.finding import Finding, Suppression
from nginxaudit.source.fence import EVERYWHERE, Fence, read_utf8
from nginxaudit.source.read import ReadError

VERSION = 1
_KEYS = ("rule", "fingerprint", "file", "message")


class BaselineError(SettingsError):
    """A baseline that cannot be used; the message says which file, what is wrong and what to do."""


class Entry(Struct, frozen=True):
    """A known finding."""

    rule: str
    fingerprint: str
    file: str
    message: str

    @property
    def key(self) -> tuple[str, str]:
        """What a finding is recognised by."""
        return self.rule, self.fingerprint


def load(path: str, home: Fence = EVERYWHERE) -> tuple[Entry, ...]:
    """Entries of a baseline file, which may not lead out of ``home``. Raises `BaselineError`."""
    import json

    try:
        data = json.loads(read_utf8(path, home))
    except ReadError as error:
        hint = " (nginxaudit baseline write makes one)" if not os.path.exists(path) else ""
        raise BaselineError(f"{path}: the baseline cannot be read: {error}{hint}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).split("\n")[0]
        raise BaselineError(f"{path}: the baseline is not valid JSON: {reason}; write it anew") from None
    version = data.get("baseline_version") if isinstance(data, dict) else None
    if version != VERSION:
        what = f"version {version!r}" if version is not None else "no baseline_version"
        raise BaselineError(
            f"{path}: a baseline of version {VERSION} is expected, this one has {what}: "
            "write it anew with nginxaudit baseline write"
        )
    entries = data.get("findings")
    if not isinstance(entries, list):
        raise BaselineError(f"{path}: findings: a list is expected")
    return tuple(_entry(path, number, entry) for number, entry in enumerate(entries))


def _entry(path: str, number: int, entry: Any) -> Entry:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in _KEYS):
        raise BaselineError(f"{path}: findings[{number}]: {', '.join(_KEYS)} are expected, each a text")
    return Entry(*(entry[key] for key in _KEYS))


def dump(entries: Iterable[Entry]) -> str:
    """The text of a baseline file, the same for the same entries in any order."""
    import json

    from nginxaudit import __version__

    ordered = sorted(entries, key=lambda each: (each.file, each.rule, each.fingerprint, each.message))
    lines = ",\n".join("    " + json.dumps({key: getattr(each, key) for key in _KEYS}) for each in ordered)
    body = f"[\n{lines}\n  ]" if lines else "[]"
    return f'{{\n  "baseline_version": {VERSION},\n  "tool": "nginxaudit {__version__}",\n  "findings": {body}\n}}\n'


def is_baseline(content: bytes) -> bool:
    """Whether a file is a baseline, or empty; also one that is broken, by a merge say.

    The settings of a repository may name the file that is written: nothing else is overwritten.
    """
    return not content.strip() or b'"baseline_version"' in content


def entry_of(finding: Finding, base: str) -> Entry:
    """What a baseline keeps of ``finding``; its file relative to the directory ``base`` where it is below it."""
    path = finding.span.file
    relative = os.path.relpath(path, base) if os.path.exists(path) else path
    file = path if relative.startswith(os.pardir) else relative
    return Entry(
        finding.rule, finding.fingerprint, _unicode(file.replace(os.sep, "/")), _unicode(finding.message)
    )


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def compared(
    findings: Iterable[Finding], path: str, home: Fence = EVERYWHERE
) -> tuple[list[Finding], tuple[Entry, ...]]:
    """``findings``, silenced where the baseline ``path`` knows them, and its entries without a finding.

    Each entry silences one finding. Raises `BaselineError`.
    """
    entries = load(path, home)
    left = Counter(entry.key for entry in entries)
    known = Suppression("baseline", f"known in {path}")
    result = []
    for finding in findings:
        key = finding.rule, finding.fingerprint
        if finding.suppressed is None and left[key] > 0:
            left[key] -= 1
            finding = replace(finding, suppressed=known)
        result.append(finding)
    gone = []
    for entry in entries:
        if left[entry.key] > 0:
            left[entry.key] -= 1
            gone.append(entry)
    return result, tuple(gone)
