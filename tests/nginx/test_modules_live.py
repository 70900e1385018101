"""What is known about the directives of third-party modules, against an nginx that has the modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.nginx import DirectiveFact, module_facts
from nginxaudit.nginx.data_files import parts
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_BUILT_IN = {
    "echo": "echo-nginx-module",
    "headers-more": "headers-more-nginx-module",
    "set-misc": "set-misc-nginx-module",
}
_AROUND = {
    "main": "{} events {{}}",
    "events": "events {{ {} }}",
    "http": "events {{}} http {{ {} }}",
    "server": "events {{}} http {{ server {{ {} }} }}",
    "location": "events {{}} http {{ server {{ location / {{ {} }} }} }}",
    "upstream": "events {{}} http {{ upstream u {{ server 127.0.0.1:8001; {} }} }}",
}


def _facts(module: str) -> list[DirectiveFact]:
    names = parts("modules.json")["directives"]
    found = [fact for name in names for fact in module_facts(name) if fact.third_party == module]
    return [fact for fact in found if not fact.contexts & {"stream", "stream-server"}]


@pytest.mark.parametrize("module", sorted(_BUILT_IN))
def test_contexts_and_argument_counts_are_those_of_the_module(module: str, tmp_path: Path) -> None:
    judge = nginx.judge()
    if not any(_BUILT_IN[module] in flag for flag in judge.flags):
        pytest.skip(f"{judge.name} was built without {module}")
    facts = _facts(module)
    assert len(facts) > 3
    wrong = []
    for fact in facts:
        elsewhere = next(context for context in _AROUND if context not in fact.contexts)
        here = next(context for context in _AROUND if context in fact.contexts)
        place, count = "directive is not allowed here", "invalid number of arguments"
        asked = [(elsewhere, fact.args.minimum, place, True), (here, fact.args.minimum, place, False)]
        asked.append((here, fact.args.minimum, count, False))
        if fact.args.maximum is not None and not fact.args.flag:
            asked.append((here, fact.args.maximum + 1, count, True))
        for context, arguments, words, expected in asked:
            line = " ".join([fact.name, *["$x"] * arguments]) + ";"
            said = nginx.check(tmp_path, nginx.load_modules() + _AROUND[context].format(line), {}).output
            about = "unknown directive" not in said and f'"{fact.name}"' in said and words in said
            if about is not expected:
                wrong.append((fact.name, context, arguments, said.strip()[-120:]))
    assert wrong == []
