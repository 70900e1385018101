"""Forks of nginx and third-party modules: what they have, since when on their own scale, and how the input says which it is."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import FORKS, Availability, Target, directives, facts_of, module_facts, variable_of
from nginxaudit.nginx.build import parse_build
from nginxaudit.nginx.editions import only_in, target_of
from nginxaudit.nginx.forks import releases
from nginxaudit.nginx.modules import module_of_file

_JUDGED = ("unknown-directive", "directive-wrong-context", "wrong-argument-count", "requires-newer-nginx")
_JUDGED += ("invalid-server-parameter", "undefined-variable", "plus-only-directive")


def said(text: str, **options: object) -> list[str]:
    """Messages about a configuration, and remarks about its target."""
    report = audit(["-"], Settings(select=_JUDGED).with_options(**options), stdin=io.BytesIO(text.encode()))
    return [each.message for each in report.findings] + [
        each for each in report.remarks if "judged for" in each
    ]


@pytest.mark.parametrize(
    ("edition", "own", "name", "expected"),
    [
        ("angie", (1, 5, 0), "acme_client", Availability.YES),
        ("angie", (1, 4, 0), "acme_client", Availability.TOO_NEW),
        ("angie", None, "acme_client", Availability.YES),
        ("angie", (1, 12, 0), "status_zone", Availability.YES),
        ("openresty", (1, 27, 1, 2), "echo", Availability.YES),
        ("tengine", (3, 1, 0), "check", Availability.YES),
        ("freenginx", (1, 27, 1), "max_commands", Availability.YES),
    ],
)
def test_a_fork_has_its_own_directives_by_its_own_versions(
    edition: str, own: tuple[int, ...] | None, name: str, expected: Availability
) -> None:
    target = target_of(edition, own)
    assert {fact.available(target) for fact in facts_of(name, target)} == {expected}
    elsewhere = Target()
    assert all(fact.available(elsewhere) is not Availability.YES for fact in facts_of(name, elsewhere))


@pytest.mark.parametrize("edition", FORKS)
def test_releases_are_in_order_and_on_the_scale_of_nginx(edition: str) -> None:
    known = releases(edition)
    assert [own for own, _ in known] == sorted(own for own, _ in known)
    assert [base for _, base in known] == sorted(base for _, base in known)
    newest = target_of(edition, known[-1][0])
    assert (newest.version, newest.own) == (known[-1][1], known[-1][0])
    assert facts_of("proxy_pass", newest) == directives("proxy_pass"), "what it has not changed is nginx's"


def test_versions_between_releases_have_the_base_of_the_one_before() -> None:
    assert target_of("angie", (1, 10, 99)).version == (1, 27, 5)
    assert target_of("openresty", (1, 27, 1, 9)).version == (1, 27, 1)
    assert target_of("angie", (1, 10, 0)).label == "Angie 1.10.0 (nginx 1.27.5)"


def test_what_only_one_fork_has() -> None:
    assert only_in("acme_client") == "angie"
    assert only_in("check") is None, "a module has it, too"
    assert only_in("sticky") is None, "nginx has it, too"
    assert only_in("sever_name") is None


def test_arguments_of_a_fork_are_dated_by_its_own_versions() -> None:
    (fact,) = facts_of("location", target_of("angie", None))
    assert fact.arguments(target_of("angie", None)).accepts(4)
    assert fact.arguments(target_of("angie", (1, 3, 0))).accepts(4)
    assert not fact.arguments(target_of("angie", (1, 2, 0))).accepts(4)


def test_variables_of_forks_and_modules() -> None:
    angie, oss = target_of("angie", None), Target()
    assert variable_of("acme_cert_shop", "http", angie) is not None
    assert variable_of("acme_cert_shop", "http", oss) is None
    brotli = variable_of("brotli_ratio", "http", oss)
    assert brotli is not None
    assert brotli.third_party == "brotli"


_ANGIE = """events {}
http {
    acme_client shop https://acme.example.com/directory;
    upstream app { server 127.0.0.1:8000 sid=one; }
    server { listen 8080; acme shop; ssl_certificate $acme_cert_shop; location / { proxy_pass http://app; } }
}
"""


def test_directives_say_which_fork_it_is() -> None:
    (remark,) = said(_ANGIE)
    assert remark.startswith("judged for Angie")
    assert "as only Angie has acme" in remark


def test_a_named_edition_counts() -> None:
    found = said(_ANGIE, edition="oss")
    assert '"acme_client" exists in Angie only; open source nginx refuses to start' in found
    assert any('"sid=one"' in each for each in found)
    assert said(_ANGIE, edition="angie", nginx_version="1.12.0") == []
    older = said(_ANGIE, edition="angie", nginx_version="1.4.0")
    assert any(
        '"acme_client" needs Angie 1.5.0 or newer; the target is Angie 1.4.0' in each for each in older
    )
    assert any('"acme_client" exists in Angie only' in each for each in said(_ANGIE, nginx_version="1.28.0"))


def test_a_plain_configuration_is_nginx() -> None:
    text = "events {} http { map $uri $x { acme_client 1; } server { listen 8080; } }"
    assert said(text) == [], "a word in a map is data"


@pytest.mark.parametrize(
    ("text", "edition", "version", "own"),
    [
        ("nginx version: openresty/1.27.1.2", "openresty", (1, 27, 1), (1, 27, 1, 2)),
        ("nginx version: freenginx/1.27.1", "freenginx", (1, 25, 4), (1, 27, 1)),
        ("Angie version: Angie/1.10.0\nnginx version: nginx/1.27.5", "angie", (1, 27, 5), (1, 10, 0)),
        ("Angie version: Angie/1.10.0", "angie", (1, 27, 5), (1, 10, 0)),
        ("Tengine version: Tengine/3.1.0\nnginx version: nginx/1.24.0", "tengine", (1, 24, 0), (3, 1, 0)),
    ],
)
def test_builds_of_forks(
    text: str, edition: str, version: tuple[int, int, int], own: tuple[int, ...]
) -> None:
    build = parse_build(f"{text}\nbuilt by gcc 12\nconfigure arguments: --with-http_ssl_module\n")
    assert (build.edition, build.version, build.own) == (edition, version, own)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("etc/angie", "Package: angie\nStatus: install ok installed\nVersion: 1.10.0-1~bookworm\n"),
        (
            "usr/local/openresty/nginx/conf",
            "Package: openresty\nStatus: install ok installed\nVersion: 1.27.1.2-1~bookworm1\n",
        ),
    ],
)
def test_the_package_says_which_fork_it_is(tmp_path: Path, place: str, line: str) -> None:
    conf, database = tmp_path / place, tmp_path / "var/lib/dpkg"
    for each in (conf, database):
        each.mkdir(parents=True)
    (database / "status").write_text(line)
    (conf / "nginx.conf").write_text("events {}\nhttp { server { listen 8080; } }\n")
    report = audit([str(tmp_path)], Settings(select=_JUDGED))
    name = place.split("/")[-3] if "local" in place else "angie"
    assert report.edition == name
    assert report.edition_version == line.partition("Version: ")[2].partition("-")[0]
    assert report.target.startswith(f"{FORKS[name]} {report.edition_version} (nginx 1.27.")


_MODULES = "events {{}}\nhttp {{ {http} server {{ listen 8080; {server} location / {{ {location} }} }} }}\n"


@pytest.mark.parametrize(
    ("where", "line", "expected"),
    [
        ("http", "brotli on;", []),
        ("http", "brotli on off;", ["2 arguments, the module brotli expects 1"]),
        ("server", "echo hello;", ["of the module echo is not allowed in "]),
        ("location", "content_by_lua_block { ngx.say(1) }", []),
        ("server", "content_by_lua_block { ngx.say(1) }", ["is not allowed in server"]),
        ("location", "memc_pass 127.0.0.1:11211;", []),
        ("http", "memc_pass 127.0.0.1:11211;", ["is not allowed in http"]),
        ("server", "geoip2 /x.mmdb { $a country; }", ["is not allowed in server"]),
        ("http", "vhost_traffic_status_zone { }", ["takes no block"]),
        (
            "location",
            "more_nonsense;",
            [],
        ),  # begins as a module's directives do, and is not one that is known
    ],
)
def test_directives_of_modules_are_judged_like_others(where: str, line: str, expected: list[str]) -> None:
    found = said(_MODULES.format(**{**dict.fromkeys(("http", "server", "location"), ""), where: line}))
    assert len(found) == len(expected)
    assert all(part in message for part, message in zip(expected, found, strict=True))


def test_the_module_that_is_loaded_decides() -> None:
    """Two modules called auth_jwt exist, and NGINX Plus has directives of that name."""
    line = "events {}\nhttp { server { listen 8080; auth_jwt_key_file /k; location / { } } }\n"
    assert any("NGINX Plus only" in each for each in said(line))
    assert not any("NGINX Plus only" in each for each in said(line, modules=("auth-jwt",)))


def test_modules_by_the_names_of_their_files() -> None:
    assert module_of_file("modules/ngx_http_vhost_traffic_status_module.so") == "vts"
    assert module_of_file("modules/ngx_http_testcookie_access_module.so") == "testcookie-access"
    assert module_of_file("modules/ngx_http_shop_module.so") is None
    assert {fact.third_party for fact in module_facts("keyval")} == {"keyval"}


def test_nothing_of_it_is_loaded_for_a_plain_configuration(tmp_path: Path) -> None:
    """The data of modules and forks are read where something is asked for that nginx does not have."""
    file = tmp_path / "nginx.conf"
    file.write_text("events {}\nhttp { map $uri $x { shop 1; } server { listen 8080; root /srv; } }\n")
    code = (
        "import sys; from nginxaudit.nginx import data_files; names = []; read = data_files.content\n"
        "data_files.content = lambda name: (names.append(name), read(name))[1]\n"
        "from nginxaudit.engine.run.audit import audit; from nginxaudit.engine.settings import Settings\n"
        f"audit([{str(file)!r}], Settings()); print(*names); print('nginxaudit.nginx.forks' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, imported = done.stdout.splitlines()
    assert "directives.json" in names.split()
    assert not {"modules.json", *(f"{edition}.json" for edition in FORKS)} & set(names.split())
    assert imported == "False"
