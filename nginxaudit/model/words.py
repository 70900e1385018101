"""Words that tell the role of a server: in host names, comments, names of groups and files.

Only whole words count, split at everything that is no letter: ``dr`` is not in ``drupal`` and
``main`` is not in ``domain``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.comments import Comments, is_annotation
from nginxaudit.syntax.tree import Comment, Token

if TYPE_CHECKING:
    from nginxaudit.model.peer import Peer

STANDBY = frozenset(
    {
        "standby", "passive", "failover", "fallback", "secondary", "spare", "dr", "disaster", "reserve",
        "backup",
    }
)  # fmt: skip
"""Words for a server that waits. (``backup`` as a word; the parameter is looked at elsewhere.)"""

ACTIVE = frozenset({"primary", "active", "main", "master"})
"""Words for a server that works. They only cancel a standby word beside them."""

FLOATING = frozenset({"vip", "vips", "vrrp", "keepalived", "floating"})
"""An address that moves between machines: the failover happens below nginx."""

MAX_COMMENT_WORDS = 5  # longer comments are prose
_CANCEL = frozenset(
    {
        "no", "not", "non", "never", "without", "was", "were", "former", "formerly", "until", "till", "since",
        "old", "ex", "disabled", "removed", "deprecated", "isn't", "aren't", "wasn't", "don't", "doesn't",
        "cannot", "can't", "todo", "fixme", "instead", "unlike", "except", "anymore", "longer",
    }
)  # fmt: skip
"""Words that turn a comment into the contrary, or into history."""

_COLLECTIVE = frozenset(
    {
        "pair", "group", "pool", "cluster", "setup", "config", "configuration", "upstream", "mode", "both",
        "all",
    }
)  # fmt: skip
"""Words that make a comment speak of the group and not of one server."""

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_LETTERS = re.compile(r"[a-z]+")
_GROUP_WORDS = frozenset({"ha", "failover", "standby", "activepassive"})
_GROUP_PAIRS = frozenset(
    {
        ("active", "passive"),
        ("active", "standby"),
        ("primary", "standby"),
        ("primary", "secondary"),
        ("primary", "backup"),
    }
)


class Mention(Struct, frozen=True):
    """A standby word for one server, and the sentence that tells where it stands."""

    word: str
    sentence: str
    place: Token | Comment


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[str, ...]:
    """Lower-case words of a name; ``stand-by`` is one word."""
    return tuple(_joined(_LETTERS.findall(text.lower())))


def mentions(peer: Peer, comments: Comments) -> list[Mention]:
    """Standby words for a server: in its host name, behind it, and on the line above it."""
    found = []
    host = _host(peer)
    word = _role(tokens(host)) if host else None
    if word:
        found.append(Mention(word, f'the host name "{host}" contains "{word}"', peer.directive.args[0]))
    behind = comments.trailing(peer.directive)
    above = comments.above(peer.directive)
    for comment, where in ((behind, "after"), (above, "above")):
        word = comment_role(comment) if comment else None
        if comment and word:
            text = comment.text.strip()
            found.append(Mention(word, f'the comment {where} {peer.text} says "{text}"', comment))
    return found


def comment_role(comment: Comment) -> str | None:
    """Standby word of a short comment; None for prose, negations and switched-off directives."""
    text = comment.text.strip().lower()
    words = _joined(_WORD.findall(text))
    if is_annotation(comment) or len(words) > MAX_COMMENT_WORDS or text.endswith((";", "{", "}", "?")):
        return None
    if not _CANCEL.isdisjoint(words) or not _COLLECTIVE.isdisjoint(words):
        return None
    return _role(words)


def host_words(peer: Peer) -> tuple[str, ...]:
    """Words of the host name, or of the name of a UNIX socket."""
    return tokens(_host(peer))


def promises_failover(name: str) -> str | None:
    """Word or pair of words by which the name of a group or file hints at a standby."""
    words = tokens(name)
    pair = next((pair for pair in pairwise(words) if pair in _GROUP_PAIRS), None)
    if pair:
        return "-".join(pair)
    return next((word for word in words if word in _GROUP_WORDS), None)


def says(name: str, first: str, second: str) -> bool:
    """Whether a name contains two words side by side, such as active and passive."""
    words = tokens(name)
    return (first, second) in pairwise(words) or first + second in words


@lru_cache(maxsize=256)
def file_stem(path: str) -> str:
    """Name of a file without directories and without its last extension."""
    return os.path.splitext(os.path.basename(path))[0]


def _joined(words: list[str]) -> list[str]:
    result: list[str] = []
    for word in words:
        if word == "by" and result and result[-1] == "stand":
            result[-1] = "standby"
        else:
            result.append(word)
    return result


def _role(words: Sequence[str]) -> str | None:
    """The standby word among ``words``, unless an active word is there too."""
    if not ACTIVE.isdisjoint(words):
        return None
    return next((word for word in words if word in STANDBY), None)


def _host(peer: Peer) -> str:
    if peer.address is None or peer.address.kind in ("inet", "inet6"):
        return ""
    return file_stem(peer.address.host) if peer.address.kind == "unix" else peer.address.host
