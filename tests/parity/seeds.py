"""Configurations that the installed nginx accepts, each laid out in a folder of its own.

They come from the fixtures, from the good examples of the rule pages, and from the corpus beside
the repository when it is there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rules.examples import cases, clean
from tests.support import nginx

_REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = _REPOSITORY.parent / "shared" / "corpus"
_CERTIFICATES = ("localhost", "1.example.com", "2.example.com")
_LOAD_MODULE = re.compile(r"^\s*load_module\b[^;]*;[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Seed:
    """A configuration in its folder; ``files`` are those that may be mutated, the main one first."""

    name: str
    directory: Path
    files: tuple[Path, ...]

    @property
    def main(self) -> Path:
        """The file nginx is started with."""
        return self.files[0]


def lay_out(scratch: Path) -> list[Seed]:
    """All seeds below ``scratch``, in a fixed order; those that the installed nginx refuses are left out."""
    found = []
    for seed in _all(scratch):
        main = seed.main.read_text(errors="surrogateescape")
        seed.main.write_text(nginx.load_modules() + _LOAD_MODULE.sub("", main), errors="surrogateescape")
        if nginx.ask(seed.directory, seed.main).accepted:
            found.append(seed)
    return found


def _all(scratch: Path) -> Iterator[Seed]:
    yield from _fixtures(scratch / "fixtures")
    yield from _examples(scratch / "examples")
    if CORPUS.is_dir():
        yield from _nginx_tests(scratch / "nginx-tests")
        for name in ("debian", "h5bp", "wordpress"):
            yield _tree(CORPUS / name, scratch / name)


def _fixtures(scratch: Path) -> Iterator[Seed]:
    for path in sorted((_REPOSITORY / "fixtures" / "deployments").glob("*.conf")):
        yield _single(f"fixtures/{path.name}", path.read_text(), scratch / path.stem)
    yield _tree(_REPOSITORY / "fixtures" / "etc-nginx", scratch / "etc-nginx")


def _examples(scratch: Path) -> Iterator[Seed]:
    for _, name, example, _ in cases():
        if example.kind == "good" and not example.files and "edition" not in example.options:
            yield _single(f"rules/{name}", clean(example.text), scratch / name)


def _nginx_tests(scratch: Path) -> Iterator[Seed]:
    for path in sorted((CORPUS / "nginx-tests").glob("*.conf")):
        directory = scratch / path.stem
        text = path.read_text(errors="surrogateescape").replace(
            f"/srv/nginx-tests/{path.stem}", str(directory)
        )
        for name in _CERTIFICATES:
            _certificate(directory, name)
        yield _single(f"nginx-tests/{path.name}", text, directory)


def _single(name: str, text: str, directory: Path) -> Seed:
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    main = directory / "nginx.conf"
    main.write_text(text, errors="surrogateescape")
    return Seed(name, directory, (main,))


def _tree(origin: Path, directory: Path) -> Seed:
    """A copy of a whole tree in which absolute paths of /etc/nginx lead into the copy."""
    shutil.copytree(origin, directory, symlinks=False, dirs_exist_ok=True)
    (directory / "logs").mkdir(exist_ok=True)
    files = sorted(path for path in directory.rglob("*") if path.is_file() and _is_config(path))
    for path in files:
        text = path.read_text(errors="surrogateescape")
        path.write_text(text.replace("/etc/nginx/", f"{directory}/"), errors="surrogateescape")
    main = directory / "nginx.conf"
    return Seed(origin.name, directory, (main, *(path for path in files if path != main)))


def _is_config(path: Path) -> bool:
    return path.suffix in (".conf", "") or "sites" in path.parent.name


def _certificate(directory: Path, name: str) -> None:
    """A self-signed certificate; made once, copied for every configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    made = directory.parent / name
    if not made.with_name(f"{name}.key").exists():
        subprocess.run(
            f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} "
            f"-keyout {made}.key -out {made}.crt".split(),
            check=True,
            capture_output=True,
        )
    for suffix in ("key", "crt"):
        shutil.copy(f"{made}.{suffix}", directory / f"{name}.{suffix}")
