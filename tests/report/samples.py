"""Handmade reports: every kind of thing a renderer must show, small enough to check by eye."""

from __future__ import annotations

import io

from msgspec.structs import replace

from nginxaudit.engine.results.report import FileStatus, Report, RuleCrash
from nginxaudit.engine.rules.rule import CheckTable, Rule
from nginxaudit.finding import (
    Applicability,
    Confidence,
    Edit,
    Finding,
    Fix,
    Related,
    Severity,
    Span,
    Suppression,
)
from nginxaudit.report import RenderOptions, render
from nginxaudit.source.text import SourceText

MAIN = SourceText(
    "nginx.conf",
    """\
http {
\tupstream backend {
\t\tserver 10.0.0.1:8080 max_fails=3;
\t\tserver 10.0.0.2:8080;
\t}
    server { # 日本 server
        location /日本/ { alias /srv/日本; autoindex on; }
        include conf.d/*.conf;
    }
}
""",
)
SHARED = SourceText("conf.d/app.conf", "proxy_pass http://backend;\r\nproxy_http_version 1.0;\r\n")

MISMATCH = Rule(
    id="NGX2007",
    slug="upstream-settings-mismatch",
    category="upstream",
    title="Servers of an upstream have different settings",
    severity=Severity.WARNING,
    confidence=Confidence.MEDIUM,
    what="Finds servers of one upstream whose failure settings differ.",
    why="One instance is given up later than the others, so that requests keep failing on it.",
    remedy="Give all servers of the upstream the same max_fails and fail_timeout.",
    path="",
    check=CheckTable(),
    tags=("high-availability",),
)
TRAVERSAL = Rule(
    id="NGX5001",
    slug="alias-traversal",
    category="security",
    title="Alias lets clients read outside of its directory",
    severity=Severity.ERROR,
    confidence=Confidence.HIGH,
    what="Finds a location without a final slash whose alias has one.",
    why="A client can climb one directory up.",
    remedy="End both with a slash, or neither.",
    path="",
    check=CheckTable(),
    fix="safe",
    tags=("files",),
    cwe=(22,),
    references=("https://nginx.org/en/docs/http/ngx_http_core_module.html#alias",),
)
OLD_PROTOCOL = Rule(
    id="NGX4002",
    slug="old-proxy-protocol",
    category="performance",
    title="HTTP/1.0 to the upstream",
    severity=Severity.INFO,
    confidence=Confidence.LOW,
    what="Finds proxy_http_version 1.0.",
    why="Every request opens a connection.",
    remedy="Use proxy_http_version 1.1.",
    path="",
    check=CheckTable(),
)
RULES = (MISMATCH, OLD_PROTOCOL, TRAVERSAL)


def at(source: SourceText, needle: str, number: int = 1) -> Span:
    """Span of the ``number``-th occurrence of ``needle``."""
    start = -1
    for _ in range(number):
        start = source.text.index(needle, start + 1)
    return source.span(start, start + len(needle))


def finding(rule: Rule, message: str, span: Span, **more: object) -> Finding:
    base = Finding(
        rule.id, rule.slug, rule.category, rule.severity, rule.confidence, message, span, fingerprint="f" * 32
    )
    return replace(base, **more)  # type: ignore[arg-type]


def report(*findings: Finding, sources: tuple[SourceText, ...] = (MAIN, SHARED), **more: object) -> Report:
    """A report in which all ``sources`` were analysed, unless ``more`` says otherwise."""
    base = Report(
        nginx_version="1.31.4",
        edition="oss",
        findings=findings,
        files=tuple(FileStatus(source.path, analysed=True) for source in sources),
        rules=RULES,
        roots=tuple(source.path for source in sources[:1]),
        sources={source.path: source for source in sources},
    )
    return replace(base, **more)  # type: ignore[arg-type]


def one(text: str, needle: str, message: str = "a message", path: str = "a.conf", **more: object) -> Report:
    """A report with one finding at ``needle`` in ``text``."""
    source = SourceText(path, text)
    return report(finding(MISMATCH, message, at(source, needle), **more), sources=(source,))


def mismatch() -> Finding:
    return finding(
        MISMATCH,
        'servers of upstream "backend" differ: max_fails is 3 here and 1 (the default) on 10.0.0.2:8080, '
        "so nginx does not treat the instances alike",
        at(MAIN, "max_fails=3"),
        related=(Related("this one has the default", at(MAIN, "server 10.0.0.2:8080;")),),
    )


def traversal() -> Finding:
    value = at(MAIN, "/srv/日本")
    return finding(
        TRAVERSAL,
        "alias /srv/日本 lets clients read /srv",
        value,
        help='Write "alias /srv/日本/;".',
        fix=Fix(
            "Add the missing slash",
            Applicability.SAFE,
            (Edit("nginx.conf", value.end, value.end, "/"),),
        ),
    )


def old_protocol() -> Finding:
    return finding(
        OLD_PROTOCOL,
        "HTTP/1.0 has no keepalive",
        at(SHARED, "1.0"),
        related=(Related("included from here", at(MAIN, "conf.d/*.conf"), includes=1),),
        rejected_by_nginx=True,
    )


def suppressed() -> Finding:
    return finding(
        TRAVERSAL,
        "alias /srv/日本 lets clients list /srv",
        at(MAIN, "autoindex on;"),
        suppressed=Suppression("inline", "public files only"),
    )


def full() -> Report:
    """Findings of all severities with everything a finding can have; wholly analysed."""
    return report(old_protocol(), mismatch(), traversal(), suppressed())


def troubled() -> Report:
    """Findings, and a file, an include and a rule that failed."""
    whole = full()
    return replace(
        whole,
        files=(*whole.files, FileStatus("broken.conf", analysed=False, errors=('line 3: unexpected "}"',))),
        notes=("nginx.conf:8: include of ../x.conf lies outside and was not read",),
        crashes=(RuleCrash("old-proxy-protocol", "nginx.conf", "KeyError: 'x' (usage.py:7)"),),
        incomplete=True,
    )


def rendered(name: str, what: Report, **options: object) -> str:
    """What a stream that takes any character receives."""
    stream = io.StringIO()
    render(name, what, stream, RenderOptions(**options))  # type: ignore[arg-type]
    return stream.getvalue()
