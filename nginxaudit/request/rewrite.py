"""The rewrite phases: ``if``, ``set``, ``rewrite``, ``return``, ``break``.

Directives run in order as in src/http/modules/ngx_http_rewrite_module.c; those of an ``if`` run in the place of the
``if``. Inside a location an ``if`` that holds makes its block the one whose settings count.
"""

from __future__ import annotations

from nginxaudit.model import Model
from nginxaudit.nginx.names import ABSOLUTE, LUA, REDIRECTS
from nginxaudit.request.evaluate import Part, joined, parts, shown, value
from nginxaudit.request.files import exists, is_dir, is_file
from nginxaudit.request.flight import Finish, Flight, Lost, Reply, Result, Unknown, Value
from nginxaudit.request.locations import enter
from nginxaudit.request.uri import is_number, unescape_redirect
from nginxaudit.syntax.tree import Directive

_LEAST = {"rewrite": 2, "return": 1, "break": 0, "set": 2, "if": 1}
"""The directives of the phase, and how many arguments they have at least."""
_CODE = tuple([f"rewrite{kind}" for kind in LUA])


class _Stop(Exception):  # noqa: N818
    """No further directive of the phase runs; ``result`` is an answer."""

    def __init__(self, result: Result | None = None) -> None:
        self.result = result


def _directives(flight: Flight, block: Directive) -> list[Directive]:
    """What runs in a block, in order: a server with thousands of locations is not searched for every request."""
    known = flight.model.once(_known)
    if block not in known:
        known[block] = [node for node in block.children if node.name in _LEAST]
    return known[block]


def _known(model: Model) -> dict[Directive, list[Directive]]:
    return {}


class _Engine:
    """Runs the directives of one block (``ngx_http_script_engine_t``)."""

    def __init__(self, flight: Flight, *, of_server: bool) -> None:
        self.flight = flight
        self.of_server = of_server
        self.quote = True  # until the first rewrite has run: captures in values of set are escaped

    def run(self, block: Directive) -> None:
        for node in _directives(self.flight, block):
            if len(node.args) < _LEAST[node.name]:
                raise Lost(f"nginx would not load this {node.name}", node)
            getattr(self, f"_{node.name}")(node)

    def _set(self, node: Directive) -> None:
        flight = self.flight
        name = str(node.args[0])[1:].lower()
        found = value(flight, node.args[1], quote=self.quote)
        flight.note("rewrite", node, f"${name} = {_quoted(found)}")
        if name == "args":
            flight.args = flight.pin(found, node)
            flight.valid_raw = False
        else:
            flight.values[name] = found

    def _break(self, node: Directive) -> None:
        flight = self.flight
        flight.note("rewrite", node, "break", "the rewrite phase ends")
        if flight.uri_changed:
            flight.valid_location = False
            flight.uri_changed = False
        raise _Stop

    def _return(self, node: Directive) -> None:
        raise _Stop(answer(self.flight, node))

    def _if(self, node: Directive) -> None:
        if not condition(self.flight, node):
            return
        if not self.of_server:
            enter(self.flight, node)
        self.run(node)

    def _rewrite(self, node: Directive) -> None:
        flight = self.flight
        pattern, replacement = str(node.args[0]), str(node.args[1])
        flag = str(node.args[2]) if len(node.args) > 2 else ""
        if not flight.matches(pattern, flight.uri, False, node):
            self._note_miss(node, pattern)
            return
        add_args = not replacement.endswith("?")
        if not add_args:
            replacement = replacement[:-1]
        redirect = replacement.startswith(ABSOLUTE) or flag in ("redirect", "permanent")
        flight.internal = True
        flight.valid_raw = False
        if flag == "break":
            flight.valid_location = False
            flight.uri_changed = False
        else:
            flight.uri_changed = True
        if redirect:
            self._redirect(node, replacement, add_args, 301 if flag == "permanent" else 302)
        self._replace(node, replacement, add_args, flag)
        self.quote = False
        if flag in ("last", "break"):
            raise _Stop

    def _note_miss(self, node: Directive, pattern: str) -> None:
        self.flight.captures = ()
        self.flight.note("rewrite", node, f"rewrite {pattern}", f"does not match {self.flight.uri}")

    def _redirect(self, node: Directive, replacement: str, add_args: bool, status: int) -> None:
        flight = self.flight
        found = value(flight, replacement, quote=True)
        has_args = any("?" in piece for piece in parts(replacement) if type(piece) is not Part)
        args = f"{'&' if has_args else '?'}{flight.args}" if add_args and flight.args else ""
        if isinstance(found, Unknown):
            found = Unknown(
                found.shown + args, found.reason, tuple([each + args for each in found.candidates])
            )
        else:
            found = unescape_redirect(found) + args
        flight.redirect = found
        flight.note("rewrite", node, f"{status} to {shown(found)}", f"{node.args[0]} matches {flight.uri}")
        raise _Stop(Finish(status))

    def _replace(self, node: Directive, replacement: str, add_args: bool, flag: str) -> None:
        flight = self.flight
        before = flight.uri
        path, question, arguments = _split(replacement)
        new_args: Value = ""
        uri = joined(flight, path) if path else ""
        if question:
            new_args = joined(flight, arguments, quote=True) if arguments else ""
        flight.uri = flight.pin(uri, node)
        if question:
            text = flight.pin(new_args, node)
            flight.args = f"{text}&{flight.args}" if add_args and flight.args else text
        elif not add_args:
            flight.args = ""
        shown_args = f"?{flight.args}" if flight.args else ""
        why = f"{node.args[0]} matches {before}" + (f"; {flag}" if flag else "")
        flight.note("rewrite", node, f"the URI becomes {flight.uri}{shown_args}", why)
        if not flight.uri:
            raise _Stop(Finish(500))


def _split(replacement: str) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """Path and arguments of a replacement: they part at the first ``?`` that is written, not at one in a variable."""
    pieces = parts(replacement)
    for at, piece in enumerate(pieces):
        if type(piece) is not Part and "?" in piece:
            head, _, tail = piece.partition("?")
            before = (*pieces[:at], head) if head else pieces[:at]
            return before, True, ((tail, *pieces[at + 1 :]) if tail else pieces[at + 1 :])
    return pieces, False, ()


def _quoted(found: Value) -> str:
    return found.shown if isinstance(found, Unknown) else f'"{found}"'


def run(flight: Flight, block: Directive, *, of_server: bool) -> Result | None:
    """Run the rewrite directives of a block; an answer where one of them gives it."""
    result: Result | None = None
    try:
        _Engine(flight, of_server=of_server).run(block)
    except _Stop as stop:
        result = stop.result
    if result is None:
        _code(flight, block)
    return result


def _code(flight: Flight, block: Directive) -> None:
    """Lua runs at the end of the phase, and may do anything."""
    for name in flight.model.written(_CODE):
        found = flight.model.effective(block, name)
        if found:
            raise Lost(f"{name} runs: its code decides", found[0])


def answer(flight: Flight, node: Directive) -> Result:
    """What ``return`` answers (``ngx_http_script_return_code``)."""
    first = str(node.args[0])
    if not is_number(first):
        flight.redirect = value(flight, first)
        flight.note("rewrite", node, f"302 to {shown(flight.redirect)}")
        return Finish(302)
    status = int(first)
    if len(node.args) < 2 or (status >= 400 and not node.args[1]):
        flight.note("rewrite", node, f"return {status}")
        return Finish(status) if status >= 400 else _plain(flight, status, "")
    found = value(flight, node.args[1])
    if first in REDIRECTS:
        flight.redirect = found
        flight.note("rewrite", node, f"{status} to {shown(found)}")
        return Finish(status)
    flight.note("rewrite", node, f"return {status}", "with a text: error pages are not asked")
    return _plain(flight, status, found)


def _plain(flight: Flight, status: int, body: Value) -> Result:
    if str(status) in REDIRECTS:
        flight.redirect = body
        return Finish(status)
    return Reply(status, body=shown(body))


# -- conditions


def condition(flight: Flight, node: Directive) -> bool:
    """Whether the condition of an ``if`` holds."""
    words = _words([str(word) for word in node.args])
    held = _holds(flight, words, node)
    if flight.explain:
        flight.note("rewrite", node, f"if ({' '.join(words)})", "holds" if held else "does not hold")
    return held


def _words(args: list[str]) -> list[str]:
    """The words of a condition without its parentheses."""
    words = list(args)
    words[0] = words[0].removeprefix("(")
    words[-1] = words[-1].removesuffix(")")
    return [word for at, word in enumerate(words) if word or at not in (0, len(words) - 1)]


def _holds(flight: Flight, words: list[str], node: Directive) -> bool:
    if words and words[0] in _FILES and len(words) > 1:
        return _file(flight, words[0], words[1], node)
    if not words:
        return False
    found = value(flight, words[0])
    if len(words) < 3:
        return _truth(flight, found, node)
    operator, right = words[1], words[2]
    if operator in ("=", "!="):
        return _equal(flight, found, value(flight, right), node) is (operator == "=")
    matched = flight.matches(right, found, operator.endswith("*"), node)
    if not matched:
        flight.captures = ()
    return matched is not operator.startswith("!")


def _truth(flight: Flight, found: Value, node: Directive) -> bool:
    if isinstance(found, Unknown) and not found.candidates:
        text = found.shown
        return flight.yes(("true", text), f"{text} is set", f'{text} is empty or "0"', node)
    return flight.pin(found, node) not in ("", "0")


def _equal(flight: Flight, left: Value, right: Value, node: Directive) -> bool:
    if isinstance(left, Unknown) and not left.candidates and isinstance(right, str):
        held = flight.yes(
            ("is", left.shown, right), f'{left.shown} is "{right}"', f'{left.shown} is not "{right}"', node
        )
        if held and left.name:
            flight.values[left.name] = right
        return held
    return flight.pin(left, node) == flight.pin(right, node)


_FILES = frozenset({"-f", "!-f", "-d", "!-d", "-e", "!-e", "-x", "!-x"})


def _file(flight: Flight, operator: str, text: str, node: Directive) -> bool:
    path = flight.pin(value(flight, text), node)
    test = operator[-1]
    if test == "f":
        found = is_file(flight, path, node)
    elif test == "d":
        found = is_dir(flight, path, node)
    elif test == "e":
        found = exists(flight, path, node)
    else:
        found = exists(flight, path, node) and flight.yes(
            ("executable", path), f"{path} can be executed", f"{path} cannot be executed", node
        )
    return found is not operator.startswith("!")
