"""Baselines: the findings that a team knows of, so that only new ones fail.

The file is JSON: ``{"baseline_version": 1, "tool": …, "findings": [{"rule", "fingerprint", "file", "message"}]}``,
sorted, so that two branches can be merged. What counts is rule and fingerprint, as often as they are listed:
fingerprints do not change when lines move. They are looked for in the file that is listed; when that file is gone,
it was renamed, and they count in any other. The message is there for the reader.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.engine.settings import SettingsError
from nginxaudit.finding import Finding, Suppression
from nginxaudit.source.fence import EVERYWHERE, Fence, read_utf8
from nginxaudit.source.read import ReadError

VERSION = 1
_K = TypeVar("_K")
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
    return Entry(
        finding.rule, finding.fingerprint, _listed(finding.span.file, base), _unicode(finding.message)
    )


def _listed(path: str, base: str) -> str:
    """What a baseline in the directory ``base`` calls a file of the report, however links lead to either."""
    file = path
    if os.path.exists(path):
        head, name = os.path.split(path)
        for place, start in (
            (path, base),
            (os.path.join(os.path.realpath(head), name), os.path.realpath(base)),
        ):
            relative = os.path.relpath(place, start)
            if not relative.startswith(os.pardir):
                file = relative
                break
    return _unicode(file.replace(os.sep, "/"))


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def compared(
    findings: Iterable[Finding], path: str, files: Mapping[str, str], home: Fence = EVERYWHERE
) -> tuple[list[Finding], tuple[Entry, ...]]:
    """``findings``, suppressed where the baseline ``path`` knows them, and its entries without a finding.

    ``files`` are the paths that were analysed, each with the path that reports show. Each entry suppresses one finding: first one in its own file, then, when
    that file is gone, one elsewhere. What is listed for a file that exists and was not analysed is left alone.
    Raises `BaselineError`.
    """
    base = os.path.dirname(path) or "."
    entries = load(path, home)
    listed = {file: _listed(shown, base) for file, shown in files.items()}
    analysed = set(listed.values())
    here = Counter((entry.file, *entry.key) for entry in entries)
    known = Suppression("baseline", f"known in {path}")
    result: list[Finding] = []
    rest: list[int] = []
    for finding in findings:
        key = listed[finding.span.file], finding.rule, finding.fingerprint
        if finding.suppressed is None and _taken(here, key):
            finding = replace(finding, suppressed=known)
        elif finding.suppressed is None:
            rest.append(len(result))
        result.append(finding)
    renamed = Counter[tuple[str, str]]()
    for (file, rule, fingerprint), count in here.items():
        if count and file not in analysed and not _exists(file, base):
            renamed[rule, fingerprint] += count
    for at in rest:
        finding = result[at]
        if _taken(renamed, (finding.rule, finding.fingerprint)):
            result[at] = replace(finding, suppressed=known)
    gone = []
    for entry in entries:
        if entry.file in analysed:
            is_gone = _taken(here, (entry.file, *entry.key))
        else:
            is_gone = _taken(renamed, entry.key)
        if is_gone:
            gone.append(entry)
    return result, tuple(gone)


def _taken(counter: Counter[_K], key: _K) -> bool:
    """Whether there is one of ``key`` left; then it is taken."""
    left = counter[key] > 0
    if left:
        counter[key] -= 1
    return left


def _exists(file: str, base: str) -> bool:
    return os.path.lexists(os.path.join(base, file.partition("!")[0]))
