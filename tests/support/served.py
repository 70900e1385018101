"""A process that has imported nginxaudit and forks for every command: the imports are paid for once.

``python -m tests.support.served FD`` serves the socket with that number. A request is a line of JSON and the three
standard streams; the answer is a line with exit code and processor time. What children import the server imports, too:
modules, and nothing that depends on a run, are what the next child finds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import traceback
from importlib import import_module
from typing import Any, NoReturn

import nginxaudit.__main__ as program
from tests.security import recorder


def serve(control: socket.socket) -> None:
    """Answer requests until the other side goes."""
    while True:
        data, streams, _, _ = socket.recv_fds(control, 1 << 16, 3)
        while data and not data.endswith(b"\n"):
            data += control.recv(1 << 16)
        if not data:
            return
        with tempfile.TemporaryFile("w+") as imported:
            request = json.loads(data)
            child = os.fork()
            if not child:
                control.close()
                _become(request, streams, imported)
            for each in streams:
                os.close(each)
            answer = _end_of(child, request["hang"])
            _import(imported)
        control.sendall(f"{json.dumps(answer)}\n".encode())


def _end_of(child: int, hang: int) -> dict[str, float]:
    """Exit code (negative: the signal), and user and system time, of a child and of its own children."""

    def end(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(hang)
    _, status, used = os.wait4(child, 0)
    signal.alarm(0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": used.ru_utime + used.ru_stime}


def _become(request: dict[str, Any], streams: list[int], imported: io.TextIOBase) -> NoReturn:
    """Be ``python -m nginxaudit``."""
    resource.setrlimit(resource.RLIMIT_CPU, (request["seconds"], request["seconds"] + 5))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = [program.__file__, *request["arguments"]]
    random.seed()
    for number, (name, stream) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        own, mode = getattr(sys, name), "r" if name == "stdin" else "w"
        new = open(number, mode, encoding=own.encoding, errors=own.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    known, end, own_id = set(sys.modules), os._exit, os.getpid()

    def tell_and_end(code: int) -> NoReturn:
        if os.getpid() == own_id:
            if request["log"]:
                recorder.write(request["log"])
            imported.write("\n".join(set(sys.modules) - known))
            imported.flush()
        end(code)

    os._exit = tell_and_end
    if request["log"]:
        sys.dont_write_bytecode = True
        recorder.install()
    try:
        program.run()
    except BaseException:  # as Python ends with what nobody caught
        traceback.print_exc()
        sys.stderr.flush()
        tell_and_end(1)


def _import(names: io.TextIOBase) -> None:
    names.seek(0)
    for name in sorted(names.read().split()):
        with contextlib.suppress(Exception):
            import_module(name)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as control:
        serve(control)
