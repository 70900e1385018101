"""Reading a configuration as nginx reads it: every directive judged by its grammar, in order.

Directives that nginx does not even look at (unknown, in the wrong place, with a wrong number of
arguments) are told by `nginxaudit.load.usage` and passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.hit import CheckContext, Hit, Place, arg, name_of, whole
from nginxaudit.load.answers import Answers
from nginxaudit.load.base import BY_WORDS, FINALS, GRAMMARS, Final, Grammar, LoadState, Mistake, Use
from nginxaudit.load.scripts import why_lacking
from nginxaudit.load.types import grammar_of_type
from nginxaudit.load.usable import facts_of_use
from nginxaudit.model import Model
from nginxaudit.nginx import PSEUDO_CONTEXTS, Asked, Nginx, Stretch, context_family
from nginxaudit.syntax.tree import Directive, Token

_ALWAYS = (
    "groups",
    "hash_tables",
    "hashes",
    "listening",
    "machine",
    "passing",
    "protocols",
    "serving",
    "structure",
    "tls",
    "warnings",
    "zones",
)
FIELDS = {
    "access": ("allow", "deny", "limit_except", "set_real_ip_from", "valid_referers"),
    "filters": (
        "charset", "default_charset", "gzip_disable", "gzip_hash", "gzip_window", "image_filter", "modern_browser",
        "source_charset", "sub_filter", "userid_expires", "userid_mark",
    ),
    "logs": (
        "access_log", "error_log", "log_format", "open_file_cache", "open_log_file_cache", "ssl_certificate_cache",
        "proxy_ssl_certificate_cache", "grpc_ssl_certificate_cache", "uwsgi_ssl_certificate_cache",
    ),
    "mail": ("auth_http", "protocol", "starttls"),
    "maps": ("charset_map", "geo", "map", "split_clients"),
    "mime": (
        "addition_types", "brotli_types", "charset_types", "gzip_types", "ssi_types", "sub_filter_types", "types",
        "xslt_types",
    ),
    "ranges": ("geo",),
    "rewriting": ("auth_request_set", "if", "return", "rewrite", "set"),
}  # fmt: skip
"""Modules that are imported only where one of these directives is used: they judge nothing else."""


def told_by_loading(ctx: CheckContext) -> Iterable[Hit]:
    """Hits of the running rule among everything that loading the configuration brings to light."""
    return ctx.once(_by_rule).get(ctx.rule, ())


def _by_rule(model: Model) -> dict[str, list[Hit]]:
    return model.target.for_all(lambda: _by_rule_for_all(model))


def _by_rule_for_all(model: Model) -> dict[str, list[Hit]]:
    """Read once for all versions: only what asks for the version is judged again for the others."""
    result: dict[str, list[Hit]] = {}
    for node, mistake in _Reader(model).mistakes():
        result.setdefault(mistake.rule, []).append(_hit(model, node, mistake))
    return result


def _import_grammars(model: Model) -> None:
    """Import what registers grammars: what always has a word, and the fields of which something is used."""
    used = (name for name, words in FIELDS.items() if any(map(model.config.named, words)))
    for name in (*_ALWAYS, *used):
        import_module(f"nginxaudit.load.fields.{name}")


class _Plan(Struct, frozen=True):
    """What is asked of a directive that is used in one way.

    ``right``: words in which nothing is wrong, for a configuration repeats itself; None where more than the
    words decides.
    """

    family: str
    grammars: tuple[Grammar, ...]
    right: set[tuple[Token, ...]] | None = None


class _Reader:
    def __init__(self, model: Model) -> None:
        _import_grammars(model)
        self._target = model.target
        self._load = LoadState(model, model.target, Answers(partial(_lacking, model)))
        self._plans = Answers(partial(_plans, model.target))

    def mistakes(self) -> Iterator[tuple[Directive, Mistake]]:
        load, plans, filled_in = self._load, self._plans, self._load.model.is_filled_in
        for node in _directives(load.model.config.top):
            known = plans[node.name, node.context, len(node.args), node.is_block]
            plan = known[0][1] if len(known) == 1 else _most_asked(known)
            right = plan.right
            if not plan.grammars or (right and tuple(node.args) in right) or filled_in(node):
                continue
            use = Use(node, node.args, plan.family, load)
            undefined = len(load.undefined)
            mistakes = self._for_all(partial(_judged, use, plan))
            for mistake in mistakes:
                yield mistake.node or node, mistake
            told = mistakes or len(load.undefined) > undefined
            if right is not None and not told and len(right) < _MOST_WORDS:
                right.add(tuple(node.args))
        for final in FINALS:
            for mistake in self._for_all(partial(_judged_at_end, final, load)):
                if mistake.node is not None:
                    yield mistake.node, mistake

    def _for_all(self, judge: Callable[[], list[Mistake]]) -> list[Mistake]:
        """What ``judge`` finds in all versions: once where it does not ask for the version.

        Versions that do not have a directive refuse it, too, whatever is wrong with it in the others.
        """
        mistakes = judge()
        if not self._target.is_narrowed:
            return mistakes
        self._target.forget()
        return [
            mistake if mistake.versions else replace(mistake, versions=(stretch,))
            for stretch, found in self._target.parts(judge)
            for mistake in found
        ]


def _judged(use: Use, plan: _Plan) -> list[Mistake]:
    return [mistake for grammar in plan.grammars for mistake in grammar(use)]


def _judged_at_end(final: Final, load: LoadState) -> list[Mistake]:
    return list(final(load))


def _lacking(model: Model, family: str, name: str) -> list[tuple[Stretch, str | None]]:
    return model.target.parts(partial(why_lacking, model, family, name))


def _plans(target: Asked, *use: *tuple[str, str, int, bool]) -> list[tuple[Stretch, _Plan]]:
    return target.parts(partial(_plan, target, *use))


def _most_asked(known: list[tuple[Stretch, _Plan]]) -> _Plan:
    """Of the plans for several versions the one that asks something: the directive may be used in that way in some only."""
    return next((plan for _, plan in known if plan.grammars), known[0][1])


def _plan(target: Nginx, *use: *tuple[str, str, int, bool]) -> _Plan:
    """What is asked of a directive used like this: nothing where its use is wrong already."""
    name, context, _, _ = use
    family = "http" if context in _INSIDE_HTTP else context_family(context)
    facts = facts_of_use(target, *use)
    if not facts:
        return _Plan(family, ())
    own = tuple(GRAMMARS.get((family, name), ()))
    typed = grammar_of_type(facts[0])
    by_words = BY_WORDS.issuperset(own) and facts[0].type != "path"
    return _Plan(family, (*own, typed) if typed else own, set() if by_words else None)


_MOST_WORDS = 1000
_INSIDE_HTTP = frozenset({"oidc_provider", "acme_issuer", "otel_exporter"})
_DATA = PSEUDO_CONTEXTS | {"unknown", None}


def _directives(top: Directive) -> Iterator[Directive]:
    """All directives in the order of the files, without the data of ``map`` and its like."""
    stack = [iter(top.children)]
    while stack:
        for node in stack[-1]:
            yield node
            if node.children and node.inner not in _DATA:
                stack.append(iter(node.children))
                break
        else:
            stack.pop()


def _hit(model: Model, node: Directive, mistake: Mistake) -> Hit:
    if node is model.config.top:  # there is no directive to point at
        place = Place(model.config.main, 0, 0)
    elif mistake.token is not None:
        place = arg(node, mistake.token)
    else:
        place = name_of(node) if node.is_block else whole(node)
    return Hit(
        place,
        mistake.message,
        node,
        related=tuple(
            (word, name_of(other) if other.is_block else whole(other)) for word, other in mistake.related
        ),
        severity=mistake.severity,
        confidence=mistake.confidence,
        rejected=mistake.rejected,
        help=mistake.help,
        why=mistake.why,
        make_fix=partial(mistake.make_fix, node) if mistake.make_fix is not None else None,
        versions=mistake.versions,
    )
