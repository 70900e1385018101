"""Processor time and memory of whole commands on configurations of growing size."""

from __future__ import annotations

import gc
import math
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.growth.dimensions import Files

COMMANDS: dict[str, tuple[str, ...]] = {
    "scan": ("scan", "--jobs", "1", "--select", "ALL"),
    "fix": ("scan", "--jobs", "1", "--fix", "--unsafe-fixes"),
    "diff": ("scan", "--jobs", "1", "--diff", "--unsafe-fixes"),
    "graph": ("graph", "--format", "json"),
    "upstreams": ("upstreams",),
    "drill": ("drill",),
    "baseline": ("baseline", "write", "--baseline", "base.json"),
}
_ENDS = (0, 1, 3)
_LEAST = 0.02  # seconds: less is not told from nothing


@dataclass(frozen=True)
class Sample:
    """Processor seconds of one run, and its peak memory in MiB beyond what the process had that it is a fork of."""

    seconds: float
    memory: float


def write(files: Files, directory: Path) -> str:
    """Write ``files`` into ``directory``; what is to be given to a command."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return "nginx.conf" if "nginx.conf" in files else "."


def sample(command: Sequence[str], files: Files, limit: float = 100.0) -> Sample:
    """One run of ``command`` on ``files``. Raises `RuntimeError` where it ends as no command should."""
    directory = Path(tempfile.mkdtemp())
    try:
        path = write(files, directory)
        return run([*command, path], directory, limit)
    finally:
        shutil.rmtree(directory)


def run(arguments: Sequence[str], directory: Path, limit: float = 100.0) -> Sample:
    """One run of nginxaudit in ``directory``, ended after ``limit`` seconds of processor time.

    It is a fork of this process: what a command imports is imported once, and counts for none of them.
    """
    _warm(arguments)
    begun = _resident()
    child = os.fork()
    if child == 0:
        _become(arguments, directory, limit)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    if code not in _ENDS:
        raise RuntimeError(f"nginxaudit {' '.join(arguments)}: {code} after {seconds:.1f} s")
    return Sample(seconds, usage.ru_maxrss / 1024 - begun)


def _resident() -> float:
    """MiB that this process holds, which its forks begin with: after a thousand tests they are many."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)


def _become(arguments: Sequence[str], directory: Path, limit: float) -> NoReturn:
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.chdir(directory)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 1))
        gc.disable()
        os._exit(_call(arguments))
    finally:
        os._exit(99)


def _call(arguments: Sequence[str]) -> int:
    from nginxaudit.cli.main import run as command

    sys.argv = ["nginxaudit", *arguments]
    return command()


_WARMED: set[str] = set()


def _warm(arguments: Sequence[str]) -> None:
    """Import what the command of ``arguments`` needs."""
    if arguments[0] in _WARMED:
        return
    _WARMED.add(arguments[0])
    os.environ["NO_COLOR"] = "1"
    text = (
        "upstream u { server 10.0.0.1; server 10.0.0.2; }\n"
        "server { listen 443 ssl; if ($a ~ ^(b)) { rewrite ^/(a+)$ /$1; } location / { proxy_pass http://u; } }\n"
    )
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as directory, open(os.devnull, "w") as nowhere:
        path = write({"nginx.conf": f"events {{}}\nhttp {{ {text} }}\n"}, Path(directory))
        os.chdir(directory)
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            _call([*arguments[:-1], path])
        os.chdir(home)


def exponent(
    command: Sequence[str], make: Callable[[int], Files], sizes: Sequence[int]
) -> tuple[float, list[Sample]]:
    """How processor time above that of the empty case grows: the exponent of the size, over the whole range."""
    base = sample(command, make(1)).seconds
    samples = [sample(command, make(size)) for size in sizes]
    return growth(sizes, samples, base), samples


def growth(sizes: Sequence[int], samples: Sequence[Sample], base: float) -> float:
    """The exponent of ``samples``, of which ``base`` seconds do not grow."""
    first, last = (max(each.seconds - base, _LEAST) for each in (samples[0], samples[-1]))
    return math.log(last / first) / math.log(sizes[-1] / sizes[0])
