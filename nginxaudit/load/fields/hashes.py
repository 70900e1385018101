"""Hash tables that nginx builds in the end: a key that no bucket holds is refused.

``ngx_hash_init`` (src/core/ngx_hash.c): an element is a pointer, the length of the key in two bytes and the key, in
whole words; a bucket holds elements and a pointer that ends them. A bucket has whole cache lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from nginxaudit.load.base import LoadState, Mistake, finally_
from nginxaudit.model.scope import family_of, is_directive
from nginxaudit.syntax.tree import Directive, Token

RULE = "hash-bucket-overflow"
CACHE_LINE = 64  # bytes, on x86-64 and nearly all of ARM
LARGEST_BUCKET = 65536 - CACHE_LINE
POINTER = 8
_LEAST = CACHE_LINE
_SIZED = {
    "proxy_set_header": "proxy_headers_hash",
    "proxy_hide_header": "proxy_headers_hash",
    "fastcgi_param": "fastcgi_params_hash",
    "scgi_param": "scgi_params_hash",
    "uwsgi_param": "uwsgi_params_hash",
    "grpc_set_header": "grpc_headers_hash",
    "fastcgi_hide_header": "fastcgi_hide_headers_hash",
    "scgi_hide_header": "scgi_hide_headers_hash",
    "uwsgi_hide_header": "uwsgi_hide_headers_hash",
    "grpc_hide_header": "grpc_headers_hash",
}
"""Lists of headers and parameters, and the hash that is built of them."""
_PARAMETERS = ("fastcgi_param", "scgi_param", "uwsgi_param")
_TYPES = ("gzip_types", "charset_types", "addition_types", "ssi_types", "sub_filter_types", "xslt_types")
_WITH_SIZES = frozenset(
    {"map_hash", "variables_hash", "server_names_hash", "types_hash", "referer_hash", "proxy_headers_hash"}
)
"""Hashes of which a directive sets the size of the buckets."""


def element_size(key: str) -> int:
    """Bytes that a key takes in its bucket."""
    length = len(key.encode("utf-8", "surrogateescape")) + 2
    return POINTER + -(-length // POINTER) * POINTER


def whole_lines(size: int) -> int:
    """The size of a bucket as nginx rounds it."""
    return -(-size // CACHE_LINE) * CACHE_LINE


def is_wildcard(name: str) -> bool:
    """Whether a host name stands for several."""
    return name.startswith(("*.", ".")) or name.endswith(".*")


def longest_part(name: str) -> str:
    """What of a host name is a key: all of it, or of one with a wildcard the longest label, for each has its own hash."""
    if is_wildcard(name):
        return max((part for part in name.split(".") if part != "*"), key=len, default="")
    return name


def number_set(load: LoadState, scope: Directive, directive: str, default: int) -> int | None:
    """The number that is in effect in ``scope``; None where it is not known."""
    written = load.model.value(scope, directive)
    if load.model.may_be_set(scope, directive) or (written is not None and not written.isdecimal()):
        return None
    return int(written) if written is not None else default


def bucket_size(load: LoadState, scope: Directive, hash_name: str) -> int | None:
    """Bytes of a bucket in a hash of which a directive sets them; None where they are not known."""
    size = number_set(load, scope, f"{hash_name}_bucket_size", _LEAST)
    return whole_lines(size) if size is not None else None


def overflow(
    load: LoadState, scope: Directive, hash_name: str, key: str, token: Token, node: Directive
) -> Iterator[Mistake]:
    """A mistake if no bucket of the hash, as it is in ``scope``, holds ``key``."""
    needed = element_size(key) + POINTER
    if needed <= _LEAST:
        return
    directive = f"{hash_name}_bucket_size"
    size = bucket_size(load, scope, hash_name) if hash_name in _WITH_SIZES else _LEAST
    if size is not None and needed > size:
        remedy = (
            f"Set {directive} {whole_lines(needed)};"
            if hash_name in _WITH_SIZES
            else "Shorten it: the size of this hash is fixed."
        )
        length = len(key.encode("utf-8", "surrogateescape"))
        message = f"could not build {hash_name}: {length} bytes do not fit into {directive} {size}"
        yield Mistake(RULE, message, token, remedy, node)


@finally_
def maps(load: LoadState) -> Iterator[Mistake]:
    """Keys of ``map``: the size that counts is known where the block is."""
    for block in _directives(load, "map"):
        if not block.is_block or block.parent is None:
            continue
        hostnames = has_host_names(block)
        for key, line in keys_of(block):
            yield from overflow(
                load, block.parent, "map_hash", longest_part(key) if hostnames else key, line.word, line
            )


def has_host_names(block: Directive) -> bool:
    """Whether keys of a ``map`` are host names, perhaps with wildcards."""
    return any(line.name == "hostnames" and not line.args for line in block.children)


def keys_of(block: Directive) -> Iterator[tuple[str, Directive]]:
    """Keys of a ``map`` that are no regular expressions, with their lines."""
    for line in block.children:
        key = str(line.name).lower()
        if len(line.args) == 1 and not key.startswith("~") and key not in ("default", "include"):
            yield key.removeprefix("\\"), line


@finally_
def variables(load: LoadState) -> Iterator[Mistake]:
    """Names of variables that the configuration defines."""
    for family in ("http", "stream"):
        for name, nodes in load.model.variable_definitions(family).items():
            if element_size(name) + POINTER <= _LEAST:
                continue
            node = nodes[0]
            outermost = [block for block in node.ancestors() if block.name == family]
            token = next((each for each in node.args if name in each.lower()), node.word)
            yield from overflow(
                load, outermost[-1] if outermost else node, "variables_hash", name, token, node
            )


@finally_
def referers(load: LoadState) -> Iterator[Mistake]:
    """Names of ``valid_referers``, without the paths behind them."""
    for node in _directives(load, "valid_referers"):
        for token in node.args:
            if not token.startswith("~"):
                name = longest_part(token.partition("/")[0].lower())
                yield from overflow(load, node.parent or node, "referer_hash", name, token, node)


@finally_
def extensions(load: LoadState) -> Iterator[Mistake]:
    """Extensions of ``types``."""
    for block in _directives(load, "types"):
        for line in block.children:
            for token in line.args if line.name != "include" else ():
                for scope in _scopes(load, block)[:1]:
                    yield from overflow(load, scope, "types_hash", token.lower(), token, line)


@finally_
def headers_and_types(load: LoadState) -> Iterator[Mistake]:
    """Names of headers and parameters that are set or hidden, and MIME types: the latter hashes have fixed sizes."""
    for name, hash_name in _SIZED.items():
        for node in _directives(load, name):
            key = _header(node)
            if element_size(key) + POINTER > _LEAST and not _passed(load, node, key):
                for scope in _scopes(load, node)[:1]:
                    yield from overflow(load, scope, hash_name, key, node.args[0], node)
    for name in _TYPES:
        for node in _directives(load, name):
            long = [token for token in node.args if element_size(token) + POINTER > _LEAST]
            if long and "*" not in node.args and _scopes(load, node):
                yield from chain.from_iterable(
                    overflow(load, node, "test_types_hash", token.lower(), token, node) for token in long
                )


def _header(node: Directive) -> str:
    """What of a directive is a key: a parameter is one only where it is a header of the client."""
    key = str(node.args[0]) if node.args else ""
    if node.name in _PARAMETERS:
        return key.removeprefix("HTTP_") if key.startswith("HTTP_") else ""
    return key


def _passed(load: LoadState, node: Directive, key: str) -> bool:
    """Whether a header that is hidden is passed all the same: then it is in no hash."""
    passing = node.name.replace("_hide_", "_pass_")
    return passing != node.name and any(
        other.args and other.args[0].lower() == key.lower()
        for other in load.model.effective(node.parent or node, passing)
    )


def _scopes(load: LoadState, node: Directive) -> list[Directive]:
    """Blocks for which nginx builds the hash: that of the directive, or of one in http the first server that has it."""
    parent = node.parent
    if parent is None or parent.name != "http":
        return [] if parent is None else [parent]
    servers: Iterable[Directive] = parent.named("server")
    return [server for server in servers if node in load.model.effective(server, node.name)][:1]


def _directives(load: LoadState, name: str) -> Iterator[Directive]:
    return (
        node
        for node in load.model.config.named(name)
        if is_directive(node) and family_of(node) in ("http", "stream")
    )
