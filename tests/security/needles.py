"""Secrets as people write them into configurations: each is a line, and what of it must never be shown.

Tokens are put together here, so that whoever looks for secrets in this repository finds none. `HARMLESS` are lines that have names
of secrets in them, and nothing to hide.
"""

from __future__ import annotations

import base64
import random
import string

_random = random.Random(7)


def _word(length: int = 12, alphabet: str = string.ascii_lowercase + string.digits) -> str:
    """A word with a digit and a letter in it that is in no other text."""
    body = "".join(_random.choice(alphabet) for _ in range(length - 2))
    return f"q{body}7"


def _letters(length: int = 14) -> str:
    return "zq" + "".join(_random.choice("bcdfghjkmnpqrtvwxz") for _ in range(length - 2))


def _token(prefix: str, length: int = 36) -> str:
    return prefix + _word(length, string.ascii_letters + string.digits)


def _basic() -> str:
    return base64.b64encode(f"admin:{_word()}".encode()).decode().rstrip("=")


def _key() -> str:
    return "".join(_random.choice(string.ascii_letters + string.digits + "+/") for _ in range(64))


# Where a line belongs: main, http, server, location. "{}" is the secret.
_LINES: list[tuple[str, str, str]] = [
    # by the name of a header, a parameter, a variable; in every spelling, of any length
    ("location", "proxy_set_header X-Api-Key {};", _word()),
    ("location", 'proxy_set_header X-API-Key "{}";', _letters()),
    ("location", "proxy_set_header apikey '{}';", _letters(9)),
    ("location", "proxy_set_header\n            X-Auth-Token\n            {};", _letters()),
    ("location", "proxy_set_header X-Secret # why\n            {};", _letters()),
    ("location", "proxy_set_heder X-Vault-Token {};", _letters()),
    ("location", "grpc_set_header x-access-token {};", _word(5)),
    ("location", "fastcgi_param DB_PASSWORD {};", _letters(8)),
    ("location", "fastcgi_param dbPasswd {};", _letters(8)),
    ("location", 'fastcgi_param MYSQL_PWD "{}" if_not_empty;', _letters(8)),
    ("location", "fastcgi_param SECRET_KEY_BASE {};", _word(40)),
    ("location", "fastcgi_param DB_PASS {};", _word(6)),
    ("location", "uwsgi_param PASSPHRASE '{}';", "correct " + _letters(6)),
    ("location", "scgi_param CREDENTIALS {};", _letters()),
    ("location", "uwsgi_param AWS_SECRET_ACCESS_KEY {};", _word(40, string.ascii_letters + string.digits + "/+")),
    ("location", "add_header X-Private-Key {};", _letters()),
    ("location", "add_trailer X-Key {};", _letters()),
    ("location", 'more_set_headers "X-Api-Key: {}";', _letters()),
    ("location", "more_set_input_headers 'Authorization: Bearer {}';", _letters()),
    ("location", "set $api_key {};", _letters(7)),
    ("location", 'set $backendPassword "{}";', "a\\\"" + _letters()),
    ("location", "set $k9_token pre_{}_$host;", _word()),
    ("location", "js_var $jwt_secret {};", _letters()),
    ("location", "redis_auth_password {};", _letters()),
    ("main", "env ADMIN_PASSWORD={};", _letters()),
    ("main", "env apiToken={};", _word(4)),
    # schemes
    ("location", 'proxy_set_header Authorization "Bearer {}";', _letters()),
    ("location", 'proxy_set_header Authorization "Basic {}";', _basic()),
    ("location", 'proxy_set_header Authorization "Negotiate {}";', _letters(24)),
    ("location", 'proxy_set_header Proxy-Authorization "Token {}";', _letters()),
    ("location", "proxy_set_header Authorization {};", _word()),
    ("location", 'proxy_set_header X-Forwarded-Access "Bearer {}";', _token("", 30)),
    ("location", 'proxy_set_header Cookie "session={}; lang=en";', _letters()),
    ("location", 'add_header Set-Cookie "sid={}; Path=/; HttpOnly";', _letters()),
    # conditions and maps
    ("location", "if ($http_x_api_key = {}) {{ return 403; }}", _letters()),
    ("location", 'if ($arg_token != "{}") {{ return 403; }}', _letters(9)),
    ("location", "if ($http_authorization ~ ^Bearer\\s+{}$) {{ return 403; }}", _word()),
    ("location", 'if ($http_cookie ~* "admin={}") {{ return 403; }}', _word()),
    ("http", "map $http_x_api_key $client {{ default 0; {} acme; }}", _letters()),
    ("http", 'map $http_x_api_key $client2 {{\n        default 0;\n        # partner\n        "{}" 1;\n    }}', _letters()),
    ("http", "map $arg_apikey $client3 {{ ~^{}$ 1; }}", _word()),
    ("http", "map $host $backend_token {{ default {}; a.example b; }}", _letters()),
    ("http", "map $http_x_token $next_token {{ abcdef {}; }}", _letters()),
    # directives
    ("location", 'secure_link_md5 "$secure_link_expires$uri$remote_addr {}";', _letters()),
    ("location", "secure_link_md5 {}$uri;", _word()),
    ("location", "secure_link_secret {};", _letters(6)),
    ("location", 'encrypted_session_key "{}";', _word(32)),
    ("location", "auth_basic_user_file 'data:admin:{{PLAIN}}{}';", _letters()),
    ("location", "auth_jwt_key_file data:{};", _letters()),
    ("location", "auth_basic_user_file 'data:bob:$apr1$saltsalt${}';", _word(22)),
    ("location", 'auth_jwt_key_file "data:{{\\"keys\\":[{{\\"kty\\":\\"oct\\",\\"k\\":\\"{}\\"}}]}}";', _letters()),
    ("location", "auth_jwt_key_file 'data:{{\"keys\":[{{\"k\":\"{}\"}}]}}';", _letters()),
    ("location", "sub_filter '__API_KEY__' '{}';", _letters()),
    # known forms, whatever they are called
    ("location", "proxy_set_header X-One {};", _token("sk" + "-proj-", 30)),
    ("location", "proxy_set_header X-Two {};", _token("npm" + "_", 36)),
    ("location", "proxy_set_header X-Three {};", _token("hvs" + ".", 24)),
    ("location", "proxy_set_header X-Vault {};", "s." + _word(23, string.ascii_letters) + "Q"),
    ("location", "proxy_set_header X-Four {};", _token("ghp" + "_", 36)),
    ("location", "proxy_set_header X-Five {};", _token("github" + "_pat_", 40)),
    ("location", "proxy_set_header X-Six {};", _token("glpat" + "-", 20)),
    ("location", "proxy_set_header X-Seven {};", "AKIA" + "".join(_random.choice(string.ascii_uppercase) for _ in range(16))),
    ("location", "proxy_set_header X-Eight {};", "xox" + "b-" + "-".join(_word(12) for _ in range(3))),
    ("location", "proxy_set_header X-Nine {};", "eyJhbGciOiJI" + _word(8) + ".eyJzdWIiOiIx" + _word(8) + "." + _token("", 20)),
    ("location", "proxy_set_header X-Ten {};", _token("sk" + "_live_", 24)),
    # addresses
    ("location", "proxy_pass http://user:{}@127.0.0.1:9002/;", _letters()),
    ("location", 'set $mirror "ftp://anonymous:{}@ftp.example.com/pub";', _letters()),
    ("location", "set $store redis://:{}@127.0.0.1:6379/0;", _letters()),
    ("location", "proxy_pass http://127.0.0.1:9002/x?token={};", _letters()),
    ("location", "return 302 https://example.com/?sig={}&x=1;", _word()),
    ("location", "rewrite ^ https://example.com/?a=1&jwt={} permanent;", _word()),
    ("location", "return 302 https://example.com/?api_key={};", _letters(8)),
    ("location", "proxy_pass https://blob.example.com/c?sv=1&se=2&X-Amz-Signature={};", _word(20)),
    ("location", "proxy_pass https://hooks.slack.com/services/{};", "T0" + "ABCDEFG/B0" + "HIJKLMN/" + _token("", 20)),
    ("location", "proxy_pass https://discord.com/api/webhooks/{};", "1234567890/" + _token("", 30)),
    ("location", "proxy_pass https://api.telegram.org/bot{}/sendMessage;", "123456789:AA" + _token("", 32)),
    ("location", "proxy_pass https://proxy.example/webhook/a@b/IncomingWebhook/{}/c;", _word(20)),
    # Lua, JavaScript, JSON
    ("location", "access_by_lua_block {{ local api_key = [[{}]] }}", _letters()),
    ("location", "access_by_lua_block {{ cfg.token = [==[{}]==] }}", _letters()),
    ("location", "access_by_lua_block {{ red:auth([[{}]]) }}", _letters()),
    ("location", "set_by_lua $api_token 'return \"{}\"';", _letters()),
    ("location", "set_by_lua_block $api_token {{ return '{}' }}", _letters()),
    ("location", 'access_by_lua_block {{ local api_key = "{}" }}', _letters()),
    ("location", "access_by_lua_block {{ ngx.req.set_header('X-Api-Key', '{}') }}", _letters()),
    ("location", 'access_by_lua_block {{ local t = {{ ["password"] = "{}" }} }}', _letters()),
    ("location", 'access_by_lua_block {{ red:auth("{}") }}', _letters()),
    ("location", "access_by_lua_block {{ -- secret = {}\n ngx.exit(403) }}", _word()),
    ("location", "return 200 '{{\"token\": \"{}\"}}';", _letters()),
    # comments
    ("location", "# password: {}\n        proxy_buffering off;", _letters()),
    ("location", "# api key = {}\n        proxy_buffering off;", _word()),
    ("location", "# the old password was {}\n        proxy_buffering off;", _word()),
    ("location", "# proxy_set_header X-Api-Key {};\n        proxy_buffering off;", _letters()),
    ("location", '# curl -H "Authorization: Bearer {}" http://x/\n        proxy_buffering off;', _letters()),
    ("location", "# curl -u admin:{} http://x/\n        proxy_buffering off;", _letters()),
    ("location", "proxy_buffering off; # token={}", _letters()),
    ("location", "# -----BEGIN RSA PRIVATE KEY-----\n        # {}\n        proxy_buffering off;", _key()),
    ("location", "# nginxaudit: ignore[proxy-buffering-off] the password is {}\n        proxy_buffering off;", _word()),
]  # fmt: skip

NEEDLES = tuple(
    secret.replace("\\", "") if "\\" not in secret else secret.rpartition('"')[2] for _, _, secret in _LINES
)
"""What must be in no output."""

HARMLESS = (
    "proxy_set_header Authorization $http_authorization;",
    'proxy_set_header Authorization "Bearer $cookie_session";',
    'proxy_set_header Authorization "";',
    "proxy_set_header Cookie $http_cookie;",
    'proxy_set_header X-Api-Key "${API_KEY}";',
    "proxy_set_header X-Auth-Request-User $upstream_http_x_user;",
    "proxy_set_header Sec-WebSocket-Key $http_sec_websocket_key;",
    "proxy_hide_header Set-Cookie;",
    "proxy_ignore_headers Set-Cookie Cache-Control;",
    "proxy_cache_key $scheme$host$request_uri$cookie_session;",
    'proxy_cache_key "static$uri";',
    "ssl_certificate_key /etc/ssl/private/example.com.key;",
    "ssl_certificate_key certs/example.key;",
    "ssl_session_ticket_key /run/nginx/ticket.key;",
    "ssl_password_file /etc/nginx/passwords;",
    "proxy_ssl_password_file /run/secrets/pw;",
    "auth_basic_user_file /etc/nginx/htpasswd;",
    'auth_basic "Password required";',
    'auth_jwt "api" token=$cookie_auth_token;',
    "auth_jwt_key_file conf/keys.json;",
    "auth_request_set $token $upstream_http_x_token;",
    "hash $request_uri consistent;",
    "limit_req_zone $http_x_api_key zone=token:10m rate=1r/s;",
    "limit_req_zone $binary_remote_addr zone=key:10m rate=1r/s;",
    "proxy_cache_path /var/cache keys_zone=token:10m;",
    "keyval_zone zone=tokens:1m;",
    "sticky cookie session expires=1h domain=.example.com path=/;",
    "sticky route $cookie_session $arg_token;",
    "server_tokens off;",
    "set_by_lua_file $token /etc/nginx/lua/token.lua;",
    "set_by_lua_block $token { return ngx.var.arg_x }",
    "sub_filter 'token' 'jeton';",
    "add_header X-Logo 'data:image/png;base64,abc';",
    "location ~ ^/token[[:alnum:]]+$ { return 204; }",
    "proxy_set_header X-Host s.example.com;",
    'add_header Access-Control-Allow-Headers "Authorization, X-Api-Key, Cookie" always;',
    "add_header Access-Control-Allow-Credentials true always;",
    'add_header Cache-Control "private, max-age=0" always;',
    "add_header Vary Cookie;",
    "add_header X-Cache-Key $uri;",
    "add_header WWW-Authenticate 'Basic realm=\"private\"' always;",
    "set $has_token 0;",
    'set $token "";',
    "set $token_name session_token;",
    "set $secret_file /run/secrets/db;",
    "set $password_policy strict;",
    "fastcgi_param HTTP_AUTHORIZATION $http_authorization;",
    "fastcgi_param PRIVATE_KEY /etc/ssl/private/app.pem;",
    "fastcgi_param TOKEN_TTL 3600;",
    "fastcgi_param API_KEY __API_KEY__;",
    "uwsgi_param COOKIE_DOMAIN example.com;",
    "env API_KEY;",
    'if ($http_authorization = "") { return 401; }',
    'if ($http_authorization !~ "^Bearer ") { return 401; }',
    'if ($http_cookie ~* "wordpress_logged_in") { set $skip 1; }',
    "if ($cookie_session = off) { return 403; }",
    'map $http_authorization $has_token { default 1; "" 0; }',
    'map $http_x_api_key $limit { default $http_x_api_key; "" $binary_remote_addr; }',
    "proxy_pass http://user:$password@backend/;",
    "map $cookie_session $bucket { default a; ~^[0-7] b; }",
    'log_format main "$remote_user $cookie_session token=$arg_token";',
    "proxy_pass http://token-service:8080/;",
    "proxy_pass http://auth.example.com/oauth/token;",
    "proxy_pass http://backend/?key=$arg_key;",
    "location /token { return 404; }",
    "location = /api/keys/list { return 404; }",
    'return 401 "Missing Authorization header";',
    "rewrite ^/token/(.*)$ /auth?token=$1 last;",
    "secure_link $arg_md5,$arg_expires;",
    "secure_link_md5 $secure_link_expires$uri$remote_addr;",
    "valid_referers none blocked server_names ~token;",
    "# Basic Settings",
    "# pass the token to the backend",
    "# the key of the cache is the path",
    "# cookie: we strip what it sets",
    "# fastcgi_pass unix:/run/php/php7.4-fpm.sock;",
    "# see https://user@example.com/ and mail to mailto:admin@example.com",
    "server { server_name www.example.com; listen 443 ssl; } # listens on the private network",
    "access_by_lua_block { local token = ngx.var.cookie_token }",
    'access_by_lua_block { ngx.req.set_header("Authorization", ngx.var.http_authorization) }',
)
"""Lines of which nothing is masked."""


def configuration(*, broken: bool = False) -> str:
    """A whole configuration with every line; with ``broken`` one that nginx cannot read to its end."""
    lines: dict[str, list[str]] = {}
    for where, line, secret in _LINES:
        lines.setdefault(where, []).append(line.format(secret))
    locations = "".join(
        f"        location /l{number} {{\n        {line}\n        }}\n"
        for number, line in enumerate(lines["location"])
    )
    return (
        "\n".join(lines["main"])
        + "\nevents {}\nhttp {\n    "
        + "\n    ".join(lines["http"])
        + "\n    upstream shop { server 127.0.0.1:8081; server 127.0.0.1:8082 backup; }\n    server {\n        listen 8080;\n"
        + "        location / { proxy_pass http://shop; }\n"
        + locations
        + ("        server_tokens on\n" if broken else "")
        + "    }\n}\n"
    )
