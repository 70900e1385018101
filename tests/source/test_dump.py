"""``nginx -T`` dumps as they arrive: with messages, prompts, colours, line ends and prefixes of other programs."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from nginxaudit.engine.results.report import Report
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Severity
from nginxaudit.source.dump import MAX_DUMPS, is_dump, split_dump
from tests.support import nginx

MAIN = "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"
SHOP = "# a shop\nserver {\n    location / { return 204; }\n}\n"  # missing-listen at its line 2
PLAIN = f"# configuration file /etc/nginx/nginx.conf:\n{MAIN}\n# configuration file /etc/nginx/conf.d/shop.conf:\n{SHOP}\n"
FOUND = ["/etc/nginx/conf.d/shop.conf:2 missing-listen"]
OK = (
    "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
    "nginx: configuration file /etc/nginx/nginx.conf test is successful\n"
)
WARNED = (
    'nginx: [warn] the "user" directive makes sense only if the master process runs with super-user privileges, '
    "ignored in /etc/nginx/nginx.conf:1\n"
    '2026/01/01 00:00:00 [warn] 7#7: conflicting server name "a" on 0.0.0.0:80, ignored\n'
)


def scan(text: str | bytes) -> Report:
    data = text.encode() if isinstance(text, str) else text
    report = audit(["-"], Settings(), stdin=io.BytesIO(data))
    assert not report.crashes
    return report


def told(report: Report) -> list[str]:
    return [f"{f.span.file}:{f.span.line} {f.rule}" for f in report.active if f.severity > Severity.INFO]


def prefixed(prefix: str, text: str = PLAIN) -> str:
    """Every line with ``prefix``, in which ``%d`` counts; without spaces at the ends of empty lines."""
    lines = text.split("\n")[:-1]
    return "".join(
        f"{(prefix.replace('%d', str(number)) + line).rstrip()}\n" for number, line in enumerate(lines, 98)
    )


NOISE = {
    "nothing": PLAIN,
    "2>&1": OK + PLAIN,
    "warnings": WARNED + OK + PLAIN,
    "prompt": f"root@web1:~# nginx -T\n{OK}{PLAIN}root@web1:~# \n",
    "prompt at the end": f"{PLAIN}[root@web1 conf.d]# exit\nlogout\nConnection to web1 closed.\n",
    "prompt without a line end": f"$ nginx -T\n{PLAIN}$ ",
    "prompt of alpine": f"/ # nginx -T\n{PLAIN}/ # exit\n",
    "fish": f"joe@web1 ~> nginx -T\n{PLAIN}joe@web1 ~> \n",
    "command with semicolons": f"$ for h in web1; do ssh $h nginx -T; done\n{PLAIN}",
    "sudo": f"[sudo] password for joe: \n{OK}{PLAIN}",
    "sudo -S": f"[sudo] password for joe: {PLAIN}",
    "sudo lecture": "\nWe trust you have received the usual lecture from the local System Administrator.\n\n"
    f"    #1) Respect the privacy of others.\n\n[sudo] password for joe: \n{PLAIN}",
    "kubectl exec": f'Defaulted container "web" out of: web, sidecar, init (init)\n{PLAIN}command terminated with exit code 1\n',
    "ssh": f"Warning: Permanently added 'web1' (ED25519) to the list of known hosts.\r\n{PLAIN}Shared connection to web1 closed.\r\n",
    "script": f'Script started on 2026-01-01 00:00:00+00:00 [TERM="xterm"]\n{PLAIN}Script done on 2026-01-01\n',
    "blank lines": f"\n  \n\n{PLAIN}\n\n\n",
    "BOM": f"\ufeff{PLAIN}",
    "terminal": (f"$ nginx -T\n{OK}{PLAIN}$ ").replace("\n", "\r\n"),
    "colours": f"\x1b[?2004h\x1b]0;root@web1: ~\x07\x1b[01;32mroot@web1\x1b[0m:~# nginx -T\n{OK}"
    + PLAIN.replace("configuration", "\x1b[01;31m\x1b[Kconfiguration\x1b[m\x1b[K").replace("server", "\x1b[32mserver\x1b[0m"),
    "compose": prefixed("web-1  | ", OK + PLAIN),
    "kubectl logs --prefix": prefixed("[pod/web-7d4/nginx] "),
    "docker logs -t": prefixed("2026-01-01T00:00:00.000000%d1Z "),
    "journal": prefixed("Jan 01 00:00:%d web1 nginx[77]: "),
    "pdsh": prefixed("web1: "),
    "cat -n": "".join(f"{number:6}\t{line}\n" for number, line in enumerate(PLAIN.split("\n"), 1)),
    "pasted with an indent": prefixed("    "),
    "no LF at the end": PLAIN.rstrip("\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOISE)
def test_what_surrounds_the_files_is_not_configuration(kind: str) -> None:
    report = scan(NOISE[kind])
    assert told(report) == FOUND
    assert not report.notes
    assert not report.incomplete
    shown = report.sources["/etc/nginx/conf.d/shop.conf"].text
    assert shown.rstrip("\n") == SHOP.rstrip("\n")
    assert report.sources["/etc/nginx/nginx.conf"].text == MAIN


def test_warnings_of_nginx_are_mentioned_once() -> None:
    report = scan(WARNED + WARNED + OK + PLAIN)
    (remark,) = report.remarks
    assert remark.startswith('<stdin>: nginx printed [warn] the "user" directive')
    assert remark.count("conflicting server name") == 1
    assert not scan(OK + PLAIN).remarks


def test_line_ends_of_a_file_are_its_own() -> None:
    crlf = SHOP.replace("\n", "\r\n")
    for dump, terminal in ((PLAIN.replace(SHOP, crlf), False), (PLAIN.replace(SHOP, crlf), True)):
        text = dump.replace("\n", "\r\n") if terminal else dump
        (found,) = split_dump(text)
        assert found.files["/etc/nginx/conf.d/shop.conf"] == crlf
        assert found.files["/etc/nginx/nginx.conf"] == MAIN


CONFIGURATIONS = {
    "a comment in the middle": "events {}\n# configuration file /etc/nginx/old.conf:\nhttp { server { listen 80; } }\n",
    "statements, then the comment": "user nginx;\n# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {}\n",
    "files written where they are included": f"events {{}}\nhttp {{\n# configuration file /a.conf:\n{SHOP}"
    f"# configuration file /b.conf:\n{SHOP}}}\n",
    "a comment about one": "# configuration file for /etc/nginx:\nevents {}\n",
    "an indented comment": "http {\n    # configuration file /etc/nginx/x.conf:\n    gzip on;\n}\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_configuration_with_such_a_comment_is_no_dump(kind: str) -> None:
    assert not is_dump(CONFIGURATIONS[kind])


def test_the_end_of_a_file_without_its_header_is_mentioned() -> None:
    report = scan(f"        root /srv;\n    }}\n}}\n\n{PLAIN}")
    assert told(report) == FOUND
    (note,) = report.notes
    assert "line 1 contains a statement before the header of the first file" in note


def test_text_after_the_last_file_is_mentioned() -> None:
    report = scan(f"{PLAIN}ssh: connect to host web2 port 22: Connection refused\n")
    assert told(report) == FOUND
    (note,) = report.notes
    assert "line 13, after the last file" in note
    cut = scan(PLAIN[: PLAIN.index("return 204")])
    assert "unexpected-end-of-file" in told(cut)[0] or cut.incomplete, "a dump that is cut off is not clean"


def test_lines_of_others_between_are_counted() -> None:
    lines = prefixed("web-1  | ").split("\n")
    report = scan("\n".join([*lines[:7], "web-2  | GET / 200", *lines[7:]]))
    assert told(report) == FOUND
    assert report.notes == (
        '<stdin>: text that belongs to no file was not analysed: 1 line without the prefix "web-1  |"',
    )


@pytest.mark.parametrize(
    "between", ["", "root@web2:~# nginx -T 2>/dev/null\n", f"$ ssh web2 nginx -T\n{WARNED}{OK}"]
)
def test_several_dumps_in_one_text(between: str) -> None:
    report = scan(f"{PLAIN}{between}{PLAIN.replace('# a shop', '#')}")
    assert told(report) == ["/etc/nginx/conf.d/shop.conf:2 missing-listen", "<stdin>#2!/etc/nginx/conf.d/shop.conf:2 missing-listen"]  # fmt: skip
    assert report.remarks[0] == "<stdin> contains 2 outputs of nginx -T, each is a configuration"
    assert not report.notes
    assert report.sources["<stdin>#2!/etc/nginx/conf.d/shop.conf"].text == SHOP.replace("# a shop", "#")


def test_a_dump_of_another_configuration_follows() -> None:
    other = PLAIN.replace("/etc/nginx/", "/opt/gw/")
    report = scan(
        f"{OK}{PLAIN}# nginx -T -c /opt/gw/nginx.conf\n{OK.replace('/etc/nginx', '/opt/gw')}{other}"
    )
    assert told(report) == [*FOUND, "/opt/gw/conf.d/shop.conf:2 missing-listen"]


def test_dumps_of_several_hosts_keep_their_files_apart(tmp_path: Path) -> None:
    (tmp_path / "web1.txt").write_text(PLAIN)
    (tmp_path / "web2.txt").write_text(PLAIN.replace("return 204", "return 200").replace("# a shop", "\n#"))
    report = audit([str(tmp_path / "web1.txt"), str(tmp_path / "web2.txt")], Settings())
    assert told(report) == [*FOUND, f"{tmp_path}/web2.txt!/etc/nginx/conf.d/shop.conf:3 missing-listen"]


def test_too_many_dumps() -> None:
    report = scan("# configuration file /a:\nevents {}\n" * (MAX_DUMPS + 1))
    assert report.exit_code() == 3
    assert "those after the first 64 were not analysed" in " ".join(f.message for f in report.active)


FAILED = {
    "emerg": (
        'nginx: [emerg] unknown directive "lisen" in /etc/nginx/nginx.conf:3\n'
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n",
        'its test failed: [emerg] unknown directive "lisen" in /etc/nginx/nginx.conf:3',
    ),
    "with a prompt": (
        'root@web1:~# nginx -T\n2026/01/01 00:00:00 [emerg] 7#7: no "events" section in configuration\n'
        "nginx: configuration file /dev/null test failed\nroot@web1:~# ",
        'its test failed: [emerg] no "events" section in configuration',
    ),
    "-t": (OK, "it is the output of nginx -t, which contains no configuration"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILED)
def test_a_failed_test_is_no_configuration(kind: str) -> None:
    text, reason = FAILED[kind]
    report = scan(text)
    assert report.exit_code() == 3
    (finding,) = report.active
    assert finding.rule == "unreadable-file"
    assert reason in finding.message
    assert finding.help


@pytest.mark.parametrize(
    "path", ["./conf/nginx.conf", "nx/conf/nginx.conf", "C:\\nginx-1.27/conf/nginx.conf"]
)
def test_paths_of_other_places(path: str) -> None:
    """nginx prints what -p says, and Windows has drives."""
    directory = path.removesuffix("nginx.conf")
    other = "C:/sites/*.conf" if path.startswith("C") else "../sites/*.conf"
    site = other.replace("*", "a") if path.startswith("C") else f"{directory}../sites/a.conf"
    main = f"events {{}}\nhttp {{ include mime.types; include {other}; }}\n"
    report = scan(
        f"# configuration file {path}:\n{main}\n# configuration file {directory}mime.types:\ntypes {{}}\n\n"
        f"# configuration file {site}:\n{SHOP}\n"
    )
    assert told(report) == [f"{site}:2 missing-listen"]
    assert len(report.files) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        " " * 500_000 + "# configuration file /a:\n",
        "1 " * 90 + "# configuration file /a:\n" + "1 " * 300_000,
        "x {" * 200_000 + "\n# configuration file /a:\n",
        "\x1b]" * 300_000 + "# configuration file /a:\n",
        "nginx: [emerg] " + " " * 500_000 + "}" * 300_000,
        "# configuration file /a:\n" + "; #" * 200_000 + "\n" + "$ " * 200_000,
    ],
    ids=["spaces", "numbers", "braces", "escapes", "messages", "prompts"],
)  # fmt: skip
def test_hostile_texts_take_no_time(text: str) -> None:
    begun = time.process_time()
    split_dump(text)
    scan(text)
    assert time.process_time() - begun < 15, "seconds on a slow machine"


@pytest.mark.live
@nginx.live
def test_what_nginx_prints_into_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.conf").write_text(
        SHOP.replace("location", "listen 127.0.0.1:1; server_name a; location") * 2
    )
    (tmp_path / "sites" / "b.conf").write_bytes(
        b"server { listen 127.0.0.1:2;\r\n gzip maybe_not; }".replace(b"maybe_not", b"on")
    )
    (tmp_path / "nginx.conf").write_text(
        f"events {{}}\npid {tmp_path}/pid; error_log stderr;\nhttp {{ include sites/*.conf; }}\n"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [nginx.judge().binary, "-T", "-p", ".", "-c", "nginx.conf"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        data = b""
        try:
            while chunk := os.read(ours, 65536):
                data += chunk
        except OSError:  # nginx has closed it
            pass
    os.close(ours)
    assert b"nginx.conf:\r\n" in data and b"[warn]" in data
    (dump,) = split_dump(data.decode())
    names = {"./nginx.conf": "nginx.conf", "./sites/a.conf": "sites/a.conf", "./sites/b.conf": "sites/b.conf"}
    assert {path: text.encode() for path, text in dump.files.items()} == {
        path: (tmp_path / name).read_bytes() for path, name in names.items()
    }
    assert any("conflicting server name" in said for said in dump.said)
