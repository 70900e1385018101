"""Words that mutations put into configurations: values that fit somewhere, and values that fit nowhere."""

from __future__ import annotations

VALUES = (
    "on", "off", "On", "OFF", "true", "yes", "0", "1", "2", "10", "-1", "1.5", "100000000000", "4k", "1m", "2g", "10MB",
    "1k5", "30s", "500ms", "1min", "1h30m", "30s1m", "1.5s", "5y", "2M", "auto", "none", "default", "always", "any",
    "all", '""', "''", "$host", "$undefined_name", "${host}", "$", "$1", "$arg_x", "a$", "${host", "*", "~", "~*",
    "=", "!", "@named", "/path", "path", "/p?q=1", "http://", "http://127.0.0.1:8080", "127.0.0.1", "127.0.0.1:99999",
    "127.0.0.1:", "[::1]:80", "[::1", "::1", "unix:/tmp/s", "unix:", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/33",
    "zone=a:1m", "zone=one:10m", "zone=one", "keys_zone=a:1m", "key=value", "=x", "x=", "rate=1r/s", "rate=1", "burst=5",
    "nodelay", "error", "timeout", "http_500", "http_501", "warn", "debug", "info", "403", "999", "1000", "text/html",
    "*.example.com", "example.*", "~^www", "~(", "(", ")", "[a", "a{2,3}", "\\", "a\\", "utf-8", "GET", "last", "break",
    "permanent", "redirect", "max", "epoch", "-1d", "@12h", "SSLv3", "TLSv1.2", "TLS1.2", "HIGH:!aNULL", "reuseport",
    "backup", "down", "weight=2", "ssl", "http2", "udp", "default_server", "volatile", "hostnames", "%", "10%", "*.",
)  # fmt: skip

PEER = (
    "weight=0", "weight=5", "weight=-1", "weight=a", "weight", "max_fails=0", "max_fails=1.5", "max_fails=x",
    "fail_timeout=10", "fail_timeout=10s", "fail_timeout=500ms", "fail_timeout=10x", "fail_timeout=-1",
    "max_conns=5", "max_conns=-5", "backup", "down", "drain", "slow_start=10s", "resolve", "route=a", "service=http",
    "backup=1", "Backup", "max_fail=1", "weight =2", "down backup", "id=1",
)  # fmt: skip

METHODS = (
    "ip_hash;", "least_conn;", "hash $request_uri;", "hash $remote_addr consistent;", "hash;", "hash $x;", "random;",
    "random two;", "random two least_conn;", "random three;", "random two least_time=header;", "keepalive 16;",
    "keepalive 0;", "keepalive;", "keepalive_timeout 10s;", "keepalive_requests 0;", "keepalive_time 1x;", "zone u 64k;",
    "zone u 1k;", "zone u;", "zone u 64;", "sticky cookie s;", "least_time header;", "ntlm;", "queue 10;", "state /tmp/s;",
    "server 127.0.0.1:1;", "server unix:/tmp/x;", "server 127.0.0.1:99999;", "server [::1];", "health_check;",
    "least_conn on;", "ip_hash; ip_hash;", "least_conn; ip_hash;", "resolver 127.0.0.1;",
)  # fmt: skip

PATTERN = ("(", ")", "[", "]", "{2,3}", "*", "+", "?", "(?<a>", "(?P<a>x)", "(?<!a+)", "\\", "\\d", "(?i)", "|", "^", "$",
            "(?<n>.)(?<n>.)", "a{3,2}", "[z-a]", "(?>x)", "x++", "\\Kx", "(?#", "\\1")  # fmt: skip

TYPICAL = {
    "flag": ("on", "off", "ON", "1"),
    "number": ("0", "1", "16", "1k", "-1", "4096"),
    "size": ("0", "1k", "4K", "1m", "16384", "1g", "1.5k"),
    "offset": ("0", "1k", "1m", "1g", "1t"),
    "time-ms": ("0", "1", "10s", "500ms", "1h30m", "1d", "1M", "1y"),
    "time-s": ("0", "1", "10s", "500ms", "1h30m", "1M", "1y"),
    "buffers": ("4", "8", "4k", "8k", "16k", "0"),
    "size-or-variable": ("0", "4k", "$limit_rate", "$x"),
    "predicates": ("$arg_a", "0", "$cookie_b$arg_c", "$nothing"),
    "key-value": ("X-A", "$host", "$http_x", "Options", "text"),
    "access": ("user:rw", "group:r", "all:r", "user:x", "rw"),
    "path": ("t1", "1", "2", "3", "0"),
    "custom": ("off", "on", "name", "/path", "$host", "10s", "1m", "403", "http://127.0.0.1:8081", "127.0.0.1:8081", "~^x",
               "zone=one", "text/html", "default", "none", "all", "127.0.0.1", "=404", "auto", "1"),
}  # fmt: skip
