"""Repairs of what strangers get at: access rules, files, names that clients choose."""

from __future__ import annotations

import ipaddress
import re

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.access import access_of, listening
from nginxaudit.model.location import Location
from nginxaudit.model.variables import references
from nginxaudit.nginx import parse_address
from nginxaudit.pcre import parse
from nginxaudit.repairs.captures import written_at
from nginxaudit.repairs.common import Edits, found_word
from nginxaudit.syntax.tree import Directive, Token

_DOTFILES = "location ~ /\\.(?!well-known) {\n    deny all;\n}"
_CLIENTS_HOST = re.compile(r"\$\{?http_(?:x_forwarded_)?host\}?", re.IGNORECASE)
_PARAMETERS = {"fastcgi_pass": "fastcgi_param", "uwsgi_pass": "uwsgi_param", "scgi_pass": "scgi_param"}


# -- access rules


def deny_others(hit: Hit, model: Model) -> Edits:
    """``deny all`` behind the last ``allow`` of the block."""
    block = hit.node.parent if hit.node is not None else None
    return _denied(block) if block is not None else None


def _denied(block: Directive) -> Edits:
    last = edits.standing_in(block, block.named("allow")[-1])
    return (edits.after(last, "deny all;"),) if last is not None else None


def restrict_page(hit: Hit, model: Model) -> Edits:
    """A status page for this machine alone, or for those whom the location allows already.

    Rules of the outer blocks would be replaced by rules of the location: those are left to their author.
    """
    node, block = hit.node, hit.node.parent if hit.node is not None else None
    if node is None or block is None or block.inner != "location" or node.source is not block.source:
        return None
    own = [*block.named("allow"), *block.named("deny")]
    if any(rule.args[:1] == ["all"] for rule in own):
        return None
    if block.named("allow"):
        return _denied(block)
    if own or access_of(model, block).rules:
        return None
    local = ["allow 127.0.0.1;"]
    if "inet6" in listening(model.server_of(block)):
        local.append("allow ::1;")
    return (edits.before(node, "\n".join([*local, "deny all;"])),)


# -- what is shown


def hide_version(hit: Hit, model: Model) -> Edits:
    """``server_tokens off``: in the line that shows the version, or in http."""
    node = hit.node
    if node is None:
        return None
    if node.is_block:
        return (edits.first_in(node, "server_tokens off;"),)
    return (edits.exchanged(node, node.args[0], "off"),)


def no_listing(hit: Hit, model: Model) -> Edits:
    """No listing; not where the directory is called by a name that promises one, or is guarded."""
    node = hit.node
    if node is None or node.parent is None or hit.severity is Severity.INFO:
        return None
    outer = node.parent.parent
    if outer is not None and model.flag(outer, "autoindex", False) is not False:
        return (edits.exchanged(node, node.args[0], "off"),)
    return edits.deletion(node)


def hide_dotfiles(hit: Hit, model: Model) -> Edits:
    """A location for hidden files before all other expressions, where it is asked at all."""
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None:
        return None
    found = server.match("/.git/config").location
    if found is not None and not _yields(found):
        return None
    block = server.directive
    first = next((each.directive for each in server.locations if each.is_regex), None)
    if first is None:
        return (edits.last_in(block, _DOTFILES),)
    place = edits.standing_in(block, first)
    return (edits.before(place, _DOTFILES),) if place is not None else None


def _yields(location: Location) -> bool:
    """Whether an expression of the server, before all others, is preferred to this location."""
    at: Location | None = location
    while at is not None:
        if at.modifier not in ("", "~", "~*") or (at.is_regex and at.parent is not None):
            return False
        at = at.parent
    return True


def close_alias(hit: Hit, model: Model) -> Edits:
    """A slash at the end of the location, and of the directory; before the group of an expression."""
    alias = hit.node
    location = model.location_of(alias) if alias is not None else None
    if alias is None or location is None or not location.directive.args:
        return None
    token = location.directive.args[-1]
    if location.is_regex:
        start = _captured_from(location, alias, token)
        source = location.directive.source
        return (edits.replaced(source, start, start, "/"),) if start is not None else None
    made = edits.behind_text(location.directive, token, "/")
    if alias.args[0].endswith("/"):
        return (made,)
    return (made, edits.behind_text(alias, alias.args[0], "/"))


def _captured_from(location: Location, alias: Directive, token: Token) -> int | None:
    """Where the group begins whose text the alias ends with."""
    expression = parse(location.pattern, caseless=location.modifier == "~*")
    names = [each.name for each in references(alias.args[0])]
    if expression is None or len(names) != 1:
        return None
    number = int(names[0]) if names[0].isdigit() else expression.names.get(names[0], 0)
    group = expression.group(number) if number else None
    if group is None:
        return None
    opening = expression.text.rfind("(", 0, group.start)
    return written_at(location.directive, token, location.pattern, opening)


# -- backends and names


def trusted_host(hit: Hit, model: Model) -> Edits:
    """``$host``, where the value is the host of the client and nothing else."""
    token = found_word(hit)
    if hit.node is None or token is None or _CLIENTS_HOST.fullmatch(token) is None:
        return None
    return (edits.exchanged(hit.node, token, "$host"),)


def existing_script(hit: Hit, model: Model) -> Edits:
    """``try_files`` before PHP; behind the splitting of the path, if there is one.

    ``try_files`` empties ``$fastcgi_path_info``: where that is used, the lines are left to their author.
    """
    block = hit.node
    if block is None:
        return None
    split = block.first("fastcgi_split_path_info")
    if split is None:
        return (edits.first_in(block, "try_files $uri =404;"),)
    handed_on = (token for node in model.effective(block, "fastcgi_param") for token in node.args)
    place = edits.standing_in(block, split)
    if place is None or any("fastcgi_path_info" in token.lower() for token in handed_on):
        return None
    return (edits.after(place, "try_files $fastcgi_script_name =404;"),)


def empty_proxy(hit: Hit, model: Model) -> Edits:
    """An empty HTTP_PROXY beside the other parameters, so that none of them is lost."""
    node, block = hit.node, hit.node.parent if hit.node is not None else None
    if node is None or block is None or block.inner not in ("server", "location"):
        return None
    name = _PARAMETERS[node.name]
    line = f'{name} HTTP_PROXY "";'
    present = model.effective(block, name)
    if not present:
        return (edits.before(node, line),)
    level = present[-1].parent
    last = edits.standing_in(level, present[-1]) if level is not None else None
    return (edits.after(last, line),) if last is not None else None


def own_resolvers(hit: Hit, model: Model) -> Edits:
    """The name server on the Internet taken out, where one inside is left: which one to ask is not guessed."""
    node, token = hit.node, found_word(hit)
    if node is None or token is None or not any(map(_is_inside, node.args)):
        return None
    return (edits.without(node, token),)


def _is_inside(token: Token) -> bool:
    """Whether a name server surely has an address of one's own network."""
    try:
        return not ipaddress.ip_address(parse_address(token, 53).host).is_global
    except ValueError:
        return False


def protect_cookie(hit: Hit, model: Model) -> Edits:
    """What the cookie lacks; the check says only of a lacking ``secure`` that it is more than information."""
    node = hit.node
    if node is None:
        return None
    words = {token.lower() for token in node.args[2:]}
    lacking = [word for word in ("httponly", "secure") if word not in words]
    if hit.severity is Severity.INFO:
        lacking = [word for word in lacking if word != "secure"]
    return (edits.appended(node, " ".join(lacking)),) if lacking else None
