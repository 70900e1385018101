"""``python -m tests.parity --cases 2000 --seed 7``: how often nginxaudit and ``nginx -t`` agree.

Every disagreement is told with its number; ``--case N`` shows that one case in full.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.parity.judge import Verdict, judged
from tests.support import nginx
from tests.support.judges import Judge, judges


def main() -> int:
    """Run the cases, print the disagreements and the rate. Exit code 1 below ``--at-least`` percent."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="show one case: its text and both verdicts")
    parser.add_argument("--only", default="", help="only configurations whose name contains this")
    parser.add_argument("--generated", action="store_true", help="whole configurations out of the facts")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--nginx", default="", help="version of the nginx to ask, such as 1.31.3")
    parser.add_argument("--at-least", type=float, default=0, help="percent")
    options = parser.parse_args()
    asked = next((each for each in judges() if options.nginx in each.name), None)
    if asked is None:
        parser.error(f"no nginx {options.nginx} on this machine")
    with nginx.asked(asked):
        if options.case is not None:
            for verdict in judged(options.seed, [options.case], options.only, from_facts=options.generated):
                print(verdict.text)
                print(line_of(verdict), *verdict.we_say, verdict.nginx_says, sep="\n")
            return 0
        verdicts = run(options.seed, options.cases, options.only, options.start, from_facts=options.generated)
    return _report(verdicts, options.at_least)


def run(seed: int, cases: int, only: str = "", first: int = 0, *, from_facts: bool = False) -> list[Verdict]:
    """Verdicts on ``cases`` cases from number ``first`` on, on all processors."""
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        parts = [
            pool.submit(
                _part,
                nginx.judge(),
                seed,
                list(range(first + start, first + cases, workers)),
                only,
                from_facts,
            )
            for start in range(workers)
        ]
        return sorted((each for part in parts for each in part.result()), key=lambda verdict: verdict.number)


def _part(judge: Judge, seed: int, numbers: list[int], only: str, from_facts: bool) -> list[Verdict]:
    with nginx.asked(judge):
        return list(judged(seed, numbers, only, from_facts=from_facts))


def _report(verdicts: list[Verdict], at_least: float) -> int:
    judged_ones = [each for each in verdicts if not each.machine or each.predicted is None]
    agreeing = sum(each.agrees for each in judged_ones)
    for verdict in judged_ones:
        if not verdict.agrees:
            print(line_of(verdict))
            print("    " + "\n    ".join((verdict.nginx_says.splitlines() or ["accepted"])[:2]))
            for reason in verdict.we_say[:3]:
                print(f"    we: {reason}")
    rate = 100 * agreeing / len(judged_ones) if judged_ones else 0.0
    missed = sum(not each.accepted and each.predicted is True for each in judged_ones)
    wrong = sum(each.accepted and each.predicted is False for each in judged_ones)
    crashed = sum(each.predicted is None for each in judged_ones)
    refused = sum(not each.accepted for each in judged_ones)
    print(
        f"{len(verdicts)} cases, {len(verdicts) - len(judged_ones)} not judged (the machine is at fault), "
        f"{refused} refused by nginx; {rate:.2f} % agree, {missed} refusals missed, {wrong} wrong refusals, {crashed} crashes"
    )
    return 0 if rate >= at_least else 1


def line_of(verdict: Verdict) -> str:
    """Number, kind of disagreement, mutation and configuration of a case."""
    what = "wrong refusal" if verdict.accepted else "missed refusal"
    what = "crash" if verdict.predicted is None else what
    return f"#{verdict.number} {'agree' if verdict.agrees else what} [{verdict.kind}] {verdict.seed}"


if __name__ == "__main__":
    sys.exit(main())
