"""A safe fix is one after which no client and no backend can see a difference: they are asked before and after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from nginxaudit.nginx import Target
from tests.live.safe_fixes import SAFE, compared
from tests.rules.examples import Case, cases
from tests.support import nginx
from tests.support.observed import Backends
from tests.support.targets import settings_for

pytestmark = [pytest.mark.live, nginx.live]

_OF_SAFE_RULES = [
    each
    for each in cases()
    if each.rule.slug in SAFE and not each.rule.rejected_by_nginx and each.example.kind == "bad"
]
_OTHERS = [each for each in cases() if each.rule.slug not in SAFE][::25]
_VISIBLE = (
    "server-tokens-bad-1",
    "obsolete-security-header-bad-1",
    "header-missing-always-bad-1",
    "tls-protocols-unset-bad-1",
    "upstream-keepalive-ineffective-bad-1",
)


@pytest.fixture(name="backends", scope="module")
def _backends() -> Iterator[Backends]:
    backends = Backends()
    yield backends
    backends.stop()


def _name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", _OF_SAFE_RULES, ids=_name)
def test_nobody_sees_a_difference(case: Case, tmp_path: Path, backends: Backends) -> None:
    """The examples of the rules whose fixes are safe."""
    _assert_alike(case, tmp_path, backends, None)


@pytest.mark.parametrize("case", _OTHERS, ids=_name)
def test_nobody_sees_a_difference_in_other_configurations(
    case: Case, tmp_path: Path, backends: Backends
) -> None:
    """Examples of other rules, with damage that safe fixes repair."""
    _assert_alike(case, tmp_path, backends, Random(case.name))


def _assert_alike(case: Case, directory: Path, backends: Backends, rough: Random | None) -> None:
    found = compared(case, directory, backends, rough)
    assert found.differences == []
    if not found.requests:
        pytest.skip(found.reason or "no socket to ask")


@pytest.mark.parametrize("name", _VISIBLE)
def test_what_a_suggestion_changes_is_seen(name: str, tmp_path: Path, backends: Backends) -> None:
    """The other way round: fixes that are not safe are told apart by the same requests."""
    case = next(each for each in cases() if each.name == name)
    settings = settings_for(Target(nginx.version())).with_options(select=(case.rule.slug,))
    found = compared(case, tmp_path, backends, settings=settings)
    if not found.requests:
        pytest.skip(found.reason)
    assert found.differences, "the fix changes what is seen, and nobody saw it"
