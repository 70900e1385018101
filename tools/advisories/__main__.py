"""Renew the advisories from local copies of what others publish; nothing is downloaded.

    python -m tools.advisories [--nginx security_advisories.xml] [--osv EXPORT]... [--date 2026-11-28] [--write]

--nginx is nginx's own list (https://nginx.org/en/security_advisories.html, or the XML that it is made of); --osv an export of
OSV: a record, a list, JSON lines, a directory or a zip of records (https://osv.dev). Both are compared with
nginxaudit/nginx/data/advisories.json: versions and severities of nginx's list are taken over, new CVEs get a record. What must be
configured for a flaw to be reached is in neither: people read the advisory and write it, and what they wrote is kept.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nginxaudit.nginx.advisories import parse_advisories
from tools.advisories.ranges import Events
from tools.advisories.sources import Said, of_nginx, of_osv, records

FILE = Path(__file__).parents[2] / "nginxaudit" / "nginx" / "data" / "advisories.json"
_NOTE = "needs: to be looked at"
Record = dict[str, Any]


def renewed(known: list[Record], said: Iterable[Said]) -> tuple[list[Record], list[str]]:
    """The records with what the sources say, newest first, and in words what has changed."""
    made = {each["id"]: each for each in known}
    order = [each["id"] for each in known]
    new: list[str] = []
    lines: list[str] = []
    for each in said:
        have = made.get(each.cve)
        if have is not None and each.source == "nginx":
            made[each.cve], changes = _taken_over(have, each)
            lines += [f"{each.cve}: {change}" for change in changes]
        elif have is not None:
            made[each.cve], changes = _completed(have, each)
            lines += [f"{each.cve} ({each.source}): {change}" for change in changes]
        elif each.events:
            made[each.cve] = _new(each)
            new.append(each.cve)
            lines.append(f"{each.cve}: new, {each.summary or each.source}: check what must be configured")
        else:
            where = f": fixed in {', '.join(each.elsewhere)}" if each.elsewhere else ""
            lines.append(f"{each.cve} ({each.source}): no versions of nginx itself, to be looked at{where}")
    new.sort(key=_newest_first)
    return [made[cve] for cve in [*new, *order]], list(dict.fromkeys(lines))


def _newest_first(cve: str) -> tuple[int, int]:
    year, number = map(int, re.findall(r"\d+", cve))
    return -year, -number


def _new(said: Said) -> Record:
    specific = {"component": "", **({"platform": said.platform} if said.platform else {})}
    own = {
        "package": {"ecosystem": "nginx", "name": "nginx"},
        "ranges": [{"type": "SEMVER", "events": said.events}],
        "ecosystem_specific": {key: value for key, value in specific.items() if value},
    }
    record: Record = {"id": said.cve, "summary": said.summary}
    if said.published:
        record["published"] = said.published
    url = said.url or f"https://www.cve.org/CVERecord?id={said.cve}"
    return {
        **record,
        "affected": [own],
        "references": [{"type": "ADVISORY", "url": url}],
        "database_specific": {"severity": said.severity or "unknown", "note": _NOTE},
    }


def _taken_over(record: Record, said: Said) -> tuple[Record, list[str]]:
    """``record`` with versions and severity of nginx's list."""
    changes = []
    made = json.loads(json.dumps(record))
    severity = made.setdefault("database_specific", {}).get("severity", "unknown")
    if said.severity and said.severity != severity:
        made["database_specific"]["severity"] = said.severity
        changes.append(f"severity: {severity} -> {said.severity}")
    if said.events and _stretches(record) != _stretches(_new(said)):
        own = next(each for each in made["affected"] if each["package"]["name"] == "nginx")
        changes.append(f"versions: {_words(_events(own))} -> {_words(said.events)}")
        own["ranges"] = [{"type": "SEMVER", "events": said.events}]
    return made, changes


def _completed(record: Record, said: Said) -> tuple[Record, list[str]]:
    """``record`` with dates that only OSV has; versions that differ are named and left: OSV's are made of others' words."""
    changes, made = [], dict(record)
    for key in ("published", "withdrawn"):
        value = getattr(said, key)
        if value and key not in record:
            made[key] = value
            changes.append(f"{key}: {value}")
    if said.events and _stretches(record) != _stretches(_new(said)):
        own = next(each for each in record["affected"] if each["package"]["name"] == "nginx")
        changes.append(
            f"versions differ, to be looked at: {_words(_events(own))}, there {_words(said.events)}"
        )
    return made, changes


def _events(affected: Record) -> Events:
    return [event for each in affected["ranges"] for event in each["events"]]


def _words(events: Events) -> str:
    return ", ".join(f"{key} {value}" for event in events for key, value in event.items())


def _stretches(record: Record) -> object:
    text = json.dumps({"format": 1, "date": "", "advisories": [{**record, "withdrawn": None}]})
    return parse_advisories(text).entries[0].affected


def render(date: str, made: list[Record]) -> str:
    """The file, an advisory a line."""

    def pack(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    lines = ",\n".join(map(pack, made))
    return f'{{\n"format":1,\n"date":{pack(date)},\n"advisories":[\n{lines}\n]\n}}\n'


def main() -> None:
    """Read the sources, report, and write where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nginx", type=Path, help="a copy of nginx's list, XML or HTML")
    parser.add_argument("--osv", type=Path, action="append", default=[], help="an export of OSV")
    parser.add_argument("--date", help="the day on which the sources were copied")
    parser.add_argument("--write", action="store_true", help=f"rewrite {FILE.name}")
    asked = parser.parse_args()
    if asked.write and not asked.date:
        parser.error("--write needs --date: reports say up to which day advisories are known")
    try:
        said = [] if asked.nginx is None else list(of_nginx(asked.nginx.read_text(encoding="utf-8")))
        if asked.nginx is not None and not said:
            parser.error(f"{asked.nginx}: it has no advisories")
        for path in asked.osv:
            said += [each for record in records(path) if (each := of_osv(record))]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    document = json.loads(FILE.read_text(encoding="utf-8"))
    made, lines = renewed(document["advisories"], said)
    print("\n".join(lines) or "nothing has changed")
    print(f"{len(said)} read, {len(document['advisories'])} known before, {len(made)} now")
    if asked.write:
        text = render(asked.date, made)
        parse_advisories(text)
        FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
