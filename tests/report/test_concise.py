import re

from msgspec.structs import replace

from tests.report.samples import full, one, rendered, report, troubled


def test_a_line_per_finding():
    assert rendered("concise", full()) == (
        "conf.d/app.conf:2:20: info old-proxy-protocol: HTTP/1.0 has no keepalive\n"
        'nginx.conf:3:24: warning upstream-settings-mismatch: servers of upstream "backend" differ: max_fails '
        "is 3 here and 1 (the default) on 10.0.0.2:8080, so nginx does not treat the instances alike\n"
        "nginx.conf:7:31: error alias-traversal: [*] alias /srv/日本 lets clients read /srv\n"
        "nginxaudit: 1 error, 1 warning, 1 info finding (1 suppressed) in 2 files analysed, for nginx 1.31.4; "
        "[*] 1 fixable with --fix (--diff shows how)\n"
    )


def test_the_order_is_that_of_the_files_or_of_severity():
    def severities(**options):
        return [line.split()[1] for line in rendered("concise", full(), **options).splitlines()[:3]]

    assert severities() == ["info", "warning", "error"]
    moved = replace(full(), findings=tuple(reversed(full().findings)))
    lines = rendered("concise", moved, sort="severity").splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["info", "warning", "error"]


def test_colours():
    text = rendered("concise", full(), color=True)
    assert "\x1b[1;31merror\x1b[0m" in text and "\x1b[36m[*] \x1b[0m" in text
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == rendered("concise", full())


def test_quiet_leaves_out_the_counts():
    lines = rendered("concise", troubled(), quiet=True).splitlines()
    assert len(lines) == 4
    assert lines[3].startswith("not analysed: ")


def test_suppressed_findings_on_request():
    lines = rendered("concise", full(), show_suppressed=True).splitlines()
    assert lines[3:-1] == [
        "nginx.conf:7:40: suppressed error alias-traversal: alias /srv/日本 lets clients list /srv"
    ]


def test_what_was_not_analysed_is_one_line():
    lines = rendered("concise", troubled()).splitlines()
    assert len(lines) == 5
    assert lines[3].startswith('not analysed: broken.conf: line 3: unexpected "}"; nginx.conf:8: include of ')
    assert "rule old-proxy-protocol crashed on nginx.conf: KeyError: 'x'" in lines[3]


def test_the_last_line_says_what_was_judged():
    assert rendered("concise", report()) == "nginxaudit: No findings in 2 files analysed, for nginx 1.31.4\n"


def test_a_message_cannot_forge_a_line():
    text = rendered("concise", one("a b;", "b", "x\na.conf:1:1: error\x1b[2J\r\u202e", path="a\nb.conf"))
    assert text == (
        "a\\nb.conf:1:3: warning upstream-settings-mismatch: x\\na.conf:1:1: error\\x1b[2J\\r\\u202e\n"
        "nginxaudit: 1 warning in 1 file analysed, for nginx 1.31.4\n"
    )
