"""Reads the active health checks of a group, with what a probe looks at and how long it waits.

The sources are those of `drill.probing`. What is checked is taken to fail with the rest of the server: a program that answers
errors does so at the address of the check, too, and whatever listens at ``port=`` goes and comes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nginxaudit.drill.probing import longest_back, longest_out, longest_start, took
from nginxaudit.drill.reading_uses import use_of
from nginxaudit.drill.spec import ActiveCheck
from nginxaudit.model.probes import Probes, all_probes
from nginxaudit.nginx import parse_number

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.upstream import Upstream
    from nginxaudit.syntax.tree import Directive

_ANY = ((100, 599),)
_GOOD = ((200, 399),)
_STREAM_TIMEOUT = 5_000  # health_check_timeout
_BY_STATUS = frozenset({"http", "fastcgi"})
_NOT_ASKED = frozenset({"random", "random_two", "least_time"})
"""Methods that neither the patches of nginx_upstream_check_module nor Tengine let ask for the result of a check."""

_Ranges = tuple[tuple[int, int], ...]


def checks_of(
    upstream: Upstream, model: Model, method: str
) -> tuple[tuple[ActiveCheck, ...], tuple[str, ...]]:
    """The checks that take servers of a group out, and sentences on what is taken for granted or left out."""
    if not model.topology(upstream).health_checks:
        return (), ()
    try:
        probes = all_probes(upstream, model)
        checks = tuple(_check(each, model) for each in probes)
    except ValueError:
        return (), ("a value of its active health check cannot be known: it is left out",)
    if not checks:
        return (), ("its active health checks are those of a module that is not known: they are left out",)
    if checks[0].name == "health_check" and upstream.zone is None:
        return (), ("health_check needs a zone, and there is none: it is left out",)
    if checks[0].name == "check" and not _asks(method, model):
        words = {"consistent": "hash consistent"}.get(method, method.replace("_", " "))
        return (), (
            f"{words} does not ask the module of check for its results: only failed requests take servers out",
        )
    return checks, tuple(_notes(checks, probes))


def _asks(method: str, model: Model) -> bool:
    """Whether a method asks for the results of ``check``; Tengine has no such question in ``hash … consistent``."""
    return method not in _NOT_ASKED and not (method == "consistent" and model.target.edition == "tengine")


def _check(probes: Probes, model: Model) -> ActiveCheck:
    if not (probes.interval and probes.fails and probes.passes):
        raise ValueError("a number that is refused")
    return _of_module(probes) if probes.use is None else _of_plus(probes, model)


def _of_module(probes: Probes) -> ActiveCheck:
    timeout = probes.timeout or 1000
    kind = probes.values.get("type", "tcp")
    looks_at = "connect" if kind == "tcp" else "status" if kind in _BY_STATUS else "answer"
    return ActiveCheck(
        "check",
        probes.interval,
        probes.fails,
        probes.passes,
        timeout,
        timeout,
        looks_at=looks_at,
        alive=_alive(probes.directive),
        starts_down=probes.starts_down,
    )


def _alive(check: Directive) -> _Ranges:
    """``check_http_expect_alive``, which stands beside ``check``."""
    block = check.parent
    node = block.first("check_http_expect_alive") if block is not None else None
    words = [str(word) for word in node.args] if node is not None else []
    return (
        tuple((int(word[5]) * 100, int(word[5]) * 100 + 99) for word in words if word[5:6].isdigit()) or _GOOD
    )


def _of_plus(probes: Probes, model: Model) -> ActiveCheck:
    assert probes.use is not None
    use = use_of(probes.use, model)
    if use is None:
        raise ValueError("a timeout that cannot be known")
    values, stream = probes.values, probes.use.family == "stream"
    match = _match_of(probes, model)
    answer = use.read
    if stream:
        known = model.time_ms(probes.use.scope, "health_check_timeout", _STREAM_TIMEOUT)
        if known is None:
            raise ValueError("a timeout that cannot be known")
        answer = known
    looks_at = "status"
    if stream and (match is None or match.first("expect") is None):
        looks_at = "icmp" if "udp" in values else "connect"
    alive = _ANY if stream else _GOOD if match is None else _matched(match)
    return ActiveCheck(
        "health_check",
        probes.interval,
        probes.fails,
        probes.passes,
        use.connect,
        answer,
        probes.jitter,
        looks_at,
        alive,
        probes.starts_down,
    )


def _match_of(probes: Probes, model: Model) -> Directive | None:
    name = probes.values.get("match")
    if name is None:
        return None
    family = model.family_of(probes.directive)
    return next(
        (
            node
            for node in model.config.named("match")
            if node.args and str(node.args[0]) == name and model.family_of(node) == family
        ),
        None,
    )


def _matched(match: Directive) -> _Ranges:
    """Statuses that pass a ``match`` block; its other tests are taken to fail for every error."""
    found = [_statuses([str(word) for word in node.args]) for node in match.named("status")]
    others = any(node.name != "status" for node in match.children)
    if others or not found:
        found.append(_GOOD if others else _ANY)
    return tuple(
        (status, status)
        for status in range(100, 600)
        if all(any(first <= status <= last for first, last in each) for each in found)
    )


def _statuses(words: list[str]) -> _Ranges:
    """``200 204``, ``200-399``, ``! 500``; raises `ValueError`."""
    negated = words[:1] == ["!"]
    ranges = []
    for word in words[negated:]:
        first, _, last = word.partition("-")
        ranges.append((parse_number(first), parse_number(last or first)))
    if not negated:
        return tuple(ranges)
    return tuple(
        (status, status)
        for status in range(100, 600)
        if not any(first <= status <= last for first, last in ranges)
    )


def _notes(checks: Iterable[ActiveCheck], probes: Iterable[Probes]) -> Iterator[str]:
    documented = False
    for check, each in zip(checks, probes, strict=True):
        documented = documented or check.name == "health_check"
        yield (
            f"{check.name}: a probe every {_seconds(check.interval)}; a server is out at most {_seconds(longest_out(check))} after it begins to "
            f"refuse connections{_others(check)}, and back at most {_seconds(longest_back(check))} after it recovers"
        )
        if check.starts_down:
            reload = (
                " or a reload" if check.name == "health_check" and "persistent" not in each.values else ""
            )
            yield (
                f"after a start{reload} of nginx requests get 502 until a server has passed {_number(check.passes)}: "
                f"up to {_seconds(longest_start(check))}"
            )
        if "port" in each.values:
            yield f"what listens at port {each.values['port']}, which is checked, is taken to go and come with the server"
    if documented:
        yield "health_check is simulated as NGINX Plus documents it; it was not compared with a running one"


def _others(check: ActiveCheck) -> str:
    lost = f"{_seconds(longest_out(check, took(check, 'blackhole')))} if packets are lost"
    if check.looks_at == "icmp":
        return " (never, if it only does not answer)"
    if check.looks_at == "connect":
        return f" ({lost}; never, if it accepts connections and does not answer)"
    return f" ({lost}, {_seconds(longest_out(check, check.answer))} if it never answers)"


def _number(probes: int) -> str:
    return "its first probe" if probes == 1 else f"{probes} probes"


def _seconds(ms: int) -> str:
    return f"{round(ms / 1000, 1):g}s"
