"""Examples of rule pages with a witness, brought to this machine: free ports, paths below a directory, backends that answer."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import shutil
import ssl
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from nginxaudit.finding import Witness
from nginxaudit.request.records import Ask, Outcome
from nginxaudit.request.walk import trace
from tests.model.model_support import model_of
from tests.rules.examples import Case, cases, clean
from tests.rules.snapshot import expected
from tests.support import nginx
from tests.support.certificates import CERTIFICATE, KEY, made

SENDER = "X-Test-Sender"
"""A header with the address of the client: all requests of a test come from this machine."""
INSIDE = "169.254.169.254"
"""A server that clients must not reach, in the place of which the tests have a backend."""
_LISTEN = r"listen (\S*:|)(\d+)"
_WHICH_SERVER = ("no-default-server", "duplicate-server-name")
"""Rules about which server answers: each says its number."""


class Found(NamedTuple):
    """A finding with its witness."""

    rule: str
    message: str
    witness: Witness


def found_in(case: Case) -> list[Found]:
    """What is written down for an example, as far as it has a witness; the rule tests hold that to be what is found."""
    lines = [json.loads(line) for line in expected().get(case.name, ())]
    return [
        Found(case.rule.slug, line["message"], msgspec.convert(line["witness"], Witness, strict=False))
        for line in lines
        if line.get("witness")
    ]


def by_rule() -> dict[str, list[Case]]:
    """Examples with a witness. One nginx serves all those of a rule that have nothing but servers, the others have one each."""
    groups: dict[str, list[Case]] = {}
    for case in cases():
        if found_in(case):
            name = case.rule.slug if _has_only_servers(case.example.text) else case.name
            groups.setdefault(name, []).append(case)
    return groups


def _has_only_servers(text: str) -> bool:
    """Servers alone, and nothing that an nginx may have been built without."""
    if re.search(r"^\s*(?:mp4|stub_status|dav_methods)\b", text, re.M):
        return False
    inside = text.partition("http {")[2]
    return not re.search(r"^    (?!server \{|\})\S", inside, re.M)


def not_run(case: Case) -> str:
    """Why an example cannot be run; empty if it can."""
    if case.example.options.get("edition") == "plus":
        return "needs NGINX Plus"
    if "uwsgi_pass" in case.example.text:
        return "no backend of the tests speaks uwsgi"
    return "" if "http {" in case.example.text else "not a whole configuration"


class Answer:
    """What nginx answers to a witness."""

    def __init__(self, witness: Witness) -> None:
        url = urlsplit(witness.url)
        assert url.port is not None
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        more = {"context": ssl._create_unverified_context()} if url.scheme == "https" else {}
        connection = kind(url.hostname or "", url.port, timeout=10, **more)
        connection.putrequest(witness.method, _target(witness), skip_host=True, skip_accept_encoding=True)
        for name, value in (*witness.headers, ("Connection", "close")):
            if not (name == "Connection" and value == "close" and "Connection" in dict(witness.headers)):
                connection.putheader(name, value)
        if witness.sender is not None:
            connection.putheader(SENDER, witness.sender)
        if witness.body is not None:
            connection.putheader("Content-Length", str(witness.body))
        connection.endheaders(b"x" * (witness.body or 0))
        response = connection.getresponse()
        self.status = response.status
        self.pairs = [(name.lower(), value) for name, value in response.getheaders()]
        self.headers = dict(self.pairs)
        self.body = response.read().decode("utf-8", "replace")
        connection.close()

    @property
    def received(self) -> dict[str, Any]:
        """What the backend was sent: method, URI and headers, or the parameters of FastCGI."""
        received: dict[str, Any] = json.loads(b64decode(self.headers["x-echo"]))
        return received

    @property
    def sent_headers(self) -> dict[str, str]:
        """Headers that the backend was sent, by their names in lower case."""
        return {name.lower(): value for name, value in self.received["headers"]}


def _target(witness: Witness) -> str:
    rest = witness.url.partition("://")[2]
    return rest[len(urlsplit(witness.url).netloc) :]


class Site:
    """An example on this machine: its text, and its witnesses as they are sent there."""

    def __init__(self, case: Case, directory: Path, ports: dict[int, int], free: dict[str, int]) -> None:
        self.directory = directory
        self.case = case
        text = clean(case.example.text)
        self.free = free
        self.text = self._adapted(text, ports)
        self.found = [each._replace(witness=self._moved(each.witness, ports)) for each in found_in(case)]
        directory.mkdir(exist_ok=True)
        (directory / "users").write_text("")
        if "ssl_certificate" in self.text:
            for name, content in made().items():
                (directory / name).write_text(content)

    @property
    def main(self) -> str:
        """What stands outside of http."""
        return re.sub(r"events \{[^}]*\}", "", self.text.partition("http {")[0])

    @property
    def body(self) -> str:
        """What stands in http."""
        return self.text.partition("http {")[2].rstrip().removesuffix("}")

    def at(self, url: str) -> Witness:
        """A request to where this machine has what a URL of the example names."""
        parts = urlsplit(url)
        port = self.free[str(parts.port or {"http": 80, "https": 443}[parts.scheme])]
        return Witness(
            "GET", f"{parts.scheme}://127.0.0.1:{port}{parts.path}", (("Host", parts.hostname or ""),)
        )

    def _moved(self, witness: Witness, ports: dict[int, int]) -> Witness:
        port = urlsplit(witness.url).port
        url = witness.url.replace(f":{port}/", f":{self.free[str(port)]}/", 1)

        def moved(text: str) -> str:
            """With a backend of the test in the place of the server inside; one with a port of its own speaks FastCGI."""
            return text.replace(f"{INSIDE}:9000", f"127.0.0.1:{ports[0]}").replace(
                INSIDE, f"127.0.0.1:{ports[200]}"
            )

        headers = tuple([(name, moved(value)) for name, value in witness.headers])
        return replace(witness, url=moved(url), headers=headers)

    def _adapted(self, text: str, ports: dict[int, int]) -> str:
        directory = self.directory
        text = re.sub(
            _LISTEN,
            lambda found: f"listen {'[::1]' if '[' in found[1] else '127.0.0.1'}:{self.free[found[2]]}",
            text,
        )
        text = re.sub(r"(fastcgi_pass )[^;$]+;", rf"\g<1>127.0.0.1:{ports[0]};", text)
        text = re.sub(
            r"127\.0\.0\.1:80\d\d\b|127\.0\.0\.1:9\d\d\d\b|10\.0\.0\.1:\d+", f"127.0.0.1:{ports[200]}", text
        )
        text = re.sub(r"(\$\w+):80\d\d\b", rf"\g<1>:{ports[200]}", text)
        text = re.sub(r"resolver 127\.0\.0\.1;", f"resolver 127.0.0.1:{ports[53]} ipv6=off;", text)
        if self.case.rule.slug in _WHICH_SERVER:
            number = itertools.count(1)
            text = re.sub(r"server \{", lambda found: f"{found[0]} return 200 server-{next(number)};", text)
        text = text.replace("include fastcgi_params;", "fastcgi_param REQUEST_URI $request_uri;")
        text = re.sub(r'((?:root|alias|default) "?|example\.\w+ )/(?=[\w;])', rf"\g<1>{directory}/", text)
        text = re.sub(r"((?:root|alias) )/;", rf"\g<1>{directory}/;", text)
        text = re.sub(r"(ssl_(?:client_)?certificate )[^;]+", rf"\g<1>{directory}/{CERTIFICATE}", text)
        text = re.sub(r"(ssl_certificate_key )[^;]+", rf"\g<1>{directory}/{KEY}", text)
        text = re.sub(r"(auth_basic_user_file )[^;/]+", rf"\g<1>{directory}/users", text)
        if not re.search(r"\b(root|alias) ", text):  # files would come from where nginx is installed
            text = text.replace("server {", f"server {{\n    root {directory}/www;")
        return text

    def worlds(self, found: Found) -> Iterator[Outcome]:
        """Each outcome that the request can have, with the files and directories that it rests on; a file has its own name in it."""
        for outcome in self._outcomes(found.witness):
            for words in outcome.when:
                path, _, kind = words.partition(" is ")
                if path.startswith((str(self.directory), "html")):
                    _arrange(self.directory.parent / path, kind)
            if (outcome.file or "").startswith(str(self.directory)) and found.witness.method == "PUT":
                Path(outcome.file or "").parent.mkdir(parents=True, exist_ok=True)
            yield outcome

    def _outcomes(self, witness: Witness) -> Iterator[Outcome]:
        url = urlsplit(witness.url)
        host = dict(witness.headers).get("Host")
        headers = tuple([each for each in witness.headers if each[0] != "Host"])
        tls = url.scheme == "https"
        ask = Ask(
            _target(witness),
            host,
            witness.method,
            headers,
            tls,
            host if tls else None,
            url.hostname,
            url.port or 0,
            witness.sender or url.hostname,  # both ends are on this machine
            witness.body,
        )
        yield from trace(model_of(self.text), ask).outcomes


def _arrange(path: Path, kind: str) -> None:
    """Make a path what is said of it."""
    if path.is_dir() and kind in ("a file", "not a directory"):
        shutil.rmtree(path)
    elif path.is_file() and kind in ("a directory", "not a file"):
        path.unlink()
    if kind == "a directory":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "a file":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path.resolve()))


def free_ports(cases: list[Case]) -> list[dict[str, int]]:
    """For each example a free port for each that it listens on: none twice."""
    wanted = [dict.fromkeys(found[2] for found in re.finditer(_LISTEN, case.example.text)) for case in cases]
    found = iter(nginx.free_ports(sum(map(len, wanted))))
    return [{port: next(found) for port in each} for each in wanted]
