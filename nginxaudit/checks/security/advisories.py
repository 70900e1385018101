"""Security advisories: does the target version have the flaw, and does the configuration use what it is in?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from nginxaudit.checks.security.features import Features
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, Place, arg, listed, whole
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition, map_expression
from nginxaudit.model.variables import references
from nginxaudit.nginx import Advisory, Asked, Stretch, merged, parse_version
from nginxaudit.nginx.names import ABSOLUTE, REWRITE_FLAGS
from nginxaudit.pcre import Expression, parse
from nginxaudit.syntax.tree import Directive

_BY_OWN_RULES = {
    "CVE-2026-42945": "rewrite-capture-overflow",
    "CVE-2026-9256": "rewrite-overlapping-captures",
    "CVE-2026-42533": "map-regex-capture-overflow",
    "CVE-2026-60005": "map-regex-capture-overflow",
    "CVE-2026-93479": "map-regex-capture-overflow",
}
_32_BIT = frozenset({"CVE-2026-27784", "CVE-2014-0088"})
_SEVERITIES = {"major": Severity.ERROR, "medium": Severity.WARNING}
_PATHS = ("root", "alias", "log_format")  # strings that the fix of CVE-2026-42533 left out
_COPIES = (
    "proxy_cache_background_update", "fastcgi_cache_background_update", "uwsgi_cache_background_update",
    "scgi_cache_background_update",
)  # fmt: skip


def _affected(ctx: CheckContext, cve: str) -> bool:
    return any(each.cve == cve and each.affects(ctx.target) for each in ctx.advisories().entries)


def _doubt(ctx: CheckContext) -> Confidence | None:
    """Little is sure of the package of a distribution: it may be patched, with the same version."""
    return Confidence.LOW if ctx.target.target.vendor else None


def vulnerable_nginx_version(ctx: CheckContext) -> Iterable[Hit]:
    """Flaws of the target in what the configuration uses; once per directive."""
    found: dict[Directive | None, list[tuple[Advisory, tuple[Stretch, ...]]]] = {}
    features = Features(ctx)
    for advisory in ctx.advisories().entries:
        if (
            advisory.condition.platform
            or advisory.severity == "none"
            or advisory.cve in _32_BIT
            or advisory.cve in _BY_OWN_RULES
        ):
            continue
        versions = _vulnerable(ctx.target, advisory)
        if versions:
            used = features.reached(advisory.condition)
            if used:
                found.setdefault(used[0], []).append((advisory, versions))
    for node, flaws in found.items():
        yield _some_versions(ctx, node, flaws) if ctx.target.is_range else _that_version(ctx, node, flaws)


def _vulnerable(target: Asked, advisory: Advisory) -> tuple[Stretch, ...]:
    """The versions of the target that have the flaw."""
    parts = target.parts(lambda: advisory.affects(target))
    return merged(stretch for stretch, affected in parts if affected)


def _that_version(
    ctx: CheckContext, node: Directive | None, flaws: Sequence[tuple[Advisory, tuple[Stretch, ...]]]
) -> Hit:
    """The version is known, and has them."""
    newest = flaws[0][0]
    worst = max(_SEVERITIES.get(flaw.severity, Severity.INFO) for flaw, _ in flaws)
    return Hit(
        whole(node) if node is not None else _top(ctx),
        f"{ctx.target.label} is vulnerable to {listed([flaw.cve for flaw, _ in flaws], limit=4)}"
        + (f" through {node.name}" if node is not None else " with any configuration"),
        node,
        severity=Severity.INFO if ctx.target.target.vendor else worst,
        confidence=_doubt(ctx),
        help=f"Upgrade to {newest.fixed[0]} or newer, unless the vendor has patched it."
        if newest.fixed
        else "",
        cause=_flaws_of(ctx, flaws),
    )


def _some_versions(
    ctx: CheckContext, node: Directive | None, flaws: Sequence[tuple[Advisory, tuple[Stretch, ...]]]
) -> Hit:
    """The version is not known, and some have them: a word on what to run, for none may be run here."""
    fixes = [f"{flaw.cve} in {flaw.fixed[0]}" for flaw, _ in flaws if flaw.fixed]
    fixed = max((version for flaw, _ in flaws for version in flaw.fixed), key=parse_version, default="")
    return Hit(
        whole(node) if node is not None else _top(ctx),
        f"known nginx vulnerabilities {f'reachable through {node.name}' if node is not None else ''}: "
        f"{listed([flaw.cve for flaw, _ in flaws], limit=3)}".replace(" :", ":"),
        node,
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        help=f"Run {fixed} or newer, or a version that the vendor has patched. Set --nginx-version to check your version."
        if fixed
        else "",
        why=f"The configuration uses what is vulnerable. Fixed: {listed(fixes, limit=8)}." if fixes else "",
        versions=merged(stretch for _, own in flaws for stretch in own),
        cause=_flaws_of(ctx, flaws),
    )


def _flaws_of(ctx: CheckContext, flaws: Sequence[tuple[Advisory, tuple[Stretch, ...]]]) -> str:
    """The same flaws have one cause in all files of a run: the version that they will be given to."""
    return "\0".join([ctx.rule, *(flaw.cve for flaw, _ in flaws)])


def _top(ctx: CheckContext) -> Place:
    return Place(ctx.model.config.main, 0, 0)


# -- captures of rewrites


def rewrite_capture_overflow(ctx: CheckContext) -> Iterable[Hit]:
    """CVE-2026-42945: arguments in a rewrite, then a capture in what follows it.

    The script engine keeps counting escaped lengths after a replacement with ``?``
    (``ngx_http_script_start_args_code`` in src/http/ngx_http_script.c).
    """
    if not _affected(ctx, "CVE-2026-42945"):
        return
    for block in dict.fromkeys(map(_outermost, ctx.model.config.named("rewrite"))):
        armed: Directive | None = None
        for child in _script(block) if block is not None else ():
            if child.name in ("break", "return") and child.parent is block:
                armed = None
            elif armed is not None and _reads_capture(child):
                yield Hit(
                    whole(child),
                    "buffer overflow: a numbered capture is used after a rewrite with arguments (CVE-2026-42945)",
                    child,
                    related=(("the rewrite with arguments", whole(armed)),),
                    help="Upgrade to nginx 1.30.1, or use named captures in both directives.",
                    confidence=_doubt(ctx),
                    make_fix=partial(_captures_named, armed, child, ctx.model),
                )
                armed = None
            elif child.name == "rewrite" and len(child.args) > 1:
                armed = child if _arms(child) else None if _ends(child) else armed


def _outermost(node: Directive) -> Directive | None:
    """The block whose script a rewrite is part of: an ``if`` belongs to the one around it."""
    block = node.parent
    return block.parent if block is not None and block.name == "if" else block


def _script(block: Directive) -> Iterator[Directive]:
    """What runs in the rewrite phase of a block, in order, the content of its ``if`` blocks included."""
    for child in block.children:
        if child.name == "if":
            yield child
            yield from child.children
        elif child.name in ("rewrite", "set", "break", "return"):
            yield child


def _ends(node: Directive) -> bool:
    return (node.args[2:3] != [] and node.args[2] in REWRITE_FLAGS) or node.args[1].startswith(ABSOLUTE)


def _arms(node: Directive) -> bool:
    return "?" in node.args[1].removesuffix("?") and not _ends(node)


def _numbers(text: str) -> list[str]:
    return [each.name for each in references(text) if each.name.isdigit() and each.name != "0"]


def _reads_capture(node: Directive) -> bool:
    if node.name == "set":
        return bool(node.args[1:] and _numbers(node.args[1]))
    if node.name == "if":
        asked = condition(node)
        return asked is not None and not asked.is_match and bool(_numbers(asked.right))
    return node.name == "rewrite" and bool(node.args[1:] and _numbers(node.args[1]))


def rewrite_overlapping_captures(ctx: CheckContext) -> Iterable[Hit]:
    """CVE-2026-9256: a group and one inside it, both escaped in one replacement."""
    if not _affected(ctx, "CVE-2026-9256"):
        return
    for node in ctx.model.config.named("rewrite"):
        expression = parse(node.args[0]) if len(node.args) > 1 else None
        if expression is None:
            continue
        target = node.args[1].removesuffix("?")
        names = [each.name for each in references(target)]
        numbers = [int(name) for name in names if name.isdigit() and name != "0"]
        if len(numbers) != len(names) or len(set(numbers)) != len(numbers):
            continue  # another variable, or one group twice, takes a path that counts right
        if not (target.startswith(ABSOLUTE) or node.args[2:3] in (["redirect"], ["permanent"])):
            numbers = [int(name) for name in _numbers(target.partition("?")[2])]
        if _nested(expression.parents, numbers):
            yield Hit(
                whole(node),
                "buffer overflow: the rewrite target uses a capture group and one nested in it (CVE-2026-9256)",
                node,
                help="Upgrade to nginx 1.30.2, or use named captures.",
                confidence=_doubt(ctx),
                make_fix=partial(_inner_group_named, node, expression, ctx.model),
            )


def _nested(parents: dict[int, int | None], numbers: Sequence[int]) -> bool:
    for number in numbers:
        outer = parents.get(number)
        while outer is not None:
            if outer in numbers:
                return True
            outer = parents.get(outer)
    return False


def map_regex_capture_overflow(ctx: CheckContext) -> Iterable[Hit]:
    """CVE-2026-42533 and CVE-2026-60005: keys of maps with groups that run while captures are in use."""
    maps = {
        block.args[1][1:].lower(): key
        for block in ctx.model.config.named("map")
        if block.is_block and len(block.args) > 1 and ctx.model.family_of(block) == "http"
        if (key := _capturing(block)) is not None
    }
    if not maps:
        return
    every, paths = _affected(ctx, "CVE-2026-42533"), _affected(ctx, "CVE-2026-93479")
    if every or paths:
        reported: set[str] = set()
        for node, name in _overflowing(ctx, maps):
            if name not in reported and (every or node.name in _PATHS):
                reported.add(name)
                yield _overflow(ctx, maps[name], node, "CVE-2026-42533" if every else "CVE-2026-93479")
    copies = [node for name in _COPIES for node in ctx.model.config.named(name) if node.args[:1] == ["on"]]
    copies += [node for node in ctx.model.config.named("slice") if node.args[:1] != ["0"]]
    if copies and _affected(ctx, "CVE-2026-60005"):
        for key in maps.values():
            yield _overflow(ctx, key, copies[0], "CVE-2026-60005")


def _overflowing(ctx: CheckContext, maps: Mapping[str, Directive]) -> Iterator[tuple[Directive, str]]:
    """Strings in which a capture comes before the variable of a map."""
    for node, token in ctx.model.texts:
        numbered = False
        for reference in references(token):
            numbered = numbered or (reference.name.isdigit() and reference.name != "0")
            if numbered and reference.name in maps:
                yield node, reference.name


def _capturing(block: Directive) -> Directive | None:
    """The first key with an unnamed group."""
    for line in block.children:
        if line.name.startswith("~") and "(" in line.name:
            expression = parse(map_expression(line.name)[1])
            if expression is not None and expression.groups > len(expression.names):
                return line
    return None


def _overflow(ctx: CheckContext, key: Directive, node: Directive, cve: str) -> Hit:
    return Hit(
        arg(key, key.word),
        f"this map key overwrites captures that {node.name} is using: out-of-bounds read ({cve})",
        key,
        related=(("the captures are used here", whole(node)),),
        confidence=_doubt(ctx),
        help="Upgrade to nginx 1.30.4, or use non-capturing groups (?:…).",
        make_fix=partial(_groups_dropped, key.parent),
    )


# The fixes are imported where one of these rare findings is.


def _captures_named(rewrite: Directive, reader: Directive, model: Model) -> Edits:
    from nginxaudit.checks.security.captures import captures_named

    return captures_named(rewrite, reader, model)


def _inner_group_named(node: Directive, expression: Expression, model: Model) -> Edits:
    from nginxaudit.checks.security.captures import inner_group_named

    return inner_group_named(node, expression, model)


def _groups_dropped(block: Directive | None) -> Edits:
    from nginxaudit.checks.security.captures import groups_dropped

    return groups_dropped(block) if block is not None else None
