"""``python -m tests.requests``: random configurations and requests, every disagreement with nginx.

``--case N`` shows one case in full.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from nginxaudit.request.records import Ask
from tests.requests.counts import Count
from tests.requests.echo import echoes
from tests.requests.judge import STATUSES, judge
from tests.requests.stream import judge as stream
from tests.requests.stream.backends import backends
from tests.support.judges import judges
from tests.support.nginx import asked


def main() -> int:
    """Run, print, and say by the exit code whether all agreed."""
    parser = argparse.ArgumentParser(prog="python -m tests.requests", description=__doc__)
    parser.add_argument("--cases", type=int, default=100, help="configurations")
    parser.add_argument("--requests", type=int, default=20, help="requests to each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="only this case, in full")
    parser.add_argument("--batch", type=int, default=100, help="cases of one start of nginx")
    parser.add_argument("--show", type=int, default=10, help="disagreements that are shown")
    parser.add_argument(
        "--open", action="store_true", help="nothing is known of files, backends and passwords"
    )
    parser.add_argument("--stream", action="store_true", help="connections of stream")
    parser.add_argument("--nginx", default="", help="only binaries with this in their name")
    options = parser.parse_args()
    failed = False
    for each in judges():
        if options.nginx in each.name:
            began = time.monotonic()
            with asked(each):
                count = _connections(options) if options.stream else _requests(options)
            _print(each.name, count, time.monotonic() - began, options)
            failed = failed or bool(count.disagreements)
    return int(failed)


def _requests(options: argparse.Namespace) -> Count:
    with echoes(*STATUSES) as ports:
        return _all(
            options,
            lambda directory, at, count: judge(
                directory, at, count, options.requests, options.seed, ports, knowing=not options.open
            ),
        )


def _connections(options: argparse.Namespace) -> Count:
    with backends() as ports:
        return _all(
            options,
            lambda directory, at, count: stream.judge(
                directory, at, count, options.requests, options.seed, ports
            ),
        )


def _all(options: argparse.Namespace, judged: Callable[[Path, int, int], Count]) -> Count:
    """Ask about all cases, each batch with an nginx of its own."""
    total = Count()
    first, last = (options.case, options.case + 1) if options.case is not None else (0, options.cases)
    for at in range(first, last, options.batch):
        with tempfile.TemporaryDirectory() as directory:
            total.add(judged(Path(directory), at, min(options.batch, last - at)))
    return total


def _print(name: str, count: Count, seconds: float, options: argparse.Namespace) -> None:
    wrong = len(count.disagreements)
    print(
        f"{name}: {count.requests} requests, {wrong} disagreements, {count.branched} with branches "
        f"({count.outside} outside of them, {count.cut} beyond the limit), {count.unknown} unknown, {len(count.refused)} cases refused, {seconds:.0f} s"
    )
    for reason, number in Counter(count.refused).most_common(5):
        print(f"  refused {number}: {reason}")
    kinds = Counter(each.what.partition(":")[0] for each in count.disagreements)
    if kinds:
        print("  " + ", ".join(f"{kind} {number}" for kind, number in kinds.most_common()))
    shown = set()
    for each in count.disagreements:
        if options.case is None and (each.case.number in shown or len(shown) >= options.show):
            continue
        shown.add(each.case.number)
        ask = each.ask
        print(f"  case {each.case.number}: {_ask(ask)}")
        print(f"    {each.what[:600]}")
    if options.case is not None and count.disagreements:
        print(count.disagreements[0].case.text)


def _ask(ask: Ask) -> str:
    if ask.protocol == "http":
        return f"{ask.method} {ask.target} host={ask.host} {ask.headers} body={ask.body}"
    return (
        f"{ask.url} to {ask.address} from {ask.client} sni={ask.sni} alpn={ask.alpn} proxied={ask.proxied!r}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
