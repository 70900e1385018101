"""Kubernetes manifests: the configurations in ConfigMaps and Secrets, the snippets of ingress controllers.

Where a key will be mounted is not known here: an include takes the key that has the file's name.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from nginxaudit.nginx.secrets import secrets_in
from nginxaudit.source.compressed import plain_name
from nginxaudit.source.embedded import EmbeddedText, Scalar, stretches_of, veiled
from nginxaudit.source.limits import DEFAULTS, Limits, raised, spoken
from nginxaudit.source.nodes import Node, documents
from nginxaudit.source.read import ReadError, Unreadable, decode
from nginxaudit.source.root import Root, Roots, Unread
from nginxaudit.source.siblings import Holder, Keys, Siblings, is_configuration
from nginxaudit.source.text import SourceText

_Mapping: TypeAlias = "dict[str, Node]"

_STATEMENT = re.compile(r"^[ \t]*[^\s#;<\[][^#\n]*[;{}][ \t\r]*(?:#.*)?$", re.MULTILINE)
_LONE = re.compile("[\ud800-\udfff]")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_SNIPPET_KEYS = {
    "main-snippet": "main",
    "http-snippet": "http",
    "server-snippet": "http,server",
    "location-snippet": "http,server,location",
    "stream-snippet": "stream",
    "main-snippets": "main",  # of NGINX's own controller
    "http-snippets": "http",
    "server-snippets": "http,server",
    "location-snippets": "http,server,location",
    "stream-snippets": "stream",
}
"""Keys of a controller's ConfigMap, and where the controller puts their text."""

_INGRESS_NGINX = "nginx.ingress.kubernetes.io/"
_ANNOTATIONS = {
    f"{_INGRESS_NGINX}server-snippet": "http,server",
    f"{_INGRESS_NGINX}configuration-snippet": "http,server,location",
    f"{_INGRESS_NGINX}location-snippet": "http,server,location",
    f"{_INGRESS_NGINX}auth-snippet": "http,server,location",
    f"{_INGRESS_NGINX}stream-snippet": "stream",
    "nginx.org/server-snippets": "http,server",
    "nginx.org/location-snippets": "http,server,location",
}
"""Annotations of an Ingress, likewise."""


class NoConfigurationError(ReadError):
    """A manifest without configuration of nginx."""


def roots_of_manifest(host: SourceText, limits: Limits = DEFAULTS) -> Roots:
    """Configurations of the manifest ``host``. Raises `ReadError`."""
    reading = _ManifestReader(host, is_json=plain_name(host.path).endswith(".json"), limits=limits)
    reading.run()
    if not reading.found:
        raise NoConfigurationError(
            Unreadable.REFUSED,
            "it contains no nginx configuration (a ConfigMap or Secret with a key NAME.conf, or an ingress snippet)",
            "Leave it out.",
        )
    return reading.found


class _ManifestReader:
    def __init__(self, host: SourceText, *, is_json: bool, limits: Limits) -> None:
        self._limits = limits
        self._size = 0  # of all texts: an alias is a text once more
        self.found = Roots()
        self._host = host
        self._is_json = is_json
        self._labels: Counter[str] = Counter()
        self._objects: list[Holder] = []
        self._embedded: list[EmbeddedText] = []
        self._veils: list[tuple[int, int]] = []  # what no report may show

    def run(self) -> None:
        """Fill ``found``."""
        for item in _objects(documents(self._host.text, is_json=self._is_json)):
            kind = _word(item.get("kind"))
            if kind == "Ingress":
                self._snippets(
                    item, _mapping(_mapping(item.get("metadata")).get("annotations")), _ANNOTATIONS
                )
            elif kind in ("ConfigMap", "Secret"):
                self._holder(item, kind)
        keys = Keys(self._objects, self._limits)
        for each in self._objects:
            self._roots(each, keys)
        shown = veiled(self._host, self._veils)
        for embedded in self._embedded:
            embedded.show_in(shown)

    def _holder(self, item: _Mapping, kind: str) -> None:
        held = Holder(self._label(item))
        secret = kind == "Secret"
        plain = _mapping(item.get("stringData" if secret else "data"))
        coded = _mapping(item.get("data" if secret else "binaryData"))
        if not secret:
            self._snippets(item, plain, _SNIPPET_KEYS, held.label)
        for key, node in plain.items():
            if isinstance(node, Scalar) and not (key in _SNIPPET_KEYS and not secret):
                self._keep(held, key, node, node.value)
        for key, node in coded.items():
            if isinstance(node, Scalar):
                self._veil(node)
                self._decode(held, key, node)
        if secret:
            self._veil_rest(item, plain)
        self._objects.append(held)

    def _snippets(self, item: _Mapping, values: _Mapping, known: dict[str, str], label: str = "") -> None:
        for key, context in known.items():
            node = values.get(key)
            if isinstance(node, Scalar) and node.value.strip():
                label = label or self._label(item)
                source = self._embed(f"{label}/{key.rsplit('/', 1)[-1]}", node, node.value)
                self.found.roots.append(Root(source, Siblings(None, Keys(())), context=context))

    def _label(self, item: _Mapping) -> str:
        """Name of an object, which no other of the manifest has."""
        metadata = _mapping(item.get("metadata"))
        kind, name = _word(item.get("kind")).lower(), _word(metadata.get("name")) or "unnamed"
        label = f"{kind}/{name}"
        if label in self._labels:
            label = f"{kind}/{_word(metadata.get('namespace')) or 'default'}/{name}"
        first = label
        while label in self._labels:
            self._labels[first] += 1
            label = f"{first}~{self._labels[first]}"
        self._labels[label] = 1
        return label

    def _decode(self, held: Holder, key: str, node: Scalar) -> None:
        try:
            data = base64.b64decode("".join(node.value.split()), validate=True)
            text = decode(data)
        except (binascii.Error, ValueError) as error:
            self._told(held, key, node, f"it is not base64: {error}")
        except ReadError as error:
            self._told(held, key, node, str(error))
        else:
            self._keep(held, key, node, text)

    def _told(self, held: Holder, key: str, node: Scalar, reason: str) -> None:
        """Say that a key is no text, if it should be."""
        if key.endswith(".conf"):
            line = self._host.position(node.start)[0]
            told = f"line {line}: {key} of {held.label}: {reason}"
            error = ReadError(Unreadable.REFUSED, told, "Fix the value of the key.")
            self.found.unread.append(Unread(self._host.path, error))

    def _keep(self, held: Holder, key: str, node: Scalar, text: str) -> None:
        if "\0" in text:
            self._told(held, key, node, "it is a binary file")
            return
        held.texts[key] = self._embed(f"{held.label}/{key}", node, text)

    def _embed(self, name: str, node: Scalar, text: str) -> EmbeddedText:
        host = self._host
        self._size += len(text)
        if self._size > max(self._limits.max_file_size, len(host.text)):
            raise ReadError(
                Unreadable.LIMIT,
                f"its texts have more than {spoken(self._limits.max_file_size)}, each alias counted",
                f"Scan its parts, {raised('max_file_size')}.",
            )
        stretches = stretches_of(host.text, node) if text is node.value else None
        text = _LONE.sub("\ufffd", text) if text is node.value else text
        source = EmbeddedText(
            f"{host.path}#{name}", text, f"manifest:{host.real}#{name}", host, node, stretches
        )
        self._embedded.append(source)
        for first, last in secrets_in(text):
            if stretches is None:
                self._veil(node)
            else:
                span = source.in_host(first, last)
                self._veils.append((span.start, span.end))
        return source

    def _veil(self, node: Scalar) -> None:
        start = node.start
        if node.style in ("|", ">"):  # the line of the key may be seen
            start += self._host.text[start : node.end].find("\n") + 1
        self._veils.append((start, node.end))

    def _veil_rest(self, item: _Mapping, plain: _Mapping) -> None:
        """What a Secret holds besides configurations, and the copy of it that kubectl keeps."""
        for key, node in plain.items():
            if isinstance(node, Scalar) and not is_configuration(key, node.value):
                self._veil(node)
        copy = _mapping(_mapping(item.get("metadata")).get("annotations")).get(_APPLIED)
        if isinstance(copy, Scalar):
            self._veil(copy)

    def _roots(self, held: Holder, keys: Keys) -> None:
        mains = list(held.mains())
        for source in mains:
            self.found.roots.append(Root(source, Siblings(held, keys, source), searched=True))
        for source in held.fragments():
            if mains:
                self.found.loose.append(Root(source, Siblings(held, keys, source), searched=True))
            elif not source.text.strip() or _STATEMENT.search(source.text):  # redis.conf is none of ours
                self.found.roots.append(Root(source, Siblings(held, keys, source), searched=True))


def _objects(roots: list[Node]) -> Iterator[_Mapping]:
    """The objects of documents and of lists of objects, each once."""
    todo = list(reversed(roots))
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, Scalar) or node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, list):
            todo.extend(reversed(node))
        elif isinstance(node, dict):
            items = node.get("items")
            if isinstance(items, list):
                todo.append(items)
            else:
                yield node


def _mapping(node: Node) -> _Mapping:
    return node if isinstance(node, dict) else {}


def _word(node: Node) -> str:
    return node.value if isinstance(node, Scalar) else ""
