"""nginxaudit predicts what the installed ``nginx -t`` says about configurations with random mistakes."""

from __future__ import annotations

import pytest

from tests.parity.__main__ import line_of, run
from tests.parity.judge import machine_is_at_fault
from tests.parity.mutate import mutate
from tests.support import nginx

CASES = 500
SEED = 20261124
AT_LEAST = 0.99


@pytest.mark.live
@nginx.live
def test_prediction_agrees_with_nginx() -> None:
    verdicts = [each for each in run(SEED, CASES) if not each.machine or each.predicted is None]
    refused = [each for each in verdicts if not each.accepted]
    # Most mutations must break the configuration, and most verdicts must be about the configuration.
    assert len(verdicts) > 0.75 * CASES
    assert 0.25 * len(verdicts) < len(refused) < 0.9 * len(verdicts)
    apart = [each for each in verdicts if not each.agrees]
    told = "\n".join(f"{line_of(each)}: {each.nginx_says} {each.we_say}" for each in apart)
    assert len(apart) <= (1 - AT_LEAST) * len(verdicts), told


@pytest.mark.live
@nginx.live
def test_prediction_agrees_on_configurations_out_of_the_facts() -> None:
    cases = run(SEED, 200, from_facts=True)
    verdicts = [each for each in cases if not each.machine or each.predicted is None]
    accepted = [each for each in verdicts if each.accepted]
    assert len(verdicts) > 150
    assert len(accepted) > 0.05 * len(verdicts)
    assert {each.kind.split()[1].partition("+")[0] for each in verdicts} == {"http", "stream", "mail"}
    apart = [f"{line_of(each)}: {each.nginx_says} {each.we_say}" for each in verdicts if not each.agrees]
    assert len(apart) <= (1 - AT_LEAST) * len(verdicts), apart


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ('nginx: [emerg] host not found in upstream "a" in /x:3', True),
        ("nginx: [emerg] bind() to 192.0.2.1:80 failed (99: Cannot assign requested address)", True),
        ('nginx: [emerg] open() "/x/log" failed (2: No such file or directory)', True),
        ('nginx: [emerg] unknown directive "kqueue_events" in /x:3', True),
        ('nginx: [emerg] unknown directive "lisen" in /x:3', False),
        ('nginx: [warn] duplicate MIME type\nnginx: [emerg] invalid port in "a" in /x:3', False),
        ("", True),
    ],
)
def test_failures_of_the_machine_are_told_apart(output: str, fault: bool) -> None:
    assert machine_is_at_fault(output) is fault


def test_a_case_is_the_same_for_the_same_number() -> None:
    import random

    text = "events {}\nhttp { server { listen 8080; location / { return 200 ok; } } }\n"
    first, second = (mutate(text, random.Random("7:3"), ["gzip on;"]) for _ in range(2))
    assert first == second
    assert first.text != text
