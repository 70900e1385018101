"""Numbers of a drill in words, the same in every format for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from nginxaudit.drill.changes import NEWCOMER, seconds
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.results import Outcome, Remedy
from nginxaudit.drill.spec import UpstreamSpec
from nginxaudit.nginx import Target
from nginxaudit.views.drill.view import Drilled, DrillPlace, Section, Story, lost_share

KINDS = {
    "refuse": "the process is gone: connections are refused",
    "hang": "it accepts connections and never answers",
    "blackhole": "the host is gone: packets are lost, and connecting takes until its timeout",
    "5xx": "it answers, but with errors",
    "slow": "it answers late",
    "flap": "it goes down and comes back repeatedly",
    "rolling": "a rolling restart: one server after the other",
    "start": "nginx is started: servers get no requests before their checks pass",
}
"""What each kind of scenario is."""


def moment(ms: int) -> str:
    """A time for people: ``80ms``, ``7.5s``."""
    return f"{ms}ms" if ms < 1000 else f"{ms / 1000:.1f}s"


def share(part: float) -> str:
    """A percentage that is 0 only for nothing, and 100 only for all."""
    if 0 < part < 0.001:
        return "<0.1%"
    if 0.999 < part < 1:
        return ">99.9%"
    return f"{part:.1%}"


def spread(values: Iterable[int]) -> str:
    """``3``, or the least and the highest of several: ``3–5``."""
    low, high = (found := sorted(values))[0], found[-1]
    return str(low) if low == high else f"{low}–{high}"


def moments(values: Iterable[int | None], never: str) -> str:
    """The longest of some times; ``never`` where one of them never comes."""
    found = list(values)
    return never if None in found else moment(max(each for each in found if each is not None))


_NEVER = "never"
BY_CHECK = "*: an active check noticed it before failed requests did."
"""What the star of `out_cell` means."""


def out_cell(outcomes: Iterable[Outcome]) -> str:
    """The longest time until failing servers are out, with a star where a check has noticed it."""
    found = list(outcomes)
    if not any(server.target for each in found for server in each.servers):
        return "–"  # nothing fails
    text = moments((each.left for each in found), _NEVER)
    return f"{text}*" if text != _NEVER and any(map(_by_check, found)) else text


def _by_check(outcome: Outcome) -> bool:
    return any(server.by_check for server in outcome.servers)


def sessions_line(story: Story) -> str:
    """How many sessions lose their server; empty for none."""
    moved = [each.outcome.moved for each in story.results]
    return f"{spread(moved)} moved to another server" if max(moved) else ""


def server_name(group: UpstreamSpec, name: str) -> str:
    """A server with the word that says why it may have no traffic."""
    lines = [server for server in group.servers if server.name == name]
    if all(server.down for server in lines):
        return f"{name} (down)"
    return f"{name} (backup)" if all(server.backup for server in lines) else name


def load_line(load: Traffic) -> str:
    """What clients and servers do while a drill is on."""
    whole = sum(part for _, part in load.methods)
    methods = ", ".join(f"{part / whole:.0%} {name}" for name, part in load.methods if part > 0)
    return (
        f"{load.rate:g} requests a second ({methods}), answered in {seconds(load.response_time)}; "
        f"clients wait {seconds(load.client_timeout)}"
    )


def nginx_line(target: Target) -> str:
    """The nginx that was simulated: of a range of versions the newest one."""
    if target.is_range:
        return f"{replace(target, oldest=None).label}, as no version is given"
    return target.label


def kind_line(kind: str, load: Traffic) -> str:
    """What happens in a scenario of this kind, with its numbers."""
    more = {
        "rolling": f", each gone for {seconds(load.restart)}, the next one {seconds(load.pause)} later",
        "5xx": f" ({load.error_status})",
        "slow": f" ({seconds(load.slow_time)})",
        "flap": f" ({seconds(load.flap_down)} gone, {seconds(load.flap_up)} back)",
    }
    return KINDS[kind] + more.get(kind, "")


def loss_line(story: Story) -> str:
    """What a story loses: ``52 of 5050 requests (1.0%): 502 for 52``."""
    outcome = story.worst.outcome
    lost = spread(each.outcome.lost for each in story.results)
    text = f"{lost} of {spread(each.outcome.requests for each in story.results)} requests ({share(lost_share(story.worst))})"
    details = [f"{status} for {number}" for status, number in outcome.by_status.items() if status != 200]
    if outcome.broken:
        details.append(f"{outcome.broken} cut off")
    if outcome.gave_up:
        details.append(f"{outcome.gave_up} given up by clients")
    return f"{text}: {', '.join(details)}" if len(story.results) == 1 and details else text


def change_line(remedy: Remedy, story: Story, number: int) -> str:
    """What was lost before and is lost after a change, as simulated."""
    lost = spread(each.outcome.lost for each in story.results)
    left = [each.verdict.remedies[number].lost_after for each in story.results]
    text = f"{lost} lost → {spread(left)}"
    if remedy.fixes and max(left):
        text += ", which a server was processing when it failed"
    return text


def needs_server(remedy: Remedy) -> bool:
    """Whether a change takes a further server."""
    return NEWCOMER in remedy.text


def _more(group: UpstreamSpec) -> Iterator[str]:
    """What a group has besides a method."""
    yield from dict.fromkeys(check.name for check in group.checks)
    if group.sticky is not None:
        yield f"sticky {group.sticky.kind}"
    if any(server.slow_start for server in group.servers):
        yield "slow_start"
    if group.queue is not None:
        yield f"queue {group.queue.size}"


def settings_line(block: Section) -> str:
    """How a group balances and who remembers its failures."""
    group = block.group
    workers = "1 worker" if group.workers == 1 else f"{group.workers} workers"
    state = "shared state (zone)" if group.zone else "separate state in each worker (no zone)"
    method = group.method.replace("_", " ")
    more = "".join(f" · {word}" for word in _more(group))
    return f"{group.family} · {method}{more} · {workers}" + (f", {state}" if group.workers > 1 else "")


def place_line(place: DrillPlace) -> str:
    """One place that uses a group."""
    text = f"{place.location} · {place.file}:{place.line}"
    return f"{text} · {place.remark}" if place.remark else text


def refusal_line(place: DrillPlace) -> str:
    """That nginx would not load this."""
    return f"nginx refuses to load {place.file}: {place.refused}"


def closing_line(drilled: Drilled) -> str:
    """How it went, in one sentence, and what was left out."""
    left = drilled.left_out
    more = f" {_number(left, 'scenario')} in which no server is left {'was' if left == 1 else 'were'} not run (--all)."
    return _ending(drilled) + (more if left else "")


def _ending(drilled: Drilled) -> str:
    results = [result for block in drilled.blocks for result in block.results]
    lossy = [result for result in results if not result.verdict.passed]
    if not results:
        return (
            "Nothing was drilled."
            if drilled.skipped or drilled.left_out
            else "No upstream in the input can be drilled in this way."
        )
    if not lossy:
        return f"{_number(len(results), 'scenario')}: none loses requests."
    better = sum(
        1
        for block in drilled.blocks
        for story in block.stories
        if not story.passed and story.fixable
        for _ in story.results
    )
    verb = "loses" if len(lossy) == 1 else "lose"
    return (
        f"{_number(len(results), 'scenario')}: {len(lossy)} {verb} requests; "
        f"{better or 'none'} of these would lose fewer with other settings, without another server."
    )


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
