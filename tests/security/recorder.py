"""What a process opens, lists, starts, changes and connects to, by Python's audit hooks."""

from __future__ import annotations

import json
import os
import sys

seen = []
LOOKS = ("open", "os.listdir", "os.scandir", "os.chdir")
ACTS = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.spawn",
    "os.startfile",
    "pty.",
    "socket.",
    "urllib.",
    "http.",
    "ftplib.",
    "smtplib.",
    "os.kill",
    "pickle.",
)
CHANGES = (
    "os.remove",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.truncate",
    "shutil.",
)


def path_of(value):
    if isinstance(value, int):
        return os.readlink(f"/proc/self/fd/{value}")
    return os.path.realpath(os.fsdecode(value))


relative = []
system_open = os.open


def opened(path, flags, mode=0o777, *, dir_fd=None):
    # The hook sees the name alone, not the directory that it is relative to.
    if dir_fd is None and not flags & os.O_PATH:
        return system_open(path, flags, mode)
    relative.append(path)
    looked = "" if dir_fd is None else os.path.join(path_of(dir_fd), path)
    try:
        handle = system_open(path, flags, mode, dir_fd=dir_fd)
        looked = path_of(handle)
    finally:
        relative.pop()
        if not flags & os.O_PATH:  # a directory that is only entered is not looked into
            seen.append(["open", looked])
    return handle


def hook(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & getattr(os, "O_PATH", 0):
        return  # a place in the tree: nothing is read or listed
    if event in LOOKS:
        if args[0] is not None and not relative:
            seen.append([event, path_of(args[0])])
    elif event.startswith(CHANGES):
        seen.extend([event, path_of(each)] for each in args if isinstance(each, (str, bytes)))
    elif event.startswith(ACTS):
        seen.append([event, repr(args)])
    elif event == "exec":
        seen.append([event, getattr(args[0], "co_filename", "")])


def install():
    """Record from now on."""
    os.open = opened
    sys.addaudithook(hook)


def write(log):
    """Write what was seen to the file ``log``."""
    with open(log, "w") as file:
        json.dump(seen[:-1], file)  # without this file
