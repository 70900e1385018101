"""Repairs of workers, zones, kept connections, compression and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.load.upstream_zone import SIZE as ZONE_SIZE
from nginxaudit.model import Model
from nginxaudit.repairs.common import Edits, found_word
from nginxaudit.repairs.syntax import clear_match
from nginxaudit.syntax.tree import Directive

TYPES = "gzip_types text/css application/javascript application/json image/svg+xml;"
POOL = "32"  # connections
LIMIT_ZONE = "1m"  # about 16,000 addresses

_DEFAULT_CONNECTIONS = 512
_SIZE = re.compile(r"[^:\"']*(?=[\"']?\Z)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_EVERY_PATH = ("^", "^.*$", ".*", "^.*", "^(.*)$", "^/(.*)$", ".", "(.*)", "^(.+)$")
_REQUESTED = ("$request_filename", "$document_root$uri", "$document_root/$uri")
_TRIED = {"!-e": "$uri $uri/", "!-f": "$uri"}
_ZONES = {
    "limit_req": ("limit_req_zone", "zone="),
    "limit_conn": ("limit_conn_zone", "zone="),
    **{
        f"{name}_cache": (f"{name}_cache_path", "keys_zone=")
        for name in ("proxy", "fastcgi", "uwsgi", "scgi")
    },
}
"""For each use of a zone what declares one, and the parameter with its name."""


# -- workers


# -- zones


def larger_zone(hit: Hit, model: Model) -> Edits:
    """A usual size instead of the one that is too small."""
    node, token = hit.node, found_word(hit)
    found = _SIZE.search(edits.written(node, token)) if node is not None and token is not None else None
    if node is None or token is None or found is None:
        return None
    start, end = token.start + found.start(), token.start + found.end()
    size = ZONE_SIZE if node.name == "zone" else LIMIT_ZONE
    return (edits.replaced(node.source, start, end, size),)


def declared_zone(hit: Hit, model: Model) -> Edits:
    """The declared zone of nearly the same name; a size for the zone of a group."""
    node, token = hit.node, found_word(hit)
    if node is None or token is None:
        return None
    if node.name == "zone" and len(node.args) == 1:
        return (edits.appended(node, ZONE_SIZE),)
    if node.name not in _ZONES:
        return None
    declaring, parameter = _ZONES[node.name]
    prefix = "zone=" if node.name == "limit_req" else ""
    family = model.family_of(node)
    known = {
        word.removeprefix(parameter).partition(":")[0]
        for each in model.config.named(declaring)
        for word in each.args
        if word.startswith(parameter) and model.family_of(each) == family
    }
    meant = clear_match(token.removeprefix(prefix), sorted(known))
    if meant is None or _PLAIN_NAME.fullmatch(meant) is None:
        return None
    return (edits.exchanged(node, token, f"{prefix}{meant}"),)


# -- connections and files


# -- logs


def log_format(hit: Hit, model: Model) -> Fix | None:
    """The format of nearly the same name; or its definition moved up to where it is used first."""
    node, token = hit.node, found_word(hit)
    if node is None or token is None:
        return None
    family = model.family_of(node)
    formats = [
        each for each in model.config.named("log_format") if model.family_of(each) == family and each.args
    ]
    later = next((each for each in formats if each.args[0] == token), None)
    if later is not None:
        moved = tuple(_moved(later, node))
        return Fix("Define the format before its use", Applicability.UNSAFE, moved) if moved else None
    known = {str(each.args[0]) for each in formats} | ({"combined"} if family == "http" else set())
    meant = clear_match(token, sorted(known))
    if meant is None or _PLAIN_NAME.fullmatch(meant) is None:
        return None
    edit = edits.exchanged(node, token, meant)
    return Fix(f"Use the format {meant}", Applicability.UNSAFE, (edit,))


def _moved(line: Directive, user: Directive) -> Iterator[Edit]:
    """``line`` taken out and put before what holds ``user``, as it is written."""
    block = line.parent
    place: Directive | None = user
    while place is not None and place.parent is not block:
        place = place.parent
    if block is None or place is None:
        return
    at = edits.standing_in(block, place)
    taken = edits.deletion(line)
    if at is None or taken is None or line.source is not at.source or line.via is not at.via:
        return
    yield _verbatim_before(at, edits.statement(line))
    yield from taken


def _verbatim_before(node: Directive, text: str) -> Edit:
    """``text``, whose own line ends stay, on a line before ``node``."""
    whole, start = node.source.text, node.start
    blank = whole[whole.rfind("\n", 0, start) + 1 : start]
    gap = " " if blank.strip() else edits.line_end(node.source) + blank
    return edits.replaced(node.source, start, start, text + gap)
