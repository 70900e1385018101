"""Directives that nginx itself does not have: those of third-party modules, and those of other editions.

Imported where a configuration has one: what is known about them is loaded then.
"""

from __future__ import annotations

from nginxaudit.load.words import belongs_in, context_label
from nginxaudit.nginx import EDITION_NAMES, FORKS, DirectiveFact, Nginx, directives, module_facts
from nginxaudit.nginx.modules import module_of


def is_of_module(name: str) -> bool:
    """Whether some third-party module has the directive."""
    return bool(module_facts(name)) or module_of(name) is not None


def facts_of_modules(target: Nginx, name: str) -> list[DirectiveFact]:
    """What the modules that are loaded say of the directive, or all modules where none of those is known to be loaded."""
    facts = [*(fact for fact in directives(name) if fact.third_party), *module_facts(name)]
    return [fact for fact in facts if fact.third_party in target.modules] or facts


def misuse(target: Nginx, name: str, context: str, count: int, block: bool) -> tuple[str, str, str] | None:
    """Rule, message and help where no module that has the directive allows it like this; None where one does, or nothing is known."""
    facts = facts_of_modules(target, name)
    here = [fact for fact in facts if context in fact.contexts]
    if not facts or any(fact.block == block and fact.args.accepts(count) for fact in here):
        return None
    names = list(dict.fromkeys(str(fact.third_party) for fact in here or facts))
    module = f"{'modules' if len(names) > 1 else 'module'} {' and '.join(names)}"
    if not here:
        return (
            "directive-wrong-context",
            f'"{name}" of the {module} is not allowed {context_label(context)}',
            f"Move it: it belongs {belongs_in(facts, target)}.",
        )
    if all(fact.block != block for fact in here):
        what = "takes no block" if block else "needs a block"
        return "wrong-argument-count", f'"{name}" of the {module} {what}', ""
    allowed = " or ".join(dict.fromkeys(str(fact.args) for fact in here))
    return (
        "wrong-argument-count",
        f'"{name}" has {count} argument{"" if count == 1 else "s"}, the {module} expect{"s" if len(names) == 1 else ""} {allowed}',
        "Quote values with spaces, and look for a missing semicolon.",
    )


def of_another_edition(target: Nginx, name: str) -> tuple[str, str] | None:
    """Message and help for a directive that the target's edition lacks and another one has; None where no edition has it."""
    from nginxaudit.nginx.forks import editions_with

    here = EDITION_NAMES[target.edition]
    if directives(name):
        return f'"{name}" is a directive of nginx that {here} does not have', "Delete it."
    names = [edition for edition in editions_with(name) if edition != target.edition]
    if not names:
        return None
    labels = [FORKS[edition] for edition in names]
    message = f'"{name}" exists in {" and ".join(labels)} only; {here} refuses to start'
    return message, f"Delete it, or use --edition {names[0]} if the target is {labels[0]}."
