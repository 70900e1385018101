"""Every witness of every rule page, sent to a running nginx: it shows what the finding claims."""

from __future__ import annotations

import http.client
import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from nginxaudit.finding import Finding, Witness
from nginxaudit.request.records import Ask
from nginxaudit.request.walk import trace
from tests.model.model_support import model_of
from tests.requests.echo import echoes
from tests.rules.examples import Case, cases, clean, found_in
from tests.rules.snapshot import expected
from tests.support import nginx
from tests.support.certificates import CERTIFICATE, KEY, made

pytestmark = [pytest.mark.live, nginx.live]


def _witnessed() -> list[Case]:
    """Examples with a witness among what is found in them."""
    return [case for case in cases() if any('"witness": ' in line for line in expected().get(case.name, ()))]


class _Answer:
    def __init__(self, witness: Witness) -> None:
        url = urlsplit(witness.url)
        assert url.port is not None
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        more = {"context": ssl._create_unverified_context()} if url.scheme == "https" else {}
        connection = kind(url.hostname or "", url.port, timeout=10, **more)
        target = url.path + (f"?{url.query}" if url.query else "")
        connection.putrequest(witness.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in (*witness.headers, ("Connection", "close")):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        connection.close()


def _ports(text: str) -> dict[str, int]:
    """A free port for each that an example listens on."""
    wanted = list(dict.fromkeys(re.findall(r"listen (?:\[::\]:)?(\d+)", text)))
    return dict(zip(wanted, nginx.free_ports(len(wanted)), strict=True))


def _moved(witness: Witness, free: dict[str, int]) -> Witness:
    url = urlsplit(witness.url)
    return replace(witness, url=witness.url.replace(f":{url.port}/", f":{free[str(url.port)]}/", 1))


def _adapted(text: str, directory: Path, ports: dict[int, int], free: dict[str, int]) -> str:
    """An example with this machine's ports, paths and backends."""
    text = re.sub(r"listen \[::\]:(\d+)", lambda found: f"listen [::1]:{free[found[1]]}", text)
    text = re.sub(r"listen (\d+)", lambda found: f"listen 127.0.0.1:{free[found[1]]}", text)
    text = re.sub(r"(fastcgi_pass )[^;]+", rf"\g<1>127.0.0.1:{ports[0]}", text)
    text = re.sub(r"127\.0\.0\.1:80\d\d\b|127\.0\.0\.1:9000\b", f"127.0.0.1:{ports[200]}", text)
    text = text.replace("include fastcgi_params;", "fastcgi_param REQUEST_URI $request_uri;")
    text = re.sub(r"(root|alias) /", rf"\g<1> {directory}/", text)
    if not re.search(r"\broot ", text):  # files would come from where nginx is installed
        text = text.replace("http {", f"http {{\n    root {directory}/www;", 1)
    return re.sub(r"(auth_basic_user_file )users", rf"\g<1>{directory}/users", text)


def _make_files(text: str, witness: Witness, directory: Path) -> None:
    """The files that the request may reach."""
    url = urlsplit(witness.url)
    host = dict(witness.headers).get("Host")
    headers = tuple(each for each in witness.headers if each[0] != "Host")
    target = url.path + (f"?{url.query}" if url.query else "")
    tls = url.scheme == "https"
    ask = Ask(
        target,
        host,
        witness.method,
        headers,
        tls,
        host if tls else None,
        url.hostname,
        url.port or 0,
        url.hostname,  # both ends are on this machine
    )
    for outcome in trace(model_of(text), ask).outcomes:
        if outcome.file and outcome.file.startswith(str(directory)) and not outcome.file.endswith("/"):
            path = Path(outcome.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("file")


def _check(finding: Finding, answer: _Answer) -> None:
    """The answer is what the finding says; rules are told apart by what they claim."""
    if finding.rule == "open-redirect":
        host = urlsplit(answer.headers["location"]).hostname or ""
        assert 300 <= answer.status < 400 and host.endswith("evil.example"), answer.headers
    elif finding.rule == "http-splitting":
        assert "x-injected" in answer.headers, answer.headers
    elif finding.rule == "error-page-hidden-by-return":
        assert answer.status >= 400 and b"<hr><center>nginx" in answer.body
    elif "redirect" in finding.message or finding.rule == "limit-not-reached":
        assert answer.status < 400
    else:
        assert answer.status < 300, (answer.status, answer.headers)


@pytest.mark.parametrize("case", _witnessed(), ids=lambda case: case.name)
def test_what_a_witness_shows(case: Case, tmp_path: Path) -> None:
    with echoes(200, 0) as ports:
        found = [each for each in found_in(case, tmp_path / "scan") if each.witness is not None]
        assert found
        free = _ports(case.example.text)
        text = _adapted(clean(case.example.text), tmp_path, ports, free)
        (tmp_path / "users").write_text("")
        if "ssl_certificate" in text:
            for name, content in made().items():
                (tmp_path / name).write_text(content)
            text = re.sub(r"(ssl_certificate )[^;]+", rf"\g<1>{tmp_path}/{CERTIFICATE}", text)
            text = re.sub(r"(ssl_certificate_key )[^;]+", rf"\g<1>{tmp_path}/{KEY}", text)
        sent = [(each, _moved(each.witness, free)) for each in found if each.witness is not None]
        for _, witness in sent:
            _make_files(text, witness, tmp_path)
        main, _, body = text.partition("http {")
        with nginx.running(
            tmp_path, body.rstrip().removesuffix("}"), main="user root;" + main.replace("events {}", "")
        ):
            for each, witness in sent:
                _check(each, _Answer(witness))
