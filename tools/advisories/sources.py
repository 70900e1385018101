"""What the sources say of each CVE: nginx's own list (XML or HTML) and exports of OSV (JSON, a list, JSON lines, a directory, a zip)."""

from __future__ import annotations

import html
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools.advisories.ranges import Events, events_of, number

_ITEM = re.compile(r"<item\b(.*?)>", re.S)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_PART = re.compile(r"<li>(.*?)(?=<li>|</ul>|\Z)", re.S)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_RELEASE = re.compile(r"(?:release-|v)?(\d+\.\d+\.\d+)")
_OF_NGINX = ("nginx/nginx", "nginx/nginx.git")


class Said(NamedTuple):
    """What one source says of a CVE; what it does not say is None or empty. ``elsewhere``: versions of distributions, to be read."""

    cve: str
    source: str
    summary: str = ""
    severity: str | None = None
    url: str | None = None
    published: str | None = None
    withdrawn: str | None = None
    platform: str | None = None
    events: Events | None = None
    elsewhere: tuple[str, ...] = ()


def of_nginx(text: str) -> Iterator[Said]:
    """The advisories of nginx's list. Raises `ValueError` for versions that are not understood."""
    items = [dict(_ATTRIBUTE.findall(each)) for each in _ITEM.findall(text)] or [
        _html_item(each) for each in _PART.findall(text)
    ]
    for each in items:
        cve = re.search(r"\d{4}-\d{4,}", each.get("cve", ""))
        if cve is None:
            continue  # the oldest have none
        vulnerable = each.get("vulnerable", "")
        try:
            events = events_of(vulnerable, each.get("good", ""))
        except ValueError as error:
            raise ValueError(f"CVE-{cve[0]}: {error}") from None
        yield Said(
            f"CVE-{cve[0]}",
            "nginx",
            html.unescape(each.get("name", "")),
            each.get("severity") or None,
            each.get("advisory") or None,
            platform="windows" if "Windows" in vulnerable else None,
            events=events or None,
        )


def _html_item(text: str) -> dict[str, str]:
    """An entry of the page: title, severity, links and versions, a line each."""
    lines = [re.sub(r"<[^>]*>", "", line).strip() for line in re.split(r"<br\s*/?>|</p>", text)]
    links = re.findall(r'<a href="([^"]+)"[^>]*>\s*Advisory', text)
    item = {"name": lines[0], "advisory": links[0] if links else ""}
    cve = _CVE.search(text)
    item["cve"] = cve[0] if cve else ""
    for line in lines:
        word, _, value = line.partition(":")
        key = {"severity": "severity", "not vulnerable": "good", "vulnerable": "vulnerable"}.get(word.lower())
        if key:
            item[key] = value.strip()
    return item


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of an export of OSV. Raises `ValueError` and `OSError`."""
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield from _parsed(file.read_text(encoding="utf-8"), str(file))
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json"):
                    yield from _parsed(archive.read(name).decode("utf-8"), name)
    else:
        yield from _parsed(path.read_text(encoding="utf-8"), str(path))


def _parsed(text: str, name: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            found = [json.loads(line) for line in lines]
        except ValueError as error:
            raise ValueError(f"{name}: no JSON: {error}") from None
    for each in found.get("advisories", [found]) if isinstance(found, dict) else found:
        if isinstance(each, dict) and "id" in each:
            yield each


def of_osv(record: dict[str, Any]) -> Said | None:
    """What a record of OSV says of nginx; None where it is about something else, or has no CVE."""
    names = [
        record["id"],
        *record.get("aliases", ()),
        *record.get("upstream", ()),
        *record.get("related", ()),
    ]
    cve = next((each for name in names if (each := _CVE.search(name))), None)
    about = [each for each in record.get("affected", ()) if _is_nginx(each)]
    if cve is None or not about:
        return None
    events: Events | None = None
    elsewhere: list[str] = []
    for each in about:
        own = _upstream(each)
        if own:
            events = [*(events or ()), *own]
        else:
            elsewhere += _fixed_in(each)
    links = [each["url"] for each in record.get("references", ()) if each.get("type") == "ADVISORY"]
    return Said(
        cve[0],
        record["id"],
        record.get("summary", ""),
        url=links[0] if links else None,
        published=record.get("published"),
        withdrawn=record.get("withdrawn"),
        events=events,
        elsewhere=tuple(dict.fromkeys(elsewhere)),
    )


def _is_nginx(affected: dict[str, Any]) -> bool:
    package = affected.get("package") or {}
    repositories = [each.get("repo", "") for each in affected.get("ranges", ())]
    return package.get("name") == "nginx" or any(
        each.rstrip("/").endswith(_OF_NGINX) for each in repositories
    )


def _upstream(affected: dict[str, Any]) -> Events:
    """Events with versions of nginx itself: a distribution has versions of its own, and git names commits."""
    found: Events = []
    for each in affected.get("ranges", ()):
        said = each.get("events", ())
        if each.get("type") == "GIT":
            said = (each.get("database_specific") or {}).get("versions", ())
        elif each.get("type") != "SEMVER":
            continue
        for event in said:
            for key, value in event.items():
                version = _RELEASE.fullmatch(str(value))
                if version or value == "0":
                    found.append({key: version[1] if version else "0"})
    return sorted(found, key=_order)


def _order(event: dict[str, str]) -> tuple[tuple[int, ...], int]:
    key, value = next(iter(event.items()))
    return (0,) if value == "0" else number(value), key != "fixed"


def _fixed_in(affected: dict[str, Any]) -> Iterator[str]:
    ecosystem = (affected.get("package") or {}).get("ecosystem", "")
    for each in affected.get("ranges", ()):
        for event in each.get("events", ()):
            if "fixed" in event and each.get("type") == "ECOSYSTEM":
                yield f"{ecosystem} {event['fixed']}"
