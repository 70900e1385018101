"""The content phase: ``try_files``, files, indexes, and what passes a request on.

``try_files`` is src/http/modules/ngx_http_try_files_module.c, the rest are the index, autoindex and static modules.
"""

from __future__ import annotations

from nginxaudit.request.errors import has_page
from nginxaudit.request.evaluate import known
from nginxaudit.request.files import NoPath, exists, find_root, full_path, is_dir, is_file, path_of
from nginxaudit.request.flight import Finish, Flight, Goto, Lost, Passed, Reply, Result, Unknown
from nginxaudit.request.passing import BadUrl, passed
from nginxaudit.request.uri import escape_uri, is_number, split_args
from nginxaudit.syntax.tree import Directive

_READING = frozenset({"GET", "HEAD", "POST"})
_CODE = frozenset({"perl", "js_content", "content_by_lua", "content_by_lua_block", "content_by_lua_file"})
_OWN = {
    "stub_status": "the status page",
    "empty_gif": "an empty picture",
    "api": "the API",
    "status": "the status",
}


def try_files(flight: Flight, block: Directive) -> Result | None:
    """Look for files; None where one is there (it is the URI then) or nothing is to be tried."""
    node = block.first("try_files")
    if node is None or len(node.args) < 2:
        return None
    root = find_root(flight, block)
    if root.is_alias and not flight.valid_location:
        return Finish(500)
    base = full_path(flight, root.text)
    for word in node.args[:-1]:
        text = str(word)
        folder = text.endswith("/")
        kind = "directory" if folder else "file"
        name = _name(flight, text[:-1] if folder else text, root.cut, node)
        path = base + name
        if is_dir(flight, path, node) if folder else is_file(flight, path, node):
            _found(flight, name, root.cut, folder)
            flight.note("content", node, f"{path} is a {kind}", f"try_files: {text}")
            return None
        flight.note("content", node, f"{path} is not a {kind}", f"try_files: {text}")
    return _fallback(flight, node, root.cut)


def _name(flight: Flight, text: str, cut: int | None, node: Directive) -> str:
    """A name as it is put behind root or alias: of one with variables the location's part is cut off."""
    name = known(flight, text, node)
    if "$" in text and cut and name[:cut] == flight.uri[:cut]:
        name = name[cut:]
    return name


def _found(flight: Flight, name: str, cut: int | None, folder: bool) -> None:
    if cut is None:
        if not folder:
            flight.uri = name
            flight.add_uri_to_alias = True
    else:
        flight.uri = flight.uri[:cut] + name


def _fallback(flight: Flight, node: Directive, cut: int | None) -> Result:
    last = str(node.args[-1])
    if last.startswith("=") and is_number(last[1:]):
        flight.note("content", node, last[1:], "try_files: none of them exists")
        return Finish(int(last[1:]))
    name = _name(flight, last, cut, node)
    flight.note("content", node, f"on to {name}", "try_files: none of them exists")
    if name.startswith("@"):
        return Goto(name, named=True)
    uri, args = split_args(name)
    return Goto(uri, args)


def content(flight: Flight, block: Directive) -> Result:
    """What answers the request."""
    if flight.handler is not None:
        return _handled(flight, block, flight.handler)
    methods = flight.model.effective(block, "dav_methods")
    if methods and flight.method in [str(word) for word in methods[0].args]:
        return _changed(flight, methods[0])
    try:
        if flight.uri.endswith("/"):
            found = _index(flight, block)
            if found is not None:
                return found
        return _static(flight, block)
    except NoPath:
        flight.note("content", find_root(flight, block).node, "500", "alias cannot be used after a rewrite")
        return Finish(500)


def _changed(flight: Flight, node: Directive) -> Result:
    from nginxaudit.request.dav import changed  # few configurations let clients change files

    try:
        return changed(flight, node)
    except NoPath:
        flight.note("content", node, "500", "alias cannot be used after a rewrite")
        return Finish(500)


# -- directories


def _index(flight: Flight, block: Directive) -> Result | None:
    if flight.method not in _READING:
        return None
    found = flight.model.effective(block, "index")
    names = [str(word) for node in found for word in node.args] or ["index.html"]
    node = found[0] if found else None
    folder = _path(flight, node)
    tested = False
    for each in names:
        name = known(flight, each, node)
        if name.startswith("/"):
            flight.note(
                "content", node, f"internal redirect to {name}", "index: an absolute path is not looked up"
            )
            return Goto(name, flight.args)
        # nginx takes a directory, too; one that is called like a file is not asked about.
        asked = is_file if "." in name and not flight.world.complete else exists
        if asked(flight, folder + name, node):
            flight.note(
                "content", node, f"internal redirect to {flight.uri}{name}", f"index: {folder}{name} exists"
            )
            return Goto(flight.uri + name, flight.args)
        if not tested:
            missing = _no_folder(flight, folder, node)
            if missing is not None:
                return missing
            tested = True
    return _listing(flight, block)


def _no_folder(flight: Flight, folder: str, node: Directive | None) -> Result | None:
    """What is answered where the directory of an index is none (``ngx_http_index_test_dir``)."""
    if is_dir(flight, folder.rstrip("/") or "/", node):
        return None
    if not folder.endswith("/") and is_file(flight, folder, node):
        flight.note("content", node, "500", f"index: {folder} is a file")
        return Finish(500)
    flight.note("content", node, "404", f"index: there is no directory {folder}")
    return Finish(404)


def _listing(flight: Flight, block: Directive) -> Result | None:
    if not flight.model.flag(block, "autoindex", False) or flight.method == "POST":
        return None
    node = flight.model.effective(block, "autoindex")[0]
    path = _path(flight, node)[:-1]  # nginx takes the last character for a slash, whatever it is
    if not is_dir(flight, path or "/", node):
        flight.note("content", node, "404", f"autoindex: there is no directory {path}")
        return Finish(404)
    flight.note("content", node, f"a list of {path}", "autoindex: there is no index file")
    return Reply(200, file=f"{path}/")


def _path(flight: Flight, node: Directive | None) -> str:
    found = path_of(flight)
    if isinstance(found, Unknown):
        raise Lost(f"{found.shown} is not known: {found.reason}", node)
    return found


# -- files


def _static(flight: Flight, block: Directive) -> Result:
    node = find_root(flight, block).node
    if flight.method not in _READING:
        flight.note("content", node, "405", f"files are not for {flight.method}")
        return Finish(405)
    if flight.uri.endswith("/"):
        flight.note("content", node, "403", "the directory has no index, and autoindex is off")
        return Finish(403)
    path = _path(flight, node)
    if is_file(flight, path, node):
        if flight.method == "POST":
            flight.note("content", node, "405", "files are not for POST")
            return Finish(405)
        flight.note("content", node, f"the file {path}")
        return Reply(200, file=path)
    if is_dir(flight, path, node):
        name = f"{escape_uri(flight.uri)}/" + (f"?{flight.args}" if flight.args else "")
        flight.redirect = name
        flight.note("content", node, f"301 to {name}", f"{path} is a directory")
        return Finish(301)
    flight.note("content", node, "404", f"there is no {path}")
    return Finish(404)


# -- handlers


def _handled(flight: Flight, block: Directive, handler: Directive) -> Result:
    if handler.name in _CODE:
        raise Lost(f"{handler.name} runs: its code decides", handler)
    if not handler.name.endswith("_pass"):
        flight.note("content", handler, _OWN.get(handler.name, handler.name))
        return Reply(200)
    if not handler.args and handler.name != "tunnel_pass":
        raise Lost(f"nginx would not load this {handler.name}", handler)
    try:
        found = passed(flight, handler)
    except BadUrl as bad:
        flight.note("content", handler, str(bad.status), str(bad))
        return Finish(bad.status)
    uri = f" {found.method} {found.uri}" if found.uri is not None else ""
    flight.note("content", found.node, f"passed to {found.target}{uri}", _group(found.upstream))
    flight.sent = found
    return _answered(flight, block, found)


def _group(name: str | None) -> str:
    return f"upstream {name}" if name else ""


def _answered(flight: Flight, block: Directive, sent: Passed) -> Result:
    """The backend's answer: known, or a branch for each error page that it may lead to."""
    protocol, node = sent.protocol, sent.node
    intercept = protocol != "memcached" and bool(
        flight.model.flag(block, f"{protocol}_intercept_errors", False)
    )
    status = flight.world.backends.get(sent.target.rpartition("//")[2], flight.world.backend_status)
    if status is not None:
        if status >= 300 and intercept and has_page(flight, block, status):
            flight.note(
                "content", node, f"the backend answers {status}", f"{protocol}_intercept_errors is on"
            )
            return Finish(status)
        return Reply(status, passed=node)
    options: list[tuple[int | None, str]] = [(None, "the backend's answer is passed on")]
    if flight.is_main and not flight.error_page:
        options += _failures(flight, block, intercept)
    if len(options) == 1:
        return Reply(None, passed=node)
    chosen = flight.choose(("backend", node.start, block.start), options, node)
    return Reply(None, passed=node) if chosen is None else Finish(chosen)


def _failures(flight: Flight, block: Directive, intercept: bool) -> list[tuple[int | None, str]]:
    """Statuses that have an error page: any of the backend with ``…_intercept_errors``, else those of nginx itself."""
    found: dict[int | None, str] = {}
    for page in flight.model.effective(block, "error_page"):
        for code in [int(word) for word in page.args[:-1] if is_number(word)]:
            if intercept:
                found.setdefault(code, f"the backend answers {code}")
            elif code in _UNREACHABLE:
                found.setdefault(code, _UNREACHABLE[code])
    return list(found.items())


_UNREACHABLE = {502: "the backend cannot be reached", 504: "the backend is too slow"}
