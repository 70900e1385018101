"""Container images as ``docker save``, ``podman save``, ``skopeo``, ``buildah``, ``kaniko`` and ``crane`` write them.

What their manifests name, as data: which layers make which image. Paths come from strangers and lead nowhere but into
the layout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from msgspec import Struct

from nginxaudit.source.read import ReadError, Unreadable

MAX_IMAGES = 16
_MOST_LAYERS = 1000  # docker takes 127
_MOST_MANIFESTS = 1000
_LARGEST_MANIFEST = 4 << 20  # as registries have it
_DEEPEST = 4  # of indexes that name indexes
_DIGEST = re.compile(r"(?P<method>sha256|sha512):(?P<hex>[0-9a-f]{64,128})")
_STARTED = re.compile(r"""-c\s+["']?(/[^\s"';&|]+)""")  # nginx -c FILE, also within sh -c "…"
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class Store(Protocol):
    """The files of a layout: an archive, or a directory."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def open(self, name: str) -> BinaryIO:
        """The file, which can be sought in. Raises `ReadError`."""


class Image(Struct, frozen=True):
    """One image: the names of its layers in the store, the lowest first.

    ``started`` are the configurations that its command names. ``others`` are further platforms in the store.
    """

    name: str
    platform: str
    layers: tuple[str, ...]
    started: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def is_layout(store: Store) -> bool:
    """Whether a store may hold images, by the names of its files."""
    return store.has("manifest.json") or (store.has("index.json") and store.has("oci-layout"))


def images_in(store: Store) -> list[Image]:
    """The images of ``store``, each for one platform; none where it is no layout. Raises `ReadError`."""
    if store.has("oci-layout") and store.has("index.json"):
        found = list(_of_index(store, _list(_dict(_json(store, "index.json")).get("manifests"))))
        if found:
            return found
    if not store.has("manifest.json"):
        return []
    try:
        data = _json(store, "manifest.json")
    except ReadError:
        return []  # many other things are called so
    if isinstance(data, list):  # of docker save
        return [_of_docker(store, each) for each in map(_dict, data) if "Layers" in each]
    if isinstance(data, dict) and "layers" in data:  # of skopeo copy … dir:
        return [image for leaf in _leaves(store, data, {}, 0) if (image := _image(store, "", leaf))]
    return []


def _of_docker(store: Store, entry: dict[str, Any]) -> Image:
    config = _config(store, _text(entry.get("Config")))
    tags = [_text(tag) for tag in _list(entry.get("RepoTags"))]
    layers = tuple(map(_text, _list(entry["Layers"])))
    return Image(tags[0] if tags else "", _platform(config), _bounded(layers), _started(config))


# -- OCI: an index names manifests, and other indexes


class _Leaf(Struct, frozen=True):
    """A manifest, with the platform that an index says it is for."""

    manifest: dict[str, Any]
    platform: dict[str, Any]


def _of_index(store: Store, descriptors: list[Any]) -> Iterator[Image]:
    """An image for each name, and for each manifest without a name that is for no platform."""
    groups: dict[str, list[_Leaf]] = {}
    for descriptor in map(_dict, descriptors[:_MOST_MANIFESTS]):
        annotations = _dict(descriptor.get("annotations"))
        name = next((_text(annotations[key]) for key in _NAMES if key in annotations), "")
        key = name or ("" if descriptor.get("platform") else _text(descriptor.get("digest")))
        groups.setdefault(key, []).extend(_leaves_at(store, descriptor, 0))
    for key, leaves in groups.items():
        images = [image for leaf in leaves if (image := _image(store, key, leaf))]
        images = list({image.layers: image for image in reversed(images)}.values())[::-1]
        chosen = next((image for image in images if image.platform.startswith("linux")), None)
        chosen = chosen or (images[0] if images else None)
        if chosen is not None:
            others = tuple(image.platform for image in images if image is not chosen)
            name = "" if _DIGEST.fullmatch(key) else key
            yield Image(name, chosen.platform, chosen.layers, chosen.started, others)


def _leaves_at(store: Store, descriptor: dict[str, Any], depth: int) -> Iterator[_Leaf]:
    """The manifests behind a descriptor; what is not in the store was not saved."""
    if "vnd.docker.reference.type" in _dict(descriptor.get("annotations")):  # an attestation
        return
    name = _blob(store, _text(descriptor.get("digest")))
    if name is not None:
        yield from _leaves(store, _dict(_json(store, name)), _dict(descriptor.get("platform")), depth)


def _leaves(store: Store, data: dict[str, Any], platform: dict[str, Any], depth: int) -> Iterator[_Leaf]:
    if "layers" in data:
        yield _Leaf(data, platform)
    elif depth < _DEEPEST:
        for descriptor in _list(data.get("manifests"))[:_MOST_MANIFESTS]:
            yield from _leaves_at(store, _dict(descriptor), depth + 1)


def _image(store: Store, name: str, leaf: _Leaf) -> Image | None:
    """The image of a manifest; None for what is no image: a signature, a chart."""
    layers = [_dict(each) for each in _list(leaf.manifest["layers"])]
    kinds = [_text(each.get("mediaType")) for each in layers]
    if kinds and not any("tar" in kind for kind in kinds):
        return None
    digests = [_text(each.get("digest")) for each in layers]
    config_name = _blob(store, _text(_dict(leaf.manifest.get("config")).get("digest")))
    config = _config(store, config_name) if config_name else {}
    if "helm" in _text(_dict(leaf.manifest.get("config")).get("mediaType")):
        return None
    blobs = tuple(_blob(store, digest) or digest for digest in digests)
    return Image(name, _platform(leaf.platform or config), _bounded(blobs), _started(config))


def _blob(store: Store, digest: str) -> str | None:
    """Name of a blob in the store."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        return None
    names = (f"blobs/{match['method']}/{match['hex']}", match["hex"], f"{match['hex']}.tar")
    return next((name for name in names if store.has(name)), None)


# -- reading what strangers wrote


def _config(store: Store, name: str) -> dict[str, Any]:
    return _dict(_json(store, name)) if name and store.has(name) else {}


def _platform(data: dict[str, Any]) -> str:
    """``linux/arm64/v8``; "linux" where nothing is said."""
    parts = [_text(data.get(key)) for key in ("os", "architecture", "variant")]
    return "/".join(filter(None, parts)) or "linux"


def _started(config: dict[str, Any]) -> tuple[str, ...]:
    """Configurations that an image's command names."""
    run = _dict(config.get("config"))
    words = " ".join(_text(word) for key in ("Entrypoint", "Cmd") for word in _list(run.get(key)))
    return tuple(dict.fromkeys(_STARTED.findall(words))) if "nginx" in words or "openresty" in words else ()


def _bounded(layers: tuple[str, ...]) -> tuple[str, ...]:
    if len(layers) > _MOST_LAYERS:
        raise ReadError(
            Unreadable.REFUSED, f"the image has more than {_MOST_LAYERS:,} layers", "Make it anew."
        )
    return layers


def _json(store: Store, name: str) -> Any:
    with store.open(name) as file:
        data = file.read(_LARGEST_MANIFEST + 1)
    try:
        if len(data) <= _LARGEST_MANIFEST:
            return json.loads(data)
    except (ValueError, RecursionError):
        pass
    raise ReadError(
        Unreadable.REFUSED,
        f"{name} of the image is damaged: it is not a JSON manifest",
        "Make the image anew.",
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
