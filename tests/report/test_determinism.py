import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nginxaudit.report import FORMATS
from nginxaudit.views.graph import FORMATS as GRAPHS
from nginxaudit.views.upstreams import FORMATS as UPSTREAMS
from tests.report.samples import rendered, troubled
from tests.support.command import nginxaudit

CODE = """import json
from nginxaudit.report import FORMATS
from tests.report.samples import rendered, troubled
print(json.dumps({name: rendered(name, troubled()) for name in FORMATS}))"""
SEEDS = ("0", "1", "4711")


@pytest.fixture(scope="module")
def elsewhere():
    """Every format as a process of its own writes it, for each seed of Python's hashes."""
    return [
        json.loads(
            subprocess.check_output(
                [sys.executable, "-c", CODE],
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            )
        )
        for seed in SEEDS
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_same_bytes_in_every_process(name, elsewhere):
    assert {rendered(name, troubled()), *(outputs[name] for outputs in elsewhere)} == {elsewhere[0][name]}
    assert len(elsewhere) == len(SEEDS)


# -- whole runs

ROOT = Path(__file__).parents[2]
TREES = ("etc-nginx", "nginx-plus", "deployments", "kubernetes")
RUNS = [("scan", "--all", "--format", name) for name in FORMATS]
RUNS += [("graph", "--format", name) for name in GRAPHS]
RUNS += [("upstreams", "--format", name) for name in UPSTREAMS]
RUNS += [
    ("scan", "--statistics"),
    ("scan", "--diff", "--unsafe-fixes", "--select", "ALL", "--ignore", "drill"),
]


def planted(directory, *, backwards):
    """The fixtures below ``directory``, put there file by file: a directory is listed in the order of its making."""
    files = sorted(path for name in TREES for path in (ROOT / "fixtures" / name).rglob("*"))
    files = [path for path in files if path.is_file() and path.suffix != ".expected"]
    if backwards:
        files.reverse()
    for path in files:
        place = directory / path.relative_to(ROOT / "fixtures")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            place.symlink_to(path.readlink())
        else:
            shutil.copyfile(path, place)
    return directory


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Two directories of different names and depths with the same files, made in opposite order."""
    first = planted(tmp_path_factory.mktemp("a"), backwards=False)
    deep = tmp_path_factory.mktemp("another") / "name" / "with more levels"
    deep.mkdir(parents=True)
    return first, planted(deep, backwards=True)


def outputs(run, places, *paths):
    """What ``run`` writes, in each place and with several seeds of Python's hashes."""
    found = set()
    for number, place in enumerate(places):
        for seed in ("0", "4711") if number else ("1",):
            done = nginxaudit(*run, *paths, cwd=place, env={"PYTHONHASHSEED": seed})
            assert done.returncode in (0, 1, 3), done.stderr
            found.add((done.returncode, done.stdout, done.stderr))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=" ".join)
def test_same_bytes_for_the_same_files(run, places):
    found = outputs(
        run, places, "etc-nginx", "nginx-plus", "deployments/active-passive.conf", "kubernetes/configmap.yaml"
    )
    assert len(found) == 1
    (_, text, _), *_ = found
    assert len(text) > 100
    assert not any(str(place) in text for place in places)


@pytest.mark.slow
@pytest.mark.parametrize(
    "run", [("scan", "--fragments", "--format", "json"), ("scan", "--format", "sarif")], ids=" ".join
)
def test_same_bytes_for_a_directory_of_everything(run, places):
    assert len(outputs(run, places, ".")) == 1


def test_same_bytes_of_a_baseline(places):
    for place in places:
        done = nginxaudit("baseline", "write", "etc-nginx", cwd=place)
        assert done.returncode == 0, done.stderr
    assert len({(place / "nginxaudit-baseline.json").read_bytes() for place in places}) == 1
    for place in places:
        (place / "nginxaudit-baseline.json").unlink()


@pytest.mark.slow
def test_same_files_after_fixing(places, tmp_path):
    texts = []
    for number, place in enumerate(places):
        copy = tmp_path / str(number)
        shutil.copytree(place, copy, symlinks=True)
        nginxaudit(
            "scan", "--fix", "--unsafe-fixes", "etc-nginx", cwd=copy, env={"PYTHONHASHSEED": str(number)}
        )
        texts.append(
            {str(path.relative_to(copy)): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
        )
    assert texts[0] == texts[1]
    assert texts[0] != {
        str(path.relative_to(places[0])): path.read_bytes() for path in places[0].rglob("*") if path.is_file()
    }
