"""Names that secrets have: of headers, parameters, variables, query arguments, environment variables, in any spelling.

This is the only list of such names. `kind_of` splits a name into its words, so ``X-API-Key``, ``x_api_key``, ``apiKey`` and
``APIKEY`` are one name, and ``token_name`` or ``cookie_domain`` are none: their last word says that they are about a secret.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from itertools import pairwise

from nginxaudit.nginx.patterns import compiled

HINT = "pass|pw|psk|secret|token|key|cookie|auth|cred|private|jwt|sig|hmac|salt|bearer"
"""A regular expression: some part of it is in every name with a kind, in lower case."""


class Kind(Enum):
    """What the value under a name is."""

    SECRET = "secret"
    WEAK = "weak"  # often a secret: enough to mask it, not to report it
    AUTHORIZATION = "authorization"  # a scheme and credentials
    COOKIE = "cookie"  # names with values


_STRONG = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential", "jwt",
    "apikey", "secretkey", "accesskey", "privatekey", "authkey", "masterkey", "signingkey", "encryptionkey",
    "sharedkey", "accountkey", "licensekey",
)  # fmt: skip
_WEAK = frozenset(
    {"key", "auth", "private", "cred", "creds", "bearer", "sig", "signature", "hmac", "salt", "pw", "psk"}
)
_PASSES = (
    r"(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached|tunnel|redis2?|drizzle|postgres|internal|upstream)_pass\Z"
)
_NO_PASSWORDS = ("bypass", "compass", "trespass", "overpass", "underpass", "encompass", "surpass")
# Keys that find something, or that everybody may know.
_LOOKED_UP = frozenset(
    {
        "cache", "sort", "primary", "foreign", "partition", "hash", "public", "rate", "limit", "ratelimit", "bucket", "map",
        "lookup", "routing", "route", "shard", "index", "zone", "ticket", "certificate", "cert", "surrogate", "tag", "uri",
        "request", "req", "conn", "upstream", "balance", "balancer", "sticky", "log", "object", "websocket", "idempotency", "memcached",
        "redis",
    }
)  # fmt: skip
_ABOUT = frozenset(
    {
        "name", "names", "file", "files", "path", "paths", "dir", "url", "urls", "uri", "uris", "endpoint", "expiry", "expires",
        "expire", "expiration", "ttl", "type", "header", "headers", "field", "length", "len", "size", "method", "algorithm",
        "alg", "issuer", "iss", "aud", "audience", "enabled", "enable", "disabled", "required", "require", "optional",
        "policy", "domain", "samesite", "secure", "httponly", "count", "limit", "zone", "scheme", "realm", "prefix", "suffix",
        "host", "hostname", "port", "location", "status", "valid", "invalid", "ok", "present", "missing", "flag", "mode",
        "version", "timeout", "age", "lifetime", "max", "min", "service", "server", "servers", "backend", "upstream", "addr",
        "address", "rotation", "format", "pattern", "regex", "param", "params", "arg", "args", "charset", "only", "check",
        "checked", "bypass", "exists", "provided", "kind", "source", "group", "role", "user", "username", "email", "bucket",
        "manager", "store", "provider", "handler", "validation", "introspection", "class", "hint", "rules", "cache", "debug",
        "issuance", "redemption", "get", "create", "requests", "md", "id", "form", "page", "flow", "grant", "chain", "code",
    }
)  # fmt: skip
_TRAILING = frozenset(
    {
        "prod",
        "production",
        "dev",
        "staging",
        "test",
        "old",
        "new",
        "v",
        "value",
        "string",
        "data",
        "plain",
        "raw",
    }
)
_WORD = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+"
_OF_NGINX = r"\$\{?(?:arg|cookie|http|sent_http|upstream_http|upstream_cookie|sent_trailer|upstream_trailer|jwt_claim|jwt_header)_"
_SESSION = r"sess|auth|sid$"


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind | None:
    """What the value of ``name`` is, None for nothing that must be hidden. Variables are written with ``$``."""
    words = [word.lower() for word in compiled(_WORD).findall(compiled(_OF_NGINX).sub("", name))]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _TRAILING):
        words.pop()
    if not words:
        return None
    last = _singular(words[-1])
    if last.endswith("cookie"):
        return Kind.COOKIE
    if last.endswith("authorization"):
        return Kind.AUTHORIZATION
    if words[-1] in _ABOUT and not (last == "id" and "secret" in words):
        return None
    words += [one + other for one, other in pairwise(words)]
    if any(_singular(word).endswith(_STRONG) for word in words):
        return Kind.SECRET
    if last == "key" and not _LOOKED_UP.isdisjoint(words):
        return None
    if last.endswith("pass") and not last.endswith(_NO_PASSWORDS) and not compiled(_PASSES).match(name):
        return Kind.WEAK if words == ["pass"] else Kind.SECRET
    return Kind.WEAK if last in _WEAK else None


def _singular(word: str) -> str:
    return word.removesuffix("s") if not word.endswith("ss") else word


def is_personal(name: str) -> bool:
    """Whether the cookie, argument or header that the variable ``name`` holds lets its reader act as the client."""
    if kind_of(name) in (Kind.SECRET, Kind.AUTHORIZATION):
        return True
    return not name.startswith("$http_") and compiled(_SESSION).search(name.lower()) is not None
