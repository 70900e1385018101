"""Which directives use the features that an advisory is about (the words are explained in nginxaudit/nginx/README.md)."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.hit import CheckContext
from nginxaudit.nginx.advisories import Condition
from nginxaudit.nginx.names import FAMILIES
from nginxaudit.nginx.since import TLS13_BY_DEFAULT
from nginxaudit.syntax.tree import Directive

_NOT = "not "


def opened_by(ctx: CheckContext, feature: str) -> bool:
    """Whether a flaw of the given version can be reached once ``feature`` is used: a fix should not bring it in."""
    if ctx.target.is_range:
        return False
    return any(
        feature in (*advisory.condition.needs, *advisory.condition.needs_all) and advisory.affects(ctx.target)
        for advisory in ctx.advisories().entries
    )


class Features:
    """Who uses what in a configuration, each looked up once."""

    def __init__(self, ctx: CheckContext) -> None:
        self._ctx = ctx
        self._known: dict[str, list[Directive]] = {}

    def reached(self, condition: Condition) -> list[Directive | None]:
        """The directives by which a flaw can be reached; ``[None]`` where no feature is needed, empty where one is missing."""
        wanted = [need for need in condition.needs_all if not need.startswith(_NOT)]
        unwanted = [need.removeprefix(_NOT) for need in condition.needs_all if need.startswith(_NOT)]
        if not all(map(self.users, wanted)) or any(map(self._written, unwanted)):
            return []
        if condition.together:
            return list(self._together(condition.together))
        if not condition.needs:
            return [next((user for need in wanted for user in self.users(need)), None)]
        return [user for need in condition.needs for user in self.users(need)]

    def users(self, need: str) -> list[Directive]:
        """Directives that use a feature: ``listen quic``, ``proxy_pass https``, ``a|b`` for either."""
        if need not in self._known:
            self._known[need] = [node for each in need.split("|") for node in self._of(each)]
        return self._known[need]

    def _written(self, need: str) -> bool:
        """Whether a directive is there, ``off`` or not."""
        name, _, word = need.partition(" ")
        return any(not word or word in node.args for node in self._ctx.model.config.named(name))

    def _of(self, need: str) -> Iterator[Directive]:
        family, slash, rest = need.partition("/")
        if not slash or family not in FAMILIES:
            family, rest = "", need
        name, _, word = rest.partition(" ")
        offered = (name, word) == ("ssl_protocols", "TLSv1.3")
        found = self._tls13() if offered else self._nodes(name, word)
        yield from (node for node in found if not family or self._ctx.model.family_of(node) == family)

    def _nodes(self, name: str, word: str) -> Iterator[Directive]:
        config = self._ctx.model.config
        for node in config.named(name):
            words = [token.lower() for token in node.args]
            if not word:
                if words[:1] != ["off"] and (node.children or not node.is_block):
                    yield node
            elif word == "$":
                if any("$" in each for each in words):
                    yield node
            elif name.endswith("_pass"):
                if words and words[0].startswith(f"{word}://"):
                    yield node
            elif any(each == word.lower() or each.startswith(f"{word.lower()}:") for each in words):
                yield node
        if name == "ssl_session_tickets" and not config.named(name):
            yield from config.named("ssl_verify_client")[:1]  # on by default

    def _tls13(self) -> Iterator[Directive]:
        """``listen … ssl`` whose server offers TLS 1.3."""
        model = self._ctx.model
        for node in model.config.named("listen"):
            server = node.parent
            if server is None or "ssl" not in node.args or model.unread_around(node):
                continue
            protocols = model.effective(server, "ssl_protocols")
            if protocols:
                if any("TLSv1.3" in each.args for each in protocols):
                    yield node
            elif not model.may_be_set(server, "ssl_protocols") and self._ctx.target.since(TLS13_BY_DEFAULT):
                yield node

    def _together(self, needs: tuple[str, ...]) -> Iterator[Directive]:
        """The users of the first feature in whose location all others are used, ``if`` blocks included."""
        places = [{_location(user): user for user in self.users(need)} for need in needs]
        for place, user in places[0].items():
            if place is not None and all(place in others for others in places[1:]):
                yield user


def _location(node: Directive) -> Directive | None:
    block = node.parent
    while block is not None and block.name in ("if", "limit_except"):
        block = block.parent
    return block if block is not None and block.name == "location" else None
