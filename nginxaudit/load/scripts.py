"""Texts with variables, and regular expressions: what nginx compiles while it reads.

``ngx_http_script_compile`` and ``ngx_http_regex_compile`` (src/http/ngx_http_script.c,
src/http/ngx_http_variables.c); stream has the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

from nginxaudit.finding import Fix
from nginxaudit.load.base import (
    LoadState,
    Mistake,
    Reference,
    Use,
    finally_,
    invalid,
)
from nginxaudit.model import Model
from nginxaudit.nginx import FORKS, Availability, variable_of, variables
from nginxaudit.syntax.tree import Directive, Token

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_CAPTURES = frozenset("123456789")
NEVER_DEFINED = frozenset({"memcached_key"})
"""Variables that a module reads and nobody but the configuration defines."""


def script(use: Use, token: Token, text: str | None = None, *, captures: bool = True) -> Iterable[Mistake]:
    """Judge a text in which variables are filled in, and remember which ones it uses.

    ``captures``: ``$1`` is a capture, not a variable called 1.
    """
    value = token if text is None else text
    if "$" not in value:
        return ()
    names, error = script_names(str(value), captures)
    for name in names:
        uses(use, name, token)
    if not error:
        return ()
    remedy = "A literal $ is not possible here; a variable is $name or ${name}."
    return (invalid(token, f'{error}: "{value}"', remedy),)


def scripts(use: Use, tokens: Iterable[Token]) -> Iterable[Mistake]:
    """Judge texts in which variables are filled in."""
    return [mistake for token in tokens if "$" in token for mistake in script(use, token)]


def uses(use: Use, name: str, token: Token) -> None:
    """Remember the use of a variable if nothing defines it: the definitions of all files are known."""
    if any(reason is not None for _, reason in use.load.lacking[use.family, name]):
        use.load.undefined.append(Reference(name, token, use.node, use.family))


@lru_cache(maxsize=4096)
def script_names(text: str, captures: bool) -> tuple[tuple[str, ...], str]:
    """Names of the variables in ``text``, and what is wrong with it (empty if nothing)."""
    names: list[str] = []
    at = text.find("$")
    while at >= 0:
        start = at + 1
        if captures and text[start : start + 1] in _CAPTURES and start < len(text):
            at = text.find("$", start + 1)
            continue
        bracket = text.startswith("{", start)
        start += bracket
        end = start
        while end < len(text) and text[end] in _NAME:
            end += 1
        if bracket and not text.startswith("}", end):
            return tuple(names), 'the closing "}" of a variable is missing'
        if end == start:
            return tuple(names), 'a "$" without the name of a variable'
        names.append(text[start:end])
        at = text.find("$", end)
    return tuple(names), ""


def name_after_dollar(use: Use, token: Token) -> Iterator[Mistake]:
    """The word that names a variable to be defined must begin with ``$`` and go on behind it."""
    if not token.startswith("$") or len(token) < 2:
        yield invalid(token, f'invalid variable name "{token}"', "A variable is written $name.")


def source_variable(use: Use, token: Token, text: str | None = None) -> Iterator[Mistake]:
    """A word that is one variable, without braces, and remember that it is used."""
    name = str(token) if text is None else text
    if not name.startswith("$") or len(name) < 2:
        yield invalid(token, f'invalid variable name "{name}"', "Write $name.")
    else:
        uses(use, name[1:], token)


def expression(use: Use, token: Token, text: str | None = None) -> Iterable[Mistake]:
    """Judge a regular expression."""
    pattern = str(token) if text is None else text
    error = regex_error(pattern)
    if not error:
        return ()
    return (Mistake("invalid-regex", f'invalid regex "{pattern}": {error}', token),)


def regex_error(pattern: str) -> str:
    """What PCRE has against ``pattern``; empty if nothing."""
    return _compile(pattern)[0]


def regex_captures(pattern: str) -> int | None:
    """How many groups ``pattern`` captures; None if it cannot be compiled."""
    return _compile(pattern)[1]


@lru_cache(maxsize=16384)
def _compile(pattern: str) -> tuple[str, int | None]:
    import pcre2  # only configurations with regular expressions pay for it

    try:
        # Nothing is matched, and the JIT compiler refuses long expressions that PCRE accepts.
        compiled = pcre2.compile(pattern.encode("utf-8", "surrogateescape"), jit=False)
    except pcre2.PatternError as error:
        return str(error).partition("; ")[2] or str(error), None
    return "", compiled.groups


@finally_
def undefined_variables(load: LoadState) -> Iterator[Mistake]:
    """Variables that nobody defines: nginx looks for them when a family has been read."""
    for reference in load.undefined:
        if load.model.unread_files(reference.family):
            continue
        if reference.token.filled:
            continue  # told by unrendered-template
        near = _nearest(load, reference)
        reasons = load.lacking[reference.family, reference.name]
        for stretch, reason in reasons:
            if reason is not None:
                yield Mistake(
                    "undefined-variable",
                    f'unknown variable "${reference.name}"{reason}',
                    reference.token,
                    f'Did you mean "{near}"?' if near else "Define the variable or correct its name.",
                    reference.node,
                    make_fix=partial(_respelt, load.model, reference) if near else None,
                    versions=(stretch,) if len(reasons) > 1 else (),
                )


def _respelt(model: Model, reference: Reference, node: Directive) -> Fix | None:
    from nginxaudit.load.fixes.names import variable_name

    return variable_name(model, reference, node)


def why_lacking(model: Model, family: str, name: str) -> str | None:
    """Why a variable does not exist (a clause, maybe empty); None if it does."""
    name = name.lower()
    if name in model.variable_definitions(family):
        return None
    fact = variable_of(name, family, model.target)
    if fact is None or name in NEVER_DEFINED:
        return ": it is not defined"
    why = fact.available(model.target)
    if why in (Availability.YES, Availability.THIRD_PARTY) or fact.third_party:
        return None
    if why is Availability.PLUS_ONLY:
        return ": it exists in NGINX Plus only"
    if why is Availability.TOO_NEW:
        known = "" if model.target.is_range else f", the target is {model.target.label}"
        return f": it needs {FORKS.get(fact.edition or '', 'nginx')} {fact.since} or newer{known}"
    if model.target.is_range:
        return f": it was removed after nginx {fact.until}"
    return f": it was removed before {model.target.label}"


def _nearest(load: LoadState, reference: Reference) -> str | None:
    family, name = reference.family, reference.name.lower()
    near = load.suggest((family, "variable"), lambda: _names(load.model, family), name)
    return None if near == name else near  # known, but not to this nginx


def _names(model: Model, family: str) -> Iterator[str]:
    yield from model.variable_definitions(family)
    yield from variables(family)
