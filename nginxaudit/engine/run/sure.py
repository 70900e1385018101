"""What holds however a template is filled in."""

from __future__ import annotations

from nginxaudit.engine.rules.rule import Rule
from nginxaudit.finding import Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model

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
    templates = model.templates
    if not templates:
        return True
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
    refused = rule.rejected_by_nginx if hit.rejected is None else hit.rejected
    return not refused or templates.has_place(place.source, place.start)


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
