"""Two judges of one configuration: the installed nginx, and nginxaudit told that nginx's version."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nginxaudit.engine.run.audit import audit
from nginxaudit.nginx import Target, directives
from nginxaudit.nginx.modules import module_of
from tests.parity.generate import generated
from tests.parity.mutate import donations, mutate
from tests.parity.seeds import Seed, lay_out
from tests.support import nginx
from tests.support.targets import settings_for

# What nginx says when not the configuration is at fault but the machine: files, names, ports, users, builds.
_ELSEWHERE = re.compile(
    r"(?:kqueue|iocp|devpoll|eventport|epoll)_|acceptex_read$|post_acceptex$|geoip|perl|xslt|xml_entities|image_filter"
    r"|google_perftools|(?:stream|mail|degradation|degrade)$"
)  # directives of other systems, and of modules that are not built in or not loaded here
_MACHINE = re.compile(
    r"""(?x)
    \b(?:mkdir|bind|chown|setsockopt|socket|listen|stat|dlopen|getpwnam|getgrnam|setrlimit|chmod|open
        |utimes|rename|connect|gethostname|fopen|shm_open|mmap|sched_setaffinity)\(
    | SSL_C\w+\( | ENGINE_by_id | \bread\(\) | as\ default\ path   # the latter is decided when nginx is built
    | host\ not\ found | no\ resolver\ defined\ to\ resolve
    | cannot\ load\ certificate | SSL_CTX_use_PrivateKey | PEM_read_bio | BIO_new_file | SSL_load_client_CA
    | could\ not\ (?:respawn|open|find) | too\ long\ line
    | requires\ the\ (?:ngx|SSL)
    | PCRE\ library | the\ \S+\ support\ is\ not | is\ not\ (?:supported|available)\ on\ this\ platform
    | does\ not\ support
    """
)
_UNKNOWN = re.compile(r'unknown directive "([^"]*)"')
_TIMEOUT = 30  # seconds; a name that DNS must answer for takes its time


@dataclass(frozen=True)
class Verdict:
    """One case and what both said; ``machine`` cases prove nothing about the prediction."""

    number: int
    seed: str
    kind: str
    accepted: bool
    predicted: bool | None  # None: a rule crashed
    machine: bool
    nginx_says: str
    we_say: tuple[str, ...]
    text: str

    @property
    def agrees(self) -> bool:
        """Both accept, or both refuse; a crash agrees with nothing."""
        return self.accepted == self.predicted


def predict(main: Path, target: Target) -> tuple[bool | None, tuple[str, ...]]:
    """Whether nginxaudit says that nginx accepts the configuration, and its reasons if not; None for a crash."""
    report = audit([str(main)], settings_for(target))
    if report.crashes:
        return None, tuple(f"crash of {each.rule}: {each.error}" for each in report.crashes)
    refusals = tuple(
        f"{each.rule} {each.span.line}: {each.message}" for each in report.findings if each.rejected_by_nginx
    )
    return not refusals, refusals


def machine_is_at_fault(output: str) -> bool:
    """Whether the refusal says more about this machine than about the configuration."""
    reasons = [line for line in output.splitlines() if "[emerg]" in line or "[alert]" in line]
    if not reasons:
        return True  # it died without a word
    unknown = _UNKNOWN.search(reasons[0])
    if unknown:
        facts = directives(unknown[1])
        foreign = bool(facts and all(fact.third_party for fact in facts)) or module_of(unknown[1]) is not None
        return foreign or _ELSEWHERE.match(unknown[1]) is not None
    return _MACHINE.search(reasons[0]) is not None


def _is_of_pcre1(reasons: tuple[str, ...]) -> bool:
    r"""Whether all refusals are those of PCRE2, and this nginx has PCRE1, which takes ``\i`` for the letter."""
    only = bool(reasons) and all("unrecognized character follows" in each for each in reasons)
    return only and b"pcre2" not in Path(nginx.judge().binary).read_bytes()


class Bench:
    """Seeds laid out in a folder, and a way to judge the case with a number."""

    def __init__(self, seed: int, only: str = "", *, from_facts: bool = False) -> None:
        self._seed = seed
        self._scratch = Path(tempfile.mkdtemp(prefix="parity-"))
        self._from_facts = from_facts
        self.seeds = [] if from_facts else [each for each in lay_out(self._scratch) if only in each.name]
        self._donors = [line for each in self.seeds for file in each.files for line in donations(_read(file))]
        self._target = Target(nginx.version())

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def judge(self, number: int) -> Verdict:
        """Case ``number``: the same for the same seed and the same configurations."""
        rng = random.Random(f"{self._seed}:{number}")
        if self._from_facts:
            return self._judge_generated(number, rng)
        seed = rng.choice(self.seeds)
        file = rng.choice(seed.files)
        original = _read(file)
        mutant = mutate(original, rng, self._donors)
        file.write_text(mutant.text, errors="surrogateescape")
        try:
            return self._compare(number, seed, mutant.kind, mutant.text)
        finally:
            file.write_text(original, errors="surrogateescape")

    def _judge_generated(self, number: int, rng: random.Random) -> Verdict:
        case = generated(rng, self._target)
        text = nginx.load_modules() + case.text
        main = self._scratch / "nginx.conf"
        (self._scratch / "logs").mkdir(exist_ok=True)
        main.write_text(text, errors="surrogateescape")
        return self._compare(number, Seed("facts", self._scratch, (main,)), case.kind, text)

    def _compare(self, number: int, seed: Seed, kind: str, text: str) -> Verdict:
        try:
            answer = nginx.ask(seed.directory, seed.main, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:  # DNS does not answer, or a hash of absurd size is tried
            answer = nginx.Answer(False, "")
        predicted, reasons = predict(seed.main, self._target)
        machine = (
            _is_of_pcre1(reasons)
            if answer.accepted
            else machine_is_at_fault(answer.output) or nginx.judge().lacks(answer.output) is not None
        )
        return Verdict(
            number, seed.name, kind, answer.accepted, predicted, machine, answer.output.strip(), reasons, text
        )


def judged(
    seed: int, numbers: Iterable[int], only: str = "", *, from_facts: bool = False
) -> Iterator[Verdict]:
    """Verdicts on the cases ``numbers``."""
    bench = Bench(seed, only, from_facts=from_facts)
    try:
        for number in numbers:
            yield bench.judge(number)
    finally:
        bench.close()


def _read(path: Path) -> str:
    return path.read_text(errors="surrogateescape")
