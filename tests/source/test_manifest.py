"""Kubernetes manifests: what is a configuration in them, and that a finding stands where its author wrote it."""

from __future__ import annotations

import base64
import builtins
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Severity
from nginxaudit.report import RenderOptions, render
from nginxaudit.source.embedded import EmbeddedText, stretches_of
from nginxaudit.source.nodes import documents
from nginxaudit.source.text import SourceText
from tests.expected import ROOT
from tests.support.clock import within

SERVER = "server {\n    return 204;\n}\n"  # missing-listen, at its first line
MAIN = "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"


@pytest.fixture(params=["libyaml", "Python"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


def config_map(name: str, data: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data, **more}


def scan(text: str, tmp_path: Path, name: str = "it.yaml", wanted: Settings | None = None) -> Report:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    report = audit([str(path)], wanted or Settings())
    assert not report.crashes
    return report


def marked(report: Report) -> list[tuple[int, int, str, str]]:
    """Line, column, rule and the text at the place of every finding."""
    return [
        (f.span.line, f.span.column, f.rule, report.sources[f.span.file].text[f.span.start : f.span.end])
        for f in report.active
        if f.severity > Severity.INFO
    ]


@pytest.mark.parametrize("crlf", [False, True])
def test_literal_scalars_are_mapped_line_by_line(crlf: bool, tmp_path: Path) -> None:
    text = (
        "# a comment\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a.conf: |\n\n"
        "    # é😀\n    server {\n        listen 80;\n\n        gzip maybe;\n    }\n  b.conf: |4-\n      server { return 204; }\n"
    )
    report = scan(text.replace("\n", "\r\n") if crlf else text, tmp_path)
    assert marked(report) == [(11, 14, "invalid-value", "maybe"), (14, 7, "missing-listen", "server")]


@pytest.mark.parametrize(
    "scalar",
    [
        r'"# \u00e9\x41\U0001F600\t\"\e\_\n server {\n listen 80;\tgzip maybe;\n}\n"',
        '"server {\\n\n    \\  listen 80;\\n\\\n    \\ \\tgzip  \\\n    maybe; # a\n\n    b }\\n}\\n"',
        "'server { listen 80; gzip maybe; # it''s\n\n    }'",
        "server { listen 80; gzip maybe; }",
    ],
)
def test_quoted_scalars_are_mapped_through_their_escapes(scalar: str, tmp_path: Path) -> None:
    report = scan(f"kind: ConfigMap\ndata:\n  a.conf: {scalar}\n", tmp_path)
    assert ("invalid-value", "maybe") in [(rule, text) for _, _, rule, text in marked(report)]


def test_json_is_mapped_through_its_escapes(tmp_path: Path) -> None:
    text = '# \ud83d\ude00 é <&> "\n\tserver {\n gzip maybe; } /'.encode("utf-16", "surrogatepass").decode(
        "utf-16"
    )
    document = json.dumps(config_map("x", {"a.conf": text, "b.txt": "\ud800"}), indent="\t")
    report = scan(document.replace("/", "\\/"), tmp_path, "it.json")
    assert ("invalid-value", "maybe") in [(rule, text) for _, _, rule, text in marked(report)]
    assert '\t"data": {\n\t\t"a.conf"' in report.sources[str(tmp_path / "it.json")].text


def test_a_folded_scalar_and_base64_are_found_at_their_begin(tmp_path: Path) -> None:
    coded = base64.b64encode(SERVER.encode()).decode()
    text = (
        "kind: ConfigMap\nmetadata: {name: x}\ndata:\n  a.conf: >\n    # a\n\n    server { return 204; }\n"
        f"binaryData:\n  b.conf: {coded}\n"
    )
    report = scan(text, tmp_path)
    found = [finding for finding in report.active if finding.rule == "missing-listen"]
    assert [(f.span.line, f.span.column, f.message[-19:]) for f in found] == [
        (4, 11, " (line 2 of a.conf)"),
        (9, 11, " (line 1 of b.conf)"),
    ]


TEXTS = st.text(st.sampled_from("ab {};#'\"\\\n\t é😀\x85\u2028:|>-"), min_size=1, max_size=60)


@pytest.mark.usefixtures("_loader")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, style=st.sampled_from(["|", '"', "'", ">", None]), width=st.integers(10, 200))
def test_every_character_has_its_place(text: str, style: str | None, width: int) -> None:
    host = yaml.safe_dump({"k": {"a.conf": text}}, default_style=style, width=width, allow_unicode=True)
    (document,) = documents(host, is_json=False)
    scalar = document["k"]["a.conf"]  # type: ignore[index, call-overload]
    text = scalar.value  # YAML may take U+0085 for the end of a line
    stretches = stretches_of(host, scalar)
    assume(stretches is not None)  # else the text is judged without places
    embedded = EmbeddedText("a", text, "a", SourceText("it.yaml", host), scalar, stretches)
    for offset, character in enumerate(text):
        span = embedded.in_host(offset, offset + 1)
        shown = host[span.start : span.end]
        assert scalar.start <= span.start <= span.end <= scalar.end
        assert character.isspace() or shown == character or shown[0] in "'\\"


@pytest.mark.slow
@given(text=st.text(min_size=1, max_size=50), ascii_only=st.booleans())
def test_every_character_of_json_has_its_place(text: str, ascii_only: bool) -> None:
    host = json.dumps({"k": text}, ensure_ascii=ascii_only)
    (document,) = documents(host, is_json=True)
    scalar = document["k"]  # type: ignore[index, call-overload]
    stretches = stretches_of(host, scalar)
    assert stretches is not None
    embedded = EmbeddedText("a", text, "a", SourceText("it.json", host), scalar, stretches)
    for offset, character in enumerate(text):
        span = embedded.in_host(offset, offset + 1)
        assert json.loads(f'"{host[span.start : span.end]}"') == character


# -- what takes part


def test_keys_are_included_by_their_names(tmp_path: Path) -> None:
    data = {"nginx.conf": MAIN, "shop.conf": SERVER, "page.html": "{ no }"}
    report = scan(yaml.safe_dump(config_map("x", data), default_style="|"), tmp_path)
    assert [rule for _, _, rule, _ in marked(report)] == ["missing-listen"]
    assert report.active[0].related[-1].message == "included from here"
    path = str(tmp_path / "it.yaml")
    assert {file.path for file in report.files} == {path} == set(report.sources)


def test_keys_of_other_objects_are_included_where_the_own_ones_do_not_match(tmp_path: Path) -> None:
    main = MAIN.replace("include", "include ../snippets/tls.conf; include")
    objects = [
        config_map("main", {"nginx.conf": main, "own.conf": "gzip maybe;\n"}),
        config_map("a", {"tls.conf": "sendfile maybe;\n"}),
    ]
    report = scan(yaml.safe_dump_all(objects), tmp_path)
    assert sorted(rule for _, _, rule, _ in marked(report)) == ["invalid-value"] * 2
    assert not report.notes


def test_what_is_not_in_the_manifest_is_not_called_missing(tmp_path: Path) -> None:
    main = "include modules-enabled/*.conf;\nevents {}\nhttp { include mime.types; include a/*.conf; include x.conf; }\n"
    report = scan(yaml.safe_dump(config_map("x", {"nginx.conf": main, "y.txt": "a"})), tmp_path)
    assert marked(report) == []
    assert len(report.notes) == 3  # mime.types is known
    assert all(note.endswith("it is not in the manifest") for note in report.notes)


def test_globs_of_several_directories_do_not_take_a_key_twice(tmp_path: Path) -> None:
    main = "events {}\nhttp { include /a/*.conf; include /b/*; include /c/up.conf; }\nstream { include /d/*.conf; }\n"
    up = "upstream u { zone u 1m; server 127.0.0.1:1; }\n"
    report = scan(
        yaml.safe_dump(config_map("x", {"nginx.conf": main, "up.conf": up, "s.conf": SERVER})), tmp_path
    )
    assert [rule for _, _, rule, _ in marked(report)] == ["missing-listen"]


def test_fragments(tmp_path: Path) -> None:
    redis = "maxmemory 1gb\nappendonly no\n"
    objects = [
        config_map("a", {"default.conf": SERVER, "readme.txt": "x"}),
        config_map("b", {"redis.conf": redis}),
    ]
    report = scan(yaml.safe_dump_all(objects), tmp_path)
    assert [rule for _, _, rule, _ in marked(report)] == ["missing-listen"]


@pytest.mark.parametrize("form", ["yaml", "json", "stdin yaml", "stdin json", "gz"])
def test_lists_and_streams(form: str, tmp_path: Path) -> None:
    inner = {"kind": "List", "items": [config_map("x", {"a.conf": SERVER})]}
    document = {"apiVersion": "v1", "kind": "List", "items": [inner, config_map("x", {"a.conf": SERVER})]}
    text = json.dumps(document) if "json" in form else f"# of kubectl\n---\n{yaml.safe_dump(document)}"
    if "stdin" in form:
        report = audit(["-"], Settings(), stdin=io.BytesIO(text.encode()))
    elif form == "gz":
        import gzip

        (tmp_path / "it.yaml.gz").write_bytes(gzip.compress(text.encode()))
        report = audit([str(tmp_path / "it.yaml.gz")], Settings())
    else:
        report = scan(text, tmp_path, f"it.{form}")
    assert [rule for _, _, rule, _ in marked(report)] == ["missing-listen"] * 2


def test_standard_input_that_is_a_configuration_is_none_of_kubernetes() -> None:
    lua = "events {}\nhttp {\n content_by_lua_block {\n  kind = 1\n }\n server { return 204; }\n}\n"
    report = audit(["-"], Settings(), stdin=io.BytesIO(lua.encode()))
    assert "missing-listen" in {finding.rule for finding in report.active}


SNIPPETS = [
    ("main-snippet", "worker_rlimit_nofile many;"),
    ("http-snippet", "server_names_hash_max_size many;"),
    ("server-snippet", "listen 80; client_max_body_size many;"),
    ("location-snippet", "internal maybe; client_max_body_size many;"),
    ("stream-snippet", "preread_timeout many;"),
]


@pytest.mark.parametrize(("key", "text"), SNIPPETS)
def test_snippets_of_a_controller(key: str, text: str, tmp_path: Path) -> None:
    report = scan(yaml.safe_dump(config_map("controller", {key: text, "use-gzip": "true"})), tmp_path)
    assert "many" in " ".join(f.message for f in report.active)


@pytest.mark.parametrize(
    "name", ["server-snippet", "configuration-snippet", "location-snippet", "stream-snippet"]
)
def test_annotations_of_an_ingress(name: str, tmp_path: Path) -> None:
    text = "proxy_connect_timeout many;\n"
    annotations = {
        f"nginx.ingress.kubernetes.io/{name}": text,
        "nginx.ingress.kubernetes.io/rewrite-target": "/",
    }
    ingress = {"kind": "Ingress", "metadata": {"name": "x", "annotations": annotations}, "spec": {}}
    report = scan(yaml.safe_dump(ingress, default_style="|"), tmp_path)
    ((line, column, rule, shown),) = marked(report)
    assert (rule, shown) == ("invalid-value", "many")
    assert report.sources[str(tmp_path / "it.yaml")].line(line)[column - 1 :] == "many;"


# -- what comes of it


def test_suppressions_and_fingerprints_do_not_depend_on_the_manifest(tmp_path: Path) -> None:
    text = "# nginxaudit: ignore[missing-listen] by its own socket\n" + SERVER + SERVER
    report = scan(yaml.safe_dump(config_map("x", {"a.conf": text}), default_style="|"), tmp_path)
    (tmp_path / "a.conf").write_text(text)
    alone = audit([str(tmp_path / "a.conf")], Settings())
    assert [f.fingerprint for f in report.findings] == [f.fingerprint for f in alone.findings]
    assert [f.suppressed for f in report.findings] == [f.suppressed for f in alone.findings]
    ignoring = Settings(per_file_ignores={"it.yaml": ("missing-listen",)}, base=str(tmp_path))
    assert scan(report.sources[str(tmp_path / "it.yaml")].text, tmp_path, wanted=ignoring).active == ()


def test_nothing_is_written_to_a_manifest(tmp_path: Path) -> None:
    text = "# nginxaudit: ignore[missing-listen] silences nothing\nserver { listen 80; }\n"
    path = tmp_path / "it.yaml"
    path.write_text(yaml.safe_dump(config_map("x", {"a.conf": text}), default_style="|"))
    before = path.read_text()
    fixed = fix([str(path)], Settings(), unsafe=True)
    assert [finding.rule for finding in fixed.report.active] == ["unused-suppression"]
    assert all(finding.fix is None for finding in fixed.report.active)
    assert fixed.changes == () and path.read_text() == before


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_no_report_repeats_what_is_secret(form: str, tmp_path: Path) -> None:
    conf = SERVER.replace("return", 'proxy_set_header X-Api-Key "k7Hq92LmZx81"; return')
    coded = base64.b64encode(conf.encode()).decode()
    secret = {
        "kind": "Secret",
        "metadata": {"name": "x"},
        "stringData": {"password": "hunter2", "b.conf": conf},
        "data": {"a.conf": coded, "z": base64.b64encode(b"other").decode()},
    }
    for name, text in (("it.json", json.dumps(secret, indent=1)), ("it.yaml", yaml.safe_dump(secret))):
        report = scan(text, tmp_path, name)
        assert len([finding for finding in report.active if finding.rule == "missing-listen"]) == 2
        out = io.StringIO()
        render(form, report, out, RenderOptions(fold=False))
        for word in ("k7Hq92LmZx81", "hunter2", coded, coded[:20], "b3RoZXI="):
            assert word not in out.getvalue()
            assert word not in report.sources[str(tmp_path / name)].text


# -- bad input

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]\n"
    for name, after in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
)
LISTS = "kind: List\nitems:\n- &a {kind: List, items: []}\n" + "".join(
    f"- &{after} {{kind: List, items: [{', '.join([f'*{name}'] * 9)}]}}\n"
    for name, after in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
)
CHART = "{{- if .Values.on }}\nkind: ConfigMap\ndata:\n  a.conf: |\n    gzip on;\n{{- end }}\n"
HOLDER = "kind: ConfigMap\nmetadata:\n  name: x\n"

BAD = {
    "empty": ("", "contains no nginx configuration"),
    "of something else": ("services:\n  web: {image: nginx}\n", "contains no nginx configuration"),
    "without a configuration": (yaml.safe_dump(config_map("x", {"a.txt": "b"})), "contains no nginx configuration"),
    "data that is no mapping": (f"{HOLDER}data: [a]\n---\n- 1\n---\njust text\n", "contains no nginx configuration"),
    "a tab": (f"{HOLDER}data:\n\ta.conf: x\n", "line 5 is indented by a tab"),
    "broken": (f"{HOLDER}data: [\n", "it is not valid YAML: line"),
    "two colons": (f"{HOLDER}data: a: b\n", "it is not valid YAML: line 4"),
    "control character": (f"{HOLDER}data: \x01\n", "it is not valid YAML: line 4"),
    "an unknown alias": (f"{HOLDER}data: *gone\n", "line 4: the alias *gone has no anchor"),
    "a chart": (CHART, "it is a template, no YAML yet: line 1"),
    "a chart's value": (f"{HOLDER}data:\n  a.conf: {{{{ .Values.conf }}}}\n", "template, no YAML yet: line 5"),
    "a chart's name": (f"{HOLDER}data: {{}}\nx: a-{{{{ .Release.Name }}}}\n", "template, no YAML yet: line 5"),
    "a chart's function": (f'{HOLDER}data:\n  a: {{{{ .V | quote }}}}-b\n', "template, no YAML yet: line 5"),
    "billion laughs": (LAUGHS, "contains no nginx configuration"),
    "lists of lists of lists": (LISTS, "contains no nginx configuration"),
    "an anchor in itself": ("&a [*a, {kind: List, items: *a}]\n", "contains no nginx configuration"),
    "deep": ("[" * 5000, "nest"),
    "deep blocks": ("- " * 5000, "nest"),
    "not UTF-8": (f"{HOLDER}# caf\udce9\n", "line 4 is not UTF-8 text"),
    "tagged": ("!!python/object/apply:os.system [exit 1]\n", "contains no nginx configuration"),
    "no base64": (f"{HOLDER}binaryData:\n  a.conf: '!'\n", "line 5: a.conf of configmap/x: it is not base64"),
    "binary": (f"{HOLDER}binaryData:\n  a.conf: AAAA\n", "line 5: a.conf of configmap/x: it is a binary file"),
    "NUL": (f'{HOLDER}data:\n  a.conf: "\\0"\n', "line 5: a.conf of configmap/x: it is a binary file"),
    "UTF-16": (HOLDER.encode("utf-16").decode("utf-8", "surrogateescape"), "UTF-16"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize("case", BAD)
def test_bad_yaml(case: str, tmp_path: Path) -> None:
    text, reason = BAD[case]
    with within(5):
        report = scan(text, tmp_path)
    assert report.exit_code() == 3
    assert reason in " ".join(finding.message for finding in report.active)
    assert all(finding.help for finding in report.active)


BAD_JSON = {
    "empty": ("", "contains no nginx configuration"),
    "broken": ('{\n "kind": ConfigMap}', "line 2, column 10"),
    "cut": ('{"kind": "ConfigMap", "data": {"a.conf": "x', "it is not valid JSON: line 1"),
    "a tab in a string": ('{"kind": "a\tb"}', "it is not valid JSON: line 1"),
    "deep": ("[" * 100_000, "nested more than"),
    "no objects": ("[1, null, true, NaN, [[]]]", "contains no nginx configuration"),
    "a chart": ('{"kind": {{ .Values.kind | quote }}}', "template"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json(case: str, tmp_path: Path) -> None:
    text, reason = BAD_JSON[case]
    report = scan(text, tmp_path, "it.json")
    assert report.exit_code() == 3
    assert reason in report.active[0].message


def test_an_error_in_one_key_keeps_the_others(tmp_path: Path) -> None:
    text = yaml.safe_dump(config_map("x", {"a.conf": SERVER}, binaryData={"b.conf": "!"}))
    report = scan(text, tmp_path)
    assert report.exit_code() == 3
    assert {finding.rule for finding in report.active} == {"missing-listen", "unreadable-file"}


def test_without_pyyaml_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    report = scan(f"{HOLDER}data:\n  a.conf: gzip on;\n", tmp_path)
    assert report.exit_code() == 3
    assert report.active[0].help == "pip install 'nginxaudit[kubernetes]'"
    report = scan(json.dumps(config_map("x", {"a.conf": SERVER})), tmp_path, "it.json")
    assert [rule for _, _, rule, _ in marked(report)] == ["missing-listen"], "JSON needs none"


@pytest.mark.parametrize(
    "modules", [frozenset(), frozenset({"lua", "modsecurity", "geoip2", "opentelemetry", "headers-more"})]
)
def test_a_generated_configuration_with_lua(modules: frozenset[str]) -> None:
    path = ROOT / "fixtures" / "kubernetes" / "ingress-generated.conf"
    report = audit([str(path)], Settings(modules=tuple(modules)))
    assert report.exit_code() == 0
    assert not any(
        finding.rejected_by_nginx and finding.severity > Severity.INFO for finding in report.active
    )


def test_lua_in_stream_is_no_mistake(tmp_path: Path) -> None:
    lua = "lua_shared_dict d 5M;\nserver {\n listen 1;\n preread_by_lua_block { x = '}' }\n proxy_pass a:1;\n}\n"
    (tmp_path / "it.conf").write_text(f"events {{}}\nstream {{\n{lua}}}\n")
    for modules in (frozenset[str](), frozenset({"lua"})):
        report = audit([str(tmp_path / "it.conf")], Settings(modules=tuple(modules)))
        assert not any(finding.rejected_by_nginx for finding in report.active)
