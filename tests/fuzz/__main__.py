"""``python -m tests.fuzz --minutes 30 --target all --seed N``: inputs without end, every failing one kept.

What fails is written to ``tests/fuzz/found/``, as small as it could be made; the tests replay it from then on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.failing import failure, keep, signature, smaller
from tests.fuzz.sources import INPUTS, seeds
from tests.fuzz.targets import TARGETS, Target, leave_nothing

_ROUND = 2000  # inputs until Hypothesis begins anew: within a round it tries not to repeat itself
_SHRINK = 20.0  # seconds


class _EnoughError(Exception):
    """The time is over."""


class _Pass:
    """One target until its time is over."""

    def __init__(self, target: Target, seconds: float) -> None:
        self.target = target
        self.executions = 0
        self.bugs: Counter[str] = Counter()
        self.began = time.monotonic()
        self._until = self.began + seconds

    def run(self, first_seed: int) -> None:
        """Round after round, each with a seed of its own."""
        number = 0
        try:
            for data in seeds(self.target.name):
                self._try(data)
            while True:
                self._round(first_seed * 1_000_003 + number)
                number += 1
        except _EnoughError:
            return

    def _round(self, number: int) -> None:
        @seed(number)
        @settings(
            max_examples=_ROUND,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(INPUTS[self.target.name])
        def one(data: bytes) -> None:
            self._try(data)

        one()

    def _try(self, data: bytes) -> None:
        if time.monotonic() > self._until:
            raise _EnoughError
        self.executions += 1
        error = failure(self.target, data)
        if error is None:
            return
        name = signature(error)
        self.bugs[name] += 1
        if self.bugs[name] == 1:
            self._tell(data, name, error)

    def _tell(self, data: bytes, name: str, error: BaseException) -> None:
        data = smaller(self.target, data, name, _SHRINK)
        path = keep(self.target.name, data, failure(self.target, data) or error)
        print(f"{self.target.name}: {name}\n    {error}\n    kept as {path}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the targets, tell what was done. Exit code 1 when something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="for all targets together (default: 30)")
    parser.add_argument("--target", default="all", help=f"all, or some of {','.join(TARGETS)}")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    names = list(TARGETS) if options.target == "all" else options.target.split(",")
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target {', '.join(unknown)}: there are {', '.join(TARGETS)}")
    print(f"seed {options.seed}", flush=True)
    passes = []
    for name in names:
        one = _Pass(TARGETS[name], 60 * options.minutes / len(names))
        one.run(options.seed)
        passes.append(one)
        minutes = (time.monotonic() - one.began) / 60
        print(
            f"{name:10} {one.executions:9,} inputs in {minutes:5.1f} min, {len(one.bugs)} kinds of failures",
            flush=True,
        )
    leave_nothing()
    return int(any(one.bugs for one in passes))


if __name__ == "__main__":
    sys.exit(main())
