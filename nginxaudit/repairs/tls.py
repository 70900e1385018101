"""Repairs of TLS: protocols, ciphers, stapling, sessions, and names that backends learn."""

from __future__ import annotations

import re

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix, Severity
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.nginx.ciphers import weak_families
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.repairs.common import Edits, found_word, pass_of
from nginxaudit.syntax.tree import Directive

TLS13_SINCE = (1, 13, 0)
HSTS = 'add_header Strict-Transport-Security "max-age=31536000" always;'
YEAR = "31536000"  # seconds
SESSIONS = "shared:SSL:10m"
GOOD_CIPHERS = "HIGH:!aNULL:!MD5"

_OLD = r"sslv[23]|tlsv1(?:\.1)?"
_MAX_AGE = r"(max-age\s*=\s*\\?[\"']?)(\d+)"
_QUANTUM = r"MLKEM|KYBER"
_LETS_ENCRYPT = r"letsencrypt"
_LIST = r"[\"']?([^\"'\\,\s]+)[\"']?"


# -- protocols and ciphers


def without_old_protocols(hit: Hit, model: Model) -> Fix | None:
    """The old ones taken out; the good ones instead when nothing is left.

    Safe where clients keep a protocol they know: all that RFC 8996 leaves speak TLSv1.2. A backend may be older
    than that, and where nothing is left another protocol is put in: both need a look.
    """
    node = hit.node
    old = (
        [token for token in node.args if compiled(_OLD, re.IGNORECASE).fullmatch(token)]
        if node is not None
        else []
    )
    if node is None or not old:
        return None
    if len(old) < len(node.args):
        made = [edits.without(node, token) for token in old]
    else:
        good = "TLSv1.2 TLSv1.3" if model.target.version >= TLS13_SINCE else "TLSv1.2"
        made = [edits.exchanged(node, old[0], good), *(edits.without(node, token) for token in old[1:])]
    kept = len(old) < len(node.args) and node.name == "ssl_protocols"
    idle = hit.severity is Severity.INFO and not _may_speak_tls(model)
    applicability = Applicability.SAFE if kept or idle else Applicability.UNSAFE
    return Fix(f"Leave out {' and '.join(old)}", applicability, tuple(made))


def _may_speak_tls(model: Model) -> bool:
    """Whether a server may have sockets that are not seen here, or the old ``ssl on``."""
    if model.config.incomplete_includes or model.config.named("ssl"):
        return True
    families = ("http", "stream", "mail")
    return any(server.listen_unknown for family in families for server in model.servers(family))


def without_weak_ciphers(hit: Hit, model: Model) -> Edits:
    """The words that bring weak suites in taken out, and whole families excluded."""
    node, token = hit.node, found_word(hit)
    if node is None or token is None:
        return None
    found = compiled(_LIST).fullmatch(edits.written(node, token))
    if found is None:
        return None
    words, excluded = found[1].split(":"), []
    while weak := set(weak_families(":".join(words)).values()):
        words = [word for word in words if word not in weak]
        excluded += [f"!{word}" for word in sorted(weak) if "-" not in word and "+" not in word]
    words += [word for word in excluded if word not in words]
    text = ":".join(words) if any(word[:1] not in "!-+@" for word in words) else GOOD_CIPHERS
    start = token.start + found.start(1)
    return (edits.replaced(node.source, start, start + len(found[1]), text),)


def optional_groups(hit: Hit, model: Model) -> Edits:
    """A question mark before groups that OpenSSL may not know."""
    node, token = hit.node, found_word(hit)
    found = (
        compiled(_LIST).fullmatch(edits.written(node, token))
        if node is not None and token is not None
        else None
    )
    if node is None or token is None or found is None:
        return None
    groups = [
        f"?{group}"
        if compiled(_QUANTUM, re.IGNORECASE).search(group) and not group.startswith("?")
        else group
        for group in found[1].split(":")
    ]
    start = token.start + found.start(1)
    return (edits.replaced(node.source, start, start + len(found[1]), ":".join(groups)),)


# -- sockets and sessions


def speak_tls(hit: Hit, model: Model) -> Edits:
    """``ssl`` on the socket, when every server of it has a certificate."""
    node = hit.node
    if node is None or node.name != "listen":
        return None
    for socket in model.sockets("http").values():
        if any(listen.directive is node for _, listen in socket.members):
            ready = all(_has_certificate(server, model) for server in socket.servers)
            return (edits.appended(node, "ssl"),) if ready else None
    return None


def _has_certificate(server: Server, model: Model) -> bool:
    return all(model.effective(server.directive, name) for name in ("ssl_certificate", "ssl_certificate_key"))


def share_sessions(hit: Hit, model: Model) -> Edits:
    """A shared cache in http, or in the place of one that is not shared; ``off`` is a decision."""
    node = hit.node
    if node is None:
        return None
    family = model.family_of(node)
    shared = (
        str(token)
        for each in model.config.named("ssl_session_cache")
        for token in each.args
        if token.startswith("shared:") and model.family_of(each) == family
    )
    line = f"ssl_session_cache {next(shared, SESSIONS)}"
    if node.name == "ssl_session_cache":
        return (edits.rewritten(node, line),) if node.args[0] != "off" else None
    block = model.enclosing(node, "http")
    return (edits.first_in(block, f"{line};"),) if block is not None else None


def answer_misdirected(hit: Hit, model: Model) -> Edits:
    """421 for everything, or for what no location of the server takes; not where it answers plain HTTP, too."""
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None or not all(listen.ssl or listen.quic for listen in server.listens):
        return None
    if not server.locations:
        return (edits.last_in(server.directive, "return 421;"),)
    if any(location.is_prefix and location.pattern == "/" for location in server.locations):
        return None
    return (edits.last_in(server.directive, "location / {\n    return 421;\n}"),)


# -- stapling


def no_stapling(hit: Hit, model: Model) -> Fix | None:
    """Stapling taken out, with its verification, where no certificate that it is for can have any.

    Certificates of other authorities may lie in the directories of ACME clients other than Certbot.
    """
    node, block = hit.node, hit.node.parent if hit.node is not None else None
    if node is None or block is None or block.parent is None:
        return None
    users = [
        each for each in model.servers("http") if model.effective(each.directive, "ssl_stapling") == [node]
    ]
    if not all(_has_nothing_to_staple(each, model) for each in users):
        return None
    outer = model.flag(block.parent, "ssl_stapling", False)
    made = edits.deletion(node) if outer is False else (edits.exchanged(node, node.args[0], "off"),)
    others = [each for each in model.config.named("ssl_stapling") if each is not node]
    verify = block.first("ssl_stapling_verify")
    if made and verify is not None and (not others or block.inner == "server"):
        made += edits.deletion(verify) or ()
    sure = all(_of_lets_encrypt(each, model) for each in users) and not model.unread_files("http")
    safe = sure and not model.config.fragment
    applicability = Applicability.SAFE if safe else Applicability.UNSAFE
    title = "Write ssl_stapling off" if outer is not False else "Delete ssl_stapling"
    return Fix(title, applicability, tuple(sorted(made, key=_start))) if made else None


def _start(edit: Edit) -> tuple[str, int]:
    return edit.file, edit.start


def _has_nothing_to_staple(server: Server, model: Model) -> bool:
    """Neither a response from a file nor a responder is named, and the certificates are those of ACME clients."""
    block = server.directive
    if any(model.effective(block, name) for name in ("ssl_stapling_file", "ssl_stapling_responder")):
        return False
    return all(
        compiled(_LETS_ENCRYPT, re.IGNORECASE).search(token) or "/acme" in token or "$acme" in token
        for each in model.effective(block, "ssl_certificate")
        for token in each.args
    )


def _of_lets_encrypt(server: Server, model: Model) -> bool:
    certificates = model.effective(server.directive, "ssl_certificate")
    return all(compiled(_LETS_ENCRYPT, re.IGNORECASE).search(" ".join(each.args)) for each in certificates)


# -- headers


def add_hsts(hit: Hit, model: Model) -> Edits:
    """The header behind the other settings of the server, inherited headers repeated beside it."""
    block = hit.node
    if block is None or not block.is_block:
        return None
    merged = block.named("add_header") or model.value(block, "add_header_inherit") == "merge"
    inherited = [] if merged else model.effective(block, "add_header")
    text = "\n".join([*map(edits.statement, inherited), HSTS])
    if mask_secrets(text) != text:
        return None  # no secret is written a second time
    names = ("listen", "server_name", "ssl_certificate", "ssl_certificate_key", "add_header")
    nodes = [each for each in block.children if each.name in names]
    last = edits.standing_in(block, nodes[-1]) if nodes else None
    return (edits.after(last, text) if last is not None else edits.last_in(block, text),)


def longer_hsts(hit: Hit, model: Model) -> Edits:
    """A year. Zero takes the header back on purpose, and whether sub-domains are meant is not guessed."""
    node, token = hit.node, found_word(hit)
    if node is None or token is None:
        return None
    raw, value = edits.written(node, token), token.lower()
    age = compiled(_MAX_AGE, re.IGNORECASE).search(raw)
    if "preload" in value and "includesubdomains" not in value:
        return None
    if age is not None:
        start = token.start + age.start(2)
        end = token.start + age.end(2)
        return (edits.replaced(node.source, start, end, YEAR),) if int(age[2]) else None
    if "max-age" in value or set(token) & set("\"'\\"):
        return None
    return (edits.exchanged(node, token, f'"max-age={YEAR}; {token}"' if token else f'"max-age={YEAR}"'),)


# -- backends


def verify_backend(hit: Hit, model: Model) -> Edits:
    """Verification, where authorities and a name that a certificate can have are set already."""
    each = pass_of(hit, model)
    if each is None:
        return None
    prefix = "proxy" if each.protocol == "stream" else each.protocol
    if model.effective(each.scope, f"{prefix}_ssl_verify"):
        return None  # somebody has decided
    group = each.upstream
    named = model.effective(each.scope, f"{prefix}_ssl_name") or (
        "." in group.name if group is not None else each.target_kind == "hostname"
    )
    trusted = model.effective(each.scope, f"{prefix}_ssl_trusted_certificate")
    return _before_pass(each.directive, f"{prefix}_ssl_verify on;") if named and trusted else None


def send_name(hit: Hit, model: Model) -> Edits:
    """The name sent in the handshake."""
    node, block = hit.node, hit.node.parent if hit.node is not None else None
    if node is None or block is None:
        return None
    name = f"{node.name.removesuffix('_pass')}_ssl_server_name"
    own = block.first(name)
    return (edits.exchanged(own, own.args[0], "on"),) if own else _before_pass(node, f"{name} on;")


def name_backend(hit: Hit, model: Model) -> Edits:
    """The name of the servers, when all of the group have the same one."""
    each = pass_of(hit, model)
    if each is None or each.upstream is None:
        return None
    peers = each.upstream.peers
    hosts = {peer.address.host for peer in peers if peer.address is not None and peer.is_hostname}
    if len(hosts) != 1 or not all(peer.is_hostname for peer in peers):
        return None
    prefix = "proxy" if each.protocol == "stream" else each.protocol
    return _before_pass(each.directive, f"{prefix}_ssl_name {hosts.pop()};")


def _before_pass(node: Directive, line: str) -> Edits:
    """A line before a pass; such lines are not allowed in ``if`` and ``limit_except``."""
    allowed = node.parent is not None and node.parent.inner in ("location", "stream-server")
    return (edits.before(node, line),) if allowed else None
