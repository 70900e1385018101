"""Methods that change files: ``dav_methods`` (src/http/modules/ngx_http_dav_module.c)."""

from __future__ import annotations

from nginxaudit.request.files import is_dir, is_file, path_of
from nginxaudit.request.flight import Finish, Flight, Lost, Reply, Result, Unknown
from nginxaudit.syntax.tree import Directive


def changed(flight: Flight, node: Directive) -> Result:
    """What is answered to a method that ``node`` lets change files; others than PUT and DELETE of a file are not followed."""
    path = path_of(flight)
    if isinstance(path, Unknown):
        raise Lost(f"{path.shown} is not known: {path.reason}", node)
    if flight.method == "PUT":
        return _put(flight, path, node)
    if flight.method == "DELETE" and not flight.uri.endswith("/"):
        return _deleted(flight, path, node)
    raise Lost(f"dav_methods lets {flight.method} change files", node)


def _put(flight: Flight, path: str, node: Directive) -> Result:
    if flight.uri.endswith("/"):
        flight.note("content", node, "409", "PUT needs the name of a file")
        return Finish(409)
    if flight.body is None:
        flight.note("content", node, "500", "PUT without a body")
        return Finish(500)
    if is_file(flight, path, node):
        flight.note("content", node, f"{path} is replaced", "dav_methods has PUT")
        return Reply(204, file=path)
    if is_dir(flight, path, node):
        flight.note("content", node, "409", f"{path} is a directory")
        return Finish(409)
    if flight.yes(("put", path), f"{path} can be made", f"{path} cannot be made", node):
        flight.note("content", node, f"{path} is made", "dav_methods has PUT")
        return Reply(201, file=path)
    flight.note("content", node, "500", f"{path} cannot be made")
    return Finish(500)


def _deleted(flight: Flight, path: str, node: Directive) -> Result:
    if flight.body:
        flight.note("content", node, "415", "DELETE with a body")
        return Finish(415)
    if is_file(flight, path, node):
        depth = flight.model.number(flight.block, "min_delete_depth", 0)
        if depth and flight.uri.count("/") < depth:
            flight.note("content", node, "409", "min_delete_depth wants a longer path")
            return Finish(409)
        flight.note("content", node, f"{path} is deleted", "dav_methods has DELETE")
        return Reply(204, file=path)
    if is_dir(flight, path, node):
        flight.note("content", node, "409", f"{path} is a directory: the path needs a slash at its end")
        return Finish(409)
    flight.note("content", node, "404", f"there is no {path}")
    return Finish(404)
