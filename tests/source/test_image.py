"""Container images: layers in order, with what they hide, in every layout and compression."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import random
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Severity
from nginxaudit.source import image, packed, tartree, unpack
from nginxaudit.source.fence import EVERYWHERE
from nginxaudit.source.limits import DEFAULTS
from nginxaudit.source.tree import Directory, Node
from tests.source import images
from tests.source.images import Layers, Member, Oci, docker, docker25, in_tar, link, oci, on_disk, skopeo, tar

MAIN = "events {}\nhttp {\n    include /etc/nginx/mime.types;\n    include /etc/nginx/conf.d/*.conf;\n}\n"
SITE = "server {\n    location / { return 204; }\n}\n"  # missing-listen
BASE: dict[str, Member] = {
    "etc/": None,
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/nginx/": None,
    "etc/nginx/nginx.conf": MAIN,
    "etc/nginx/mime.types": "types { text/html html; }\n",
    "etc/nginx/conf.d/default.conf": SITE.replace("server {", "server { # default"),
    "usr/share/doc/x": "x" * 5000,
    "bin": link("usr/bin"),
    "usr/bin/nginx": b"\x7fELF\0\0",
}
SHOP: dict[str, Member] = {"etc/nginx/conf.d/shop.conf": SITE, "etc/nginx/conf.d/.wh.default.conf": ""}
FOUND = ["etc/nginx/conf.d/shop.conf:1 missing-listen"]


def zstd(data: bytes) -> bytes:
    return bytes(zstandard.ZstdCompressor().compress(data))


def plain(data: bytes) -> bytes:
    return data


def scan(path: str, settings: Settings | None = None) -> Report:
    report = audit([path], settings or Settings())
    assert not report.crashes
    return report


def told(report: Report) -> list[str]:
    return [
        f"{f.span.file.rpartition('!')[2]}:{f.span.line} {f.rule}"
        for f in report.active
        if f.severity > Severity.INFO
    ]


def texts(report: Report) -> dict[str, str]:
    return {path.rpartition("!")[2]: source.text for path, source in report.sources.items()}


FORMS: dict[str, Callable[..., dict[str, Member]]] = {"docker": docker, "docker 25": docker25, "oci": oci, "skopeo": skopeo}  # fmt: skip
PACKS = {"plain": plain, "gzip": gzip.compress, "zstd": zstd, "xz": lzma.compress}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("place", ["directory", *PACKS])
def test_every_form_says_the_same(form: str, layer: str, place: str, tmp_path: Path) -> None:
    files = FORMS[form]([BASE, SHOP], PACKS[layer])
    path = (
        on_disk(files, tmp_path / "it")
        if place == "directory"
        else in_tar(files, tmp_path / "it", PACKS[place])
    )
    report = scan(path)
    assert told(report) == FOUND
    assert report.active[0].span.file.startswith(f"{path}!etc/nginx/")
    assert not report.notes
    assert not report.remarks
    assert set(texts(report)) == {
        "etc/nginx/nginx.conf",
        "etc/nginx/mime.types",
        "etc/nginx/conf.d/shop.conf",
    }


@pytest.mark.parametrize("pack", PACKS)
def test_from_a_pipe(pack: str) -> None:
    data = PACKS[pack](tar(docker25([BASE, SHOP])))
    report = audit(["-"], Settings(), stdin=io.BytesIO(data))
    assert told(report) == FOUND
    assert report.active[0].span.file.startswith("<stdin>!etc/nginx/")


def test_a_layout_below_a_directory_of_its_own(tmp_path: Path) -> None:
    files = {f"image/{name}": data for name, data in oci([BASE, SHOP]).items()}
    assert told(scan(in_tar(files, tmp_path / "it.tar"))) == FOUND


LAYERED: dict[str, tuple[Layers, dict[str, str | None]]] = {
    "the upper file counts": ([{"etc/nginx/a.conf": "1"}, {"etc/nginx/a.conf": "2"}], {"a.conf": "2"}),
    "removed": ([{"etc/nginx/a.conf": "1"}, {"etc/nginx/.wh.a.conf": ""}], {"a.conf": None}),
    "removed and made anew above": (
        [{"etc/nginx/a.conf": "1"}, {"etc/nginx/.wh.a.conf": ""}, {"etc/nginx/a.conf": "3"}],
        {"a.conf": "3"},
    ),
    "a whiteout hides nothing of its own layer": (
        [{"etc/nginx/a.conf": "1"}, {"etc/nginx/a.conf": "2", "etc/nginx/.wh.a.conf": ""}],
        {"a.conf": "2"},
    ),
    "a directory is removed": ([{"etc/nginx/d/a.conf": "1"}, {"etc/nginx/.wh.d": ""}], {"d/a.conf": None}),
    "a directory is replaced": (
        [{"etc/nginx/d/a.conf": "1"}, {"etc/nginx/.wh.d": "", "etc/nginx/d/b.conf": "2"}],
        {"d/a.conf": None, "d/b.conf": "2"},
    ),
    "a directory of the top is removed": (
        [{"srv/a.conf": "1", "opt/a.conf": "1"}, {".wh.srv": "", "./.wh.opt": ""}],
        {"/srv/a.conf": None, "/opt/a.conf": None},
    ),
    "a link that leads to nothing yet": (
        [{"etc/nginx/d": link("/srv/x")}, {"etc/nginx/d/a.conf": "1"}],
        {"/srv/x/a.conf": "1"},
    ),
    "opaque": (
        [{"etc/nginx/d/a.conf": "1", "etc/nginx/d/e/a.conf": "1"}, {"etc/nginx/d/b.conf": "2", "etc/nginx/d/.wh..wh..opq": ""}],
        {"d/a.conf": None, "d/e/a.conf": None, "d/b.conf": "2"},
    ),
    "opaque, then more": (
        [{"etc/nginx/d/a.conf": "1"}, {"etc/nginx/d/.wh..wh..opq": ""}, {"etc/nginx/d/c.conf": "3"}],
        {"d/a.conf": None, "d/c.conf": "3"},
    ),
    "notes of aufs are none": ([{"etc/nginx/a.conf": "1"}, {"etc/nginx/.wh..wh.aufs": ""}], {"a.conf": "1"}),
    "a file in place of a directory": (
        [{"etc/nginx/d/a.conf": "1"}, {"etc/nginx/d": "2"}],
        {"d/a.conf": None, "d": "2"},
    ),
    "a directory in place of a file": ([{"etc/nginx/d": "1"}, {"etc/nginx/d/a.conf": "2"}], {"d/a.conf": "2"}),
    "a directory in place of a link": (
        [{"srv/a.conf": "1", "etc/nginx/d": link("/srv")}, {"etc/nginx/d/": None, "etc/nginx/d/b.conf": "2"}],
        {"d/a.conf": None, "d/b.conf": "2"},
    ),
    "through a link of a lower layer": (
        [{"srv/x/": None, "etc/nginx/d": link("/srv/x")}, {"etc/nginx/d/b.conf": "2"}],
        {"d/b.conf": "2"},
    ),
    "into what a link of a lower layer leads to": (
        [{"srv/x/": None, "etc/nginx/d": link("/srv/x")}, {"etc/nginx/d/b.conf": "2"}],
        {"/srv/x/b.conf": "2"},
    ),
    "removed through a link": (
        [{"srv/a.conf": "1", "etc/nginx/d": link("/srv")}, {"etc/nginx/d/.wh.a.conf": ""}],
        {"d/a.conf": None, "/srv/a.conf": None},
    ),
    "an absolute link means the image": ([{"opt/a.conf": "1", "etc/nginx/a.conf": link("/opt/a.conf")}], {"a.conf": "1"}),
    "a hard link keeps what it was": (
        [{"opt/a.conf": "1", "etc/nginx/a.conf": link("opt/a.conf", tarfile.LNKTYPE)}, {"opt/a.conf": "2"}],
        {"a.conf": "1", "/opt/a.conf": "2"},
    ),
    "a hard link to a lower layer": (
        [{"opt/a.conf": "1"}, {"etc/nginx/a.conf": link("opt/a.conf", tarfile.LNKTYPE)}],
        {"a.conf": "1"},
    ),
    "./ before names": ([{"./etc/nginx/a.conf": "1"}, {"./etc/nginx/.wh.a.conf": ""}], {"a.conf": None}),
    "a member twice": ([{"etc/nginx/a.conf": "1", "./etc/nginx/a.conf": "2"}], {"a.conf": "2"}),
    "an empty layer": ([{"etc/nginx/a.conf": "1"}, {}], {"a.conf": "1"}),
}  # fmt: skip
LED = {"through a link of a lower layer": "srv/x/b.conf", "an absolute link means the image": "opt/a.conf"}
"""Where the text of a case stands that is included through a link: reports call it so."""


@pytest.mark.parametrize("case", LAYERED)
@pytest.mark.parametrize("pack", ["plain", "gzip"])
def test_layers(case: str, pack: str, tmp_path: Path) -> None:
    layers, expected = LAYERED[case]
    includes = "".join(f"include {name};\n" for name in expected)
    main = {"etc/nginx/nginx.conf": f"{includes}events {{}}\n"}
    commented = [
        {
            name: f"# {text}\n" if isinstance(text, str) and ".wh." not in name else text
            for name, text in layer.items()
        }
        for layer in layers
    ]
    report = scan(in_tar(docker([main, *commented], PACKS[pack]), tmp_path / "it.tar"))
    found = texts(report)
    wanted = {
        name: LED.get(case) or (name[1:] if name.startswith("/") else f"etc/nginx/{name}")
        for name in expected
    }
    assert {name: found.get(wanted[name]) for name in expected} == {
        name: None if text is None else f"# {text}\n" for name, text in expected.items()
    }
    missing = {f.span.line for f in report.active if f.rule == "include-not-found"}
    assert missing == {line for line, text in enumerate(expected.values(), 1) if text is None}


def test_files_that_are_rarely_asked_for_are_unpacked_when_they_are(tmp_path: Path) -> None:
    base: dict[str, Member] = BASE | {
        "etc/nginx/nginx.conf": "events {}\nhttp {\n include /opt/app/sites/*;\n}\n",
        "opt/app/sites/a": SITE,
        "opt/app/sites/b": SITE,
        "opt/app/big": b"\0" * 3_000_000,
    }
    report = scan(in_tar(docker([base], gzip.compress), tmp_path / "it.tar"))
    assert told(report) == [f"opt/app/sites/{name}:1 missing-listen" for name in "ab"]


PLATFORMS: dict[str, tuple[list[str], list[str], str]] = {
    "the first Linux": (
        ["linux/arm64", "linux/amd64"],
        FOUND,
        "linux/amd64 was not analysed, only that for linux/arm64",
    ),
    "no Windows": (
        ["windows/amd64", "linux/amd64"],
        FOUND,
        "windows/amd64 was not analysed, only that for linux/amd64",
    ),
    "one": (["linux/amd64"], FOUND, ""),
}


@pytest.mark.parametrize("case", PLATFORMS)
@pytest.mark.parametrize("nested", [True, False])
def test_platforms(case: str, nested: bool, tmp_path: Path) -> None:
    platforms, expected, note = PLATFORMS[case]
    layout = Oci()
    manifests = [layout.manifest([BASE, SHOP | {"p": each}], each) for each in platforms]
    attestation = layout.manifest([{"x": "y"}], "unknown/unknown")
    attestation["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    if nested:
        layout.add(layout.index(*manifests, attestation), "shop:1")
    else:
        for each in [*manifests, attestation]:
            layout.add(each)
    report = scan(in_tar(layout.files, tmp_path / "it.tar"))
    assert told(report) == expected
    assert [note.partition("the image for ")[2] for note in report.notes] == ([note] if note else [])


def test_a_platform_that_was_not_saved_is_not_mentioned(tmp_path: Path) -> None:
    layout = Oci()
    arm, amd = (layout.manifest([BASE, SHOP | {"p": each}], each) for each in ("linux/arm64", "linux/amd64"))
    del layout.files[f"blobs/sha256/{arm['digest'][7:]}"]
    layout.add(layout.index(arm, amd))
    report = scan(in_tar(layout.files, tmp_path / "it.tar"))
    assert told(report) == FOUND
    assert not report.notes


def test_an_image_for_windows(tmp_path: Path) -> None:
    report = scan(in_tar(oci([BASE], platform="windows/amd64"), tmp_path / "it.tar"))
    assert report.exit_code() == 3
    assert "it is an image for windows/amd64, not for Linux" in report.active[0].message


def test_several_images_are_several_configurations(tmp_path: Path) -> None:
    layout = Oci()
    layout.add(layout.manifest([BASE, SHOP]), "shop:1")
    layout.add(layout.manifest([BASE, SHOP]), "shop:latest")
    layout.add(layout.manifest([BASE]), "base")
    layout.add(layout.manifest([{"etc/passwd": ""}]), "other")
    layout.add(
        layout.blob(
            b'{"layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}]}',
            images.MANIFEST,
        )
    )
    path = in_tar(layout.files, tmp_path / "it.tar")
    report = scan(path)
    places = [f.span.file.removeprefix(path) for f in report.active if f.rule == "missing-listen"]
    assert places == [
        "#base!etc/nginx/conf.d/default.conf",
        "#shop:1!etc/nginx/conf.d/shop.conf",
        "#shop:latest!etc/nginx/conf.d/shop.conf",
    ]
    assert report.remarks == (
        f"{path}#other: the image contains no nginx configuration (nginx.conf or *.conf)",
    )


@pytest.mark.parametrize(
    "command",
    [
        ["nginx", "-c", "/app/web.cfg"],
        ["sh", "-c", "envsubst; exec nginx -g 'daemon off;' -c '/app/web.cfg'"],
    ],
)
def test_the_configuration_that_the_image_starts(command: list[str], tmp_path: Path) -> None:
    main = "events {}\nhttp {\n    include conf.d/*.conf;\n}\n"
    base: dict[str, Member] = BASE | {"app/web.cfg": main, "app/conf.d/own.conf": SITE}
    path = in_tar(docker([base], command=command), tmp_path / "it.tar")
    report = scan(path)
    assert told(report) == ["app/conf.d/own.conf:1 missing-listen"]
    assert report.remarks == (
        f"{path}: the image starts nginx with app/web.cfg",
        f"{path}: also there, and not analysed: etc/nginx/nginx.conf",
    )


def damaged(
    form: Callable[..., dict[str, Member]], change: Callable[[dict[str, Member]], Any]
) -> dict[str, Member]:
    files = form([BASE, SHOP])
    change(files)
    return files


def last_layer(files: dict[str, Member]) -> str:
    return max((name for name in files if name.endswith("layer.tar")), default="")


BAD: dict[str, tuple[Callable[[], dict[str, Member]], str]] = {
    "layer missing": (lambda: damaged(docker, lambda f: f.pop(last_layer(f))), "layer 2 of 2 of the image is not there"),
    "layer leads out": (
        lambda: {"manifest.json": '[{"Layers": ["../../../../etc/passwd"]}]'},
        "layer 1 of 1 of the image is not there: ../../../../etc/passwd",
    ),
    "layer is text": (
        lambda: docker([BASE, SHOP]) | {f"{1:064x}/layer.tar": "text\n" * 500},
        "layer 2 of 2 of the image: it is neither a tar archive nor compressed",
    ),
    "layer is cut": (
        lambda: docker([BASE, SHOP]) | {f"{0:064x}/layer.tar": gzip.compress(tar(BASE))[:-60]},
        "layer 1 of 2 of the image: its gzip data ends in the middle",
    ),
    "layer is broken": (
        lambda: docker([BASE, SHOP]) | {f"{0:064x}/layer.tar": tar(BASE)[:1536] + b"\xff" * 2048},
        "layer 1 of 2 of the image: the tar archive is damaged",
    ),
    "index is no JSON": (lambda: oci([BASE]) | {"index.json": "{"}, "index.json of the image is damaged"),
    "brackets": (lambda: oci([BASE]) | {"index.json": "[" * 100_000}, "index.json of the image is damaged"),
    "manifest of 5 MB": (
        lambda: oci([BASE]) | {"index.json": json.dumps({"x": "y" * 5_000_000})},
        "index.json of the image is damaged",
    ),
    "1001 layers": (lambda: {"manifest.json": json.dumps([{"Layers": ["x"] * 1001}])}, "more than 1,000 layers"),
    "no configuration": (lambda: docker([{"etc/passwd": "x"}]), "the image contains no nginx configuration"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("disk", [True, False])
def test_bad_images(case: str, disk: bool, tmp_path: Path) -> None:
    make, reason = BAD[case]
    path = on_disk(make(), tmp_path / "it") if disk else in_tar(make(), tmp_path / "it.tar")
    report = scan(path)
    assert report.exit_code() == 3
    (finding,) = [f for f in report.active if f.rule == "unreadable-file"]
    assert reason in finding.message
    assert finding.help


STRANGE: dict[str, Any] = {
    "index of itself": lambda f: f | {"index.json": json.dumps({"manifests": [{"digest": "sha256:" + "0" * 64}] * 5000})},
    "numbers": lambda f: f | {"index.json": json.dumps({"manifests": [1, None, {"digest": 5, "annotations": [], "platform": 7}]})},
    "list": lambda f: f | {"index.json": "[[]]"},
    "docker of numbers": lambda f: {"manifest.json": '[{"Layers": [1, {}, null], "RepoTags": 5, "Config": [] }]'},
    "manifest.json of something else": lambda f: {"manifest.json": "{{ template }}", "nginx.conf": MAIN},
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGE)
def test_strange_manifests(case: str, tmp_path: Path) -> None:
    report = scan(in_tar(STRANGE[case](oci([BASE])), tmp_path / "it.tar"))
    assert report.exit_code() in (0, 1, 3)
    assert (report.exit_code() == 3) == ("something else" not in case)


def test_a_link_in_a_layout_on_disk_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.tar"
    secret.write_bytes(tar(BASE))
    layout = Path(on_disk(docker([BASE]), tmp_path / "it"))
    (layout / f"{0:064x}" / "layer.tar").unlink()
    (layout / f"{0:064x}" / "layer.tar").symlink_to(secret)
    report = scan(str(layout))
    assert report.exit_code() == 3
    assert "is not there" in report.active[0].message


def test_links_between_layers_of_old_images(tmp_path: Path) -> None:
    """Older docker save writes a layer once, and links to it."""
    files = docker([BASE, SHOP])
    files[f"{9:064x}/layer.tar"] = files[f"{1:064x}/layer.tar"]
    files[f"{1:064x}/layer.tar"] = link(f"../{9:064x}/layer.tar")
    assert told(scan(in_tar(files, tmp_path / "it.tar"))) == FOUND


@pytest.mark.slow
def test_a_bomb_in_a_layer(tmp_path: Path) -> None:
    info = tarfile.TarInfo("etc/nginx/nginx.conf")
    info.size = 1 << 32
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1 << 20)
    data = b"".join(
        [packer.compress(info.tobuf()), *(packer.compress(piece) for _ in range(300)), packer.flush()]
    )
    report = scan(in_tar(docker([BASE]) | {f"{0:064x}/layer.tar": data}, tmp_path / "it.tar"))
    assert report.exit_code() == 3
    assert "looks like a bomb" in report.active[0].message


def test_a_large_file_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_ARCHIVE_BYTES", 1000)
    base: dict[str, Member] = BASE | {"etc/nginx/conf.d/huge.conf": "#" * (17 << 20)}
    report = scan(in_tar(docker([base, SHOP], gzip.compress), tmp_path / "it.tar"))
    assert report.exit_code() == 3
    assert "more than the limit of 16 MiB" in " ".join(f.message for f in report.active)


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tartree, "MAX_HEADERS", 5)
    assert "more than 5 members" in scan(in_tar(oci([BASE]), tmp_path / "it.tar")).active[0].message
    monkeypatch.undo()
    monkeypatch.setattr(image, "MAX_IMAGES", 1)
    layout = Oci()
    layout.add(layout.manifest([BASE]), "a")
    layout.add(layout.manifest([BASE]), "b")
    report = scan(in_tar(layout.files, tmp_path / "it.tar"))
    assert report.exit_code() == 3
    assert "those after the first 1 were not analysed" in " ".join(f.message for f in report.active)


def test_zstd_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for path in (
        in_tar(oci([BASE], zstd), tmp_path / "layers.tar"),
        in_tar(oci([BASE]), tmp_path / "whole.tar.zst", zstd),
    ):
        report = scan(path)
        assert report.exit_code() == 3
        (finding,) = report.active
        assert "reading that needs zstandard, which is not installed" in finding.message
        assert finding.help == "pip install 'nginxaudit[zstd]'"


NAMES = ("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "l", "l/a", "l/b", "d/l/a")


def random_layers(chance: random.Random) -> Layers:
    """Layers with files, directories, links and whiteouts that get in each other's way."""
    layers: list[dict[str, Member]] = []
    for number in range(chance.randint(1, 4)):
        layer: dict[str, Member] = {}
        for _ in range(chance.randint(1, 6)):
            name, kind = chance.choice(NAMES), chance.random()
            above, _, last = name.rpartition("/")
            if kind < 0.4:
                layer[name] = f"{number} {name} {chance.random()}"
            elif kind < 0.55:
                layer[f"{name}/"] = None
            elif kind < 0.7:
                layer[name] = link(chance.choice(["d", "/d", "../d", "d/e", "a", "/b", "nowhere"]))
            elif kind < 0.76:
                layer[name] = link(chance.choice(NAMES), tarfile.LNKTYPE)
            elif number and kind < 0.9:
                layer[f"{above}/.wh.{last}" if above else f".wh.{last}"] = ""
            elif number:
                layer[f"{name}/.wh..wh..opq"] = ""
        layers.append(layer)
    return layers


def as_read(layout: str) -> dict[str, object]:
    """The files of the image in ``layout``, as nginxaudit sees them."""
    store = packed.LayoutDirectory(layout, EVERYWHERE)
    (found,) = image.images_in(store)
    tree = packed.tree_of(found, store, "x", "x", DEFAULTS)  # its files are open as long as it is known
    todo: list[tuple[str, Node]] = [("", tree.top)]
    files: dict[str, object] = {}
    for path, node in todo:
        if isinstance(node, Directory):
            todo += ((f"{path}/{name}" if path else name, each) for name, each in node.items())
            files[path] = "a directory"
        elif node.target is not None:
            files[path] = ("a link", node.target)
        else:
            assert node.data is not None
            files[path] = node.data.read(node.start, node.size)
    return files


def as_unpacked(layout: str, directory: Path) -> dict[str, object]:
    """The files of the image in ``layout``, as umoci unpacks them."""
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    subprocess.run(
        ["umoci", "unpack", *rootless, "--image", f"{layout}:it", directory], check=True, capture_output=True
    )
    top = directory / "rootfs"
    files: dict[str, object] = {"": "a directory"}
    for path in top.rglob("*"):
        name = str(path.relative_to(top))
        if path.is_symlink():
            files[name] = ("a link", os.readlink(path))
        else:
            files[name] = "a directory" if path.is_dir() else path.read_bytes()
    return files


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("umoci") is None, reason="no umoci: layers are not compared with another reader"
)
def test_layers_are_what_umoci_unpacks(tmp_path: Path) -> None:
    chance = random.Random(7)
    cases = [layers for layers, _ in LAYERED.values()] + [random_layers(chance) for _ in range(60)]
    compared = 0
    for number, layers in enumerate(cases):
        layout = Oci()
        manifest = layout.manifest(layers)
        manifest["annotations"] = {"org.opencontainers.image.ref.name": "it"}
        layout.add(manifest)
        path = on_disk(layout.files, tmp_path / str(number))
        try:
            expected = as_unpacked(path, tmp_path / f"{number}-unpacked")
        except subprocess.CalledProcessError:
            continue  # a link through itself, a whiteout of nothing
        assert as_read(path) == expected, layers
        compared += 1
    assert compared > 40


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_break_nothing(seed: int, tmp_path: Path) -> None:
    """What is damaged is reported, or reads as something else; nothing is raised."""
    chance = random.Random(seed)
    wholes = [
        tar(form([BASE, SHOP], pack)) for form in (docker, oci) for pack in (plain, gzip.compress, zstd)
    ]
    wholes += [gzip.compress(wholes[0]), lzma.compress(wholes[0]), zstd(wholes[0])]
    for _ in range(60):
        data = bytearray(chance.choice(wholes))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data) or 1)
            change = chance.random()
            if change < 0.6:
                data[at : at + 1] = bytes([chance.randrange(256)])
            elif change < 0.8:
                del data[at : at + chance.randint(1, 2000)]
            else:
                data[at:at] = data[: chance.randint(1, 600)]
        report = audit(["-"], Settings(select=("missing-listen",)), stdin=io.BytesIO(bytes(data)))
        assert not report.crashes
        assert report.exit_code() in (0, 1, 3)
