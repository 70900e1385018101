"""Container images for tests, built as docker save, OCI tools and skopeo write them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Member = (
    str | bytes | tarfile.TarInfo | None
)  # text or bytes of a file, anything else, or None for a directory
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ALIKE: Callable[[bytes], bytes] = bytes


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo("")
    info.type, info.linkname = kind, target
    return info


def tar(members: Mapping[str, Member]) -> bytes:
    """A tar archive of the members, in order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tarfile.TarInfo):
                info = content
                info.name = name
                archive.addfile(info)
            elif content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                data = content.encode() if isinstance(content, str) else content
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


Layers = Sequence[Mapping[str, Member]]


def config(platform: str = "linux/amd64", command: Sequence[str] = (), layers: Sequence[bytes] = ()) -> bytes:
    system, _, architecture = platform.partition("/")
    digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    data = {"os": system, "architecture": architecture, "config": {"Cmd": list(command)}}
    return json.dumps(data | {"rootfs": {"type": "layers", "diff_ids": digests}}).encode()


def docker(layers: Layers, pack: Callable[[bytes], bytes] = ALIKE, **more: Any) -> dict[str, Member]:
    """Files of ``docker save`` as it was until version 24: a directory for each layer."""
    found: dict[str, Member] = {"c.json": config(**more)}
    for number, layer in enumerate(layers):
        found[f"{number:064x}/"] = None
        found[f"{number:064x}/layer.tar"] = pack(tar(layer))
    names = [name for name in found if name.endswith("layer.tar")]
    found["manifest.json"] = json.dumps([{"Config": "c.json", "RepoTags": ["shop:1"], "Layers": names}])
    return found


class Oci:
    """A layout that grows."""

    def __init__(self, pack: Callable[[bytes], bytes] = gzip.compress) -> None:
        self.pack = pack
        self.files: dict[str, Member] = {"oci-layout": '{"imageLayoutVersion": "1.0.0"}'}
        self.manifests: list[dict[str, Any]] = []

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    def manifest(self, layers: Layers, platform: str = "", **more: Any) -> dict[str, Any]:
        plain = [tar(layer) for layer in layers]
        about = config(platform or "linux/amd64", layers=plain, **more)
        data = {
            "schemaVersion": 2,
            "config": self.blob(about, "application/vnd.oci.image.config.v1+json"),
            "layers": [self.blob(self.pack(layer), LAYER) for layer in plain],
        }
        found = self.blob(json.dumps(data).encode(), MANIFEST)
        if platform:
            system, _, architecture = platform.partition("/")
            found["platform"] = {"os": system, "architecture": architecture}
        return found

    def index(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        return self.blob(json.dumps({"mediaType": INDEX, "manifests": list(manifests)}).encode(), INDEX)

    def add(self, descriptor: dict[str, Any], name: str = "") -> Oci:
        notes = {"annotations": {"io.containerd.image.name": name}} if name else {}
        self.manifests.append(descriptor | notes)
        self.files["index.json"] = json.dumps({"manifests": self.manifests})
        return self


def oci(layers: Layers, pack: Callable[[bytes], bytes] = gzip.compress, **more: Any) -> dict[str, Member]:
    """Files of an OCI layout that holds one image."""
    layout = Oci(pack)
    return layout.add(layout.manifest(layers, **more)).files


def docker25(layers: Layers, pack: Callable[[bytes], bytes] = ALIKE, **more: Any) -> dict[str, Member]:
    """Files of ``docker save`` since version 25: an OCI layout, and a manifest.json beside."""
    files = oci(layers, pack, **more)
    manifest = json.loads(
        next(data for data in files.values() if isinstance(data, bytes) and b"schemaVersion" in data)
    )
    names = [f"blobs/sha256/{each['digest'][7:]}" for each in manifest["layers"]]
    files["manifest.json"] = json.dumps([{"Config": "", "RepoTags": ["shop:1"], "Layers": names}])
    return files


def skopeo(layers: Layers, pack: Callable[[bytes], bytes] = gzip.compress, **more: Any) -> dict[str, Member]:
    """Files of ``skopeo copy … dir:DIRECTORY``."""
    files = oci(layers, pack, **more)
    found = {name.rsplit("/", 1)[1]: data for name, data in files.items() if name.startswith("blobs/")}
    name = next(name for name, data in found.items() if isinstance(data, bytes) and b"schemaVersion" in data)
    return {"version": "Directory Transport Version: 1.1\n", "manifest.json": found.pop(name), **found}


def on_disk(files: Mapping[str, Member], directory: Path) -> str:
    """The files in a directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str | bytes):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(directory)


def in_tar(files: Mapping[str, Member], path: Path, pack: Callable[[bytes], bytes] = ALIKE) -> str:
    """The files in an archive."""
    path.write_bytes(pack(tar(files)))
    return str(path)
