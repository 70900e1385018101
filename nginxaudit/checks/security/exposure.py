"""Files and programs that the network gets at."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.routing.locations import has_handler
from nginxaudit.checks.routing.regexes import uses_path_info
from nginxaudit.checks.routing.serving import never_serves, served_blocks
from nginxaudit.checks.security.access import is_restricted
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.access import is_internal
from nginxaudit.model.location import Location, Match
from nginxaudit.model.server import Server
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive, Token

_SYSTEM = (
    "/etc",
    "/root",
    "/home",
    "/var",
    "/usr",
    "/proc",
    "/sys",
    "/boot",
    "/dev",
    "/tmp",
    "/opt",
    "/bin",
    "/lib",
)
_BELOW = ("/etc/", "/root/", "/proc/", "/sys/", "/var/log/", "/boot/", "/dev/")
_FINE = ("/etc/letsencrypt/", "/etc/nginx/html", "/dev/null", "/etc/nginx/www", "/root/www")
_CHALLENGE = r"(?i)/\\?\.well-known/|/[^/]*(?:acme|challenge)[^/]*/*$"
_PICTURES = r"(?i)jpe?g|png|gif|webp|svg|mp4|webm|avi|mov|img|image|photo|video|media"
_INNER = ("internal", "protected", "private")
_INNER_NAMES = rf"(?i)^/_?(?:{'|'.join(_INNER)})(?:[/_-]|$)"
_SECRET_FILES = ("auth_basic_user_file", "ssl_certificate_key", "ssl_password_file")
_DOTFILES = "location ~ /\\.(?!well-known) {\n    deny all;\n}"


def _paths(ctx: CheckContext) -> Iterable[tuple[Directive, Token, str]]:
    """``root`` and ``alias`` with a constant absolute path, normalised."""
    for name in ("root", "alias"):
        for node in ctx.model.config.named(name):
            path = node.args[0] if node.args else None
            if path is not None and path.startswith("/") and "$" not in path and node.parent is not None:
                yield node, path, _normal(path)


def _normal(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")


def filesystem_root_exposed(ctx: CheckContext) -> Iterable[Hit]:
    """The whole file system as the root."""
    for node, path, normal in _paths(ctx):
        if normal != "/":
            continue
        location = ctx.model.location_of(node)
        if node.name == "alias" and location is not None:
            if location.is_exact or location.is_regex:
                continue
            if location.pattern.endswith("/") and not path.endswith("/"):
                continue  # "/.." and the rest of the path are one name
        if location is not None and (is_internal(location.directive) or _keeps_below(node, location)):
            continue
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        block = node.parent
        served = block is None or not (
            has_handler(block) or block.first("return") or never_serves(ctx.model, block)
        )
        yield Hit(
            arg(node, path),
            f"{node.name} serves the whole file system"
            if served
            else f"{node.name} points to the root of the file system",
            node,
            severity=None if served else Severity.INFO,
            help="Point it to the directory of the site.",
            witness=openings.below(ctx, node, "/etc", "/etc/passwd") if served else None,
            why=""
            if served
            else "Nothing is served from it here, but a location that is added later, or an error page, would serve any file.",
        )


def _keeps_below(node: Directive, location: Location) -> bool:
    """Whether a ``root`` shows only what is below the path of its location: ``location /backup/ { root /; }``."""
    own = location.is_exact or (location.is_prefix and location.pattern.strip("/") != "")
    return node.name == "root" and own


def sensitive_document_root(ctx: CheckContext) -> Iterable[Hit]:
    """Directories of the system as the root."""
    for node, path, normal in _paths(ctx):
        if not (normal in _SYSTEM or (normal + "/").startswith(_BELOW)) or normal.startswith(_FINE):
            continue
        location = ctx.model.location_of(node)
        if node.name == "alias" and (
            location is None or location.is_regex or "." in posixpath.basename(normal)
        ):
            continue
        if any(_shows(ctx.model, block, node) for block in served_blocks(ctx.model, node)):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            hit = Hit(
                arg(node, path),
                f"{node.name} serves {normal}: any client can download its files",
                node,
                help="Point it to the directory of the site.",
                witness=openings.below(ctx, node, normal),
            )
            yield unless(ctx.model.is_in_server, "the server restricts it", hit)


def _shows(model: Model, block: Directive, node: Directive) -> bool:
    """Whether clients get files of a block that has its files where ``node`` says."""
    location = model.location_of(block)
    if location is not None and location.directive is block:
        if location.is_exact or location.directive.first("internal"):
            return False
        path = str(node.args[0]) if node.name == "alias" else f"{node.args[0]}{location.pattern}"
        if _is_challenge(path, location):
            return False
    return not is_restricted(model, block)


def _is_challenge(path: str, location: Location) -> bool:
    """A directory for what ACME clients leave there: with ``root`` the path of the request is appended to it.

    An expression must say that the path begins so; in others it could stand anywhere.
    """
    if location.is_regex and (location.expression is None or "well-known" not in location.expression.prefix):
        return False
    return compiled(_CHALLENGE).search(path) is not None


def _is_inner(pattern: str) -> bool:
    return any(name in pattern.lower() for name in _INNER) and re.match(_INNER_NAMES, pattern) is not None


def internal_uri_exposed(ctx: CheckContext) -> Iterable[Hit]:
    """A location that is called internal, and is not."""
    served = {node.parent for name in ("root", "alias") for node in ctx.model.config.named(name)}
    for location in ctx.model.locations:
        node = location.directive
        if node not in served or not (location.is_prefix or location.is_exact):
            continue
        if not _is_inner(location.pattern) or ctx.model.unknown_inside(node):
            continue
        if not is_restricted(ctx.model, node):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            hit = Hit(
                name_of(node),
                f"any client can request {location.pattern}: the location is not marked internal",
                node,
                help="Add internal; if only X-Accel-Redirect and error_page should reach it.",
                witness=openings.file_of(ctx, node),
            )
            yield unless(ctx.model.is_in_server, "the server restricts it", hit)


def valid_referers_none(ctx: CheckContext) -> Iterable[Hit]:
    """Requests without a Referer pass a check of the Referer."""
    for node in ctx.model.config.named("valid_referers"):
        loose = next((token for token in node.args if token in ("none", "blocked")), None)
        if loose is None or len(node.args) < 2:
            continue
        location = ctx.model.location_of(node)
        from nginxaudit.checks.security import lures  # only who has such a finding pays for it

        pictures = location is not None and re.search(_PICTURES, location.pattern) is not None
        yield Hit(
            arg(node, loose),
            f"valid_referers {loose} allows requests {'without a Referer' if loose == 'none' else 'with a masked Referer'}: "
            "any client can pass the check",
            node,
            severity=Severity.INFO if pictures else None,
            help="Use it only against hotlinking. Protect actions with tokens of the application.",
            witness=lures.without_referer(ctx, node, str(loose)),
        )


def php_arbitrary_execution(ctx: CheckContext) -> Iterable[Hit]:
    """PHP that can be made to run files which are no scripts."""
    for each in ctx.model.passes:
        location = each.location
        if (
            each.protocol != "fastcgi"
            or location is None
            or not location.is_regex
            or "php" not in location.pattern
        ):
            continue
        if each.target_kind not in ("unix", "address", "upstream") or ctx.model.unknown_inside(
            location.directive
        ):
            continue
        if each.target_kind == "address" and not each.host.startswith("127."):
            continue  # on another machine nginx cannot look whether the script exists
        expression = location.expression
        node = location.directive
        if expression is None or expression.starts_anchored or node.first("try_files") or node.first("if"):
            continue
        from nginxaudit.checks.security import openings  # only who has such a finding pays for it

        if node.first("fastcgi_split_path_info") is not None or not _ends_script(
            location.pattern, expression.ends_anchored
        ):
            yield Hit(
                name_of(node),
                "no check that the script exists: for /upload/x.jpg/y.php, PHP may execute x.jpg",
                node,
                help="Add try_files $fastcgi_script_name =404; (after fastcgi_split_path_info, if present).",
                make_fix=partial(_existing_script, node, ctx.model),
                witness=openings.script(ctx, node),
            )
        else:
            yield Hit(
                name_of(node),
                "fastcgi_pass sends every matching path to PHP without a check that the script exists",
                node,
                severity=Severity.INFO,
                confidence=Confidence.LOW,
                help="Add try_files $uri =404; or set cgi.fix_pathinfo=0 and security.limit_extensions in PHP, which can execute x.jpg for /x.jpg/y.php.",
                make_fix=partial(_existing_script, node, ctx.model),
                witness=openings.script(ctx, node),
            )


def _existing_script(block: Directive, model: Model) -> Edits:
    """``try_files`` before PHP; after the splitting of the path, if there is one.

    ``try_files`` empties ``$fastcgi_path_info``: where that is used, the lines are left to their author.
    """
    split = block.first("fastcgi_split_path_info")
    if uses_path_info(model, block):
        return None
    if split is None:
        return (edits.first_in(block, "try_files $uri =404;"),)
    place = edits.standing_in(block, split)
    if place is None:
        return None
    return (edits.after(place, "try_files $fastcgi_script_name =404;"),)


def _ends_script(pattern: str, anchored: bool) -> bool:
    return anchored or pattern.endswith(("(/|$)", "($|/)", "(?:/|$)", "(?:$|/)"))


def auth_file_in_document_root(ctx: CheckContext) -> Iterable[Hit]:
    """Files with secrets below a directory that is served."""
    served = {normal for _, _, normal in _paths(ctx)}
    for name in _SECRET_FILES:
        for node in ctx.model.config.named(name):
            path = node.args[0] if node.args else None
            if path is None or not path.startswith("/") or "$" in path:
                continue
            parent = _nearest(_parent(_normal(path)), served)
            if parent != "/" and not (posixpath.basename(path).startswith(".ht") and _hides_ht(ctx)):
                from nginxaudit.checks.security import openings  # only who has such a finding pays for it

                found = openings.secret_file(ctx, _normal(path))
                known = found is None and openings.secret_file(ctx, _normal(path), openings.LOGGED_IN)
                yield Hit(
                    arg(node, path),
                    f"{node.name} is inside the document root {parent}: "
                    f"{'every user with a password' if known else 'any client'} can download it",
                    node,
                    help="Move it outside every document root.",
                    witness=found,
                )


def _nearest(path: str, served: set[str]) -> str:
    """The directory in ``served`` that is ``path`` or the nearest one above it, ``/`` without one."""
    while path not in served and path != "/":
        path = _parent(path)
    return path


def _parent(path: str) -> str:
    """The directory of a normal path."""
    return path.rpartition("/")[0] or "/"


def _hides_ht(ctx: CheckContext) -> bool:
    """An expression keeps clients away from files such as ``.htpasswd``."""
    return any(
        location.is_regex and "ht" in location.pattern and "\\." in location.pattern
        for location in ctx.model.locations
    )


def worker_runs_as_root(ctx: CheckContext) -> Iterable[Hit]:
    """Workers with all rights."""
    for node in ctx.model.config.named("user"):
        if node.args[:1] == ["root"] and node.context == "main":
            yield Hit(
                whole(node),
                "worker processes run as root: a flaw in a worker gives full control of the machine",
                node,
                help="Use an unprivileged user such as www-data or nginx.",
            )


def dotfiles_exposed(ctx: CheckContext) -> Iterable[Hit]:
    """Roots whose hidden files can be fetched; asked for only."""
    for server in ctx.model.servers("http"):
        node = server.directive
        if not node.first("root") or ctx.model.unknown_inside(node):
            continue
        found = server.match("/.git/config")
        inside = found.location.directive if found.location is not None else node
        if (
            found.certain
            and not is_restricted(ctx.model, inside)
            and not inside.first("return")
            and not any(never_serves(ctx.model, block) for block in (node, inside))
            and not has_handler(inside)
        ):
            from nginxaudit.checks.security import openings  # only who has such a finding pays for it

            yield Hit(
                name_of(node),
                "hidden files such as /.git/config and /.env can be downloaded if they exist",
                node,
                help="Add location ~ /\\.(?!well-known) { deny all; }",
                make_fix=partial(_hidden, server, found),
                witness=openings.below(ctx, node, "/", "/.git/config"),
            )


def _hidden(server: Server, found: Match) -> Edits:
    """A location for hidden files before all other expressions, where it is asked at all."""
    if found.location is not None and not _yields(found.location):
        return None
    block = server.directive
    first = next((each.directive for each in server.locations if each.is_regex), None)
    if first is None:
        return (edits.last_in(block, _DOTFILES),)
    place = edits.standing_in(block, first)
    return (edits.before(place, _DOTFILES),) if place is not None else None


def _yields(location: Location) -> bool:
    """Whether an expression of the server, before all others, is preferred to this location."""
    at: Location | None = location
    while at is not None:
        if at.modifier not in ("", "~", "~*") or (at.is_regex and at.parent is not None):
            return False
        at = at.parent
    return True
