"""Names that belong together in nginx, each list once."""

from __future__ import annotations

FAMILIES = ("http", "stream", "mail")
"""Families of servers."""
BALANCED = ("http", "stream")
"""Families that have upstreams."""
UPSTREAM_CONTEXTS = frozenset({"upstream", "stream-upstream"})

EXCHANGING = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached")
"""Modules of http that send a request on and read an answer: ``proxy_pass``, ``proxy_read_timeout``, …"""
PROTOCOLS = (*EXCHANGING, "tunnel")
"""All modules of http that pass something on."""
CACHING = ("proxy", "fastcgi", "uwsgi", "scgi")
"""Those that buffer and cache answers."""
ANSWERING = (*CACHING, "grpc")
"""Those whose answers have a status and headers: ``proxy_intercept_errors``, ``proxy_hide_header``, …"""
ENCRYPTING = ("proxy", "uwsgi", "grpc")
"""Those that speak TLS to backends."""
PASS_DIRECTIVES = tuple([f"{protocol}_pass" for protocol in PROTOCOLS])
"""Directives that make a location send its requests to a server or an upstream."""
EXCHANGES = tuple([f"{protocol}_pass" for protocol in EXCHANGING])
"""Those after which a request without the final slash of the location is redirected (not ``tunnel_pass``)."""

REDIRECTS = ("301", "302", "303", "307", "308")
"""Statuses with which ``return`` sends a Location."""
ABSOLUTE = ("http://", "https://", "$scheme")
"""A replacement of ``rewrite`` that begins so is a redirect."""
REWRITE_FLAGS = ("last", "break", "redirect", "permanent")
REGEX_OPERATORS = frozenset({"~", "~*", "!~", "!~*"})
"""In the condition of ``if``."""
HTTP_METHODS = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK",
    "PATCH",
)  # fmt: skip
"""Methods that ``limit_except`` knows."""
LUA = ("_by_lua", "_by_lua_block", "_by_lua_file")
"""Ends of the names of directives with Lua."""
MAPPING = ("map", "geo", "split_clients")
"""Blocks that make a variable of another one."""
NAMING = ("try_files", "error_page", "post_action")
"""Directives whose last argument may be a named location."""
STATUS_PAGES = (
    "stub_status",
    "status",
    "api",
    "upstream_conf",
    "vhost_traffic_status_display",
    "check_status",
)
"""Directives with which nginx itself answers with its state, or changes it."""
