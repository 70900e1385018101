"""What an edit does to the lines around it: comments, empty lines."""

from __future__ import annotations

import pytest

from nginxaudit import edits
from nginxaudit.finding import Edit
from tests.model.model_support import block, model_of

_BELONGS = "events {}\nhttp {\n    tcp_nodelay on;\n\n    # why it is so\n    # in two lines\n    sendfile on; # and here\n\n    gzip on;\n}\n"
_OF_MORE = "events {}\nhttp {\n    # of both\n    sendfile on;\n    gzip on;\n}\n"
_CODE = "events {}\nhttp {\n    #gzip off;\n    sendfile on;\n\n    gzip on;\n}\n"
_FIRST = "events {}\nhttp {\n    sendfile on;\n\n    gzip on;\n}\n"


def _done(text: str, edit: Edit) -> str:
    return text[: edit.start] + edit.text + text[edit.end :]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (_BELONGS, "events {}\nhttp {\n    tcp_nodelay on;\n\n    gzip on;\n}\n"),
        (_OF_MORE, "events {}\nhttp {\n    # of both\n    gzip on;\n}\n"),
        (_CODE, "events {}\nhttp {\n    #gzip off;\n\n    gzip on;\n}\n"),
        (_FIRST, "events {}\nhttp {\n    gzip on;\n}\n"),
    ],
    ids=["belongs", "of-more", "code", "first"],
)
def test_what_is_deleted_takes_its_comments_along(text: str, left: str) -> None:
    assert _done(text, edits.deleted(block(model_of(text), "sendfile", "on"))) == left


def test_what_is_put_before_a_directive_stands_before_its_comments() -> None:
    done = _done(_OF_MORE, edits.before(block(model_of(_OF_MORE), "sendfile", "on"), "aio on;"))
    assert done == _OF_MORE.replace("    # of both", "    aio on;\n    # of both")
