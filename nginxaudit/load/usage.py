"""Directives against the facts: known, in the right place, with the right number of arguments, once.

One walk judges every directive; each rule reports its share. nginx stops at the first of these
mistakes, so each is judged as if the others were not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit import edits
from nginxaudit.finding import Confidence, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, FixIn, Hit, name_of, whole
from nginxaudit.load.answers import Answers
from nginxaudit.load.repeats import Repeats
from nginxaudit.load.words import (
    NAME_HINTS,
    belongs_in,
    context_label,
    suggest_directive,
)
from nginxaudit.model import Model
from nginxaudit.nginx import (
    EDITION_NAMES,
    FORKS,
    PSEUDO_CONTEXTS,
    Asked,
    Availability,
    DirectiveFact,
    Nginx,
    Stretch,
    facts_of,
    module_facts,
)
from nginxaudit.nginx.modules import module_of_file
from nginxaudit.nginx.names import UPSTREAM_CONTEXTS
from nginxaudit.syntax.tree import Directive

HEALTH_CHECK_NAMES = frozenset({"health_check", "match", "health_check_timeout"})
_SSL_SWITCH = "ssl"
_SSL_HELP = 'Delete it, and add "ssl" to the listen directives that use TLS.'
_OPAQUE = PSEUDO_CONTEXTS | {"unknown", "mgmt", "oidc_provider", "acme_issuer", "otel_exporter"}


class _Verdict(Struct, frozen=True):
    """What is wrong with a use of a directive; ``message`` may name ``{context}``."""

    rule: str
    message: str
    help: str = ""
    severity: Severity | None = None
    confidence: Confidence | None = None
    rejected: bool | None = None
    make_fix: FixIn | None = None
    why: str = ""


def told_by_facts(ctx: CheckContext) -> Iterable[Hit]:
    """Hits of the running rule among the verdicts on all directives."""
    return [_with_cause(ctx, hit) for hit in ctx.once(_judged).get(ctx.rule, ())]


def _with_cause(ctx: CheckContext, hit: Hit) -> Hit:
    """``hit``: all that only NGINX Plus has is there for one reason, the edition of the run; so are uses of something new."""
    if ctx.rule in _OF_PLUS:
        return replace(hit, cause=ctx.rule)
    return replace(hit, cause=ctx.cause(hit.message)) if ctx.rule == "requires-newer-nginx" else hit


_OF_PLUS = ("plus-only-directive", "plus-only-upstream-feature", "health-check-requires-plus")


_MOST_NAMES = 10_000
"""Different uses of directives, after which no unknown name is compared with the known ones: that takes 2 ms each."""


def _judged(model: Model) -> dict[str, list[Hit]]:
    """Hits by rule, computed once per root for all versions."""
    return model.target.for_all(lambda: _judged_for_all(model))


def _judged_for_all(model: Model) -> dict[str, list[Hit]]:
    result: dict[str, list[Hit]] = {}
    for rule, hit in _Judge(model).hits():
        result.setdefault(rule, []).append(hit)
    return result


class _Judge:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._target = _with_loaded(model)
        self._foreign = _loads_unknown_module(model)
        self._verdicts = Answers(self._judged)
        self._repeats = Repeats(model, self._target)

    def hits(self) -> Iterator[tuple[str, Hit]]:
        config = self._model.config
        stack = [config.top]
        verdicts = self._verdicts
        while stack:
            block = stack.pop()
            context = block.inner or "unknown"
            if context in _OPAQUE:
                continue
            loose = config.fragment and block is config.top
            for node in block.children:
                for versions, verdict in verdicts[node.name, context, len(node.args), node.is_block]:
                    if not (loose and verdict.rule == "directive-wrong-context"):
                        yield verdict.rule, self._hit(node, verdict, versions)
                if node.children:
                    stack.append(node)
            for hit in self._repeats.of(block):
                yield "duplicate-directive", hit

    def _hit(self, node: Directive, verdict: _Verdict, versions: tuple[Stretch, ...]) -> Hit:
        place = whole(node) if verdict.rule == "wrong-argument-count" and not node.is_block else name_of(node)
        return Hit(
            place,
            verdict.message,
            node,
            severity=verdict.severity,
            confidence=verdict.confidence,
            rejected=verdict.rejected,
            help=verdict.help,
            make_fix=partial(verdict.make_fix, node) if verdict.make_fix is not None else None,
            versions=versions,
            why=verdict.why,
        )

    # -- one use

    def _judged(self, *use: *tuple[str, str, int, bool]) -> list[tuple[tuple[Stretch, ...], _Verdict]]:
        """What is wrong with a use, and in which versions: none are named where it is wrong in all.

        Where every version refuses it, what the newest has against it counts for all.
        """
        parts = self._target.parts(partial(self._judge, *use))
        refused = all(verdict is not None and verdict.rejected is not False for _, verdict in parts)
        return [
            (() if len(parts) == 1 or (refused and not number) else (stretch,), verdict)
            for number, (stretch, verdict) in enumerate(parts)
            if verdict is not None
        ]

    def _judge(self, name: str, context: str, count: int, block: bool) -> _Verdict | None:
        facts = facts_of(name, self._target)
        if not facts:
            return self._unknown(name, context, count, block)
        here = [fact for fact in facts if context in fact.contexts_for(self._target)]
        usable = [fact for fact in here if fact.available(self._target) is Availability.YES]
        if usable:
            return self._arguments(name, usable, count, block) or self._obsolete(name, usable)
        lacking = here or [fact for fact in facts if context in fact.contexts]
        if lacking:
            return self._absent(name, lacking[0], context, count, block)
        elsewhere = [fact for fact in facts if fact.available(self._target) is Availability.YES]
        if not elsewhere:
            return self._absent(name, facts[0], context, count, block)
        if elsewhere[0].third_party or any(context in fact.contexts for fact in module_facts(name)):
            return self._foreign_use(name, context, count, block)
        return _Verdict(
            "directive-wrong-context",
            f'"{name}" directive is not allowed here, {context_label(context)}',
            f"Move it. It is allowed {belongs_in(elsewhere, self._target)}.",
        )

    def _absent(
        self, name: str, fact: DirectiveFact, context: str, count: int, block: bool
    ) -> _Verdict | None:
        """Nginx lacks the directive ``fact``: a module may have one of that name."""
        loaded = self._target.modules
        if loaded and any(each.third_party in loaded for each in module_facts(name)):
            return self._foreign_use(name, context, count, block)
        return self._lacking(name, fact, context) or self._foreign_use(name, context, count, block)

    def _foreign_use(self, name: str, context: str, count: int, block: bool) -> _Verdict | None:
        """What is wrong with a use of a third-party module's directive, whether the module is loaded or not."""
        from nginxaudit.load.foreign import misuse

        found = misuse(self._target, name, context, count, block)
        return None if found is None else _Verdict(*found, confidence=Confidence.MEDIUM)

    def _unknown(self, name: str, context: str, count: int, block: bool) -> _Verdict | None:
        from nginxaudit.load import foreign

        if foreign.is_of_module(name):
            return self._foreign_use(name, context, count, block)
        other = foreign.of_another_edition(self._target, name)
        if other:
            return _Verdict("unknown-directive", *other)
        near = (
            suggest_directive(name, context, self._target.target)
            if len(self._verdicts) < _MOST_NAMES
            else None
        )
        known = NAME_HINTS.get(name.lower())
        hint = known or (f'Did you mean "{near}"?' if near else "")
        if self._foreign:
            return _Verdict(
                "unknown-directive",
                f'unknown directive "{name}"; the module {self._foreign} may define it',
                hint,
                Severity.WARNING,
                Confidence.LOW,
                rejected=False,
                why="Without the module nginx refuses to load the configuration; with it, nginxaudit does not know what the directive does.",
            )
        return _Verdict(
            "unknown-directive",
            f'unknown directive "{name}"',
            hint or "Correct or delete it.",
            make_fix=partial(_respelt, near, self._target) if near and not known else None,
        )

    def _arguments(self, name: str, facts: list[DirectiveFact], count: int, block: bool) -> _Verdict | None:
        shaped = [fact for fact in facts if fact.block == block]
        if not shaped:
            if block:
                return _Verdict(
                    "wrong-argument-count",
                    f'directive "{name}" is not terminated by ";": it takes no block',
                    f'End it with ";", and look for a missing ";" after "{name}".',
                )
            return _Verdict(
                "wrong-argument-count", f'directive "{name}" has no opening "{{"', 'Open it with "{".'
            )
        if any(fact.arguments(self._target).accepts(count) for fact in shaped):
            return None
        allowed = shaped[0].arguments(self._target)
        return _Verdict(
            "wrong-argument-count",
            f'invalid number of arguments in "{name}" directive: {count} instead of {allowed}',
            "Quote values with spaces, and look for a missing semicolon.",
            make_fix=_in_quotes,
        )

    def _obsolete(self, name: str, facts: list[DirectiveFact]) -> _Verdict | None:
        if not all(fact.ignored(self._target) or fact.deprecated(self._target) for fact in facts):
            return None
        fact = facts[0]
        if name == _SSL_SWITCH:
            return _Verdict(
                "ssl-directive-removed",
                _ssl_switch(fact),
                _SSL_HELP,
                Severity.WARNING,
                rejected=False,
                make_fix=partial(_without_switch, self._model),
            )
        since = fact.ignored_since or fact.deprecated_in
        ignored = fact.ignored(self._target)
        effect = "has no effect" if ignored else "is deprecated"
        return _Verdict(
            "obsolete-directive",
            f'"{name}" {effect} since nginx {since}',
            _replacement(fact),
            rejected=False,
            make_fix=partial(_replaced, self._model),
            why="" if ignored else "A later nginx may refuse to load it.",
        )

    def _lacking(self, name: str, fact: DirectiveFact, context: str) -> _Verdict | None:
        """The target does not have the directive at all."""
        why = fact.available(self._target)
        target = "" if self._target.is_range else self._target.label
        if why is Availability.PLUS_ONLY:
            return _plus_only(name, context, fact, self._target.edition)
        maker = FORKS.get(fact.edition or "", "nginx")
        if why is Availability.TOO_NEW:
            return _Verdict(
                "requires-newer-nginx",
                f'"{name}" needs {maker} {fact.since} or newer{f"; the target is {target}" if target else ""}',
                f"Upgrade {maker}, or delete the directive. {_or_plus(fact)}".strip(),
            )
        if why is Availability.REMOVED:
            gone, switch = fact.removed_in or f"a version after {fact.until}", name == _SSL_SWITCH
            message = (
                f'"{name}" was removed in {maker} {gone}{f"; {target} does not know it" if target else ""}'
            )
            return _Verdict(
                "ssl-directive-removed" if switch else "obsolete-directive",
                _ssl_switch(fact) if switch and not target else message,
                _SSL_HELP if switch else _replacement(fact),
                Severity.ERROR,
                rejected=True,
                make_fix=partial(_without_switch if switch else _replaced, self._model),
                why="" if switch else "nginx refuses to load the configuration.",
            )
        if why is Availability.YES:  # known, but the version had other contexts for it
            return _Verdict(
                "requires-newer-nginx",
                f'"{name}" is not allowed {context_label(context)} {_until(fact, context, target)}; newer versions allow it',
                "Upgrade nginx, or move the directive.",
            )
        return None  # a third-party module may be loaded


def _ssl_switch(fact: DirectiveFact) -> str:
    return (
        f'"ssl" is deprecated since nginx {fact.deprecated_in} and removed in {fact.removed_in or "1.25.1"}'
    )


def _until(fact: DirectiveFact, context: str, target: str) -> str:
    """In which nginx the context is not allowed yet: ``in nginx 1.26.0`` for a target of one version."""
    added = [each["version"] for each in fact.history if context in (each.get("contexts_added") or ())]
    return f"in {target}" if target or not added else f"before nginx {added[-1]}"


def _plus_only(name: str, context: str, fact: DirectiveFact, edition: str) -> _Verdict:
    moved = f" (open source has it since {fact.oss_since})" if fact.oss_since else ""
    message = f'"{name}" exists in NGINX Plus only{moved}; {EDITION_NAMES[edition]} refuses to start'
    if name in HEALTH_CHECK_NAMES:
        return _Verdict(
            "health-check-requires-plus",
            message,
            "Use NGINX Plus (--edition plus), or rely on max_fails and fail_timeout of the servers.",
        )
    remedy = "Delete it, or set --edition plus if the target is NGINX Plus."
    if context not in UPSTREAM_CONTEXTS:
        return _Verdict("plus-only-directive", message, remedy)
    return _Verdict("plus-only-upstream-feature", message, remedy, make_fix=_deleted)


def _deleted(node: Directive) -> Edits:
    """``node`` taken out; not the file with the state of an upstream, which would have no server then."""
    return None if node.is_block or node.name == "state" else edits.deletion(node)


def _respelt(near: str, target: Nginx, node: Directive) -> Fix | None:
    from nginxaudit.load.fixes.names import directive_name

    return directive_name(near, target, node)


def _in_quotes(node: Directive) -> Edits:
    from nginxaudit.load.fixes.quotes import in_quotes

    return in_quotes(node)


def _replacement(fact: DirectiveFact) -> str:
    return f'Use "{fact.replacement}" instead.' if fact.replacement else "Delete it."


def _replaced(model: Model, node: Directive) -> Fix | None:
    from nginxaudit.load.fixes.obsolete import replaced

    return replaced(model, node)


def _without_switch(model: Model, node: Directive) -> Fix | None:
    from nginxaudit.load.fixes.obsolete import ssl_switch

    return ssl_switch(model, node)


def _or_plus(fact: DirectiveFact) -> str:
    return f"NGINX Plus has it since {fact.plus_since}." if fact.plus_since else ""


def _with_loaded(model: Model) -> Asked:
    """The target with the modules that the configuration itself loads."""
    loaded = {module_of_file(node.args[0]) for node in model.config.named("load_module") if node.args}
    names = frozenset(name for name in loaded if name)
    if not names:
        return model.target
    return model.target.with_modules(names)


def _loads_unknown_module(model: Model) -> str | None:
    """A loaded module of which nothing is known, or None."""
    for node in model.config.named("load_module"):
        if node.args and module_of_file(node.args[0]) is None:
            return node.args[0].rsplit("/", 1)[-1]
    return None
