"""What the user wants: a setting is one field here.

Its type, bounds and choices say what is valid, its default what holds without it, `about` what it does. The settings
file and its JSON Schema, the file that ``init`` writes, the options of the command line with their help and the
table in the documentation are made from that.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from nginxaudit.engine.annotations import metas
from nginxaudit.finding import Confidence, Severity
from nginxaudit.nginx import FORKS, NEWEST, OLDEST, Target
from nginxaudit.nginx.version import own_version
from nginxaudit.source.fence import EVERYWHERE, Fence
from nginxaudit.source.limits import Limits
from nginxaudit.source.repository import home_of

AUTO = "auto"
"""The version of nginx that is found in what is scanned."""
BASELINE_NAME = "nginxaudit-baseline.json"
TARGET = "For which nginx"
RULES = "Which rules"
REPORTED = "What is reported"
READ = "What is read"
"""The last four: headings of the help, and the groups in which commands take options."""

Edition = Literal["auto", "oss", "plus", "openresty", "angie", "freenginx", "tengine"]
Topology = Literal["active-active", "active-passive"]
TOPOLOGIES: tuple[Topology, ...] = get_args(Topology)


class SettingsError(ValueError):
    """Settings that cannot be used; the message says file, key, and what is allowed."""


def about(
    description: str,
    option: str = "",
    heading: str = "",
    *,
    sample: str = "",
    paths: bool = False,
    whole: bool = False,
    check: Callable[[str], object] | None = None,
    **bounds: Any,
) -> Meta:
    """What is said about a setting besides its type.

    ``option`` is its spelling on the command line with a word for the value, ``--prefix DIR``, and ``heading`` the
    group of that option; ``sample`` is TOML to begin with; ``paths``: it names files, relative to the settings file;
    ``whole``: an option is one value, whatever commas are in it;
    ``check`` raises `ValueError` for a value that cannot be used; ``bounds`` are those of `msgspec.Meta`.
    """
    extra = {"option": option, "heading": heading, "sample": sample, "paths": paths, "whole": whole}
    return Meta(description=description, extra={**extra, "check": check} if check else extra, **bounds)


def _version(text: str) -> None:
    if text != AUTO:
        try:
            own_version(text)
        except ValueError as error:
            raise ValueError(f"{error} or {AUTO}") from None


def _context_path(path: str) -> None:
    from nginxaudit.syntax.fragments import context_of_path

    context_of_path(path)


class Upstream(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """What an upstream is meant to be."""

    topology: Topology


class FileSettings(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """What a settings file may say; on the command line it is said once more where a field has an ``option``."""

    nginx_version: Annotated[
        str | None,
        about(
            "Version of nginx that the configuration is for, or auto for the one found in the input "
            "(default: auto; if none is found, all supported versions).",
            "--nginx-version VERSION",
            TARGET,
            sample='"1.28.0"',
            check=_version,
        ),
    ] = None
    edition: Annotated[
        Edition,
        about(
            "Open source nginx (oss), NGINX Plus, or a fork, to which nginx-version then refers; auto for the one found in the input, "
            "else open source nginx.",
            "--edition",
            TARGET,
        ),
    ] = "auto"
    modules: Annotated[
        tuple[str, ...],
        about("Third-party modules that are loaded, e.g. lua.", "--module NAME", TARGET, sample='["lua"]'),
    ] = ()
    advisories: Annotated[
        str | None,
        about(
            "File with security advisories, newer than those that come with this release (nothing is ever downloaded).",
            "--advisories FILE",
            RULES,
            sample='"advisories.json"',
            paths=True,
        ),
    ] = None
    entry: Annotated[
        tuple[str, ...],
        about(
            "Main configurations, relative to this file: what is scanned when no path is given.",
            sample='["nginx.conf"]',
            paths=True,
        ),
    ] = ()
    prefix: Annotated[
        str | None,
        about(
            "Where the scanned tree is installed, for absolute includes.",
            "--prefix DIR",
            READ,
            sample='"/etc/nginx"',
        ),
    ] = None
    fragments: Annotated[
        bool,
        about(
            "Also analyse files of a directory that no configuration includes.",
            "--fragments",
            READ,
        ),
    ] = False
    exclude: Annotated[
        tuple[str, ...],
        about(
            "Files and directories to skip in scanned directories, as in .gitignore; files that are named are read.",
            "--exclude GLOB",
            READ,
            sample='["*.sample", "tests/"]',
        ),
    ] = ()
    rules: Annotated[
        tuple[str, ...],
        about(
            "Directories with your own rule pages (declarative checks only).",
            "--rules DIR",
            READ,
            sample='["nginx-rules"]',
            paths=True,
        ),
    ] = ()
    select: Annotated[
        tuple[str, ...] | None,
        about(
            "Only these rules: slugs, ids, categories, tags or ALL.",
            "--select RULE",
            RULES,
            sample='["ALL"]',
        ),
    ] = None
    extend_select: Annotated[
        tuple[str, ...],
        about(
            "These rules in addition to the default ones.",
            "--extend-select RULE",
            RULES,
            sample='["pedantic"]',
        ),
    ] = ()
    ignore: Annotated[
        tuple[str, ...],
        about("Disable these rules.", "--ignore RULE", RULES, sample='["style"]'),
    ] = ()
    per_file_ignores: Annotated[
        Mapping[str, tuple[str, ...]],
        about(
            "Glob of files, relative to this file -> rules whose findings are suppressed there.",
            sample='"legacy/*.conf" = ["security"]',
        ),
    ] = field(default_factory=dict)
    rule: Annotated[
        Mapping[str, Mapping[str, Any]],
        about("Severity and options of single rules.", sample='server-tokens = { severity = "error" }'),
    ] = field(default_factory=dict)
    min_severity: Annotated[
        Severity,
        about("Report only findings at or above this severity.", "--min-severity", RULES),
    ] = Severity.INFO
    min_confidence: Annotated[
        Confidence,
        about("Report only findings at or above this confidence.", "--min-confidence", RULES),
    ] = Confidence.LOW
    fail_on: Annotated[
        Literal["info", "warning", "error", "never"],
        about(
            "Lowest severity that makes the exit code 1.",
            "--fail-on",
            REPORTED,
        ),
    ] = "warning"
    baseline: Annotated[
        str | None,
        about(
            "File with known findings, which are suppressed (nginxaudit baseline write).",
            "--baseline FILE",
            REPORTED,
            sample=f'"{BASELINE_NAME}"',
            paths=True,
        ),
    ] = None
    upstreams: Annotated[
        Mapping[str, Upstream],
        about(
            "Intended topology of upstreams: active-active or active-passive; names may be globs.",
            "--topology NAME=KIND",
            TARGET,
            sample='backend = { topology = "active-passive" }',
        ),
    ] = field(default_factory=dict)
    limits: Annotated[Limits, about("How much is read and analysed at most.")] = field(default_factory=Limits)


class Settings(FileSettings, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """How an audit is to be done: what a file may say, and what only the command line or a program can.

    ``base`` is the directory that globs of files are relative to, ``own_paths`` are those that the settings file names,
    ``origin`` is that file (None: there is none), and ``given`` what the command line sets, too.
    """

    nginx_v: Annotated[
        str | None,
        about(
            "Take version, edition, modules and prefix from this output of nginx -V (- for standard input).",
            "--nginx-v FILE",
            TARGET,
        ),
    ] = None
    context: Annotated[
        str | None,
        about("Where a fragment belongs, e.g. http,server.", "--context BLOCKS", READ, check=_context_path),
    ] = None
    stdin_filename: Annotated[
        str | None, about("Name of the text read from standard input.", "--stdin-filename PATH", READ)
    ] = None
    env_file: Annotated[
        tuple[str, ...],
        about(
            "Fill in templates/*.template with the variables of this file, as the nginx image does.",
            "--env-file FILE",
            READ,
            whole=True,
        ),
    ] = ()
    define: Annotated[
        tuple[str, ...],
        about("Fill in templates with this variable.", "--define NAME=VALUE", READ, whole=True),
    ] = ()
    allow_outside: Annotated[
        bool, about("Read includes outside the scanned directory.", "--allow-outside", READ)
    ] = False
    check_files: Annotated[
        bool,
        about(
            "Also check the files that the configuration names here: existence, permissions, certificates and the account of the workers.",
            "--check-files",
            RULES,
        ),
    ] = False
    changed: Annotated[
        bool,
        about("The paths are changed files: report only what is in them.", "--changed", REPORTED),
    ] = False
    base: str = "."
    own_paths: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    origin: str | None = None

    @property
    def knows_version(self) -> bool:
        """Whether the version of nginx is said, and need not be found."""
        return self.nginx_version not in (None, AUTO)

    @property
    def target(self) -> Target:
        """The nginx that the configuration is for: all supported versions where its version is not said."""
        modules = frozenset(self.modules)
        edition = "oss" if self.edition == AUTO else self.edition
        if edition in FORKS:
            from nginxaudit.nginx.editions import target_of

            own = own_version(str(self.nginx_version)) if self.knows_version else None
            return target_of(edition, own, modules)
        if not self.knows_version:
            return Target(NEWEST, edition, modules, OLDEST)
        major, minor, patch, *_ = own_version(str(self.nginx_version))
        return Target((major, minor, patch), edition, modules)

    @property
    def topologies(self) -> dict[str, str]:
        """Upstreams by name or glob, with what they are meant to be."""
        return {name: each.topology for name, each in self.upstreams.items()}

    @property
    def fail_severity(self) -> Severity | None:
        """Lowest severity that makes the exit code 1; None: no finding does."""
        return None if self.fail_on == "never" else Severity(self.fail_on)

    def where(self, name: str) -> str:
        """Where the setting ``name`` comes from, for messages."""
        key = name.replace("_", "-")
        places = [f"--{key}"] if name in self.given else []
        if self.origin is not None and not (places and name == "select"):
            places.append(f"{self.origin}: {key}")
        return " or ".join(places) or f"settings: {key}"

    def with_options(self, **options: Any) -> "Settings":
        """These settings with every option that is not None put in its place."""
        return replace(self, **{key: value for key, value in options.items() if value is not None})

    def home_of(self, path: str) -> Fence:
        """What a path of the settings may lead to: one that the command line names, to everything."""
        return home_of(path, self.base) if path in self.own_paths else EVERYWHERE


class Setting(Struct, frozen=True):
    """A field of `Settings`, as far as it is a setting: ``annotation`` is its type with what is said about it."""

    name: str
    annotation: Any
    default: Any
    description: str
    option: str  # "--prefix DIR"; empty: it is no option
    heading: str
    sample: str  # TOML
    paths: bool
    whole: bool

    @property
    def key(self) -> str:
        """What a settings file calls it."""
        return self.name.replace("_", "-")


def described(record: type[FileSettings]) -> list[Setting]:
    """The settings that ``record`` adds to those it inherits."""
    found = []
    defaults = record()
    for name, annotation in record.__annotations__.items():
        for meta in metas(annotation):
            said = {key: value for key, value in (meta.extra or {}).items() if key != "check"}
            found.append(Setting(name, annotation, getattr(defaults, name), meta.description or "", **said))
    return found


@cache
def all_settings() -> tuple[Setting, ...]:
    """All settings: those of files first."""
    return (*described(FileSettings), *described(Settings))
