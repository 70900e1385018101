"""A short pass of the fuzzer, and every input that was found by a long one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import clock, failing, grammar, trees
from tests.fuzz.sources import INPUTS, seeds
from tests.fuzz.targets import TARGETS, leave_nothing

pytestmark = pytest.mark.fuzz
# So many inputs as fit into one or two seconds for each target.
EXAMPLES = {"words": 250, "tree": 250, "regex": 600, "settings": 250, "remarks": 80, "dump": 100, "page": 200, "scan": 80, "command": 80,
            "fixes": 30, "folder": 30, "drill": 25}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _scratch() -> Iterator[None]:
    yield
    leave_nothing()


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_short_pass(name: str) -> None:
    """A failure prints a line that replays it; Hypothesis also keeps it for the next run."""

    @settings(
        max_examples=EXAMPLES[name],
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(INPUTS[name])
    def one(data: bytes) -> None:
        TARGETS[name](data)

    one()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), list(failing.found()), ids=lambda part: getattr(part, "name", ""))
def test_found_before(name: str, path: Path) -> None:
    TARGETS[name](path.read_bytes())


def test_every_target_has_inputs_and_a_share_of_the_short_pass() -> None:
    assert set(TARGETS) == set(INPUTS) == set(EXAMPLES)
    assert all(seeds(name) for name in TARGETS)


def test_failures_are_made_smaller_and_told_apart() -> None:
    def run(data: bytes) -> None:
        if b"x" in data and b"y" in data:
            raise ValueError(len(data))
        assert b"z" not in data, f"z at {data.index(b'z')}"

    error = failing.failure(run, b"abcxdefyghi")
    assert error is not None
    assert failing.smaller(run, b"abcxdefyghi", failing.signature(error), 5) == b"xy"
    one, two = (failing.failure(run, data) for data in (b"z", b"aaz"))
    assert one is not None and two is not None
    assert failing.signature(one) == failing.signature(two) != failing.signature(error)


@pytest.mark.slow
def test_what_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:  # as the crash of a rule is isolated
                continue

    monkeypatch.setattr(clock, "BASE", 0.01)
    with pytest.raises(AssertionError, match="hangs"):
        clock.timed(run, 0)


@pytest.mark.slow
def test_most_written_configurations_can_be_read() -> None:
    """A grammar that writes nothing but mistakes would test nothing but the reader."""
    from nginxaudit.source.text import SourceText
    from nginxaudit.syntax.parse import parse

    sound = []

    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(grammar.configurations())
    def one(data: bytes) -> None:
        sound.append(not parse(SourceText("t", data.decode("utf-8", "surrogateescape"))).problems)

    one()
    assert sum(sound) > len(sound) / 4


@pytest.mark.slow
def test_trees_are_built_and_commands_run() -> None:
    """A few whole commands; long passes are ``python -m tests.fuzz.trees``."""
    for number in range(4):
        what, arguments = trees.problem(number)
        assert not what, (number, arguments)


def test_runs_that_differ_are_told() -> None:
    same = (0, b"a", b"", {"x": b""})
    assert not trees._judged(same, same)
    assert "files" in trees._judged(same, (0, b"a", b"", {"x": b"y"}))
    assert "exit code 4" in trees._judged(same, (4, b"a", b"", {}))
