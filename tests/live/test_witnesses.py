"""Every witness of every rule page, sent to a running nginx: it shows what the finding claims."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.live.names import names
from tests.live.witness_examples import SENDER, Answer, Found, Site, by_rule, free_ports, not_run
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
        assert answer.received
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


# -- routing


def _is_sent_as(found: Found, answer: Answer, site: Site) -> None:
    path = urlsplit(found.witness.url).path
    assert f"{path} is sent as {answer.received['uri']}" in found.message


def _is_sent_to_one_path(found: Found, answer: Answer, site: Site) -> None:
    uri = found.message.rpartition(" ")[2]
    if answer.status == 200:
        assert answer.received["uri"] == uri
    else:  # its name has no port of this test
        assert f'upstream: "https://127.0.0.1:443{uri}"' in (site.directory.parent / "error.log").read_text()


def _is_decoded(found: Found, answer: Answer, site: Site) -> None:
    assert "a?b" in answer.received["uri"] and "a%3Fb" in found.witness.url


def _comes_back(found: Found, answer: Answer, site: Site) -> None:
    parts = urlsplit(found.witness.url)
    seen = {(parts.scheme, dict(found.witness.headers)["Host"], parts.path)}
    for _ in range(4):
        assert answer.status in (301, 302), seen
        to = urlsplit(answer.headers["location"])
        if (to.scheme, to.hostname, to.path) in seen:
            return
        seen.add((to.scheme, to.hostname or "", to.path))
        answer = Answer(site.at(answer.headers["location"]))
    raise AssertionError(seen)


def _is_a_cycle(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 500
    assert "redirection cycle" in (site.directory.parent / "error.log").read_text()


def _leads_nowhere(found: Found, answer: Answer, site: Site) -> None:
    assert 300 < answer.status < 309 and not answer.headers.get("location")


def _stays_here(found: Found, answer: Answer, site: Site) -> None:
    target = found.message.split('"')[1]
    location = answer.headers["location"]
    assert target in location and urlsplit(location).hostname in (None, "localhost")


def _gets_here_too(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 403 or answer.received["uri"].endswith("-old")


def _matches_in_the_middle(found: Found, answer: Answer, site: Site) -> None:
    assert not {"x-echo", "expires", "x-source", "location"}.isdisjoint(answer.headers)


def _is_glued(found: Found, answer: Answer, site: Site) -> None:
    assert answer.body.endswith(found.message.rpartition(" ")[2])


def _is_no_file(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 301 and answer.headers["location"].endswith("/")


def _is_taken(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 204


def _is_another_location(found: Found, answer: Answer, site: Site) -> None:
    if "try_files" in found.message:
        assert answer.status == 404
    else:
        assert answer.status == 200 and "x-page" not in answer.headers


def _is_not_limited(found: Found, answer: Answer, site: Site) -> None:
    assert answer.received["method"] == "DELETE"


def _hides_the_host(found: Found, answer: Answer, site: Site) -> None:
    assert f'"Host: {answer.sent_headers["host"]}"' in found.message


def _is_spoofed(found: Found, answer: Answer, site: Site) -> None:
    name, value = found.witness.headers[-1]
    assert answer.sent_headers[name.lower()] == value


def _goes_to_the_client(found: Found, answer: Answer, site: Site) -> None:
    name = found.message.split()[2].lower()
    assert name in answer.headers
    if "headers" in answer.received:
        assert name not in answer.sent_headers


def _is_replaced(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 200


# -- servers and headers


def _is_the_first(found: Found, answer: Answer, site: Site) -> None:
    assert answer.body == "server-1"


def _lacks_headers(found: Found, answer: Answer, site: Site) -> None:
    name = found.message.rpartition(": ")[2].split()[0].lower()
    assert answer.status < 400 and name not in answer.headers


def _lacks_headers_of_errors(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status >= 400 and found.message.split()[0].lower() not in answer.headers


def _is_sent_otherwise(found: Found, answer: Answer, site: Site) -> None:
    sent = answer.sent_headers
    if "Authorization" in found.message:
        assert sent["authorization"] == dict(found.witness.headers)["Authorization"]
    else:
        assert "x-team" not in sent and "x-forwarded-for" not in sent


def _is_passed_on(found: Found, answer: Answer, site: Site) -> None:
    name, value = found.witness.headers[-1]
    assert answer.sent_headers[name.lower()] == value


def _is_not_upgraded(found: Found, answer: Answer, site: Site) -> None:
    sent = answer.sent_headers
    assert sent.get("upgrade") != "websocket" or "upgrade" not in sent.get("connection", "").lower()


def _is_in_plain(found: Found, answer: Answer, site: Site) -> None:
    assert found.witness.url.startswith("http:") and answer.status < 300


def _has_no_hsts(found: Found, answer: Answer, site: Site) -> None:
    assert found.witness.url.startswith("https:") and "strict-transport-security" not in answer.headers


def _is_forged(found: Found, answer: Answer, site: Site) -> None:
    assert answer.sent_headers["x-real-ip"] == found.witness.headers[-1][1]


def _is_passed(found: Found, answer: Answer, site: Site) -> None:
    assert answer.received


def _is_outside(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status == 200 and "/srv/spa/" not in answer.body and "/srv/docs/" not in answer.body


def _is_of_nginx(found: Found, answer: Answer, site: Site) -> None:
    assert answer.body.startswith(f"{site.directory.parent}/html/")


def _is_elsewhere(found: Found, answer: Answer, site: Site) -> None:
    assert answer.status in (200, 404)


def _is_returned(found: Found, answer: Answer, site: Site) -> None:
    assert answer.body == "maintenance" or answer.headers["location"].startswith("https://example.org")


def _names_nginx(found: Found, answer: Answer, site: Site) -> None:
    assert answer.headers["server"].startswith("nginx/")


def _lacks_script(found: Found, answer: Answer, site: Site) -> None:
    assert "SCRIPT_FILENAME" not in answer.received["params"]


def _says_nothing_of_the_client(found: Found, answer: Answer, site: Site) -> None:
    assert not {"x-forwarded-for", "x-real-ip", "forwarded"} & set(answer.sent_headers)


def _matches_another_character(found: Found, answer: Answer, site: Site) -> None:
    """What the regex guards answers; a name by which one server alone is reached says nothing more."""
    assert answer.status in (403, 204) or "server_name" in site.text


CLAIMS: dict[str, Claim] = {
    "unreachable-directive": _is_returned,
    "server-tokens": _names_nginx,
    "fastcgi-missing-script-filename": _lacks_script,
    "forwarded-headers-missing": _says_nothing_of_the_client,
    "regex-unescaped-dot": _matches_another_character,
    "no-default-server": _is_the_first,
    "duplicate-server-name": _is_the_first,
    "add-header-inheritance": _lacks_headers,
    "header-missing-always": _lacks_headers_of_errors,
    "proxy-set-header-inheritance": _is_sent_otherwise,
    "hop-header-passthrough": _is_passed_on,
    "websocket-headers-missing": _is_not_upgraded,
    "https-redirect-missing": _is_in_plain,
    "hsts-missing": _has_no_hsts,
    "real-ip-trusts-all": _is_forged,
    "try-files-with-proxy": _is_passed,
    "multiple-content-handlers": _is_passed,
    "try-files-missing-fallback": _is_a_cycle,
    "try-files-with-alias": _is_outside,
    "root-in-location": _is_of_nginx,
    "regex-without-modifier": _is_elsewhere,
    "proxy-pass-slash-mismatch": _is_sent_as,
    "proxy-pass-variable-static-uri": _is_sent_to_one_path,
    "proxy-pass-decoded-path": _is_decoded,
    "redirect-loop": _comes_back,
    "rewrite-loop": _is_a_cycle,
    "redirect-without-target": _leads_nowhere,
    "rewrite-missing-scheme": _stays_here,
    "error-page-masks-status": _is_replaced,
    "location-prefix-no-boundary": _gets_here_too,
    "unanchored-regex-location": _matches_in_the_middle,
    "alias-slash-mismatch": _is_glued,
    "alias-in-regex-without-capture": _is_no_file,
    "unreachable-location": _is_taken,
    "if-is-evil": _is_another_location,
    "limit-except-misuse": _is_not_limited,
    "proxy-host-header-unset": _hides_the_host,
    "forwarded-for-trusts-client": _is_spoofed,
    "request-header-in-response": _goes_to_the_client,
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
    with echoes(200, 0) as ports, names() as port:
        ports |= {53: port}
        sites = [
            Site(case, tmp_path / case.name, ports, free)
            for case, free in zip(cases, free_ports(cases), strict=True)
        ]
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
