"""One command: measures how time grows in each direction, prints and writes the table."""

from __future__ import annotations

import argparse

from tests.growth.dimensions import DIMENSIONS, on_one_line
from tests.growth.measure import COMMANDS, exponent


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.growth", description=__doc__)
    parser.add_argument(
        "--only", default="", help="dimensions whose name contains one of these, with commas between"
    )
    parser.add_argument("--commands", default="scan", help="some of " + ",".join(COMMANDS))
    parser.add_argument("--sizes", default="1000,2000,4000,8000")
    parser.add_argument("--one-line", action="store_true", help="everything on one line")
    options = parser.parse_args()
    sizes = [int(each) for each in options.sizes.split(",")]
    for name, make in DIMENSIONS.items():
        if not any(part in name for part in options.only.split(",")):
            continue
        build = (lambda count, make=make: on_one_line(make(count))) if options.one_line else make
        for command in options.commands.split(","):
            try:
                power, samples = exponent(COMMANDS[command], build, sizes)
                print(
                    f"{name:26} {command:10} {power:5.2f}  {'  '.join(f'{each.seconds:7.2f}' for each in samples)} s  {samples[-1].memory:5.0f} MiB",
                    flush=True,
                )
            except RuntimeError as error:
                print(f"{name:26} {command:10} {error}", flush=True)


if __name__ == "__main__":
    main()
