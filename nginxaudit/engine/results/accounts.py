"""What the account of the worker processes may do on this machine (``--check-files``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from nginxaudit.finding import Severity
from nginxaudit.hit import Hit, arg, listed
from nginxaudit.syntax.tree import Config, Token

PRIVILEGED = "worker-account-privileged"
_ADMINISTRATORS = frozenset({"root", "wheel", "sudo", "admin", "docker", "lxd", "disk", "shadow"})
"""Groups whose members are administrators, or can become root."""
_NO_LOGIN = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})


def privileged_account(config: Config) -> Iterator[Hit]:
    """A ``user`` that can log in, or that is an administrator."""
    node = config.top.first("user")
    if node is None or not node.args or node.args[0].filled:
        return
    account = node.args[0]
    shell, groups = _known(account, str(node.args[1]) if len(node.args) > 1 else None)
    powerful = sorted(groups & _ADMINISTRATORS) if account != "root" else []
    if powerful:
        yield Hit(
            arg(node, account),
            f"the account of the workers, {account}, is in the group {listed(powerful)}",
            node,
            help=f"Run gpasswd -d {account} {powerful[0]}, or use another account.",
        )
    if shell and os.path.basename(shell) not in _NO_LOGIN:
        yield Hit(
            arg(node, account),
            f"the account of the workers, {account}, has a login shell",
            node,
            severity=Severity.INFO,
            help=f"Run usermod -s /usr/sbin/nologin {account}, or use another account.",
            why="An attacker who gets a password or a key of this account can log in.",
        )


def _known(account: Token, group: str | None) -> tuple[str, set[str]]:
    """The shell of an account and its groups as nginx sets them; nothing where it is not on this machine."""
    try:
        import grp
        import pwd

        found = pwd.getpwnam(account)
    except (ImportError, KeyError):
        return "", set()
    names = {each.gr_name for each in grp.getgrall() if account in each.gr_mem}
    with suppress(KeyError):
        names.add(group or grp.getgrgid(found.pw_gid).gr_name)
    return found.pw_shell, names
