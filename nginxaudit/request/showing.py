"""A request that shows a problem: made for a server, walked through the configuration, kept if it ends as expected."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nginxaudit.finding import Witness
from nginxaudit.model import Model
from nginxaudit.model.listen import Listen
from nginxaudit.model.server import Server
from nginxaudit.request.candidates import host_of
from nginxaudit.request.records import NOTHING_KNOWN, Ask, Outcome, World

CLIENT = "203.0.113.9"
"""A client that no configuration names: the address is kept for documentation."""
CLIENT6 = "2001:db8::9"

MOST_WAYS = 16
"""Ways in which one request is followed."""


def ask_of(
    server: Server,
    target: str,
    *,
    model: Model | None = None,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    six: bool = False,
    body: int | None = None,
    client: str | None = None,
    host: str | None = None,
    tls: bool | None = None,
    named: bool = False,
) -> Ask | None:
    """A request of a stranger to a server; None where it has no socket that is known. ``six``: over IPv6.

    ``host`` is for a server that the name need not lead to, ``client`` for an address that matters,
    ``tls`` for a socket with or without TLS.
    With ``named`` TLS asks for the host, too. The ``model`` knows whether another server has made a socket one with TLS.
    """
    sockets = model.sockets("http") if model is not None else {}

    def secure(each: Listen) -> bool:
        return sockets[each.key].ssl if each.key in sockets else each.ssl

    listen = next(
        (
            each
            for each in server.listens
            if each.kind == ("inet6" if six else "inet")
            and each.port
            and not each.quic
            and tls in (None, secure(each))
        ),
        None,
    )
    if listen is None or listen.port is None:
        return None
    tls = secure(listen)
    name = next(filter(None, map(host_of, server.names)), None) or "localhost"
    return Ask(
        target,
        host or name,
        method,
        headers,
        tls,
        (host if named and host else name) if tls else None,
        None if listen.is_wildcard and not six else listen.host,
        listen.port,
        client or (CLIENT6 if six else CLIENT),
        body,
    )


def shows(
    model: Model,
    server: Server,
    asks: Iterable[Ask | None],
    holds: Callable[[Outcome], bool],
    world: World = NOTHING_KNOWN,
) -> Witness | None:
    """The first of ``asks`` that can end as ``holds`` wants it, in ``server``."""
    from nginxaudit.request.walk import trace  # only who has a request pays for it

    for ask in asks:
        if ask is None:
            continue
        found = trace(model, ask, world, explain=False, most=MOST_WAYS)
        if any(each.server is server.directive and holds(each) for each in found.outcomes):
            return witness(ask)
    return None


def witness(ask: Ask) -> Witness:
    """``ask`` as people send it to an nginx on their machine, where it has no other address."""
    six = ":" in (ask.client or "")
    address = "::1" if six and ask.address in (None, "::", "[::]") else ask.address or "127.0.0.1"
    return _sent_to(address, ask, ask.client if ask.client not in (CLIENT, CLIENT6) else None)


def sent(ask: Ask) -> Witness:
    """``ask`` as people send it to where its host is."""
    address = ask.address
    if address is None or address.startswith("unix:"):
        address = (ask.sni if ask.tls else None) or (ask.host or "").partition(":")[0] or "localhost"
    return _sent_to(address, ask)


def _sent_to(address: str, ask: Ask, sender: str | None = None) -> Witness:
    literal = f"[{address.strip('[]')}]" if ":" in address else address
    headers = (("Host", ask.host or ""), *ask.headers)
    url = f"{ask.scheme}://{literal}:{ask.port}{ask.target}"
    name = ask.sni if ask.sni != ask.host else None
    return Witness(ask.method, url, headers, sender, name, ask.body)


def gives(outcome: Outcome) -> bool:
    """The client gets something: a file, what a backend says, a text."""
    if outcome.unknown is not None or outcome.closed:
        return False
    if outcome.passed is not None:
        return outcome.status is None or outcome.status < 300
    return outcome.status is not None and outcome.status < 300 and bool(outcome.file or outcome.body)
