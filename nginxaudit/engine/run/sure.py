"""What holds however a template is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from nginxaudit.engine.rules.rule import Rule
from nginxaudit.finding import Fix, Severity
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Directive

_OF_TARGET = frozenset(
    {
        "plus-only-directive",
        "plus-only-upstream-feature",
        "ssl-directive-removed",
        "obsolete-directive",
        "module-not-loaded",
    }
)
"""What depends on the nginx at hand, which a condition of the template may ask for."""


def is_sure(rule: Rule, hit: Hit, model: Model) -> bool:
    """Whether ``hit`` is about what is written out, and needs nothing that is there on another condition."""
    refused = rule.rejected_by_nginx if hit.rejected is None else hit.rejected
    if refused and _is_unpacked(hit.place.source):
        return False
    templates = model.templates
    if not templates:
        return True
    if hit.place.source.path in model.once(_makers):
        return False
    if hit.node is not None and templates.is_filled_in(hit.node):
        return False
    place = hit.place
    branch = templates.branch(place.source, place.start)
    for _, other in hit.related:
        if templates.touches(other.source, other.start, other.end):
            return False
        if templates.branch(other.source, other.start) is not branch:
            return False
    if branch is not None and _is_of_target(rule, hit):
        return False
    return not refused or templates.has_place(place.source, place.start)


_PLACEHOLDER = r"(?<![^\s=:/])<[a-z][\w -]*>(?![^\s:/])"  # <name>, as manuals write it
_MAKES_TEMPLATE = r"""\{\{-?\s*["']\{[{%#]"""  # what it makes is a template again
_UNPACKED = r"\.ya?ml(\.\w+)?$"


def of_samples(hits: Iterable[Hit]) -> Iterator[Hit]:
    """``hits``; information where one is about what people write in place of a name: a sample is no configuration yet."""
    samples: dict[Directive, bool] = {}  # a directive of many words may have a hit for each of them
    for hit in hits:
        node = hit.node
        if node is not None and node not in samples:
            samples[node] = compiled(_PLACEHOLDER).search(" ".join(node.args)) is not None
        if node is None or not samples[node]:
            yield hit
            continue
        message = f"{hit.message} (a placeholder that is not filled in)"
        yield replace(hit, message=message, severity=Severity.INFO, make_fix=None)


def _makers(model: Model) -> frozenset[str]:
    """Paths of the files that make a template again."""
    sources = model.config.sources
    return frozenset(path for path in sources if compiled(_MAKES_TEMPLATE).search(sources[path].text))


def _is_unpacked(source: SourceText) -> bool:
    """Whether it is about a manifest that could not be taken apart: what is around a configuration is none."""
    return source.host is source and compiled(_UNPACKED).search(source.path) is not None


def _is_of_target(rule: Rule, hit: Hit) -> bool:
    """Whether another nginx may well accept it: a name that is no slip of the pen is one of a module."""
    return rule.slug in _OF_TARGET or (rule.slug == "unknown-directive" and not _is_slip(hit))


def _is_slip(hit: Hit) -> bool:
    """Whether it is advised to write nearly the same."""
    meant = hit.help.split('"')
    return hit.node is not None and len(meant) > 1 and abs(len(meant[1]) - len(hit.node.name)) <= _SLIP


_SLIP = 2  # letters too many or too few


def is_fixable(fix: Fix, hit: Hit, model: Model) -> bool:
    """Whether ``fix`` leaves alone what is filled in, and changes nothing that is there on another condition."""
    templates = model.templates
    if not templates:
        return True
    branch = templates.branch(hit.place.source, hit.place.start)
    for edit in fix.edits:
        source = model.config.sources.get(edit.file)
        if source is None or templates.of(source) is None:
            continue
        if (
            templates.touches(source, edit.start - 1, edit.end + 1)
            or templates.branch(source, edit.start) is not branch
        ):
            return False
    return True
