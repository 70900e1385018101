"""The model of one configuration: the entry to everything in this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from nginxaudit.model.comments import Comments
from nginxaudit.model.facts import Fact, Timing
from nginxaudit.model.listen import SocketKey
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass, find_passes
from nginxaudit.model.relatives import Relatives
from nginxaudit.model.retries import Retry, retry_of
from nginxaudit.model.scope import enclosing, family_of
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket, group_sockets
from nginxaudit.model.topology import Declaration, Topology, find_declaration, topology
from nginxaudit.model.unread import Unread
from nginxaudit.model.upstream import Upstream
from nginxaudit.model.variables import Values, Variables
from nginxaudit.nginx import Asked, Stretch, Target
from nginxaudit.nginx.names import BALANCED, FAMILIES, UPSTREAM_CONTEXTS
from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.syntax.tree import Config, Directive, Statement, Token

if TYPE_CHECKING:
    from nginxaudit.model.expressions import Written
    from nginxaudit.model.intent import Intent
    from nginxaudit.model.taint import Taint

T = TypeVar("T")


class Model(Unread):
    """Meaning of one root with its includes expanded. Everything is computed when first asked for.

    ``target`` is the nginx it is judged for; nothing here but `once` depends on its version. ``topologies`` declares what groups are meant to be:
    name or glob of a group -> ``active-active`` or ``active-passive``. ``timing`` makes what each computation happens
    within.
    """

    def __init__(
        self,
        config: Config,
        target: Target,
        topologies: Mapping[str, str] | None = None,
        limits: Limits = DEFAULTS,
        timing: Timing = nullcontext,
    ) -> None:
        super().__init__(config, timing)
        self.limits = limits
        self.target = Asked(target)
        self.topologies: Mapping[str, str] = topologies or {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._variables: dict[str, Variables] = {}
        self._topology: dict[Upstream, Topology] = {}
        self._declared: dict[Upstream, Declaration | None] = {}
        self._intent: dict[Upstream, Intent] = {}
        self._relatives: dict[str, Relatives] = {}
        self._retries: dict[Directive, Retry | None] = {}
        self._copies: dict[str, dict[Statement, list[Directive]]] = {}  # name -> statement -> its directives
        self._once: dict[Callable[[Model], Any], list[tuple[Stretch, Any]]] = {}

    def once(self, make: Callable[[Model], T]) -> T:
        """What ``make`` (a function of a module, for it is the key) says of this model, computed when first asked for."""
        known: list[tuple[Stretch, T]] = self._once.setdefault(make, [])
        return self.target.once(known, partial(make, self))

    # -- scopes

    def written(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of ``names`` that directives have anywhere: mostly few, and no block need be asked for the others."""
        found = self._names.get(names)
        if found is None:
            found = self._names[names] = tuple(filter(self.config.named, names))
        return found

    def effective(self, node: Directive, name: str) -> list[Directive]:
        """Directives ``name`` in effect in ``node`` (see `scope.Scopes.effective`). Do not modify."""
        return self._scopes.effective(node, name)

    def value(self, node: Directive, name: str) -> Token | None:
        """First argument of the effective directive ``name``, or None."""
        return self._scopes.value(node, name)

    def time_ms(self, node: Directive, name: str, default: int | None = None) -> int | None:
        """Effective time in milliseconds; ``default`` if not set, None if it cannot be known."""
        return self._scopes.time_ms(node, name, default)

    def flag(self, node: Directive, name: str, default: bool | None = None) -> bool | None:
        """Effective flag; ``default`` if not set, None if it cannot be known."""
        return self._scopes.flag(node, name, default)

    def number(self, node: Directive, name: str, default: int | None = None) -> int | None:
        """Effective whole number; ``default`` if not set, None if it cannot be known."""
        return self._scopes.number(node, name, default)

    def size(self, node: Directive, name: str, default: int | None = None) -> int | None:
        """Effective size in bytes; ``default`` if not set, None if it cannot be known."""
        return self._scopes.size(node, name, default)

    def family_of(self, node: Directive) -> str:
        """``http``, ``stream``, ``mail``, or ``main`` for none of them."""
        return family_of(node)

    def enclosing(self, node: Directive, *names: str) -> Directive | None:
        """``node`` itself or the nearest block around it called one of ``names``."""
        return enclosing(node, *names)

    def copies(self, block: Directive) -> list[Directive]:
        """``block`` in every context in which its file is included."""
        if self.config.entered.get(block.source.path, 1) < 2:
            return [block]
        known = self._copies.get(block.name)
        if known is None:
            known = self._copies[block.name] = {}
            for each in self.config.named(block.name):
                known.setdefault(each.statement, []).append(each)
        return known.get(block.statement, [])

    # -- servers and locations

    @Fact
    def _servers(self) -> dict[Directive, Server]:
        found: dict[Directive, Server] = {}
        for directive in (self.config.top, *self.config.named("server")):  # a fragment may be in a server
            if directive.is_block and directive.inner in _SERVER_CONTEXTS:
                unread = self.unknown_inside(directive, direct=True)
                if directive is self.config.top and directive.named("listen"):
                    unread = False  # what is included by a server for itself alone has its sockets together
                found[directive] = Server(directive, family_of(directive), unread=unread)
        return found

    @Fact
    def _locations(self) -> dict[Directive, Location]:
        found: dict[Directive, Location] = {}
        for directive in self.config.named("location"):  # outer ones come before inner ones
            if not directive.is_block or directive.inner != "location" or directive.parent is None:
                continue
            parent = found.get(directive.parent)
            server = self._servers.get(directive.parent) or (parent.server if parent else None)
            location = found[directive] = Location(directive, server, parent, self.limits.max_regex_size)
            if parent is not None:
                parent.children.append(location)
            elif server is not None:
                server.locations.append(location)
        return found

    @Fact
    def _servers_by_family(self) -> dict[str, tuple[Server, ...]]:
        _ = self._locations  # hangs the locations into their servers
        groups: dict[str, list[Server]] = {family: [] for family in FAMILIES}
        for server in self._servers.values():
            groups[server.family].append(server)
        return {family: tuple(servers) for family, servers in groups.items()}

    def servers(self, family: str = "http") -> tuple[Server, ...]:
        """``server`` blocks of http, stream or mail in reading order."""
        return self._servers_by_family[family]

    def server_of(self, node: Directive) -> Server | None:
        """The server that ``node`` is or stands in."""
        block = enclosing(node, "server")
        _ = self._servers_by_family
        return self._servers.get(block) if block is not None else None

    @Fact
    def locations(self) -> tuple[Location, ...]:
        """All locations in reading order, nested ones behind the one they are in."""
        return tuple(self._locations.values())

    def location_of(self, node: Directive) -> Location | None:
        """The nearest location that ``node`` is or stands in."""
        block = enclosing(node, "location")
        return self._locations.get(block) if block is not None else None

    @Fact
    def _sockets(self) -> dict[str, dict[SocketKey, Socket]]:
        return {family: group_sockets(self.servers(family)) for family in FAMILIES}

    def sockets(self, family: str = "http") -> dict[SocketKey, Socket]:
        """Sockets that the servers of a family listen on, with who shares them."""
        return self._sockets[family]

    # -- groups and who uses them

    @Fact
    def all_upstreams(self) -> tuple[Upstream, ...]:
        """All ``upstream`` blocks in reading order, duplicates included."""
        return tuple(
            Upstream(
                directive,
                family_of(directive),
                complete=self._is_complete(directive),
                edition=self.target.edition,
            )
            for directive in self.config.named("upstream")
            if directive.is_block and directive.inner in UPSTREAM_CONTEXTS
        )

    def _is_complete(self, block: Directive) -> bool:
        """Whether all servers of a group are known: none is in an unread file, none in a template."""
        if self.unknown_inside(block):
            return False
        return not self.templates or not any(map(self.is_filled_in, block.children))

    def upstreams(self, family: str = "http") -> tuple[Upstream, ...]:
        """``upstream`` blocks of http or stream in reading order, duplicates included."""
        return tuple(upstream for upstream in self.all_upstreams if upstream.family == family)

    @Fact
    def _groups(self) -> dict[str, dict[str, Upstream]]:
        groups: dict[str, dict[str, Upstream]] = {family: {} for family in FAMILIES}
        for upstream in self.all_upstreams:
            groups[upstream.family].setdefault(upstream.key, upstream)
        return groups

    def groups(self, family: str = "http") -> Mapping[str, Upstream]:
        """Groups by lower-case name; of equal names the first."""
        return self._groups[family]

    def upstream(self, name: str, family: str = "http") -> Upstream | None:
        """Group called ``name`` in any case."""
        return self._groups[family].get(name.lower())

    @Fact
    def passes(self) -> tuple[Pass, ...]:
        """Every pass directive of http and stream."""
        return tuple(find_passes(self))

    @Fact
    def _users(self) -> dict[Upstream, tuple[Pass, ...]]:
        found: dict[Upstream, list[Pass]] = {}
        for each in self.passes:
            for upstream in each.upstreams:
                found.setdefault(upstream, []).append(each)
        return {upstream: tuple(passes) for upstream, passes in found.items()}

    def passes_to(self, upstream: Upstream) -> tuple[Pass, ...]:
        """Passes that name ``upstream``, or can by a variable whose value is known."""
        return self._users.get(upstream, ())

    def users(self, upstream: Upstream) -> tuple[Directive, ...]:
        """Blocks (locations, ``if`` blocks, stream servers) that pass to ``upstream``, each once."""
        return tuple(dict.fromkeys(each.scope for each in self.passes_to(upstream)))

    @Fact
    def _by_scope(self) -> dict[Directive, list[Pass]]:
        found: dict[Directive, list[Pass]] = {}
        for each in self.passes:
            found.setdefault(each.scope, []).append(each)
        return found

    def passes_in(self, block: Directive) -> tuple[Pass, ...]:
        """Passes written directly in ``block``."""
        return tuple(self._by_scope.get(block, ()))

    @Fact
    def _reaches_any(self) -> dict[str, bool]:
        return {
            family: self.variables(family).code
            or any(each.family == family and not each.complete for each in self.passes)
            for family in BALANCED
        }

    def may_reach_any_upstream(self, family: str = "http") -> bool:
        """Whether requests may reach groups that no pass is known to name.

        True when a variable target has an unknown part, or code (Lua, njs, Perl) may choose.
        """
        return self._reaches_any.get(family, False)

    def retry(self, each: Pass) -> Retry | None:
        """How a pass treats failures; None when a value in effect cannot be known."""
        if each.directive not in self._retries:
            self._retries[each.directive] = retry_of(self, each)
        return self._retries[each.directive]

    @Fact
    def retried(self) -> tuple[tuple[Upstream, tuple[Retry, ...]], ...]:
        """Groups in use whose servers are known and not all dead, and how their passes treat failures."""
        known = (each for each in self.all_upstreams if each.live and each.complete and not each.external)
        retries = ((each, tuple(filter(None, map(self.retry, self.passes_to(each))))) for each in known)
        return tuple(entry for entry in retries if entry[1])

    # -- expressions and variables

    @Fact
    def taint(self) -> Taint:
        """Where the parts of texts come from, when clients write them."""
        from nginxaudit.model.taint import Taint  # asked by few: not paid at every start

        return Taint(self)

    @Fact
    def texts(self) -> tuple[tuple[Directive, Token], ...]:
        """Every argument with a ``$`` in it, in reading order, with its directive; code of Lua and njs left out."""
        return tuple(
            [
                (node, token)
                for node in self.config.top.walk()
                for token in node.args
                if "$" in token and node.context != "unknown" and "_by_" not in node.name
            ]
        )

    @Fact
    def expressions(self) -> tuple[Written, ...]:
        """Regular expressions of http and stream, kind by kind."""
        from nginxaudit.model.expressions import expressions  # asked by few: not paid at every start

        return tuple(expressions(self))

    def variables(self, family: str = "http") -> Variables:
        """Variables of http or stream."""
        found = self._variables.get(family)
        if found is None:
            found = self._variables[family] = Variables(self, family)
        return found

    def variable_definitions(self, family: str = "http") -> Mapping[str, list[Directive]]:
        """Directives that define each variable, by lower-case name. Built-in ones are not listed."""
        return self.variables(family).defined

    def possible_values(self, text: str, scope: Directive, family: str | None = None) -> Values:
        """Values that ``text`` can have in the block ``scope``."""
        return self.variables(family or family_of(scope)).possible(text, scope)

    # -- what groups are and are meant to be

    def relatives(self, family: str = "http") -> Relatives:
        """Which groups of a family resemble each other."""
        found = self._relatives.get(family)
        if found is None:
            found = self._relatives[family] = Relatives(self.upstreams(family))
        return found

    @Fact
    def comments(self) -> Comments:
        """Comments by their place."""
        return Comments(self.config.comments)

    def declaration(self, upstream: Upstream) -> Declaration | None:
        """What the author declares ``upstream`` to be."""
        if not self._declares:
            return None
        if upstream not in self._declared:
            self._declared[upstream] = find_declaration(upstream, self)
        return self._declared[upstream]

    @Fact
    def _declares(self) -> bool:
        """Something may declare what groups are."""
        return bool(self.topologies) or any("topology" in comment.text for comment in self.config.comments)

    def topology(self, upstream: Upstream) -> Topology:
        """What ``upstream`` is."""
        found = self._topology.get(upstream)
        if found is None:
            found = self._topology[upstream] = topology(upstream, self)
        return found

    def intent(self, upstream: Upstream) -> Intent:
        """What ``upstream`` seems to be meant to be, with the evidence."""
        found = self._intent.get(upstream)
        if found is None:
            from nginxaudit.model.intent import infer_intent  # asked by few: not paid at every start

            found = self._intent[upstream] = infer_intent(upstream, self)
        return found


_SERVER_CONTEXTS = frozenset({"server", "stream-server", "mail-server"})
