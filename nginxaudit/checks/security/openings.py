"""Requests that get files, pages or methods that were not meant for them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from nginxaudit.checks.witnesses import PLAIN, Try, carrying, shown
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext
from nginxaudit.model import Model
from nginxaudit.model.access import access_of, read_network
from nginxaudit.model.location import Location
from nginxaudit.request.records import NOTHING_KNOWN, Outcome, World
from nginxaudit.request.showing import gives
from nginxaudit.request.uri import encoded
from nginxaudit.syntax.tree import Directive

_PAGES = frozenset({"stub_status", "api", "status"})
LOGGED_IN = World(user="user", password=True)
_WRITING = ("PUT", "DELETE")


def _addresses(model: Model, block: Directive) -> Iterator[str | None]:
    """Clients that a block may let in: any, then one of each network that it allows."""
    yield None
    for rule in access_of(model, block).rules:
        if rule.allow and rule.network is not None:
            yield _first_of(str(rule.directive.args[0]))


def _first_of(network: str) -> str | None:
    """An address of a network; None for ``all`` and ``unix:``."""
    read = read_network(network)
    if read is None:
        return None
    return str(read[0].network_address + int(read[0].num_addresses > 2))


def status_page(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request for a page about nginx."""
    if node.name not in _PAGES or node.parent is None:
        return None
    return shown(ctx, node.parent, lambda end: end.status == 200 and not end.file and not end.passed)


def decided(ctx: CheckContext, node: Directive, earlier: Directive) -> Witness | None:
    """A request of a client that the rule ``node`` names, decided by the one before it."""
    client = _first_of(str(node.args[0])) or _first_of(str(earlier.args[0]))
    refused = earlier.name == "deny"
    six = client is not None and ":" in client
    tries = (Try(client=client, six=six),)

    def ends(end: Outcome) -> bool:
        return end.unknown is None and (end.status == 403) is refused

    return shown(ctx, node, ends, tries, through=earlier)


def written(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that writes or deletes a file."""
    tries = [
        Try(tail="x", method=method, body=1 if method == "PUT" else None)
        for method in _WRITING
        if method in node.args
    ]
    return shown(ctx, node, lambda end: end.status in (201, 204) and end.file is not None, tries)


def file_of(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that a block answers with something."""
    return shown(ctx, node, gives, (Try(tail="/x"), *PLAIN, Try(tail="x")))


def unmerged(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request with two slashes that gets past a location with access rules."""
    from nginxaudit.checks.security.bypasses import guarded_locations

    for guarded in ctx.once(guarded_locations):
        block, location = guarded.server.directive, guarded.location
        if location.is_prefix and node in ctx.model.effective(block, node.name):
            found = shown(ctx, block, gives, (Try(target=f"/{encoded(location.pattern)}"),))
            if found is not None:
                return found
    return None


def secret_file(ctx: CheckContext, path: str, world: World = NOTHING_KNOWN) -> Witness | None:
    """A request for a file by its name below a directory that is served."""
    for name in ("root", "alias"):
        for node in ctx.model.config.named(name):
            directory = str(node.args[0]).rstrip("/") if node.args else ""
            if not directory or not path.startswith(f"{directory}/"):
                continue
            rest = encoded(path[len(directory) :])
            tries = (Try(tail=rest),) if name == "alias" else (Try(target=rest),)
            found = shown(ctx, node, lambda end: end.status == 200 and end.file == path, tries, world=world)
            if found is not None:
                return found
    return None


def below(ctx: CheckContext, node: Directive, directory: str, target: str = "") -> Witness | None:
    """A request for a file below a directory, or for what is called ``target``."""
    prefix = directory.rstrip("/") + "/"
    tries = (
        [Try(target=target), Try(tail=target), Try(tail=target[1:])]
        if target
        else [Try(tail="/x"), Try(tail="x")]
    )
    return shown(
        ctx,
        node,
        lambda end: end.status == 200 and end.file is not None and _normal(end.file).startswith(prefix),
        tries,
    )


def _normal(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")


def traversal(ctx: CheckContext, location: Location, directory: str, tail: str) -> Witness | None:
    """A request for a file beside a directory, with what follows the text of the location."""
    node = location.directive
    alias = node.first("alias")
    if alias is None:
        return None
    clients = list(dict.fromkeys(_addresses(ctx.model, node)))
    if location.is_regex:
        targets = [target for target in carrying(ctx.model, alias, tail) if ".." in target]
        tries = [Try(target=target, client=client) for target in targets for client in clients]
    else:
        tries = [Try(tail=tail, client=client) for client in clients]
    inside = directory.rstrip("/") + "/"

    def ends(end: Outcome) -> bool:
        return end.status == 200 and end.file is not None and not _normal(end.file).startswith(inside)

    return shown(ctx, node, ends, tries)


def listing(ctx: CheckContext, block: Directive) -> Witness | None:
    """A request that gets a list of files."""
    tries = (*PLAIN, Try(tail="/"), Try(tail="x/"))
    return shown(ctx, block, lambda end: end.status == 200 and (end.file or "").endswith("/"), tries)


def script(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request that has PHP run a file of another kind, in front of a name that ends like a script."""
    tries = [Try(target=target) for target in ("/upload/x.jpg/y.php", "/upload/x.jpg/y.php/z")]
    return shown(ctx, node, lambda end: end.passed is not None and end.status is None, tries)


def asked_in_plain(ctx: CheckContext, node: Directive) -> Witness | None:
    """A request without TLS that is asked for a password."""
    rules = access_of(ctx.model, node.parent).rules if node.parent is not None else ()
    denied = [
        _first_of(str(rule.directive.args[0])) for rule in rules if not rule.allow and rule.directive.args
    ]
    tries = [Try(tls=False, client=client) for client in dict.fromkeys([None, *denied])]
    return shown(ctx, node, lambda end: end.status == 401, tries)
