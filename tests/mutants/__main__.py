"""``python -m tests.mutants``: damages checks, and counts how many of the damages the rule tests notice."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence

from tests.mutants.equivalents import without_equivalents
from tests.mutants.judge import Verdict, judged
from tests.mutants.kinds import FINE, KINDS
from tests.mutants.sites import chosen, mutants

ENOUGH = 0.95


def main() -> int:
    arguments = _arguments()
    wanted, left_out = without_equivalents(mutants())
    wanted = [
        each for each in wanted if arguments.only in each.name and (arguments.fine or each.kind not in FINE)
    ]
    if not arguments.all:
        wanted = chosen(wanted, arguments.count, arguments.seed)
    if arguments.list:
        print("\n".join(map(str, wanted)))
        return 0
    verdicts = []
    for verdict in judged(wanted, arguments.jobs, arguments.compare, arguments.rule):
        verdicts.append(verdict)
        if not verdict.by:
            print(f"survived: {verdict.mutant} [{verdict.examples} examples]", flush=True)
        elif arguments.verbose:
            print(f"killed: {verdict.mutant} [{verdict.by}]", flush=True)
    print(table(verdicts))
    print(f"left out, because they change nothing that can be seen: {left_out}")
    return 0 if sum(bool(verdict.by) for verdict in verdicts) >= ENOUGH * len(verdicts) else 1


def table(verdicts: Sequence[Verdict]) -> str:
    """How many of every kind were made and killed."""
    made = Counter(verdict.mutant.kind for verdict in verdicts)
    killed = Counter(verdict.mutant.kind for verdict in verdicts if verdict.by)
    rows = [f"{kind:<12} {made[kind]:>5} {killed[kind]:>6}" for kind in KINDS if made[kind]]
    share = 100 * killed.total() / max(made.total(), 1)
    total = f"{'all':<12} {made.total():>5} {killed.total():>6}   {share:.1f} %"
    return "\n".join([f"{'kind':<12} {'made':>5} {'killed':>6}", *rows, total])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fine", action="store_true", help=f"also {', '.join(FINE)}")
    parser.add_argument("--all", action="store_true", help="every mutant there is")
    parser.add_argument("--list", action="store_true", help="only say which")
    parser.add_argument("--only", default="", metavar="TEXT", help="those with this in their names")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--compare", choices=("findings", "places", "nothing"), default="findings")
    parser.add_argument(
        "--rule", action="append", default=[], metavar="SLUG", help="only by this rule's examples"
    )
    parser.add_argument("--verbose", action="store_true", help="say what killed each")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
