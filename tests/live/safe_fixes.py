"""``python -m tests.live.safe_fixes``: every example of every page, its safe fixes, and what clients and backends see of them.

Layout is damaged first, so that there is much to fix. Prints the number of requests and every difference.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import Target
from tests.rules.examples import Case, cases, clean, main_name, texts
from tests.support import nginx
from tests.support.judges import judges
from tests.support.observed import Backends, RefusedError, World, differences
from tests.support.targets import settings_for

SAFE = tuple(rule.slug for rule in builtin() if rule.fix == "safe")


_AGAIN = ((0, 1), (1, 2)) * 6
"""Before or after, and where its answer stands in a difference: peers drawn at random and races differ by themselves."""


@dataclass
class Compared:
    """One configuration before and after its fixes."""

    requests: int = 0
    rules: tuple[str, ...] = ()  # whose fixes were applied
    differences: list[tuple[object, object, object]] = field(default_factory=list)
    reason: str = ""  # why nothing was asked


def compared(
    case: Case,
    directory: Path,
    backends: Backends,
    rough: Random | None = None,
    settings: Settings | None = None,
) -> Compared:
    """Ask the example of ``case`` before and after its fixes: safe ones, or those that ``settings`` select, safe or not."""
    example, unsafe = case.example, settings is not None
    if case.rule.rejected_by_nginx and example.kind == "bad":
        return Compared(reason="nginx refuses it")
    if "part" in example.flags or example.options.get("edition", "oss") != "oss":
        return Compared(reason="a part, or not for open source nginx")
    before = {name: clean(text) for name, text in texts(example).items()}
    main = main_name(example)
    if not before[main].startswith("\ufeff"):
        before[main] = nginx.load_modules() + before[main]
    if rough is not None:
        before = {name: roughened(text, rough) for name, text in before.items()}
    chosen = settings or settings_for(Target(nginx.version())).with_options(select=SAFE)
    after, rules = _fixed(before, main, directory / "fixed", chosen, unsafe)
    if before == after:
        return Compared(reason="nothing to fix")
    world = World(directory, backends)
    try:
        seen = world.seen(before, main)
    except RefusedError as refused:
        return Compared(reason=f"refused before: {refused}", rules=rules)
    different = differences(seen, world.seen(after, main))
    for texts_again, at in _AGAIN:  # what differs without a change, too, tells nothing
        if different:
            again = world.seen((before, after)[texts_again], main)
            different = [each for each in different if again.get(each[0]) == each[at]]
    return Compared(len(seen), rules, different)


def _fixed(
    before: Mapping[str, str], main: str, directory: Path, settings: Settings, unsafe: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    for name, text in before.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    made = fix([str(directory / main)], settings, unsafe=unsafe)
    changed = {str(Path(each.path).relative_to(directory)): each.after for each in made.changes}
    return {**before, **changed}, tuple(sorted({each.rule for each in made.applied}))


def roughened(text: str, random: Random) -> str:
    """``text`` with the same meaning and much that safe fixes have to do."""
    made: list[str] = []
    for line in text.split("\n"):
        for pattern, new in _DAMAGES:
            if random.random() < 0.4:
                line = re.sub(pattern, new, line, count=1)
        made.append(line)
    return "\n".join(made) + "\n" * random.randrange(3)


_DAMAGES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<=\w);(?=\s*$)", " ;"),
    (r"(?<=[;{}])$", "  "),
    (r"(?<=[;{}] )\Z", "\r"),
    (r"^ {4,}(?=\w[^'\"]*[;{]\s*$)", "  "),
    (r"\bdefault_server\b", "default"),
    (r"(?<=\bgzip_types )(?=[^;]*;)", "text/html "),
    (
        r"^(\s*)(?=(?:root|index|expires) )",
        r"\1# nginxaudit: ignore[unknown-directive] a fork has it" + "\n" + r"\1",
    ),
)


def main() -> int:
    """Run, print, and say by the exit code whether all were alike."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.safe_fixes", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nginx", default="", help="only judges whose name has this")
    parser.add_argument("--part", default="1/1", help="N/M: every Mth example, from the Nth on")
    options = parser.parse_args()
    at, of = map(int, options.part.split("/"))
    failed = False
    for judge in (each for each in judges() if options.nginx in each.name):
        backends, total, why, rules = Backends(), Counter[str](), Counter[str](), Counter[str]()
        with nginx.asked(judge), tempfile.TemporaryDirectory() as scratch:
            for case in cases()[at - 1 :: of]:
                found = compared(
                    case, Path(scratch, case.name), backends, Random(f"{options.seed} {case.name}")
                )
                total.update(
                    examples=bool(found.requests), requests=found.requests, differences=len(found.differences)
                )
                why[found.reason.partition(":")[0]] += 1
                rules.update(found.rules)
                for key, before, after in found.differences[:2]:
                    print(
                        f"{judge.name} {case.name} {found.rules} {key}\n  before: {before!r}\n  after:  {after!r}"
                    )
        backends.stop()
        print(judge.name, dict(total), dict(why), dict(rules))
        failed = failed or bool(total["differences"]) or not total["requests"]
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
