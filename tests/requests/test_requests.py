"""A short pass with a fixed seed; a long one: ``python -m tests.requests``."""

import pytest

from tests.requests.echo import echoes
from tests.requests.judge import STATUSES, judge
from tests.requests.stream import judge as stream
from tests.requests.stream.backends import backends
from tests.support import nginx


@pytest.mark.live
@nginx.live
def test_the_walk_says_what_nginx_does(tmp_path):
    with echoes(*STATUSES) as ports:
        found = judge(tmp_path, 0, 40, 15, 11, ports)
    assert found.requests >= 500
    assert not found.branched and not found.unknown
    assert [(each.case.number, each.ask, each.what) for each in found.disagreements] == []


@pytest.mark.live
@nginx.live
def test_what_cannot_be_known_is_among_the_branches(tmp_path):
    """Without knowledge of files and passwords, what nginx does is one of the outcomes."""
    with echoes(*STATUSES) as ports:
        found = judge(tmp_path, 0, 30, 15, 12, ports, knowing=False)
    assert found.branched >= 100
    assert [(each.case.number, each.ask, each.what) for each in found.disagreements] == []


@pytest.mark.live
@nginx.live
def test_connections_of_stream_get_what_the_walk_says(tmp_path):
    with backends() as ports:
        found = stream.judge(tmp_path, 0, 30, 10, 13, ports)
    assert found.requests >= 250
    assert not found.unknown
    assert [(each.case.number, each.ask, each.what) for each in found.disagreements] == []
