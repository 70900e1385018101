"""What a report says on how the input was read: shown where people look, and no reason to doubt the result."""

from __future__ import annotations

import io
import json

import pytest
from msgspec.structs import replace

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.report import RenderOptions, render

CLEAN = b"events {}\n"
REMARK = "dump.txt: nginx printed [warn] \x1b[31m<b>| x"


def report(**more: object) -> Report:
    found = audit(["-"], Settings(select=("alias-traversal",)), stdin=io.BytesIO(CLEAN))
    return replace(found, **more)


def rendered(name: str, shown: Report) -> str:
    stream = io.StringIO()
    render(name, shown, stream, RenderOptions(color=False))
    return stream.getvalue()


@pytest.mark.parametrize("name", ["text", "concise", "json", "sarif", "github", "html", "markdown"])
def test_a_remark_is_shown(name: str) -> None:
    text = rendered(name, report(remarks=(REMARK,)))
    assert "nginx printed" in text
    assert "\x1b" not in text
    assert "nginx printed" not in rendered(name, report())
    if name in ("html", "markdown"):
        assert "<b>" not in text


def test_a_remark_is_no_gap() -> None:
    shown = rendered("text", report(remarks=(REMARK,)))
    assert "\nNo findings in 1 file analysed" in shown
    assert "Notes:\n  dump.txt: nginx printed" in shown
    assert "Not analysed" in rendered("text", report(notes=("x.conf",)))


def test_many_remarks_are_folded() -> None:
    remarks = tuple(f"remark {number}" for number in range(15))
    assert "... and 5 more (--all shows them)" in rendered("text", report(remarks=remarks))
    assert json.loads(rendered("json", report(remarks=remarks)))["remarks"] == list(remarks)


def test_levels() -> None:
    log = json.loads(rendered("sarif", report(remarks=(REMARK,), notes=("x",))))
    notifications = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert [each["level"] for each in notifications] == ["warning", "note"]
    assert "::notice::" in rendered("github", report(remarks=(REMARK,)))
