"""Who is let into a block."""

from __future__ import annotations

import pytest

from nginxaudit.checks.security.access import is_restricted
from tests.model.model_support import model_of


def restricted(body: str, listen: str = "8080") -> bool:
    model = model_of(f"events {{}} http {{ server {{ listen {listen}; location /x {{ {body} }} }} }}")
    return is_restricted(model, model.locations[0].directive)


@pytest.mark.parametrize(
    "body",
    [
        "deny all;", "allow 10.0.0.1; deny all;", "deny 0.0.0.0/0;", "internal;", "auth_basic r; auth_basic_user_file f;",
        "auth_request /a;", "if ($remote_user) { return 403; }", "satisfy any; deny all; auth_request /a;",
        "satisfy any; allow 10.0.0.1; auth_request /a;",
    ],
)  # fmt: skip
def test_restricted(body: str) -> None:
    assert restricted(body)


@pytest.mark.parametrize(
    "body",
    [
        "", "allow 10.0.0.1;", "deny 10.0.0.1;", "allow all; deny all;", "deny ::/0;", "auth_basic r;", "auth_basic off; auth_basic_user_file f;",
        "satisfy any; allow all; auth_request /a;", "if ($request_method = PUT) { return 403; }",
    ],
)  # fmt: skip
def test_open(body: str) -> None:
    assert not restricted(body)


def test_the_family_of_the_socket_counts() -> None:
    assert not restricted("deny 0.0.0.0/0;", listen="[::]:8080")
    assert restricted("deny ::/0;", listen="[::]:8080")
    assert not restricted("deny ::/0;", listen="[::]:8080 ipv6only=off")
    assert restricted("", listen="127.0.0.1:8080")
    assert restricted("", listen="unix:/tmp/s")
