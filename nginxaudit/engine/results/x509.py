"""What a certificate says of itself (RFC 5280, 4.1): how long it holds, for which names, and how strong it is.

The standard library loads certificates but does not read them. Few fields are needed, and DER has three kinds of
bytes: this is shorter than a dependency.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from msgspec import Struct

_PEM = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END ")
_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET = 0x02, 0x04, 0x06, 0x30, 0x31
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
_COMMON_NAME, _ALTERNATIVE_NAMES = b"\x55\x04\x03", b"\x55\x1d\x11"
_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
_BROKEN = {
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04": "MD5",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05": "SHA-1",
    b"\x2a\x86\x48\xce\x3d\x04\x01": "SHA-1",  # ECDSA
}
"""Algorithms of signatures whose digest can be forged."""
_MOST_NAMES = 1000


class Certificate(Struct, frozen=True):
    """``names`` are its subject alternative names in lower case; without that extension the common name.

    ``rsa_bits`` is the length of an RSA key, 0 for another key. ``digest`` is the one of its signature where that can be
    forged; empty for a safe one, and where the certificate signs itself: that signature is not checked.
    """

    first: datetime
    last: datetime
    names: tuple[str, ...]
    rsa_bits: int
    digest: str


class _Element(Struct, frozen=True):
    kind: int
    content: bytes

    def children(self) -> Iterator[_Element]:
        """The elements that it consists of. Raises `ValueError` or `IndexError` where there are none."""
        yield from _elements(self.content)


def first_certificate(text: str) -> Certificate | None:
    """The first certificate in a PEM text; None where none can be read."""
    import base64
    import binascii

    try:
        found = _PEM.search(text)
        return _certificate(base64.b64decode(found[1])) if found else None
    except (binascii.Error, ValueError, IndexError):
        return None


def _certificate(data: bytes) -> Certificate | None:
    body, algorithm, *_ = next(_elements(data)).children()
    parts = list(body.children())  # of TBSCertificate
    if parts[0].kind == _VERSION:
        del parts[0]
    if [part.kind for part in parts[:6]] != [_INTEGER, *[_SEQUENCE] * 5]:
        return None
    _, _, issuer, validity, subject, key = parts[:6]
    first, last = map(_time, validity.children())
    alternative = _alternative_names(parts[6:])
    return Certificate(
        first,
        last,
        _common_names(subject) if alternative is None else alternative,
        _rsa_bits(key),
        "" if issuer == subject else _BROKEN.get(next(algorithm.children()).content, ""),
    )


def _rsa_bits(key: _Element) -> int:
    """The length of the modulus of an RSA key."""
    algorithm, bits = key.children()
    if next(algorithm.children()).content != _RSA:
        return 0
    modulus = next(next(_elements(bits.content[1:])).children())  # behind the count of unused bits
    return int.from_bytes(modulus.content, "big").bit_length()


def _alternative_names(parts: list[_Element]) -> tuple[str, ...] | None:
    """The subject alternative names; None without the extension."""
    for part in parts:
        if part.kind != _EXTENSIONS:
            continue
        for extension in next(part.children()).children():
            oid, *_, value = extension.children()
            if oid.content == _ALTERNATIVE_NAMES and value.kind == _OCTETS:
                found = list(next(value.children()).children())[:_MOST_NAMES]
                return tuple([name for each in found if (name := _general_name(each))])
    return None


def _general_name(each: _Element) -> str:
    """The name, or nothing for one of another kind or one that cannot be read."""
    try:
        if each.kind == _DNS_NAME:
            return each.content.decode("ascii").lower()
        return str(ip_address(each.content)) if each.kind == _IP_ADDRESS else ""
    except ValueError:
        return ""


def _common_names(subject: _Element) -> tuple[str, ...]:
    found = []
    for group in subject.children():
        for pair in group.children():
            oid, value = pair.children()
            if group.kind == _SET and oid.kind == _OID and oid.content == _COMMON_NAME:
                found.append(value.content.decode("utf-8", "replace").lower())
    return tuple(found)


def _time(each: _Element) -> datetime:
    text = each.content.decode("ascii")
    return datetime.strptime(text, _TIMES.get(each.kind, "")).replace(tzinfo=UTC)


def _elements(data: bytes) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        kind, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[start : start + count], "big")
            start += count
        at = start + length
        if at > len(data):
            raise ValueError("the element is longer than the data")
        yield _Element(kind, data[start:at])
