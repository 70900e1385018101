"""The examples of the rule pages before a real nginx, and what the pages say that this nginx does with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from nginxaudit.nginx import parse_version
from tests.rules.examples import Case, clean, main_name
from tests.support import certificates, nginx

_MACHINE = re.compile(r"host not found in|cannot load certificate|dlopen\(\)")


def answer(case: Case, directory: Path, changed: Mapping[str, str] | None = None) -> nginx.Answer:
    """What ``nginx -t`` says of an example, where ``changed`` has other texts for some of its files."""
    example = case.example
    if example.options.get("edition", "oss") != "oss":
        pytest.skip("only open source nginx is to be had here")
    files = {name: clean(text) for name, text in example.files.items()} | dict(changed or {})
    text = files.pop(main_name(example), clean(example.text))
    if "part" in example.flags:
        text = _whole(text)
    if not text.startswith("\ufeff"):
        text = nginx.load_modules() + text
    if f" {certificates.CERTIFICATE};" in text:
        files = {**certificates.made(), **files}
    return nginx.check(directory, text, files)


def _whole(part: str) -> str:
    """A configuration around what stands in http or in a server."""
    if not part.startswith(("server ", "upstream ", "map ")):
        part = f"server {{ listen 8080; {part} }}"
    return f"events {{}} http {{ {part} }}"


def is_refused(case: Case) -> bool:
    """Whether this nginx refuses the example. Outside of the versions that its fence names it does the opposite."""
    flags = case.example.flags
    refused = case.example.kind == "bad" and (
        (case.rule.rejected_by_nginx and "accepted" not in flags) or "refused" in flags
    )
    return refused is is_spoken_of(case)


def is_spoken_of(case: Case) -> bool:
    """Whether this nginx is among the versions that the fence names."""
    options, version, openssl = case.example.options, nginx.version(), nginx.judge().openssl
    return (
        ("since" not in options or version >= parse_version(options["since"]))
        and ("until" not in options or version < parse_version(options["until"]))
        and ("openssl" not in options or openssl >= parse_version(options["openssl"]))
    )


def only_the_machine_lacks_something(case: Case, said: nginx.Answer) -> bool:
    """Whether nginx refused an example only for names that have no address here, certificates or modules that are not here."""
    return "needs-dns" in case.example.flags and _MACHINE.search(said.output) is not None
