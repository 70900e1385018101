"""Third-party modules: whose directive a name is when nginx itself has none of that name.

Names and prefixes are those of the modules' own documentation. A name found here is never called a
mistake: whether the module is built in cannot be seen from a configuration.
"""

from __future__ import annotations

from functools import cache

from msgspec.json import decode

from nginxaudit.nginx.data_files import parts
from nginxaudit.nginx.names import LUA
from nginxaudit.nginx.records import MODULE_FIELDS

_PREFIXES = {
    "accesskey": "accesskey",
    "accounting": "traffic-accounting",
    "ajp_": "ajp",
    "akamai_": "akamai-g2o",
    "app_protect_": "app-protect",
    "array_": "array-var",
    "auth_digest": "auth-digest",
    "auth_pubtkt": "auth-pubtkt",
    "auth_radius": "auth-radius",
    "auth_totp_": "auth-totp",
    "auth_cas_": "auth-cas",
    "auth_hash": "auth-hash",
    "auth_ldap": "auth-ldap",
    "auth_saml": "auth-saml",
    "auth_gss": "spnego-http-auth",
    "auth_pam": "auth-pam",
    "aws_": "aws-auth",
    "bot_verifier": "bot-verifier",
    "brotli": "brotli",
    "captcha": "captcha",
    "cgi": "cgi",
    "check": "upstream-check",
    "concat": "concat",
    "datadog_": "datadog",
    "dav_ext_": "dav-ext",
    "drizzle_": "drizzle",
    "dubbo_": "dubbo",
    "dynamic_limit_req": "dynamic-limit-req",
    "dyups_": "dyups",
    "echo": "echo",
    "encrypted_session_": "encrypted-session",
    "enhanced_memcached_": "enhanced-memcached",
    "eval_": "eval",
    "fancyindex": "fancyindex",
    "geoip2": "geoip2",
    "google_": "google-filter",
    "graphite_": "graphite",
    "healthcheck_": "healthcheck",
    "http_accounting": "accounting",
    "iconv_": "iconv",
    "ip2location_": "ip2location",
    "ip2proxy_": "ip2proxy",
    "ipscrub_": "ipscrub",
    "jaeger_": "opentracing",
    "jdomain": "upstream-jdomain",
    "js_": "njs",
    "ketama_": "ketama-chash",
    "length_hiding": "length-hiding",
    "lightstep_": "opentracing",
    "limit_traffic_rate": "limit-traffic-rate",
    "lua_": "lua",
    "memc_": "memc",
    "modsecurity": "modsecurity",
    "mogilefs_": "mogilefs",
    "more_": "headers-more",
    "mruby_": "mruby",
    "naxsi_": "naxsi",
    "nchan_": "nchan",
    "opentelemetry": "opentelemetry",
    "opentracing": "opentracing",
    "otel_": "otel",
    "pagespeed": "pagespeed",
    "passenger_": "passenger",
    "pinba_": "pinba",
    "postgres_": "postgres",
    "push_stream_": "push-stream",
    "push_": "push",
    "rdns": "rdns",
    "rds_json": "rds-json",
    "rds_csv": "rds-csv",
    "redis2_": "redis2",
    "redis_": "redis",
    "replace_filter": "replace-filter",
    "req_status": "req-status",
    "rrd_graph": "rrd-graph",
    "rtmp": "rtmp",
    "secure_link_hmac": "hmac-secure-link",
    "security_headers": "security-headers",
    "secure_token": "secure-token",
    "selective_cache_": "selective-cache-purge",
    "sentry_": "sentry",
    "server_traffic_status": "sts",
    "session_sticky": "session-sticky",
    "sflow": "sflow",
    "shib_": "shibboleth",
    "sla_": "sla",
    "slice_arg_": "slice",
    "slowfs_": "slowfs-cache",
    "small_light": "small-light",
    "sorted_querystring_": "sorted-querystring",
    "srcache_": "srcache",
    "ssl_dyn_rec_": "dynamic-tls-records",
    "ssl_ct": "ct",
    "statsd_": "statsd",
    "stream_server_traffic_status": "stream-sts",
    "subs_filter": "substitutions",
    "sysguard": "sysguard",
    "testcookie": "testcookie-access",
    "tfs_": "tfs",
    "tnt_": "tarantool",
    "trim_": "trim",
    "unbrotli": "unbrotli",
    "unzstd": "unzstd",
    "uploadprogress": "upload-progress",
    "upload_": "upload",
    "upsync": "upsync",
    "vhost_traffic_status": "vts",
    "vod": "vod",
    "waf_": "waf",
    "xss_": "xss",
    "zipkin_": "opentracing",
    "zstd": "zstd",
}
"""Of prefixes that begin alike the longer one comes first."""
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
    "cache_purge_response_type": "cache-purge",
    "consistent_hash": "consistent-hash",
    "dynamic_resolve": "upstream-dynamic",
    "eval": "eval",
    "expires_by_types": "expires-by-types",
    "fair": "fair",
    "flv_live": "http-flv",
    "footer": "footer-filter",
    "footer_types": "footer-filter",
    "google": "google-filter",
    "gridfs": "gridfs",
    "hash_again": "upstream-hash",
    "html_sanitize": "html-sanitize",
    "jvm_route": "jvm-route",
    "let": "let",
    "lower": "lower-upper-case",
    "mongo": "gridfs",
    "ngx_fastdfs_module": "fastdfs",
    "override_method": "coolkit",
    "proxy_connect": "proxy-connect",
    "proxy_connect_address": "proxy-connect",
    "proxy_connect_allow": "proxy-connect",
    "proxy_connect_bind": "proxy-connect",
    "proxy_connect_connect_timeout": "proxy-connect",
    "proxy_connect_data_timeout": "proxy-connect",
    "proxy_connect_read_timeout": "proxy-connect",
    "proxy_connect_response": "proxy-connect",
    "proxy_connect_send_timeout": "proxy-connect",
    "rack_env": "passenger",
    "rails_env": "passenger",
    "report_uploads": "upload-progress",
    "set_base32_alphabet": "set-misc",
    "set_base32_padding": "set-misc",
    "set_cookie_flag": "cookie-flag",
    "set_decode_base32": "set-misc",
    "set_decode_base64": "set-misc",
    "set_decode_base64url": "set-misc",
    "set_decode_hex": "set-misc",
    "set_decrypt_session": "encrypted-session",
    "set_encode_base32": "set-misc",
    "set_encode_base64": "set-misc",
    "set_encode_base64url": "set-misc",
    "set_encode_hex": "set-misc",
    "set_encrypt_session": "encrypted-session",
    "set_escape_uri": "set-misc",
    "set_form_input": "form-input",
    "set_form_input_multi": "form-input",
    "set_formatted_gmt_time": "set-misc",
    "set_formatted_local_time": "set-misc",
    "set_from_accept_language": "accept-language",
    "set_hashed_upstream": "set-misc",
    "set_hmac_sha1": "set-misc",
    "set_hmac_sha256": "set-misc",
    "set_iconv": "iconv",
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
    "sticky_hide_cookie": "sticky",
    "sticky_no_fallback": "sticky",
    "strict_sni": "strict-sni",
    "strict_sni_header": "strict-sni",
    "track_uploads": "upload-progress",
    "trim": "trim",
    "untar": "untar",
    "upload_pass": "upload",
    "upload_progress": "upload-progress",
    "upload_progress_content_type": "upload-progress",
    "upload_progress_header": "upload-progress",
    "upload_progress_java_output": "upload-progress",
    "upload_progress_json_output": "upload-progress",
    "upload_progress_jsonp_output": "upload-progress",
    "upload_progress_jsonp_parameter": "upload-progress",
    "upload_progress_template": "upload-progress",
    "upper": "lower-upper-case",
    "upstream_show": "upsync",
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
_C_MODULE, _THIRD_PARTY = list(MODULE_FIELDS).index("module"), list(MODULE_FIELDS).index("third_party")
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
    return _FILES.get(stem) or _module_of_c(stem)


@cache
def _module_of_c(name: str) -> str | None:
    """The module with the C module ``name``: most files are called like it."""
    for rows in parts("modules.json")["directives"].values():
        for row in decode(rows):
            if row[_C_MODULE] == name:
                return str(row[_THIRD_PARTY])
    return None


def module_of_source(path: str) -> str | None:
    """The module whose source is in ``path``, as ``--add-module`` names it: ``../lua-nginx-module-0.10.26``."""
    words = path.lower().replace("_", "-").rstrip("/").split("/")[-2:]
    known = sorted({*_PREFIXES.values(), *_NAMES.values(), *_FILES.values()}, key=len, reverse=True)
    for word in reversed(words):
        for name in known:
            if f"-{name}-" in f"-{word}-":
                return name
    return None
