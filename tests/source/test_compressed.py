"""Texts that were gzip'd, and data that is no such thing although it looks like it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from nginxaudit.engine.fix.fixing import fix
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from tests.source.test_archive import member
from tests.support.clock import within

CONF = b"events {}\nhttp {\n  include sites/*.conf;\n  server { return 204; }\n}\n"

DUMP = b"# configuration file /etc/nginx/nginx.conf:\n" + CONF.replace(b"sites", b"/etc/nginx/sites") + b"\n"
SITE = b"# configuration file /etc/nginx/sites/a.conf:\nserver { return 200; }\n\n"


def bomb(size: int, head: bytes = b"") -> bytes:
    """``size`` zeros behind ``head``: one compressed piece, many times. The checksum is wrong; nobody gets there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    begin = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + piece * (size >> 20) + packer.flush()


def test_a_configuration_with_its_includes_on_disk(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.conf").write_bytes(b"server { return 200; }\n")
    path = tmp_path / "nginx.conf.gz"
    path.write_bytes(gzip.compress(CONF))
    report = audit([str(path)], Settings())
    found = {(f.span.file, f.span.line) for f in report.active if f.rule == "missing-listen"}
    assert found == {(str(path), 4), (str(tmp_path / "sites/a.conf"), 1)}
    assert report.sources[str(path)].real == f"gzip:{path}"
    fixed = fix([str(path)], Settings(extend_select=("ALL",)), unsafe=True)
    assert str(path) not in {change.real for change in fixed.changes}
    assert gzip.decompress(path.read_bytes()) == CONF


@pytest.mark.parametrize("stdin", [True, False])
def test_a_dump(stdin: bool, tmp_path: Path) -> None:
    packed = gzip.compress(DUMP) + gzip.compress(SITE)  # two members are one text
    path = tmp_path / "dump.gz"
    path.write_bytes(packed)
    report = audit(["-"] if stdin else [str(path)], Settings(), stdin=io.BytesIO(packed) if stdin else None)
    found = [(f.span.file, f.span.line) for f in report.active if f.rule == "missing-listen"]
    assert found == [("/etc/nginx/nginx.conf", 4), ("/etc/nginx/sites/a.conf", 1)]


def test_a_configuration_on_standard_input() -> None:
    report = audit(["-"], Settings(), stdin=io.BytesIO(gzip.compress(CONF)))
    assert [(f.span.file, f.span.line) for f in report.active if f.rule == "missing-listen"] == [
        ("<stdin>", 4)
    ]
    assert report.sources["<stdin>"].real == "gzip:<stdin>"


METHODS: dict[str, Callable[[bytes], bytes]] = {
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: bytes(zstandard.ZstdCompressor(write_checksum=True).compress(data)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stdin", [True, False])
def test_other_methods(method: str, stdin: bool, tmp_path: Path) -> None:
    packed = METHODS[method](DUMP) + METHODS[method](SITE)  # two streams are one text
    path = tmp_path / "dump.xz"
    path.write_bytes(packed)
    report = audit(["-"] if stdin else [str(path)], Settings(), stdin=io.BytesIO(packed) if stdin else None)
    found = [(f.span.file, f.span.line) for f in report.active if f.rule == "missing-listen"]
    assert found == [("/etc/nginx/nginx.conf", 4), ("/etc/nginx/sites/a.conf", 1)]
    plain = tmp_path / f"nginx.conf.{method}"
    plain.write_bytes(METHODS[method](CONF))
    assert audit([str(plain)], Settings()).sources[str(plain)].real == f"{method}:{plain}"


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda data: data[:-20], "data ends in the middle"),
    "cut in the first bytes": (lambda data: data[:6], "data ends in the middle"),
    "the last byte": (lambda data: data[:-1], "data ends in the middle"),
    "flipped": (lambda data: data[:2000] + bytes(20) + data[2020:], "data is damaged"),
    "garbage behind": (lambda data: data + b"garbage", "data is damaged"),
}


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("method", METHODS)
def test_damaged_data(case: str, method: str, tmp_path: Path) -> None:
    change, reason = DAMAGED[case]
    path = tmp_path / "it"
    path.write_bytes(change(METHODS[method](os.urandom(3000).hex().encode())))
    report = audit([str(path)], Settings())
    assert report.exit_code() == 3
    (finding,) = report.active
    assert f"its {method} {reason}" in finding.message
    assert finding.help


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_bombs_of_other_methods(method: str, tmp_path: Path) -> None:
    head = member("nginx.conf")
    head.size = 3 << 24
    path = tmp_path / "bomb"
    path.write_bytes(METHODS[method](head.tobuf() + bytes(3 << 24)))
    report = audit([str(path)], Settings())
    assert report.exit_code() == 3
    assert "looks like a bomb" in report.active[0].message


@pytest.mark.slow
def test_dictionaries_that_need_all_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    packer = lzma.LZMACompressor(filters=filters)
    path = tmp_path / "it.conf.xz"
    path.write_bytes(packer.compress(CONF) + packer.flush())
    assert "needs more than 128 MiB of memory" in audit([str(path)], Settings()).active[0].message
    window = zstandard.ZstdCompressionParameters(window_log=29, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=window).compressobj()
    path.write_bytes(stream.compress(CONF) + stream.flush())
    assert "needs more than 128 MiB of memory" in audit([str(path)], Settings()).active[0].message


@pytest.mark.slow
def test_a_pipe_that_gives_little_at_a_time() -> None:
    command = [sys.executable, "-m", "nginxaudit", "scan", "-f", "concise", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for byte in gzip.compress(CONF):
            process.stdin.write(bytes([byte]))
            process.stdin.flush()
        process.stdin.close()
        assert b"<stdin>:4:3: warning missing-listen" in process.stdout.read()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut": (lambda: gzip.compress(os.urandom(5000))[:-100], "its gzip data ends in the middle"),
    "two bytes": (lambda: b"\x1f\x8b", "its gzip data ends in the middle"),
    "noise": (lambda: b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 600, "its gzip data is damaged"),
    "garbage behind": (lambda: gzip.compress(CONF) + b"garbage", "its gzip data is damaged"),
    "checksum": (lambda: gzip.compress(CONF)[:-8] + bytes(8), "its gzip data is damaged"),
    "binary": (lambda: gzip.compress(bytes(range(256))), "it is a binary file"),
    "empty": (lambda: gzip.compress(b""), "the compressed text is empty"),
    "twice": (lambda: gzip.compress(gzip.compress(bytes(5000))), "it is a binary file"),
    "17 MiB of text": (lambda: bomb(17 << 20), "larger than 16 MiB"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("stdin", [True, False])
def test_bad_data(case: str, stdin: bool, tmp_path: Path) -> None:
    make, reason = BAD[case]
    data = make()
    path = tmp_path / "it.gz"
    path.write_bytes(data)
    report = audit(["-"] if stdin else [str(path)], Settings(), stdin=io.BytesIO(data) if stdin else None)
    assert report.exit_code() == 3
    (finding,) = report.active
    assert reason in finding.message
    assert finding.help


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "tar"])
def test_a_bomb_of_a_gigabyte(kind: str, tmp_path: Path) -> None:
    big = member("nginx.conf")
    big.size = 1 << 30
    path = tmp_path / "bomb"
    path.write_bytes(bomb(1 << 30, big.tobuf() if kind == "tar" else b""))
    # Not ru_maxrss: that begins with what the parent had when it forked.
    peak = "next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))"
    measure = "import sys; from nginxaudit.engine.run.audit import audit; report = audit(sys.argv[1:]);"
    code = f"{measure} print(report.exit_code(), report.active[0].message); print(int({peak}) >> 10)"
    with within(10):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
    said, memory = done.stdout.splitlines()
    assert said.startswith("3 ")
    assert ("looks like a bomb" if kind == "tar" else "larger than 16 MiB") in said
    assert int(memory) < 250, "MiB"
