"""Log formats that are used and not defined, or not yet."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Edits
from nginxaudit.model import Model
from nginxaudit.nginx.patterns import compiled
from nginxaudit.suggest import clear_match
from nginxaudit.syntax.tree import Directive, Token

_PLAIN_NAME = r"[A-Za-z0-9_.-]+"


def defined_before(line: Directive, node: Directive) -> Fix | None:
    """``line``, which defines the format, moved up to where ``node`` uses it first."""
    moved = _moved(line, node)
    return Fix("Define the format before its use", Applicability.UNSAFE, moved) if moved else None


def _moved(line: Directive, user: Directive) -> Edits:
    """``line`` taken out and put before what holds ``user``, as it is written."""
    block = line.parent
    place: Directive | None = user
    while place is not None and place.parent is not block:
        place = place.parent
    if block is None or place is None:
        return None
    at = edits.standing_in(block, place)
    taken = edits.deletion(line)
    if at is None or taken is None or line.source is not at.source or line.via is not at.via:
        return None
    return (_verbatim_before(at, edits.statement(line)), *taken)


def _verbatim_before(node: Directive, text: str) -> Edit:
    """``text``, whose own line ends stay, on a line before ``node``."""
    whole, start = node.source.text, node.start
    blank = whole[whole.rfind("\n", 0, start) + 1 : start]
    gap = " " if blank.strip() else edits.line_end(node.source) + blank
    return edits.replaced(node.source, start, start, text + gap)


def other_name(model: Model, family: str, name: Token, node: Directive) -> Fix | None:
    """The format of nearly the same name."""
    formats = [each for each in model.config.named("log_format") if each.args]
    known = {str(each.args[0]) for each in formats if model.family_of(each) == family}
    meant = clear_match(name, sorted(known | ({"combined"} if family == "http" else set())))
    if meant is None or compiled(_PLAIN_NAME).fullmatch(meant) is None:
        return None
    edit = edits.exchanged(node, name, meant)
    return Fix(f"Use the format {meant}", Applicability.UNSAFE, (edit,))
