"""Kubernetes manifests among the other files of a directory or an archive: which of them hold nginx configuration.

Only texts are looked at before that is known, so that YAML of other programs costs little, needs no library and is
not mentioned.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.source.nodes import TemplateError
from nginxaudit.source.read import ReadError
from nginxaudit.source.root import YAML, Roots, Unread, is_manifest_name
from nginxaudit.source.text import SourceText

_KIND = r"""\bkind["']?[ \t]{0,20}:\s{0,20}["']?(?:ConfigMap|Secret|Ingress|List)\b"""
_BLOCK = r"""\b(?:server|http|events|stream|location|upstream|map)\b[^\n;{}"':]{0,200}\{"""
_SNIPPET = r"""\b(?:main|http|server|location|stream|configuration|auth)-snippets?["']?[ \t]{0,20}:"""
_CODED = r"""\.conf["']?[ \t]{0,20}:[ \t]{0,20}(?:[|>]-?)?["']?([A-Za-z0-9+/\s]{16,4000})"""


def roots_of_manifests(
    names: Sequence[str], read: Callable[[str], SourceText], limits: Limits = DEFAULTS
) -> Roots:
    """Configurations in those of the files ``names`` that are manifests; what is not analysed is a note."""
    found = Roots()
    charts = _charts(names)
    in_charts: set[str] = set()
    waiting: list[str] = []
    templates: list[str] = []
    can_read_yaml = _can_read_yaml()
    for name in [name for name in names if is_manifest_name(name)][: limits.max_files]:
        chart = _chart_of(name, charts)
        if chart in in_charts:
            continue
        try:
            source = read(name)
        except ReadError:
            continue  # what it is cannot be known
        if chart is not None:
            if _holds_nginx(source.text):
                in_charts.add(chart)
        elif is_relevant(source.text):
            if name.endswith(YAML) and not can_read_yaml:
                waiting.append(source.path)
                continue
            _take(source, found, templates, limits)
    found.notes += _notes(waiting, templates, sorted(in_charts))
    return found


def is_relevant(text: str) -> bool:
    """Whether ``text`` looks like a manifest with nginx configuration in it."""
    return compiled(_KIND).search(text) is not None and _holds_nginx(text)


def _take(source: SourceText, found: Roots, templates: list[str], limits: Limits) -> None:
    from nginxaudit.source.manifest import NoConfigurationError, roots_of_manifest

    try:
        found.take(roots_of_manifest(source, limits))
    except TemplateError:
        templates.append(source.path)
    except NoConfigurationError as error:
        found.notes.append(f"{source.path}: it mentions blocks of nginx, but {error}")
    except ReadError as error:
        found.unread.append(Unread(source.path, error))


def _notes(waiting: list[str], templates: list[str], charts: list[str]) -> Iterable[str]:
    if waiting:
        yield (
            f"{_listed(waiting, 'YAML file')} like Kubernetes manifests with nginx configuration"
            ": pip install 'nginxaudit[kubernetes]'"
        ).replace(") like", f") look{'s' * (len(waiting) == 1)} like")
    if templates:
        verb = "is a template" if len(templates) == 1 else "are templates"
        yield f"{_listed(templates, 'manifest')} {verb} and not YAML yet: render first, then nginxaudit scan -"
    for chart in charts:
        place = posixpath.normpath(chart)
        yield f"{place} is a Helm chart with nginx configuration: helm template {place} | nginxaudit scan -"


def _listed(names: list[str], noun: str) -> str:
    more = ", …" if len(names) > 3 else ""
    return f"{len(names):,} {noun}{'s' * (len(names) > 1)} ({', '.join(names[:3])}{more})"


def _holds_nginx(text: str) -> bool:
    if compiled(_BLOCK).search(text) or compiled(_SNIPPET).search(text):
        return True
    return any(compiled(_BLOCK).search(_decoded(match[1])) for match in compiled(_CODED).finditer(text))


def _decoded(text: str) -> str:
    letters = re.sub(r"\s", "", text)
    try:
        return base64.b64decode(letters[: len(letters) // 4 * 4]).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _charts(names: Iterable[str]) -> set[str]:
    """Directories of Helm charts: with a Chart.yaml and templates beside it."""
    named = {
        posixpath.dirname(name) for name in names if posixpath.basename(name) in ("Chart.yaml", "Chart.yml")
    }
    if not named:
        return set()
    templates = {posixpath.dirname(name) for name in names if "templates/" in name}
    above = {
        directory[: at.start()]
        for directory in templates
        for at in re.finditer(r"/?\btemplates(?=/|$)", directory)
    }
    return named & above


def _chart_of(name: str, charts: set[str]) -> str | None:
    """The outermost chart that holds ``name``."""
    found = None
    at = posixpath.dirname(name)
    while charts:
        if at in charts:
            found = at
        parent = posixpath.dirname(at)
        if parent == at:
            break
        at = parent
    return found


def _can_read_yaml() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("yaml") is not None
    except ValueError:  # a module without a specification, in a test
        return False
