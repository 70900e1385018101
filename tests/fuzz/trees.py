"""``python -m tests.fuzz.trees --minutes 60 --seed 1``: whole commands over whole trees, each run in two ways.

Real texts (examples of rule pages, fixtures) are put together to trees: sites and links to them, files in odd places, damaged and
repeated ones, dumps, archives. Each case is a command with a random combination of options, and runs twice: in one process
and in two (`-j`), with other hash seeds, in copies of the tree at different paths. Both must say the same, byte for byte,
with an exit code from 0 to 3, and write the same files. Minutes are of processor time.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fuzz.corpus import configurations

_FORMATS = (
    "text",
    "concise",
    "json",
    "sarif",
    "github",
    "gitlab",
    "junit",
    "checkstyle",
    "rdjson",
    "markdown",
    "html",
)
_VERSIONS = ("1.18.0", "1.22.1", "1.24", "1.26.3", "1.28.0", "1.29.7", "1.31.3")
_NAMES = (
    "conf.d/{}.conf",
    "sites-available/{}",
    "snippets/{}.conf",
    "{}.conf",
    "a b/{}.conf",
    "stream.d/{}.conf",
    "{}.example.com",
)
_WAYS = (("1", "0", "one"), ("2", "1", "another/place"))
Tree = dict[str, bytes]


def _main(chance: random.Random, includes: Sequence[str]) -> bytes:
    text = chance.choice(configurations())
    lines = "".join(f"    include {each};\n" for each in includes).encode()
    at = text.rfind(b"}")
    if chance.random() < 0.2:
        return b"events {}\nhttp {\n" + lines + b"}\n"
    return text[:at] + lines + text[at:] if at >= 0 else text + lines


def _damaged(chance: random.Random, text: bytes) -> bytes:
    at = chance.randrange(len(text) + 1)
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: text[:at],
        lambda: text[:at] + bytes(chance.randrange(256) for _ in range(8)) + text[at:],
        lambda: text.replace(b";", b"", 1 + chance.randrange(3)),
        lambda: text.replace(b"}", b"", 1),
        lambda: text + b"\n" * chance.choice((1, 2000)) + b"a {" * chance.choice((1, 300)),
        lambda: text.replace(b"\n", b"\r\n"),
        lambda: b"\xef\xbb\xbf" + text,
        lambda: text[:at] + b"'" + text[at:],
        lambda: text.replace(b"    ", b"\t"),
        lambda: text + b"\n# nginxaudit: ignore[missing-listen] tests\n" + text,
    )
    return chance.choice(kinds)()


def tree(chance: random.Random) -> tuple[Tree, dict[str, str]]:
    """Files and links of one tree."""
    files: Tree = {}
    links: dict[str, str] = {}
    for number in range(chance.choice((0, 0, 1, 2, 5))):
        text = chance.choice(configurations())
        if chance.random() < 0.3:
            text = _damaged(chance, text)
        files[chance.choice(_NAMES).format(f"s{number}")] = text
    includes = [
        chance.choice(
            (path, f"/etc/nginx/{path}", str(Path(path).parent / "*"), str(Path(path).parent / "*.conf"))
        )
        for path in files
        if chance.random() < 0.7
    ]
    for path in list(files):
        if chance.random() < 0.2:
            links[f"sites-enabled/{Path(path).name}"] = chance.choice(
                (f"../{path}", f"/etc/nginx/{path}", "../nowhere")
            )
    if links and chance.random() < 0.7:
        includes.append("sites-enabled/*")
    main = _main(chance, [each.replace(" ", "?") for each in includes] * chance.choice((1, 1, 2)))
    if chance.random() < 0.9 or not files:
        files["nginx.conf"] = _damaged(chance, main) if chance.random() < 0.2 else main
    if chance.random() < 0.1:
        dump = b"".join(
            b"# configuration file /etc/nginx/" + path.encode() + b":\n" + text + b"\n"
            for path, text in files.items()
        )
        files = {"dump.txt": dump}
        links = {}
    if chance.random() < 0.2:
        files["nginxaudit.toml"] = chance.choice(
            (
                b'select = ["ALL"]\n',
                b'min-severity = "warning"\n',
                b'[upstreams."*"]\ntopology = "active-passive"\n',
            )
        )
    return files, links


def _options(chance: random.Random) -> list[str]:
    possible: tuple[tuple[float, Sequence[str]], ...] = (
        (0.4, ("--select", "ALL")),
        (0.3, ("--nginx-version", chance.choice(_VERSIONS))),
        (0.2, ("--edition", "plus")),
        (0.2, ("--min-severity", chance.choice(("info", "warning", "error")))),
        (0.1, ("--no-settings",)),
        (0.1, ("--check-files",)),
        (
            0.1,
            ("--context", chance.choice(("http", "http,server", "stream", "main", "http,server,location"))),
        ),
        (0.1, ("--topology", "*=active-active")),
        (0.1, ("--fail-on", chance.choice(("never", "info", "error")))),
        (0.1, ("--ignore", chance.choice(("upstream", "missing-listen", "style", "NGX2001")))),
    )
    return [word for share, words in possible if chance.random() < share for word in words]


def command(chance: random.Random, target: str) -> list[str]:
    """A command line over ``target``; its place for ``-j`` is ``{jobs}``."""
    kind = chance.choice(("scan",) * 6 + ("diff", "fix", "graph", "upstreams", "drill", "baseline"))
    paths = (
        [target]
        if chance.random() < 0.8
        else [target, chance.choice((target, "conf.d", "nowhere", "./" + target))]
    )
    if kind in ("graph", "upstreams", "drill"):
        more = {"graph": ("dot", "mermaid", "svg", "html"), "drill": ("html",), "upstreams": ()}[kind]
        return [kind, "--format", chance.choice(("text", "json", *more)), *paths]
    if kind == "baseline":
        return ["baseline", "write", target]
    extra = {
        "diff": ["--diff", *(["--unsafe-fixes"] if chance.random() < 0.7 else [])],
        "fix": ["--fix", "--unsafe-fixes", "--format", "json"],
    }.get(kind, ["--format", chance.choice(_FORMATS), *(["--all"] if chance.random() < 0.3 else [])])
    jobs = [] if kind in ("diff", "fix") else ["-j", "{jobs}"]
    return ["scan", *jobs, *extra, *_options(chance), *paths]


def build(directory: Path, files: Tree, links: dict[str, str], *, packed: bool) -> str:
    """Write the tree below ``directory``; what is to be scanned, relative to it."""
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(text)
    for path, to in links.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).symlink_to(to)
    if packed:
        with tarfile.open(directory / "conf.tar", "w") as archive:
            for path in sorted([*files, *links]):
                archive.add(directory / path, f"etc/nginx/{path}", filter=_unowned)
        return "conf.tar"
    if "dump.txt" in files:
        return "dump.txt"
    return "."


def _unowned(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    return member


def _run(
    arguments: Sequence[str], directory: Path, jobs: str, seed: str
) -> tuple[int, bytes, bytes, dict[str, bytes]]:
    words = [word.replace("{jobs}", jobs) for word in arguments]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "NO_COLOR": "1",
        "PYTHONPATH": os.getcwd(),
        "COLUMNS": "100",
    }
    done = subprocess.run(
        [sys.executable, "-m", "nginxaudit", *words],
        cwd=directory, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=600, check=False,
    )  # fmt: skip
    written = {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != "conf.tar"
    }
    here = str(directory).encode()
    printed = done.stdout.replace(f"-j {jobs} ".encode(), b"-j N ")  # html names the command
    return done.returncode, printed.replace(here, b"HERE"), done.stderr.replace(here, b"HERE"), written


def problem(number: int) -> tuple[str, list[str]]:
    """What is wrong with the case of this number (empty: nothing), and its command line."""
    chance = random.Random(number)
    files, links = tree(chance)
    packed = chance.random() < 0.1
    arguments: list[str] = []
    seen = []
    with tempfile.TemporaryDirectory() as scratch:
        for jobs, seed, place in _WAYS:
            directory = Path(scratch) / place
            directory.mkdir(parents=True)
            target = build(directory, files, links, packed=packed)
            arguments = arguments or command(chance, target)
            seen.append(_run(arguments, directory, jobs, seed))
            if os.environ.get("KEEP"):
                shutil.copytree(directory, os.environ["KEEP"], symlinks=True, dirs_exist_ok=True)
    return _judged(*seen), arguments


def _judged(
    one: tuple[int, bytes, bytes, dict[str, bytes]], two: tuple[int, bytes, bytes, dict[str, bytes]]
) -> str:
    for code, _, errors, _ in (one, two):
        if code not in (0, 1, 2, 3):
            return f"exit code {code}: {errors.decode(errors='replace')[-300:]}"
        if b"Traceback" in errors or b"internal error" in errors:
            return errors.decode(errors="replace")[-300:]
    names = ("exit codes", "standard output", "standard error", "files")
    different = [name for name, left, right in zip(names, one, two, strict=True) if left != right]
    return f"two runs differ in {', '.join(different)}" if different else ""


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Run cases until the time is over; 1 when something was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1.0, help="processor time of the commands")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="one case, again (KEEP=DIRECTORY keeps its tree)")
    options = parser.parse_args()
    if options.case is not None:
        print(*problem(options.case))
        return 0
    found: Counter[str] = Counter()
    number = 0
    while _spent() < 60 * options.minutes:
        case = options.seed * 1_000_000 + number
        what, arguments = problem(case)
        if what:
            found[what] += 1
            print(f"case {case}: {' '.join(arguments)}\n    {what}", flush=True)
        number += 1
    print(
        f"{number} cases, {2 * number} runs, {_spent() / 60:.1f} minutes of processor time, {sum(found.values())} problems"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
