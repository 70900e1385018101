"""What a check is given and what it yields.

A check is a function ``check(ctx: CheckContext) -> Iterable[Hit]``. It looks at one root with its
includes expanded, never prints, never reads files and never knows about settings beyond
``ctx.options``. It may raise: the engine isolates it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.finding import Confidence, Edit, Fix, Severity, Versions, Witness
from nginxaudit.nginx import Advisories, Stretch, format_version, shipped
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Directive, Token

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.nginx import Asked

T = TypeVar("T")


class Place(Struct, frozen=True):
    """A stretch of a source text by offsets; ``via`` is the include through which it was reached."""

    source: SourceText
    start: int
    end: int
    via: Directive | None = None


def whole(node: Directive) -> Place:
    """The directive from its name to its last argument (without the block)."""
    last = node.args[-1].end if node.args else node.name_end
    return Place(node.source, node.start, max(last, node.name_end), node.via)


def name_of(node: Directive) -> Place:
    """The name of the directive alone: the usual place for a block."""
    return Place(node.source, node.start, node.name_end, node.via)


def arg(node: Directive, token: Token) -> Place:
    """One argument of ``node``."""
    return Place(node.source, token.start, token.end, node.via)


def listed(names: Sequence[str], limit: int = 4) -> str:
    """``a, b and c``, cut after ``limit``."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def unless(assumed: bool, what: str, hit: Hit) -> Hit:
    """``hit``, which is a remark where it is ``assumed`` that the blocks around a fragment do not do ``what``."""
    if not assumed:
        return hit
    return replace(
        hit, message=f"{hit.message}, unless {what}", severity=Severity.INFO, rejected=False, make_fix=None
    )


def spelled_versions(stretches: Sequence[Stretch], whole: Stretch) -> Versions:
    """Stretches of ``whole``, in order, as people write them: from the first to the last, without what is between them."""
    since, before = stretches[0].since, stretches[-1].before
    return Versions(
        None if since <= whole.since else format_version(since),
        None if before >= whole.before else format_version(before),
        tuple(
            (format_version(one.before), format_version(other.since)) for one, other in pairwise(stretches)
        ),
    )


Edits: TypeAlias = tuple[Edit, ...] | None
"""What fixes a hit; None where that is not sure."""
MakeFix: TypeAlias = Callable[[], Edits | Fix]
"""How a check fixes what it found."""
FixIn: TypeAlias = Callable[[Directive], Edits | Fix]
"""The same, for what is known before the directive that it is found in."""


class Hit(Struct, frozen=True):
    """What a check found: where, in words, and how it differs from the rule's own metadata.

    ``node`` is the directive the hit is about (for its fingerprint and inline suppressions).
    ``severity``, ``confidence`` and ``rejected`` override those of the rule page.
    ``help`` says in one line what to do about this very finding, ``why`` in a sentence or two why it matters, where the reason
    differs from that of the page. ``make_fix`` makes the edits that fix it,
    from what the check knows; it is called for hits that are reported only. What it returns gets its title and its
    applicability from the rule page, unless it is a whole `Fix`; the engine puts it into ``fix``. ``versions`` are those
    of nginx for which it holds, where they are not all of the target: the engine sees to that, too, unless the check knows.
    ``witness`` is a request that shows it, found by walking it through the configuration. ``cause`` names what hits have
    in common that go away together: the report shows them as one finding with all their places (`CheckContext.cause`).
    """

    place: Place
    message: str
    node: Directive | None = None
    related: tuple[tuple[str, Place], ...] = ()
    severity: Severity | None = None
    confidence: Confidence | None = None
    rejected: bool | None = None
    help: str = ""
    why: str = ""
    make_fix: MakeFix | None = None
    fix: Fix | None = None
    versions: tuple[Stretch, ...] = ()
    witness: Witness | None = None
    cause: str = ""


class CheckContext(Struct):
    """One root, its meaning, the target, the options of the running rule, and what advisories are known."""

    model: Model
    target: Asked
    rule: str = ""  # slug of the running rule
    options: Mapping[str, Any] = field(default_factory=dict)
    advisories: Callable[[], Advisories] = shipped

    def cause(self, *words: str, of: str = "") -> str:
        """What hits share that have one cause, in words that tell it from others of the rule.

        A configuration has its causes for itself; fragments side by side are parts of one. Rules that say the same of
        one cause name it with ``of``.
        """
        config = self.model.config
        path = config.main.path
        scope = f"{path.rpartition('/')[0]}/" if config.fragment else path
        return "\0".join([of or self.rule, scope, *words])

    def once(self, make: Callable[[Model], T]) -> T:
        """What ``make`` says of the model, computed once for all rules (see `Model.once`)."""
        return self.model.once(make)


Check: TypeAlias = Callable[[CheckContext], Iterable[Hit]]
"""Signature of every check."""
