"""Every witness of every rule page, sent to a running nginx: it shows what the finding claims."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.live.witness_examples import SENDER, Answer, Found, Site, by_rule, not_run
from tests.requests.echo import echoes
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_GROUPS = by_rule()
_SITE = "evil.example"

Claim = Callable[[Found, Answer, Site], None]


def _is_given(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status < 300


def _is_let_past(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status < 400


def _leads_away(found: Found, answer: Answer, site: Site) -> None:
    host = urlsplit(answer.headers["location"]).hostname or ""
    assert 300 <= answer.status < 400 and host.endswith(_SITE)


def _is_injected(found: Found, answer: Answer, site: Site) -> None:
    where = answer.sent_headers if "backend" in found.message else answer.headers
    assert "x-injected" in where


def _is_error(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status >= 400 and "<hr><center>nginx" in answer.body


def _is_bypassed(found: Found, answer: Answer, site: Site) -> None:
    (_is_let_past if "redirect" in found.message else _is_given)(found, answer, site)


def _escapes(found: Found, answer: Answer, site: Site) -> None:
    """The file is not below the directory that stands in the configuration; its name is what it has in it."""
    assert answer.status == 200
    _, _, path = urlsplit(found.witness.url).path.partition("..")
    assert answer.body.startswith(str(site.directory)) and (not path or answer.body.endswith(path))
    directory = found.message.partition("escapes ")[2].partition(" (")[0]
    assert not directory or not answer.body.startswith(f"{site.directory}{directory}")


def _is_listed(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 200 and "<h1>Index of " in answer.body


def _is_stored(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status in (201, 204)


def _is_run(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 200 and "params" in answer.received


def _asks_for_a_password(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Basic")
    assert found.witness.url.startswith("http:")


def _is_decided_before(found: Found, answer: Answer, site: Site) -> None:
    assert (answer.status == 403) is ("deny " in found.message.partition(": ")[2])


def _chooses_the_backend(found: Found, answer: Answer, site: Site) -> None:
    """It got to the backend of the test; with a port of its own nginx tries another one, and says where."""
    if answer.status == 200:
        assert answer.received["method"] == "GET"
    else:
        log = (site.directory.parent / "error.log").read_text()
        lines = [line for line in log.splitlines() if _target(found) in line]
        assert lines and 'upstream: "http://127.0.0.1' in lines[-1], lines


def _target(found: Found) -> str:
    return f'"GET /{found.witness.url.split("/", 3)[3]} '


def _backend_reads_the_host(found: Found, answer: Answer, site: Site) -> None:
    assert any(answer.sent_headers.get(name, "").startswith(_SITE) for name in ("host", "x-forwarded-host"))


def _becomes_a_parameter(found: Found, answer: Answer, site: Site) -> None:
    assert answer.received["params"]["HTTP_PROXY"] == f"http://{_SITE}:3128"


def _is_upgraded(found: Found, answer: Answer, site: Site) -> None:
    assert answer.sent_headers["upgrade"] == "h2c" and "upgrade" in answer.sent_headers["connection"].lower()


def _is_named(found: Found, answer: Answer, site: Site) -> None:
    assert answer.headers["access-control-allow-origin"] == dict(found.witness.headers)["Origin"]


def _is_accepted(found: Found, answer: Answer, site: Site) -> None:
    """It is named where the example names origins, else let in where others are refused."""
    if "Access-Control-Allow-Origin" in site.text and "Origin" in dict(found.witness.headers):
        _is_named(found, answer, site)
    else:
        assert answer.status < 400


def _has_what_browsers_reject(found: Found, answer: Answer, site: Site) -> None:
    values = [value for name, value in answer.pairs if name == "access-control-allow-origin"]
    assert (
        len(values) > 1
        or "," in values[0]
        or (values == ["*"] and answer.headers["access-control-allow-credentials"] == "true")
    )


CLAIMS: dict[str, Claim] = {
    "cors-origin-reflection": _is_named,
    "cors-wildcard-credentials": _has_what_browsers_reject,
    "weak-origin-check": _is_accepted,
    "ssrf": _chooses_the_backend,
    "host-header-spoofing": _backend_reads_the_host,
    "httpoxy": _becomes_a_parameter,
    "h2c-smuggling": _is_upgraded,
    "open-redirect": _leads_away,
    "http-splitting": _is_injected,
    "error-page-hidden-by-return": _is_error,
    "limit-not-reached": _is_let_past,
    "return-bypasses-access-rules": _is_bypassed,
    "rewrite-bypasses-access-rules": _is_bypassed,
    "alias-traversal": _escapes,
    "autoindex-enabled": _is_listed,
    "webdav-exposed": _is_stored,
    "php-arbitrary-execution": _is_run,
    "auth-basic-over-http": _asks_for_a_password,
    "unreachable-access-rule": _is_decided_before,
}


@contextmanager
def _running(directory: Path, sites: list[Site]) -> Iterator[None]:
    """All sites in one nginx, which takes the addresses of clients from a header."""
    senders = any(each.witness.sender for site in sites for each in site.found)
    text = "".join(site.body for site in sites)
    if senders:
        text = f"set_real_ip_from 127.0.0.1;\nset_real_ip_from ::1;\nreal_ip_header {SENDER};\n{text}"
    with nginx.running(directory, text, main="user root;" + "".join(site.main for site in sites)):
        yield


@pytest.mark.parametrize("name", _GROUPS)
def test_what_a_witness_shows(name: str, tmp_path: Path) -> None:
    cases = [case for case in _GROUPS[name] if not not_run(case)]
    if not cases:
        pytest.skip("; ".join({not_run(case) for case in _GROUPS[name]}))
    with echoes(200, 0) as ports:
        sites = [Site(case, tmp_path / case.name, ports) for case in cases]
        wrong = []
        with _running(tmp_path, sites):
            for site in sites:
                for found in site.found:
                    problems = _problems(found, site)
                    wrong += problems if all(problems) else []
        assert not wrong, "\n".join(wrong)


def _problems(found: Found, site: Site) -> list[str]:
    """What the answers show instead of what is claimed, until one shows it: that is the empty text at the end."""
    problems: list[str] = []
    for _ in site.worlds(found):
        answer = Answer(found.witness)
        try:
            CLAIMS.get(found.rule, _is_given)(found, answer, site)
        except (AssertionError, KeyError) as error:
            problems.append(
                f"{site.case.name}: {found.witness.command}: {answer.status} {answer.pairs} {error!r}"
            )
        else:
            return [""]
    return problems or [f"{site.case.name}: {found.witness.command}: no outcome"]
