"""Templates of the nginx image are filled in as its entrypoint does it, and judged where it puts them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.source.envsubst import Filling, filling_of, read_assignments
from nginxaudit.source.text import SourceText

VALUES = {"PORT": "8080", "NAME": "a b", "EMPTY": "", "lower": "$PORT", "A_1": "${NAME}"}
TEXTS = st.lists(
    st.sampled_from(
        ["$PORT", "${PORT}", "${NAME", "${EMPTY}", "$lower", "$A_1", "$PORTS", "$host", "${PORT:-1}", "$$PORT", "\\$PORT",
         "{", "}", "$", "${}", "$1", "\n", " ", "ä", "x"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("envsubst") is None, reason="needs envsubst")
@given(TEXTS)
def test_as_envsubst_does_it(text: str) -> None:
    names = " ".join(f"${{{name}}}" for name in VALUES)
    run = subprocess.run(
        ["envsubst", names], input=text.encode(), env=VALUES, capture_output=True, check=True
    )
    assert Filling(VALUES).filled(SourceText("a.template", text)).text == run.stdout.decode()


def test_places_are_those_of_the_template() -> None:
    template = SourceText("a.template", "listen ${PORT} x${EMPTY}y;\nserver_name $NAME;")
    filled = Filling(VALUES).filled(template)
    assert filled.text == "listen 8080 xy;\nserver_name a b;"
    for word, written in [
        ("listen", "listen"),
        ("8080", "${PORT}"),
        ("x", "x"),
        ("a b", "$NAME"),
        ("server_name", "server_name"),
    ]:
        at = filled.text.index(word)
        span = filled.in_host(at, at + len(word))
        assert template.text[span.start : span.end] == written
    assert Filling(VALUES).filled(SourceText("a", "$host")).text == "$host"


def test_env_files() -> None:
    text = "# no\n\nPORT=80\nexport A = 'b c'\nB=\"x=y\" \nC=\nFROM_OUTSIDE\n"
    assert dict(read_assignments(text, "env")) == {"PORT": "80", "A": "b c", "B": "x=y", "C": ""}
    with pytest.raises(ValueError, match="env:2: not NAME=VALUE"):
        list(read_assignments("A=1\n=2\n", "env"))


def test_the_last_one_wins(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("A=1\nB=1\n")
    (tmp_path / "two").write_text("A=2\n")
    files = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert filling_of(files, ["B=3,4"]).values == {"A": "2", "B": "3,4"}
    assert not filling_of([], [])


@pytest.mark.parametrize("word", ["A", "=1", "1A=1", "a-b=c", "NGINX_ENVSUBST_FILTER=("])
def test_what_is_no_definition(word: str) -> None:
    with pytest.raises(SettingsError):
        audit(["/nowhere"], Settings(define=(word,)))


def test_an_env_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="/env: there is no such file"):
        audit([str(tmp_path)], Settings(env_file=(str(tmp_path / "env"),)))


MAIN = "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"
SITE = "server {\n    listen ${PORT};\n    server_name ${NAME};\n    location / { autoindex $FLAG; }\n}\n"


def _tree(tmp_path: Path, main: bool = True) -> None:
    if main:
        (tmp_path / "nginx.conf").write_text(MAIN)
    (tmp_path / "templates" / "sites").mkdir(parents=True)
    (tmp_path / "templates" / "site.conf.template").write_text(SITE)


def _found(path: Path, **values: str) -> list[str]:
    report = audit([str(path)], Settings(define=tuple(f"{name}={value}" for name, value in values.items())))
    return [
        f"{each.span.file.rsplit('/', 1)[-1]}:{each.span.line}:{each.rule}"
        for each in report.active
        if each.rejected_by_nginx
    ]


@pytest.mark.parametrize("where", ["", "templates", "templates/site.conf.template"])
@pytest.mark.parametrize("main", [True, False])
def test_findings_stand_at_the_lines_of_the_template(where: str, main: bool, tmp_path: Path) -> None:
    _tree(tmp_path, main)
    found = _found(tmp_path / where, PORT="70000", NAME="a.example.com", FLAG="maybe")
    assert found == ["site.conf.template:2:invalid-value", "site.conf.template:4:invalid-value"]
    assert not _found(tmp_path / where, PORT="80", NAME="a.example.com", FLAG="on")


def test_it_is_judged_in_its_place(tmp_path: Path) -> None:
    _tree(tmp_path)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "other.conf").write_text("server { listen 80; server_name b.example.com; }\n")
    report = audit([str(tmp_path)], Settings(define=("PORT=80", "NAME=b.example.com", "FLAG=off")))
    found = [each for each in report.active if each.rule == "duplicate-server-name"]
    assert [each.span.file.rsplit("/", 1)[-1] for each in found] == ["site.conf.template"]
    assert any("filled in as the nginx image does it" in remark for remark in report.remarks)


def test_what_is_made_replaces_a_file_of_its_name(tmp_path: Path) -> None:
    _tree(tmp_path)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site.conf").write_text("never read;\n")
    assert not _found(tmp_path / "nginx.conf", PORT="80", NAME="a.example.com", FLAG="on")


def test_suffix_directories_and_filter(tmp_path: Path) -> None:
    _tree(tmp_path)
    (tmp_path / "templates" / "site.conf.template").rename(tmp_path / "templates" / "sites" / "site.conf.tpl")
    (tmp_path / "nginx.conf").write_text(MAIN.replace("conf.d/*.conf", "made/sites/*.conf"))
    settings = {
        "NGINX_ENVSUBST_TEMPLATE_SUFFIX": ".tpl",
        "NGINX_ENVSUBST_OUTPUT_DIR": "/etc/nginx/made",
        "NGINX_ENVSUBST_FILTER": "^[PN]",
    }
    found = _found(tmp_path / "nginx.conf", PORT="70000", NAME="a", FLAG="maybe", **settings)
    assert found == ["site.conf.tpl:2:invalid-value"], "FLAG stays as it is, and is judged no further"


def test_stream(tmp_path: Path) -> None:
    _tree(tmp_path)
    template = tmp_path / "templates" / "tcp.conf.stream-template"
    template.write_text("server {\n    listen ${PORT};\n    proxy_pass ${NAME}:1;\n    root /srv;\n}\n")
    assert _found(template, PORT="90", NAME="a.example.com") == [
        "tcp.conf.stream-template:4:directive-wrong-context"
    ]
