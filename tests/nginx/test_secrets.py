"""Secrets in texts: known forms are found and masked, everything else stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nginxaudit.nginx.secrets import is_dummy, mask_secrets, secrets_in


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
