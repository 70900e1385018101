"""Random requests: encoded, doubled slashes, dots, other cases, hosts and methods."""

from __future__ import annotations

import base64
from random import Random

from nginxaudit.request.records import Ask
from tests.requests.configurations import Case

_SEGMENTS = (
    "a", "b.txt", "dir", "img", "api", "v1", "private", "x.php", "run.php", "secret.txt", "index.html", "sub", "deep.txt", "é", "ü.txt",
    "sp ace", "x y.txt", "A", "API", "logo.png", "A.PNG", "old", "404.html", "empty", "hollow", "c", "index.php", "a.txt", "none",
    "b+c", "q&r", "100%", "semi;x", "tilde~", "a'b", "x#y", "w?z", "internal", "auth", "50x.html", ".hidden", "..x", "new",
)  # fmt: skip
_ARGS = (
    "",
    "",
    "",
    "?",
    "?x=1",
    "?x=a&y=2",
    "?Y=q",
    "?x=",
    "?u=%2Fa%20b",
    "?x=1#frag",
    "?a?b",
    "?x=%61&x=2",
    "?x=/a/b.txt",
    "?x=0",
)
_METHODS = ("GET",) * 12 + (
    "HEAD",
    "HEAD",
    "POST",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "FOO",
    "PATCH",
    "PROPFIND",
    "TRACE",
    "get",
)
USER, PASSWORD = "joe", "secret"


def right() -> str:
    """The Authorization header of somebody who may."""
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def random_ask(random: Random, case: Case) -> Ask:
    """One request to a case."""
    method = random.choice(_METHODS)
    secure = case.tls is not None and random.random() < 0.4
    tls = secure and random.random() < 0.9
    port = case.tls if secure and case.tls is not None else case.port
    host = _host(random, port, case.names)
    return Ask(
        target=_target(random),
        host=host,
        method=method,
        headers=_headers(random),
        tls=tls,
        sni=_sni(random, host, port, case.names) if tls else None,
        address="127.0.0.2" if case.other and not secure and random.random() < 0.4 else "127.0.0.1",
        port=port,
        client="127.0.0.1",
        version=random.choice(("1.1",) * 9 + ("1.0",)),
        proxied=random.choice(("10.1.2.3", "192.0.2.1", "127.0.0.1", "10.0.0.1")) if case.proxied else None,
        body=random.randrange(20) if method in ("POST", "PUT", "PATCH") else None,
    )


def _sni(random: Random, host: str | None, port: int, names: tuple[str, ...]) -> str | None:
    """A name for the handshake: mostly that of the Host header."""
    name = host if random.random() < 0.8 else _host(random, port, names)
    if name is None or "/" in name or ".." in name or random.random() < 0.1:
        return None
    return name.partition(":")[0].removesuffix(".").lower()


def _target(random: Random) -> str:
    count = random.choice((0, 1, 1, 2, 2, 2, 3))
    parts = [random.choice(_SEGMENTS) for _ in range(count)]
    text = ""
    for part in parts:
        text += random.choice(("/",) * 12 + ("//", "/./", "/x/../", "/%2e/", "%2F", "///")) + _encoded(
            random, part
        )
    text += (
        random.choice(("/", "/", "", "", "", "//", "/.", "/..", "/../..")) if random.random() < 0.6 else ""
    )
    if not text.startswith(("/", "%")):
        text = f"/{text}"
    if text.startswith("%"):
        text = f"/{text}"
    if random.random() < 0.01:
        text = random.choice(("/%zz", "/%00", "/..", "*", "/%", "/a%2", "/a/%2e%2e/%2e%2e/b", "/a%0d%0ab"))
    if random.random() < 0.02:
        text = f"http://{random.choice(('abs.example', 'www0.c1.example:80'))}{text}"
    return text + random.choice(_ARGS)


def _encoded(random: Random, part: str) -> str:
    found = []
    for byte in part.encode():
        char = chr(byte)
        if byte > 126 or char in " %#?" or random.random() < 0.04:
            found.append(f"%{byte:02{random.choice('xX')}}")
        else:
            found.append(char)
    return "".join(found)


def _host(random: Random, port: int, names: tuple[str, ...]) -> str | None:
    pool: list[str | None] = [
        "localhost",
        "other.example",
        "a",
        None,
        "bad/host",
        "x..y",
        f"localhost:{port}",
        "UPPER.example.",
    ]
    for name in names:
        if name.startswith("~"):
            pool += ["word.r0.example", "word.r1.example", "wo-rd.r0.example"] * 2
        else:
            host = name.replace("*", "any.thing").removeprefix(".")
            pool += [host, host, host, host.upper(), f"{host}:{port}", f"{host}.", f"deep.{host}"]
    weights = [0.15 if each in (None, "bad/host", "x..y") else 1 for each in pool]
    return random.choices(pool, weights)[0]


def _headers(random: Random) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    if random.random() < 0.2:
        found.append(
            (
                "X-Forwarded-For",
                random.choice(("10.1.2.3", "1.2.3.4, 10.0.0.1", "192.0.2.1", "junk", "10.0.0.1,127.0.0.1")),
            )
        )
    if random.random() < 0.1:
        found.append(("X-Real-IP", random.choice(("10.9.9.9", "192.0.2.1"))))
    if random.random() < 0.2:
        found.append(("X-Test", random.choice(("a", "1", "", "/a/q", "b c"))))
    if random.random() < 0.1:
        found.append(("Cookie", random.choice(("c=1", "b=2; c=a", "C=up", "xc=0;c=2", "c"))))
    if random.random() < 0.1:
        found.append(("X_Under", "1"))
    if random.random() < 0.15:
        found.append(("Authorization", random.choice((right(), "Basic am9lOm5v", "Bearer x", "Basic !"))))
    if random.random() < 0.2:
        found.append(("User-Agent", random.choice(("bot", "curl"))))
    if random.random() < 0.15:
        referers = ("http://ok.example/x", "https://www.ok.example:8080", "http://bad.example/", "junk", "")
        found.append(("Referer", random.choice(referers)))
    if random.random() < 0.1:
        found.append(("Content-Type", "text/x-c"))
    return tuple(found)
