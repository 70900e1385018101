"""The same targets guided by coverage: ``pip install atheris``, then

    python -m tests.fuzz.harness TARGET [-max_total_time=600] [-seed=7] [FOLDER-WITH-INPUTS]

The options are those of libFuzzer. It starts from the real inputs of the target; what fails is made smaller and
written to ``tests/fuzz/found/`` as by ``python -m tests.fuzz``, and the run goes on. Not a part of the tests.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import atheris

with atheris.instrument_imports(include=["nginxaudit"]):
    import nginxaudit

    for _module in walk_packages(
        nginxaudit.__path__, "nginxaudit."
    ):  # checks are imported when they run: too late
        if not _module.name.endswith("__main__"):
            import_module(_module.name)
    from tests.fuzz.failing import failure, keep, signature, smaller
    from tests.fuzz.sources import seeds
    from tests.fuzz.targets import TARGETS

_SHRINK = 20.0  # seconds
_SLOWER = 10.0  # counting what is covered takes time


def main() -> None:
    """Run until libFuzzer's limits end it."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz.harness TARGET [OPTION]...   targets: {' '.join(TARGETS)}")
    target = TARGETS[sys.argv.pop(1)]
    known: set[str] = set()

    def run(data: bytes) -> None:
        from tests.fuzz.clock import timed

        timed(lambda: target.run(data), len(data), target.weight * _SLOWER)

    def one(data: bytes) -> None:
        error = failure(run, data)
        if error is None or signature(error) in known:
            return
        name = signature(error)
        known.add(name)
        print(f"\n{target.name}: {name}\n    {error}")
        print(f"    kept as {keep(target.name, smaller(run, data, name, _SHRINK), error)}", flush=True)

    atheris.Setup([*sys.argv, "-rss_limit_mb=4096", _corpus(target.name)], one)
    atheris.Fuzz()


def _corpus(name: str) -> str:
    """A folder with the real inputs, which libFuzzer also fills with what it finds worth keeping."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, data in enumerate(seeds(name)):
        (folder / f"seed-{number}").write_bytes(data)
    return str(folder)


if __name__ == "__main__":
    main()
