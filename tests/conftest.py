"""What holds for all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from nginxaudit.engine.rules.catalogue import builtin
from tests.support import clock, command, nginx, summary
from tests.support.judges import FURTHER, Judge, judges

QUICK = 90  # seconds of processor time
_BEGAN = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    """In CI the live tests must run: a skipped proof proves nothing."""
    if os.environ.get("CI") == "true" and not judges():
        raise pytest.UsageError(f"CI needs nginx: apt-get install nginx, or {FURTHER}=/path/of/an/nginx")
    # How fast examples are drawn says how busy the machine is, and nothing about the code.
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where Debian keeps nginx
    # A settings file or colours of whoever runs the tests must not change what they see.
    for name in ("COLUMNS", "FORCE_HYPERLINK", "FORCE_COLOR", "NO_COLOR", "NGINXAUDIT_DEBUG"):
        os.environ.pop(name, None)


@pytest.hookimpl(trylast=True)  # the judge comes last in the id of a test
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every live test runs once for each nginx there is."""
    if "judge" in metafunc.fixturenames:
        found = judges() or (None,)
        metafunc.parametrize(
            "judge", found, ids=[each.name if each else "none" for each in found], indirect=True
        )


def pytest_collection_finish() -> None:
    """What has been collected stays to the end: collections of garbage need not walk through it in every test."""
    gc.collect()
    gc.freeze()


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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    item.stash[_BEGAN] = _spent()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        marked = item.get_closest_marker("slow") or item.get_closest_marker("live")
        item.user_properties.append(("marked" if marked else "quick", _spent() - item.stash[_BEGAN]))


def _spent() -> float:
    return clock.spent() + command.spent()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI the tests without a mark must stay quick enough to run them after every change."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and summary.seconds(reporter)["quick"] > QUICK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which nginx judged, how many tests; the processor time."""
    terminalreporter.section("judges")
    for line in summary.judged(terminalreporter):
        terminalreporter.line(line)
    found = summary.seconds(terminalreporter)
    terminalreporter.section("processor time")
    terminalreporter.line(
        f"{found['quick']:.0f} s in tests without the marks slow and live (at most {QUICK} s in CI), "
        f"{found['marked']:.0f} s in the others"
    )
