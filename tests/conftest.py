"""What holds for all tests."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator

import pytest

from nginxaudit.engine.rules.catalogue import builtin
from tests.support import command, nginx
from tests.support.judges import FURTHER, Judge, judges


def pytest_configure(config: pytest.Config) -> None:
    """In CI the live tests must run: a skipped proof proves nothing."""
    if os.environ.get("CI") == "true" and not judges():
        raise pytest.UsageError(f"CI needs nginx: apt-get install nginx, or {FURTHER}=/path/of/an/nginx")
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where Debian keeps nginx
    # A settings file or colours of whoever runs the tests must not change what they see.
    for name in ("FORCE_COLOR", "NO_COLOR", "NGINXAUDIT_DEBUG"):
        os.environ.pop(name, None)


@pytest.hookimpl(trylast=True)  # the judge comes last in the id of a test
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every live test runs once for each nginx there is."""
    if "judge" in metafunc.fixturenames:
        found = judges() or (None,)
        metafunc.parametrize(
            "judge", found, ids=[each.name if each else "none" for each in found], indirect=True
        )


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """The nginx that this test asks."""
    if request.param is None:
        pytest.skip("no nginx on this machine: nothing is proved here")
    request.node.user_properties.append(("nginx", request.param.name))
    with nginx.asked(request.param):
        yield request.param


@pytest.fixture(autouse=True, scope="session")
def _served() -> Iterator[None]:
    builtin()  # in a checkout it writes the index of the rule pages when one has changed: before any test looks
    yield
    command.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which nginx judged, and how many tests."""
    counts = {judge.name: Counter[str]() for judge in judges()}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            asked = (
                dict(report.user_properties).get("nginx") if isinstance(report, pytest.TestReport) else None
            )
            if asked is not None and report.when == "call":
                counts[asked][outcome] += 1
    terminalreporter.section("judges")
    for judge in judges():
        numbers = ", ".join(f"{number} {outcome}" for outcome, number in counts[judge.name].items())
        terminalreporter.line(
            f"{judge.name}: {numbers or 'no tests'}; {judge.binary}, {judge.openssl_name()}"
        )
        terminalreporter.line(
            textwrap.fill(judge.modules(), 120, initial_indent="    ", subsequent_indent="    ")
        )
    if not judges():
        terminalreporter.line("no nginx on this machine: the live tests were skipped")
