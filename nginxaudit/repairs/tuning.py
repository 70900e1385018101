"""Repairs of workers, zones, kept connections, compression and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition
from nginxaudit.nginx import parse_number
from nginxaudit.repairs.common import Edits, found_word
from nginxaudit.repairs.syntax import clear_match
from nginxaudit.repairs.upstream import ZONE_SIZE
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


def worker_processes(hit: Hit, model: Model) -> Edits:
    """``auto`` in the place of zero; or at the top of the main file, behind ``user``."""
    node = hit.node
    if node is None:
        return None
    if node.name == "worker_processes":
        return (edits.exchanged(node, node.args[0], "auto"),)
    own = [each for at in model.config.top.children if (each := _in_main(at, model)) is not None]
    user = next((each for each in own if each.name == "user"), None)
    if user is not None:
        return (edits.after(user, "worker_processes auto;"),)
    return (edits.before(own[0], "worker_processes auto;"),) if own else None


def _in_main(node: Directive, model: Model) -> Directive | None:
    """What brings ``node`` into the main file: itself, or an include."""
    at: Directive | None = node
    while at is not None and (at.source is not model.config.main or at.via is not None):
        at = at.via
    return at


def open_files(hit: Hit, model: Model) -> Edits:
    """Two files for every connection."""
    node = hit.node
    connections = next(iter(model.config.named("worker_connections")), None)
    if node is None:
        return None
    wanted = _DEFAULT_CONNECTIONS
    if connections is not None:
        try:
            wanted = parse_number(connections.args[0])
        except ValueError:
            return None
    if node.name == "worker_rlimit_nofile":
        return (edits.exchanged(node, node.args[0], str(2 * wanted)),)
    return (edits.before(node.parent, f"worker_rlimit_nofile {2 * wanted};"),) if node.parent else None


def no_bpf(hit: Hit, model: Model) -> Edits:
    """``quic_bpf off``, where it is switched on."""
    node = next((each for each in model.config.named("quic_bpf") if each.args[:1] == ["on"]), None)
    return (edits.exchanged(node, node.args[0], "off"),) if node is not None else None


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


def delete_zone(hit: Hit, model: Model) -> Edits:
    """The declaration that nothing uses."""
    return edits.deletion(hit.node) if hit.node is not None else None


# -- connections and files


def keep_backend_connections(hit: Hit, model: Model) -> Edits:
    """A pool at the end of the group, behind its method; or one of the usual size instead of none."""
    group = hit.node
    if group is None:
        return None
    written = group.first("keepalive")
    if written is not None:
        return (edits.exchanged(written, written.args[0], POOL),)
    return (edits.last_in(group, f"keepalive {POOL};"),)


def try_files(hit: Hit, model: Model) -> Edits:
    """``try_files`` in the place of an ``if`` that does nothing but hand on to one path."""
    node, location = hit.node, hit.node.parent if hit.node is not None else None
    asked = condition(node) if node is not None else None
    if node is None or location is None or asked is None or node.inner != "if-in-location":
        return None
    if asked.operator not in _TRIED or asked.right not in _REQUESTED or location.first("try_files"):
        return None
    target = _handed_to(node)
    close = node.statement.close
    if target is None or close is None or edits.holds_comment(node):
        return None
    text = f"try_files {_TRIED[asked.operator]} {target}?$args;"
    return (edits.replaced(node.source, node.start, close + 1, text),)


def _handed_to(node: Directive) -> str | None:
    """The path that an ``if`` rewrites every path to; the arguments stay behind it."""
    if len(node.children) != 1:
        return None
    child = node.children[0]
    if child.name != "rewrite" or child.args[2:] != ["last"] or child.args[0] not in _EVERY_PATH:
        return None
    target = str(child.args[1])
    return target if re.fullmatch(r"/[A-Za-z0-9/_.-]*", target) else None


def compress_text(hit: Hit, model: Model) -> Edits:
    """The types of text that sites serve, beside ``gzip``; ``if`` does not allow them."""
    node = hit.node
    if node is None or node.parent is None or node.parent.inner not in ("http", "server", "location"):
        return None
    return (edits.after(node, TYPES),)


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
