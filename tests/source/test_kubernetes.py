"""Manifests among other files: which count, what is said where a library is missing, charts, templates."""

from __future__ import annotations

import base64
import io
import json
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Severity
from nginxaudit.source.kubernetes import is_relevant

SERVER = "server {\n  return 204;\n}\n"  # missing-listen
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  default.conf: |\n    server {\n      return 204;\n    }\n"
REDIS = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: redis\ndata:\n  redis.conf: |\n    maxmemory 2mb\n"
)
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n"
INGRESS = (
    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  annotations:\n"
    "    nginx.ingress.kubernetes.io/server-snippet: |\n      gzip maybe;\n"
)
CHART = {
    "Chart.yaml": "name: web\n",
    "values.yaml": "replicas: 2\n",
    "templates/map.yaml": MAP.replace("name: web", "name: {{ .Release.Name }}"),
    "templates/_helpers.tpl": "{{ define }}",
}
RELEVANT = {
    "ConfigMap": MAP,
    "Ingress": INGRESS,
    "Secret": f"kind: Secret\ndata:\n  nginx.conf: {base64.b64encode(SERVER.encode()).decode()}\n",
    "coded in a block": f"kind: Secret\ndata:\n  nginx.conf: |-\n    {base64.b64encode(SERVER.encode()).decode()}\n",
    "List": "kind: List\nitems:\n- kind: ConfigMap\n  data:\n    a: |\n      upstream b {\n",
    "JSON": json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x.conf": SERVER}}),
    "of an ingress controller": "kind: ConfigMap\ndata:\n  http-snippet: gzip on;\n",
}
OTHERS = {
    "another program's ConfigMap": REDIS,
    "Deployment": DEPLOYMENT,
    "workflow": "on: push\njobs:\n  server:\n    runs-on: x\n",
    "compose": "services:\n  web:\n    image: nginx\n",
    "JSON of an object called server": json.dumps({"kind": "ConfigMap", "data": {"server": {"port": 80}}}),
    "Secret of something else": f"kind: Secret\ndata:\n  redis.conf: {base64.b64encode(b'maxmemory 2mb, save 60').decode()}\n",
    "Ansible": "- name: copy\n  template: {src: nginx.conf.j2}\n",
}  # fmt: skip


def tree(directory: Path, files: Mapping[str, str]) -> str:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(directory)


def scan(path: str) -> Report:
    report = audit([path], Settings())
    assert not report.crashes
    return report


def told(report: Report, path: str) -> list[str]:
    return [
        f"{f.span.file.removeprefix(f'{path}/')}:{f.span.line} {f.rule}"
        for f in report.active
        if f.severity > Severity.INFO
    ]


@pytest.fixture
def _no_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)


@pytest.mark.parametrize("kind", RELEVANT)
def test_what_counts(kind: str) -> None:
    assert is_relevant(RELEVANT[kind])


@pytest.mark.parametrize("kind", OTHERS)
def test_what_does_not_count(kind: str) -> None:
    assert not is_relevant(OTHERS[kind])


def test_manifests_of_a_directory_are_analysed(tmp_path: Path) -> None:
    files = {
        "base/web.yaml": MAP,
        "base/redis.yaml": REDIS,
        "ingress.yml": INGRESS,
        "deployment.yaml": DEPLOYMENT,
    }
    more = {
        "map.json": RELEVANT["JSON"],
        "package.json": "{}",
        ".github/x.yaml": MAP,
        "node_modules/x.yaml": MAP,
        "bad.yaml": "a: [\n",
    }
    path = tree(tmp_path / "k8s", files | more)
    report = scan(path)
    assert told(report, path) == [
        "base/web.yaml:7 missing-listen",
        "ingress.yml:7 invalid-value",
        "map.json:1 missing-listen",
    ]
    assert not report.notes
    assert not report.incomplete


def test_manifests_beside_a_configuration(tmp_path: Path) -> None:
    path = tree(tmp_path, {"nginx.conf": f"events {{}}\nhttp {{\n{SERVER}}}\n", "deploy/web.yaml": MAP})
    assert told(scan(path), path) == ["deploy/web.yaml:7 missing-listen", "nginx.conf:3 missing-listen"]


@pytest.mark.usefixtures("_no_yaml")
def test_what_to_install(tmp_path: Path) -> None:
    files = {f"{number}.yaml": MAP for number in range(12)}
    path = tree(tmp_path, files | {"redis.yaml": REDIS, "nginx.conf": "events {}\n"})
    report = scan(path)
    assert report.notes == (
        f"12 YAML files ({path}/0.yaml, {path}/1.yaml, {path}/10.yaml, …) look like Kubernetes manifests with nginx "
        "configuration: pip install 'nginxaudit[kubernetes]'",
    )
    assert not report.incomplete
    alone = scan(tree(tmp_path / "k8s", {"web.yaml": MAP, "web.json": RELEVANT["JSON"]}))
    assert [f.rule for f in alone.active if f.severity > Severity.INFO] == ["missing-listen"]
    assert alone.notes == (
        f"1 YAML file ({tmp_path}/k8s/web.yaml) looks like Kubernetes manifests with nginx configuration: "
        "pip install 'nginxaudit[kubernetes]'",
    )


@pytest.mark.usefixtures("_no_yaml")
def test_nothing_but_manifests_that_cannot_be_read(tmp_path: Path) -> None:
    report = scan(tree(tmp_path, {"web.yaml": MAP}))
    assert report.exit_code() == 3
    (finding,) = report.active
    assert "1 YAML file" in finding.message and "pip install" in finding.message


@pytest.mark.usefixtures("_no_yaml")
def test_other_yaml_is_not_mentioned(tmp_path: Path) -> None:
    path = tree(
        tmp_path,
        {f"{number}.yaml": text for number, text in enumerate(OTHERS.values())}
        | {"nginx.conf": "events {}\n"},
    )
    assert not scan(path).notes


@pytest.mark.parametrize("place", ["", "deploy/chart/", "charts/web/"])
def test_a_chart(place: str, tmp_path: Path) -> None:
    files = {f"{place}{name}": text for name, text in CHART.items()}
    inner = {f"{place}charts/inner/{name}": text for name, text in CHART.items()}
    path = tree(tmp_path, files | inner | {"nginx.conf": "events {}\n"})
    chart = f"{path}/{place}".rstrip("/")
    report = scan(path)
    assert report.notes == (
        f"{chart} is a Helm chart with nginx configuration: helm template {chart} | nginxaudit scan -",
    )
    alone = scan(tree(tmp_path / "alone", CHART))
    assert alone.exit_code() == 3
    assert "helm template" in alone.active[0].message


def test_a_chart_of_something_else(tmp_path: Path) -> None:
    files = CHART | {"templates/map.yaml": REDIS.replace("name: redis", "name: {{ x }}")}
    path = tree(
        tmp_path, {f"chart/{name}": text for name, text in files.items()} | {"nginx.conf": "events {}\n"}
    )
    assert not scan(path).notes


def test_templates_and_broken_files(tmp_path: Path) -> None:
    files = {
        "a.yaml": CHART["templates/map.yaml"],
        "b.yaml": MAP.replace("metadata:", "metadata: ["),
        "c.yaml": MAP,
    }
    path = tree(tmp_path, files)
    report = scan(path)
    assert report.notes == (
        f"1 manifest ({path}/a.yaml) is a template and not YAML yet: render first, then nginxaudit scan -",
    )
    assert report.exit_code() == 3
    assert [(f.span.file, f.rule) for f in report.active if f.rule == "unreadable-file"] == [
        (f"{path}/b.yaml", "unreadable-file")
    ]


def test_text_that_is_in_no_map(tmp_path: Path) -> None:
    text = MAP.replace("kind: ConfigMap", "kind: Ingress")
    path = tree(tmp_path, {"a.yaml": text, "nginx.conf": "events {}\n"})
    (note,) = scan(path).notes
    assert note.startswith(
        f"{path}/a.yaml: it mentions blocks of nginx, but it contains no nginx configuration"
    )


@pytest.mark.slow
@pytest.mark.parametrize("key", ["site", "nginx-site", "web.vhost"])
def test_a_key_of_another_name(key: str, tmp_path: Path) -> None:
    path = tree(tmp_path, {"a.yaml": MAP.replace("default.conf", key)})
    assert told(scan(path), path) == ["a.yaml:7 missing-listen"]


def test_manifests_in_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "it.tar", "w") as archive:
        for name, text in {
            "repo/k8s/web.yaml": MAP,
            "repo/k8s/redis.yaml": REDIS,
            "repo/nginx.conf": "events {}\n",
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    report = scan(str(tmp_path / "it.tar"))
    assert [f"{f.span.file}:{f.span.line} {f.rule}" for f in report.active if f.severity > Severity.INFO] == [
        f"{tmp_path}/it.tar!repo/k8s/web.yaml:7 missing-listen"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["kind: ConfigMap\n" + "server " * 300_000, "kind: ConfigMap\n" + "a.conf: " * 200_000, "kind" * 400_000, "kind: Secret\na.conf: " + "A" * 1_000_000],
    ids=["blocks", "keys", "kinds", "base64"],
)  # fmt: skip
def test_hostile_texts_take_no_time(text: str) -> None:
    begun = time.process_time()
    is_relevant(text)
    assert time.process_time() - begun < 5
