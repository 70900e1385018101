"""Certificates and keys as they are on this machine (``--check-files``): dates, names, pairs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from nginxaudit.engine.results.permissions import exposed_key
from nginxaudit.engine.results.referenced_files import is_file_name
from nginxaudit.engine.results.x509 import Certificate, first_certificate
from nginxaudit.finding import Severity
from nginxaudit.hit import Hit, arg, listed
from nginxaudit.model import Model
from nginxaudit.model.names import ServerName
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import ENCRYPTING
from nginxaudit.source.fence import EVERYWHERE, read_file
from nginxaudit.source.read import ReadError
from nginxaudit.syntax.tree import Config, Directive, Token

EXPIRED, EXPIRING, FOREIGN = "certificate-expired", "certificate-expiring", "certificate-name-mismatch"
MISMATCH, EXPOSED, WEAK = "certificate-key-mismatch", "private-key-permissions", "certificate-weak"
RULES = (EXPIRED, EXPIRING, FOREIGN, MISMATCH, EXPOSED, WEAK)

Found = Iterator[tuple[str, Hit]]
"""Hits with the rules that find them."""

_OWN = "ssl_certificate"
_PREFIXES = ("", *(f"{protocol}_" for protocol in ENCRYPTING))
_NAMES = tuple([f"{prefix}{_OWN}" for prefix in _PREFIXES])
_SECRET = (*(f"{name}_key" for name in _NAMES), "ssl_session_ticket_key", *(f"{prefix}ssl_password_file" for prefix in _PREFIXES))  # fmt: skip
_MOST = 1 << 20  # bytes of a file
_FEWEST_BITS = 2048
_ANY_NAME = ("regex", "hostname", "invalid")
"""Kinds of names of which it is not known what clients ask for."""


class CertificateFiles:
    """What is wrong with the certificates and keys that one configuration names. ``options`` are those of the rules asked."""

    def __init__(self, model: Model, options: Mapping[str, Mapping[str, Any]]) -> None:
        self._model = model
        self._config: Config = model.config
        self._options = options
        self._base = os.path.dirname(self._config.main.path)
        self._read: dict[str, Certificate | None] = {}

    def found(self) -> Found:
        """All hits; those of rules that were not asked are not looked for where that costs."""
        for node, token in self._named(_NAMES):
            yield from self._dates(node, token)
            yield from self._strength(node, token)
            if MISMATCH in self._options:
                yield from self._pair(node, token)
        if EXPOSED in self._options:
            strict = self._options[EXPOSED]["strict"]
            for node, token in self._named(_SECRET):
                hit = exposed_key(node, token, os.path.join(self._base, token), strict=strict)
                if hit is not None:
                    yield EXPOSED, hit
        if FOREIGN in self._options:
            for server in self._model.servers("http"):
                yield from self._foreign(server)

    def _named(self, names: tuple[str, ...]) -> Iterator[tuple[Directive, Token]]:
        """Directives with a file; one in a file that is included twice counts once."""
        seen: set[tuple[object, int]] = set()
        for name in names:
            for node in self._config.named(name):
                token = node.args[0] if node.args else None
                if token is not None and is_file_name(token) and (node.source, node.start) not in seen:
                    seen.add((node.source, node.start))
                    yield node, token

    def _certificate(self, token: Token) -> Certificate | None:
        """The first certificate of a file; None where that cannot be read."""
        path = os.path.join(self._base, token)
        if path not in self._read:
            try:
                text = read_file(path, path, EVERYWHERE, limit=_MOST).text
            except ReadError:
                text = ""
            self._read[path] = first_certificate(text)
        return self._read[path]

    def _dates(self, node: Directive, token: Token) -> Found:
        certificate = self._certificate(token)
        if certificate is None:
            return
        now = datetime.fromtimestamp(time.time(), UTC)
        who = "clients reject the connection" if node.name == _OWN else "the backend may reject it"
        left = (certificate.last - now).days
        if not certificate.first <= now <= certificate.last:
            expired = now > certificate.last
            when = (
                f"expired on {certificate.last:%Y-%m-%d}"
                if expired
                else f"is not valid before {certificate.first:%Y-%m-%d}"
            )
            text = f"the certificate {when}: {who}"
            yield EXPIRED, Hit(arg(node, token), text, node, help="Renew the certificate.")
        elif EXPIRING in self._options and left < self._options[EXPIRING]["days"]:
            text = f"the certificate expires on {certificate.last:%Y-%m-%d}: after that, {who}"
            yield (
                EXPIRING,
                Hit(arg(node, token), text, node, help="Renew the certificate, then reload nginx."),
            )

    def _strength(self, node: Directive, token: Token) -> Found:
        certificate = self._certificate(token)
        if certificate is None:
            return
        who = "clients" if node.name == _OWN else "backends"
        if 0 < certificate.rsa_bits < _FEWEST_BITS:
            problem = f"the RSA key has {certificate.rsa_bits} bits: many {who} reject it"
        elif certificate.digest:
            problem = f"the certificate is signed with {certificate.digest}: many {who} reject it"
        else:
            return
        remedy = "Request a certificate with an EC key or with an RSA key of 2048 bits or more."
        yield WEAK, Hit(arg(node, token), problem, node, help=remedy)

    def _pair(self, node: Directive, token: Token) -> Found:
        key = _key_of(node)
        if key is None or not is_file_name(key.args[0]):
            return
        path, key_path = os.path.join(self._base, token), os.path.join(self._base, key.args[0])
        if not (os.path.isfile(path) and os.path.isfile(key_path)) or _belong_together(path, key_path):
            return
        yield (
            MISMATCH,
            Hit(
                arg(key, key.args[0]),
                f"key does not match the certificate {token} (key values mismatch)",
                key,
                related=(("the certificate", arg(node, token)),),
                help="Use the key of this certificate, and put the server certificate first in its file.",
            ),
        )

    # -- names

    def _foreign(self, server: Server) -> Found:
        model, block = self._model, server.directive
        asked = [
            (each, each.directive, each.token)
            for each in server.names
            if each.directive is not None
            and each.token is not None
            and "." in each.name
            and each.name.isascii()
        ]
        if not asked or any(each.kind in _ANY_NAME for each in server.names) or server.listen_unknown:
            return
        if not any(model.sockets("http")[listen.key].ssl for listen in server.listens):
            return
        if model.flag(block, "ssl_reject_handshake", default=False) is not False or model.is_filled_in(block):
            return
        for node in model.effective(block, _OWN):
            token = node.args[0] if node.args else None
            certificate = self._certificate(token) if token is not None and is_file_name(token) else None
            if token is None or certificate is None:
                continue
            lacking = [each for each in asked if not _covered(each[0], certificate.names)]
            if lacking:
                _, line, word = lacking[0]
                names = listed([name.name for name, _, _ in lacking], 2)
                known = listed(certificate.names, 3) if certificate.names else "no name"
                hit = Hit(
                    arg(line, word),
                    f"the certificate {os.path.basename(token)} does not cover {names}: clients reject it",
                    line,
                    related=((f"the certificate, which covers {known}", arg(node, token)),),
                    severity=None if len(lacking) == len(asked) else Severity.INFO,
                    help="Use a certificate with this name among its subject alternative names.",
                )
                yield FOREIGN, hit


def _covered(name: ServerName, known: tuple[str, ...]) -> bool:
    """Whether a certificate holds for a name, for one that it stands for if it is a wildcard."""
    if name.kind == "exact":
        host = name.name.strip("[]")
        return host in known or f"*.{host.partition('.')[2]}" in known
    if name.kind == "trailing":
        return any(each.startswith(name.name[:-1]) for each in known)
    suffix = name.name.lstrip("*")
    return any(each.endswith(suffix) or each == suffix[1:] for each in known)


# -- keys


def _key_of(node: Directive) -> Directive | None:
    """The key of a certificate: nginx takes them in pairs, the first with the first."""
    block = node.parent
    if block is None:
        return None
    keys = [each for each in block.named(f"{node.name}_key") if each.args]
    at = block.named(node.name).index(node)
    return keys[at] if at < len(keys) else None


def _belong_together(path: str, key_path: str) -> bool:
    """False where OpenSSL, which nginx asks, too, surely says that the key is another one's."""
    import ssl  # 10 ms that other runs do not spend

    def no_password() -> str:
        raise ValueError("the key is encrypted")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path, key_path, no_password)
    except ssl.SSLError as error:
        return error.reason not in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
    except (OSError, ValueError):
        return True
    return True
