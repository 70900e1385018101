"""A rule as data: what the front matter and the first words of its page say.

A key of the front matter is one field here, with its type, its default, and below it what it means (for rules/README.md).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from nginxaudit import DOCS
from nginxaudit.finding import Confidence, Severity
from nginxaudit.nginx import Asked, Nginx, Target, after, parse_version


class PageError(ValueError):
    """A rule page that is not well-formed; the message names file and reason."""


_VERSION = Meta(extra={"check": parse_version})


class Option(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """An option of one rule, which settings may change."""

    type: Literal["integer", "number", "string", "boolean", "duration", "size", "list"]
    """what its value is; a duration is written like `30s`, a size like `16k`, a list has strings"""
    default: Any
    """the value without settings"""
    description: str
    """what it changes, in one sentence"""

    @property
    def value(self) -> Any:
        """The value without settings, as checks are given it."""
        return tuple(self.default) if isinstance(self.default, list) else self.default


class OptionValue(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """``{ option = "NAME" }``: the value of an option of the page, in the place of a value of its check."""

    option: str


class CheckTable(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True):
    """What a rule looks for."""

    directive: str | tuple[str, ...] = ()
    """a name, or a list of names: every use of these directives is checked"""
    contexts: tuple[str, ...] = ()
    """only in these contexts: `main`, `http`, `server`, `location`, `if-in-server`, `if-in-location`, `limit_except`, `upstream`, `stream`, `stream-server`, …"""
    argument: Annotated[int, Meta(ge=1)] | Literal["any"] = "any"
    """which argument is checked: a number from 1, or `"any"` (default)"""
    parameter: str | None = None
    """check the value of `PARAMETER=value` instead"""
    equals: str | int | float | OptionValue | None = None
    """the value is this (case does not matter)"""
    one_of: str | tuple[str, ...] | OptionValue | None = None
    """the value is one of these (case does not matter)"""
    not_one_of: str | tuple[str, ...] | OptionValue | None = None
    """the value is none of these (case does not matter)"""
    matches: str | OptionValue | None = None
    """the value matches this regular expression (PCRE2, as in nginx; searched, and given up where it backtracks for long)"""
    above: str | int | OptionValue | None = None
    """the value is above this bound"""
    below: str | int | OptionValue | None = None
    """the value is below this bound"""
    unit: Literal["number", "size", "time"] = "number"
    """what `above` and `below` compare (default: `number`)"""
    lacks: str | None = None
    """instead of `directive`: this directive is not in effect in the blocks `in`"""
    blocks: tuple[str, ...] = field(name="in", default=())
    """with `lacks`: the contexts of the blocks"""
    third_party: tuple[str, ...] = ()
    """directives of modules that nginxaudit does not know, which are no spelling mistakes"""
    message: str = ""
    """the message; `{directive}`, `{args}`, `{context}`, `{value}` and `{OPTION}` are filled in"""
    help: str = ""
    """what to do, in one line; filled in like the message"""
    python: str | tuple[str, ...] = ()
    """functions below `nginxaudit/checks/` (shipped pages only)"""
    on: tuple[str, ...] = ()
    """with `python`: directives without any of which there is nothing to find"""
    engine: str | None = None
    """the part of the engine that finds it (shipped pages only)"""

    @property
    def functions(self) -> tuple[str, ...]:
        """The Python functions behind the rule."""
        return (self.python,) if isinstance(self.python, str) else self.python

    @property
    def runs_code(self) -> bool:
        """Whether it is more than a description of what to look for."""
        return bool(self.python or self.on or self.engine)


class RepairTable(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True):
    """How a finding is fixed. With a title alone the check makes the edits (shipped pages only)."""

    title: str
    """what it does, in a few words: `Add zone`"""
    delete: Literal["directive", "found"] | None = None
    """the whole directive with its line, or the argument that is marked"""
    replace: str | None = None
    """this text in the place of `what`"""
    what: Literal["directive", "found"] = "directive"
    """with `replace`: the words of the directive (default), or what is marked"""
    append: str | None = None
    """this text as a further argument"""
    insert: str | None = None
    """this text `where`"""
    where: str = ""
    """with `insert`: `before` or `after` the directive, as the `first` or `last` in its block, or first in the enclosing block of this name"""

    @property
    def actions(self) -> tuple[str, ...]:
        """The keys that say what is done."""
        return tuple(
            name for name in ("delete", "replace", "append", "insert") if getattr(self, name) is not None
        )


class FrontMatter(
    Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True
):
    """The front matter of a page."""

    id: str
    """stable, never used again for another rule"""
    severity: Severity
    """how bad a finding is"""
    confidence: Confidence
    """how sure a finding is a true positive"""
    check: CheckTable
    """what is looked for, see below"""
    default: bool = True
    """false: only when selected (default: true)"""
    rejected_by_nginx: bool = False
    """true: nginx refuses to load such a configuration; proved by the examples"""
    fix: Literal["none", "safe", "unsafe"] = "none"
    """whether findings are fixed, see below"""
    repair: RepairTable | None = None
    """how they are fixed, see below"""
    edition: Literal["oss", "plus"] | None = None
    """the rule runs only for this edition of nginx"""
    nginx_since: Annotated[str | None, _VERSION] = None
    """the rule runs only for this version of nginx and later ones; of a range its findings say so"""
    nginx_until: Annotated[str | None, _VERSION] = None
    """the rule runs only for this version of nginx and earlier ones"""
    tags: tuple[str, ...] = ()
    """names under which the rule can be selected, too"""
    cwe: tuple[Annotated[int, Meta(ge=1)], ...] = ()
    """numbers of weaknesses, e.g. `[22]`"""
    since: str = "0.1.0"
    """the version of nginxaudit that has it first"""
    references: tuple[str, ...] = ()
    """where more can be read"""
    proofs: tuple[str, ...] = ()
    """live tests of behavioural claims, as pytest node ids"""
    options: Mapping[str, Option] = field(default_factory=dict)
    """settings of the rule, see below"""


class Rule(
    FrontMatter, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True
):
    """One rule. ``path`` is the file of its page, that of a shipped one below their directory; its body is read when asked for.

    ``title`` is the first heading, ``what``/``why``/``remedy`` the first sentence of the sections
    *What it does*, *Why it matters* and *How to fix* (plain text, one line each).
    """

    slug: str
    category: str
    title: str
    what: str
    why: str
    remedy: str
    path: str
    own: bool = False  # a page of the user

    @property
    def url(self) -> str:
        """Where its page can be read by everybody; empty for a page of the user."""
        return "" if self.own else f"{DOCS}rules/{self.slug}/"

    @property
    def scope(self) -> str:
        """The nginx that it is about, in words; empty: all of them."""
        editions = {"plus": "NGINX Plus", "oss": "open source nginx"}
        parts = [editions[self.edition]] if self.edition is not None else []
        parts += [f"nginx {self.nginx_since} and later"] if self.nginx_since is not None else []
        parts += [f"nginx {self.nginx_until} and earlier"] if self.nginx_until is not None else []
        return ", ".join(parts)

    def applies_to(self, target: Nginx) -> bool:
        """Whether the rule is about the nginx that is the target."""
        if self.edition is not None and self.edition != target.edition:
            return False
        if self.nginx_since is not None and not target.since(parse_version(self.nginx_since)):
            return False
        return self.nginx_until is None or not target.since(after(parse_version(self.nginx_until)))

    def may_apply_to(self, target: Target) -> bool:
        """Whether the rule is about one of the versions of ``target``."""
        asked = Asked(target)
        return any(answer for _, answer in asked.parts(lambda: self.applies_to(asked)))
