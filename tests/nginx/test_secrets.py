"""Secrets in texts: known forms are found and masked, everything else stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nginxaudit.nginx.secrets import Kind, is_dummy, is_personal, kind_of, mask_secrets, secrets_in


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('proxy_set_header Authorization "Basic dXNlcjpwYXNz";', "dXNlcjpwYXNz"),
        ("proxy_set_header Authorization 'Bearer abcDEF123456';", "abcDEF123456"),
        ("proxy_pass http://user:pw1@backend/;", "pw1"),
        ("proxy_set_header X-Api-Key abcdef123456;", "abcdef123456"),
        ('set $api_key "k-123456";', "k-123456"),
        ("proxy_pass http://b/?api_key=abcdefgh&x=1;", "abcdefgh"),
        ("env AWS=AKIAABCDEFGHIJKLMNOP;", "AKIAABCDEFGHIJKLMNOP"),
        (f"set $x ghp_{'a1' * 18};", f"ghp_{'a1' * 18}"),
        ("secure_link_secret word;", "word"),
        ("fastcgi_param spring.datasource.password abc;", "abc"),
        ("header X-API-Token abc;", "abc"),
        ("proxy_pass http://u:a/b@h/;", "a/b"),
        ("proxy_pass http://u:p@w@h/;", "p@w"),
        ('set $args "key=abc123";', "abc123"),
    ],
)
def test_a_secret_is_found_and_masked(text: str, secret: str) -> None:
    assert [text[first:last] for first, last in secrets_in(text)] == [secret]
    assert mask_secrets(text) == text.replace(secret, "*" * len(secret))


@pytest.mark.parametrize(
    "text",
    [
        "proxy_set_header Authorization $http_authorization;",
        'proxy_set_header Authorization "Bearer ${TOKEN}";',
        "ssl_certificate_key /etc/nginx/private.key;",
        "auth_jwt_key_file conf/keys.json;",
        "proxy_cache_key $http_x_api_key$uri;",
        'auth_basic "Basic authentication";',
        "proxy_pass http://backend:8080/;",
        "proxy_pass http://[::1]:8080/a@b;",
        "map $http_x_api_key $allowed {",
        "limit_req_zone $binary_remote_addr zone=token:1m rate=1r/s;",
        "proxy_pass https://host:8080/pkg@1.2;",
        "proxy_pass http://$host:$port/x@y;",
        'set $memcached_key "x$uri";',
        "proxy_pass http://token.example.com:8080/;",
        "server_name api.key.example.com www.example.com;",
        "access_log /var/log/key.log main;",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.parametrize(
    "value", ["CHANGE_ME", "xxxxxxxx", "your-token-here", "********", "password", "token1"]
)
def test_dummies_are_known(value: str) -> None:
    assert is_dummy(value)


def test_a_real_value_is_no_dummy() -> None:
    assert not is_dummy("dXNlcjpwYXNz")


@given(st.text(alphabet="Bearsic tokn-key=:/@\"';$\nA1_", max_size=200))
def test_masking_keeps_every_place(text: str) -> None:
    masked = mask_secrets(text)
    assert len(masked) == len(text)
    assert [at for at, char in enumerate(masked) if char == "\n"] == [
        at for at, char in enumerate(text) if char == "\n"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWD", "db_pwd", "dbPassword", "PassWord", "X-Pass-Phrase", "DB_PASS", "pgpass", "secret", "clientSecret", "SECRET_KEY_BASE",
        "token", "X-Auth-Token", "accesstoken", "API_TOKEN_V2", "api-key", "apiKey", "API_KEY", "X-API-Key", "APIKEY", "x_api_key_2", "$http_x_api_key",
        "privateKey", "SSH_PRIVATE_KEY", "credentials", "aws_secret_access_key", "secret_id", "jwt", "$arg_token", "DB_PASSWORD_PROD",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert kind_of(name) is Kind.SECRET


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("key", Kind.WEAK), ("X-Key", Kind.WEAK), ("auth", Kind.WEAK), ("private", Kind.WEAK), ("salt", Kind.WEAK), ("sig", Kind.WEAK),
        ("Authorization", Kind.AUTHORIZATION), ("Proxy-Authorization", Kind.AUTHORIZATION), ("$http_authorization", Kind.AUTHORIZATION),
        ("Cookie", Kind.COOKIE), ("Set-Cookie", Kind.COOKIE), ("$http_cookie", Kind.COOKIE),
    ],
)  # fmt: skip
def test_names_of_what_may_be_secret(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    "name",
    [
        "token_name", "COOKIE_DOMAIN", "password_file", "secret_path", "TOKEN_URL", "api_key_header", "X-Auth-User", "token_ttl", "auth_type",
        "proxy_pass", "fastcgi_pass", "bypass", "X-Cache-Key", "primary_key", "public_key", "Sec-WebSocket-Key", "memcached_key", "limit_key",
        "keepalive", "monkey", "tokenizer", "author", "$cookie_session", "$arg_id", "key_id", "passenger", "private_network_zone", "",
    ],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert kind_of(name) is None


def test_what_of_a_request_is_personal() -> None:
    for name in (
        "$cookie_session",
        "$cookie_PHPSESSID",
        "$arg_token",
        "$http_x_api_key",
        "$http_authorization",
        "$arg_authkey",
    ):
        assert is_personal(name), name
    for name in ("$cookie_lang", "$arg_page", "$http_authority", "$http_user_agent", "$arg_key"):
        assert not is_personal(name), name
