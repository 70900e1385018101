"""``python -m tests.field DIRECTORY…``: findings per rule and per 1,000 lines in trees of configurations.

``--json FILE`` keeps the numbers, ``--compare FILE`` shows them beside those of now, the rules that changed most first.
``--draw N`` lists errors and warnings drawn at random, to be judged by eye.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.field.measure import drawn, from_json, measure, table, to_json


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Exit code 2 for what cannot be read, 4 where a rule crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.field", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("trees", nargs="+", metavar="DIRECTORY")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="numbers of an earlier run")
    parser.add_argument(
        "--draw", type=int, default=0, metavar="N", help="list N errors and warnings at random"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    options = parser.parse_args(arguments)
    if missing := [each for each in options.trees if not Path(each).exists()]:
        parser.error(f"not found: {', '.join(missing)}")
    try:
        old = from_json(options.compare.read_text()) if options.compare else None
    except (OSError, ValueError) as error:
        parser.error(f"{options.compare}: {error}")
    measured, found = measure(options.trees)
    print(table(measured, old))
    for each in drawn(found, options.draw, options.seed):
        print(f"{each.file}:{each.line}: {each.severity} {each.rule}: {each.message}")
    if options.json:
        options.json.write_text(to_json(measured))
    for crash in measured.not_read:
        print(crash, file=sys.stderr)
    return 4 if measured.not_read else 0


if __name__ == "__main__":
    sys.exit(main())
