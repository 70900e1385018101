"""Lists of cipher suites in OpenSSL's notation: which weak families are left in the end.

Facts: openssl-ciphers(1), "CIPHER LIST FORMAT". Words are taken in order: ``X`` adds, ``-X`` removes until
added again, ``!X`` removes for good, ``+X`` only changes the order, ``A+B`` means suites that are both.
"""

from __future__ import annotations

import re

WEAK = ("NULL", "aNULL", "EXPORT", "DES", "3DES", "RC4", "MD5", "IDEA", "SEED", "RC2")
"""Families without encryption, without authentication, or that can be broken."""

_ALIASES = {
    "NULL": "NULL", "ENULL": "NULL", "ANULL": "aNULL", "ADH": "aNULL", "AECDH": "aNULL", "EXP": "EXPORT", "EXPORT": "EXPORT",
    "EXPORT40": "EXPORT", "EXPORT56": "EXPORT", "DES": "DES", "LOW": "DES", "3DES": "3DES", "RC4": "RC4", "MD5": "MD5",
    "IDEA": "IDEA", "SEED": "SEED", "RC2": "RC2", "COMPLEMENTOFALL": "NULL",
}  # fmt: skip
_ANONYMOUS = ("ALL", "HIGH", "AES", "AES128", "AES256", "AESGCM", "CAMELLIA", "CAMELLIA128", "CAMELLIA256", "DH",
              "COMPLEMENTOFDEFAULT", "KDHE", "KEDH")  # fmt: skip
_UNENCRYPTED = ("ECDHE", "EECDH", "KRSA", "RSA", "ARSA")
_BOTH = ("SHA", "SHA1", "SHA256", "ECDH", "KECDHE", "KEECDH", "TLSV1", "TLSV1.0", "TLSV1.2", "SSLV3")
_AT_LEVEL_0: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_ANONYMOUS, ("aNULL",)),
    **dict.fromkeys(_UNENCRYPTED, ("NULL",)),
    **dict.fromkeys(_BOTH, ("aNULL", "NULL")),
}
"""What wide words bring in at security level 0, which lets suites without authentication or encryption pass (openssl ciphers -v 'WORD:@SECLEVEL=0')."""
_LEVEL = r"@SECLEVEL=(\d)"
_STATIC_RSA = r"(?:k?RSA)(?:\+[A-Z0-9]+)*|(?:AES|CAMELLIA|ARIA|SEED|DES|RC4|IDEA)\d*-[A-Z0-9-]+"
"""Suites, and the OpenSSL names of sets of suites, whose key exchange is RSA: no prefix names another one."""
_EPHEMERAL = (
    frozenset({"ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDH"}),
    frozenset({"DHE", "EDH", "kDHE", "kEDH", "DH"}),
)
_WITHOUT_LEVEL = frozenset({"3DES"})  # 112 bits: allowed up to level 2


def weak_families(text: str) -> dict[str, str]:
    """Weak families that surely survive ``text``, each with the word that brings it in.

    What ``ALL``, ``DEFAULT`` and the like bring depends on the library and is not counted, but for what security level 0 lets in.
    """
    present: dict[str, dict[str, str]] = {}
    killed: set[str] = set()
    level = re.search(_LEVEL, text)
    open_level = is_level_0(text)
    for word in re.split(r"[:, ]+", text.strip()):
        if not word or word.startswith(("@", "+")):
            continue
        mark, name = (word[0], word[1:]) if word[0] in "!-" else ("", word)
        families = _families(name)
        if open_level and not mark:
            families |= set(_AT_LEVEL_0.get(name.upper(), ()))
        if mark == "!":
            killed.update(families if _is_alias(name) else ())
            killed.add(name.upper())
        if mark:
            _remove(present, families, name)
        elif name.upper() not in killed:
            for family in families:
                present.setdefault(family, {})[name.upper()] = word
    strict = level is not None and int(level[1]) >= 2
    return {
        family: next(iter(words.values()))
        for family, words in present.items()
        if words and family not in killed and not (strict and family not in _WITHOUT_LEVEL)
    }


def is_wide(word: str) -> bool:
    """Whether a word means good suites, too, so that weak ones are excluded beside it."""
    return word.upper() in _AT_LEVEL_0


def _is_alias(name: str) -> bool:
    return name.upper() in _ALIASES


def _remove(present: dict[str, dict[str, str]], families: set[str], name: str) -> None:
    for family in families:
        if _is_alias(name):
            present.pop(family, None)
        else:
            present.get(family, {}).pop(name.upper(), None)


def _families(name: str) -> set[str]:
    """Weak families that a word means: an alias, an intersection of them, or one suite."""
    found = {_ALIASES[part] for part in name.upper().split("+") if part in _ALIASES}
    if found or "-" not in name:
        return found
    parts = name.upper().split("-")
    found = {
        _ALIASES[part]
        for part in parts
        if part in ("NULL", "RC4", "MD5", "IDEA", "SEED", "RC2", "EXP", "ADH", "AECDH")
    }
    if "CBC3" in parts or "3DES" in parts:
        found.add("3DES")
    elif "DES" in parts:
        found.add("DES")
    return found


def lacks_ephemeral(text: str) -> bool:
    """Whether surely no suite of ``text`` up to TLS 1.2 has an ephemeral key exchange, without which recorded sessions can be decrypted later."""
    words = [word for word in re.split(r"[:, ]+", text) if word and word[0] != "@"]
    wanted = [word for word in words if word[0] not in "!-+"]
    if wanted and all(re.fullmatch(_STATIC_RSA, word) for word in wanted):
        return True
    excluded = {word[1:] for word in words if word[0] == "!"}
    return bool(wanted) and all(excluded & names for names in _EPHEMERAL)


_AEAD = ("GCM", "CCM", "CHACHA20", "POLY1305")
_NO_AEAD = frozenset(
    {"SHA", "SHA1", "MD5", "3DES", "RC4", "SSLV3", "TLSV1", "TLSV1.0", "KRSA+SHA", "SEED", "IDEA"}
)


def lacks_aead(text: str) -> bool:
    """Whether surely no suite of ``text`` up to TLS 1.2 encrypts and authenticates in one step: all have CBC, or are older."""
    wanted = [word.upper() for word in re.split(r"[:, ]+", text) if word and word[0] not in "!-+@"]
    return bool(wanted) and all(word in _NO_AEAD or _is_plain_suite(word) for word in wanted)


def _is_plain_suite(word: str) -> bool:
    """Whether a word names one suite, without AEAD: ``ECDHE-RSA-AES128-SHA256``."""
    parts = word.split("-")
    return len(parts) > 1 and parts[-1] in _MACS and not any(part.startswith(_AEAD) for part in parts)


_MACS = frozenset({"SHA", "SHA256", "SHA384", "MD5"})


def left_to_library(text: str) -> bool:
    """Whether it lets in all suites that the OpenSSL library has: in old versions some are not authenticated."""
    words = {word.upper() for word in re.split(r"[:, ]+", text)}
    return "ALL" in words and not {"!ANULL", "!ADH"} & words and re.search(_LEVEL, text) is None


def is_level_0(text: str) -> bool:
    """Whether the list sets security level 0."""
    level = re.search(_LEVEL, text)
    return level is not None and level[1] == "0"
