"""Third-party modules: whose directive a name is when nginx itself has none of that name.

Names and prefixes are those of the modules' own documentation. A name found here is never called a
mistake: whether the module is built in cannot be seen from a configuration.
"""

from __future__ import annotations

from nginxaudit.nginx.names import LUA

_PREFIXES = {
    "accesskey": "accesskey",
    "ajp_": "ajp",
    "akamai_": "akamai-g2o",
    "array_": "array-var",
    "auth_digest": "auth-digest",
    "auth_gss": "spnego-http-auth",
    "auth_ldap": "auth-ldap",
    "auth_pam": "auth-pam",
    "aws_": "aws-auth",
    "brotli": "brotli",
    "cgi": "cgi",
    "check": "upstream-check",
    "concat": "concat",
    "datadog_": "datadog",
    "dav_ext_": "dav-ext",
    "drizzle_": "drizzle",
    "echo": "echo",
    "encrypted_session_": "encrypted-session",
    "fancyindex": "fancyindex",
    "geoip2": "geoip2",
    "iconv_": "iconv",
    "ip2location_": "ip2location",
    "ip2proxy_": "ip2proxy",
    "js_": "njs",
    "length_hiding": "length-hiding",
    "lua_": "lua",
    "memc_": "memc",
    "modsecurity": "modsecurity",
    "more_": "headers-more",
    "naxsi_": "naxsi",
    "nchan_": "nchan",
    "opentelemetry": "opentelemetry",
    "opentracing": "opentracing",
    "otel_": "otel",
    "pagespeed": "pagespeed",
    "passenger_": "passenger",
    "postgres_": "postgres",
    "push_stream_": "push-stream",
    "redis2_": "redis2",
    "redis_": "redis",
    "replace_filter": "replace-filter",
    "req_status": "req-status",
    "rtmp": "rtmp",
    "secure_link_hmac": "hmac-secure-link",
    "security_headers": "security-headers",
    "selective_cache_": "selective-cache-purge",
    "session_sticky": "session-sticky",
    "shib_": "shibboleth",
    "srcache_": "srcache",
    "stream_server_traffic_status": "stream-sts",
    "subs_filter": "substitutions",
    "testcookie": "testcookie-access",
    "upload_": "upload",
    "uploadprogress": "upload-progress",
    "upsync": "upsync",
    "vhost_traffic_status": "vts",
    "vod": "vod",
    "waf_": "waf",
    "xss_": "xss",
    "zstd": "zstd",
}
_NAMES = {
    "BasicRule": "naxsi",
    "CheckRule": "naxsi",
    "DeniedUrl": "naxsi",
    "IgnoreCIDR": "naxsi",
    "IgnoreIP": "naxsi",
    "LearningMode": "naxsi",
    "LibInjectionSql": "naxsi",
    "LibInjectionXss": "naxsi",
    "MainRule": "naxsi",
    "SecRulesDisabled": "naxsi",
    "SecRulesEnabled": "naxsi",
    "consistent_hash": "consistent-hash",
    "fair": "fair",
    "jvm_route": "jvm-route",
    "set_decode_base64": "set-misc",
    "set_decode_hex": "set-misc",
    "set_encode_base64": "set-misc",
    "set_encode_hex": "set-misc",
    "set_escape_uri": "set-misc",
    "set_form_input": "form-input",
    "set_form_input_multi": "form-input",
    "set_hashed_upstream": "set-misc",
    "set_hmac_sha1": "set-misc",
    "set_if_empty": "set-misc",
    "set_local_today": "set-misc",
    "set_md5": "set-misc",
    "set_misc_base32_padding": "set-misc",
    "set_quote_json_str": "set-misc",
    "set_quote_pgsql_str": "set-misc",
    "set_quote_sql_str": "set-misc",
    "set_random": "set-misc",
    "set_rotate": "set-misc",
    "set_secure_random_alphanum": "set-misc",
    "set_secure_random_lcalpha": "set-misc",
    "set_sha1": "set-misc",
    "set_unescape_uri": "set-misc",
    "track_uploads": "upload-progress",
    "upload_pass": "upload",
    "zipkin_collector_host": "opentracing",
}
_FILES = {
    "ngx_http_brotli_filter_module": "brotli",
    "ngx_http_brotli_static_module": "brotli",
    "ngx_http_echo_module": "echo",
    "ngx_http_geoip2_module": "geoip2",
    "ngx_stream_geoip2_module": "geoip2",
    "ngx_http_headers_more_filter_module": "headers-more",
    "ngx_http_js_module": "njs",
    "ngx_stream_js_module": "njs",
    "ngx_http_lua_module": "lua",
    "ngx_stream_lua_module": "lua",
    "ngx_http_modsecurity_module": "modsecurity",
    "ngx_http_acme_module": "acme",
    "ngx_otel_module": "otel",
    "ngx_http_app_protect_module": "app-protect",
    "ndk_http_module": "ndk",
    "ngx_rtmp_module": "rtmp",
    "ngx_nchan_module": "nchan",
    "ngx_http_vhost_traffic_status_module": "vts",
    "ngx_http_fancyindex_module": "fancyindex",
    "ngx_http_auth_pam_module": "auth-pam",
    "ngx_http_subs_filter_module": "substitutions",
    "ngx_http_upstream_fair_module": "fair",
    "ngx_http_uploadprogress_module": "upload-progress",
    "ngx_http_cache_purge_module": "cache-purge",
    "ngx_http_dav_ext_module": "dav-ext",
    "ngx_pagespeed": "pagespeed",
}
UNKNOWN_IN_STREAM = frozenset({"lua"})
"""Modules with a sibling for stream of whose directives there are no facts: they are called as in http."""

_OWN = ("_geoip_", "_image_filter_", "_perl_", "_xslt_", "ngx_mail_module", "ngx_stream_module")


def module_of(name: str) -> str | None:
    """The third-party module that offers the directive ``name``, as far as known."""
    known = _NAMES.get(name)
    if known is not None:
        return known
    if name.endswith(LUA):
        return "lua"
    return next((module for prefix, module in _PREFIXES.items() if name.startswith(prefix)), None)


def module_of_file(path: str) -> str | None:
    """The module that ``load_module path`` loads; ``""`` for one of nginx's own; None if unknown."""
    stem = path.rsplit("/", 1)[-1].removesuffix(".so")
    if any(own in stem + "_" or own == stem for own in _OWN):
        return ""
    return _FILES.get(stem)


def module_of_source(path: str) -> str | None:
    """The module whose source is in ``path``, as ``--add-module`` names it: ``../lua-nginx-module-0.10.26``."""
    words = path.lower().replace("_", "-").rstrip("/").split("/")[-2:]
    known = sorted({*_PREFIXES.values(), *_NAMES.values(), *_FILES.values()}, key=len, reverse=True)
    for word in reversed(words):
        for name in known:
            if f"-{name}-" in f"-{word}-":
                return name
    return None
