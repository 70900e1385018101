"""Certificates and keys as they are on this machine (``--check-files``): whether they hold today, and belong together."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from nginxaudit.engine.results.referenced_files import is_file_name
from nginxaudit.hit import Hit, arg
from nginxaudit.nginx.names import ENCRYPTING
from nginxaudit.source.fence import EVERYWHERE, read_file
from nginxaudit.source.read import ReadError
from nginxaudit.syntax.tree import Config, Directive, Token

EXPIRED, MISMATCH = "certificate-expired", "certificate-key-mismatch"
_OWN = "ssl_certificate"
_NAMES = (_OWN, *(f"{protocol}_ssl_certificate" for protocol in ENCRYPTING))
_MOST = 1 << 20  # bytes of a file
_PEM = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END ")
_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


def certificates(config: Config) -> Iterator[tuple[str, Hit]]:
    """What is wrong with the certificates and keys that ``config`` names, with the rule that says so."""
    base = os.path.dirname(config.main.path)
    seen: set[tuple[object, int]] = set()  # a file that is included twice is looked at once
    for name in _NAMES:
        for node in config.named(name):
            token = node.args[0] if node.args else None
            if token is None or not is_file_name(token) or (node.source, node.start) in seen:
                continue
            seen.add((node.source, node.start))
            path = os.path.join(base, token)
            yield from _expired(node, token, path)
            key = _key_of(node)
            if key is not None and is_file_name(key.args[0]):
                yield from _pair(node, path, key, os.path.join(base, key.args[0]))


def _key_of(node: Directive) -> Directive | None:
    """The key of a certificate: nginx takes them in pairs, the first with the first."""
    block = node.parent
    if block is None:
        return None
    keys = [each for each in block.named(f"{node.name}_key") if each.args]
    at = block.named(node.name).index(node)
    return keys[at] if at < len(keys) else None


def _expired(node: Directive, token: Token, path: str) -> Iterator[tuple[str, Hit]]:
    dates = _validity(path)
    if dates is None:
        return
    first, last = dates
    now = datetime.fromtimestamp(time.time(), UTC)
    if first <= now <= last:
        return
    when = f"expired on {last:%Y-%m-%d}" if now > last else f"is not valid before {first:%Y-%m-%d}"
    who = "clients reject the connection" if node.name == _OWN else "the backend may reject it"
    yield (
        EXPIRED,
        Hit(arg(node, token), f"the certificate {when}: {who}", node, help="Renew the certificate."),
    )


def _pair(node: Directive, path: str, key: Directive, key_path: str) -> Iterator[tuple[str, Hit]]:
    if not (os.path.isfile(path) and os.path.isfile(key_path)):
        return
    token = key.args[0]
    if not _belong_together(path, key_path):
        yield (
            MISMATCH,
            Hit(
                arg(key, token),
                f"key does not match the certificate {node.args[0]} (key values mismatch)",
                key,
                related=(("the certificate", arg(node, node.args[0])),),
                help="Use the key of this certificate, and put the server certificate first in its file.",
            ),
        )


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


# -- the dates of a certificate (RFC 5280, 4.1)


def _validity(path: str) -> tuple[datetime, datetime] | None:
    """From when to when the first certificate of a file holds; None where that cannot be read."""
    import base64
    import binascii

    try:
        found = _PEM.search(read_file(path, path, EVERYWHERE, limit=_MOST).text)
        return _dates(base64.b64decode(found[1])) if found else None
    except (ReadError, binascii.Error, ValueError, IndexError):
        return None


def _dates(data: bytes) -> tuple[datetime, datetime] | None:
    """``notBefore`` and ``notAfter``: behind the version, the serial number, the algorithm and the issuer."""
    _, start, _ = _element(data, 0)  # Certificate
    _, at, _ = _element(data, start)  # TBSCertificate
    kind, _, end = _element(data, at)
    if kind == _VERSION:
        kind, _, end = _element(data, end)
    for wanted in (_INTEGER, _SEQUENCE, _SEQUENCE):
        if kind != wanted:
            return None
        kind, start, end = _element(data, end)
    if kind != _SEQUENCE:
        return None
    first, middle = _time(data, start)
    last, _ = _time(data, middle)
    return first, last


def _time(data: bytes, at: int) -> tuple[datetime, int]:
    kind, start, end = _element(data, at)
    text = data[start:end].decode("ascii")
    return datetime.strptime(text, _TIMES.get(kind, "")).replace(tzinfo=UTC), end


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Kind, begin and end of the content of the element at ``at``. Raises `ValueError` or `IndexError` for none."""
    kind, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise ValueError("the element is longer than the data")
    return kind, start, start + length
