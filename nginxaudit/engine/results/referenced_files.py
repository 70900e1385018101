"""Files that a configuration names, looked for on this machine (``--check-files``).

Whether a certificate is there depends on the machine, not on the configuration: nothing is said
about it unless the scan runs on the host itself and was asked to look.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import Hit, arg
from nginxaudit.nginx.names import ENCRYPTING
from nginxaudit.syntax.tree import Config, Directive, Token

RULE = "referenced-file-missing"
_TLS = ("certificate", "certificate_key", "trusted_certificate", "crl", "password_file")
_READ_AT_START = frozenset(
    {
        *(f"ssl_{name}" for name in _TLS),
        *(f"{protocol}_ssl_{name}" for protocol in ENCRYPTING for name in _TLS),
        "ssl_client_certificate", "ssl_dhparam", "ssl_session_ticket_key", "ssl_stapling_file",
        "geoip_country", "geoip_city", "geoip_org", "xslt_stylesheet", "xml_entities",
    }
)  # fmt: skip
"""Their first argument is a file, relative to the directory of the main configuration."""

_READ_AT_RUN = frozenset({"auth_basic_user_file"})
_WRITTEN = frozenset({"access_log", "error_log", "pid", "lock_file"})
_NO_FILE = ("syslog:", "memory:", "data:", "engine:", "store:")
_NO_LOG = frozenset({"off", "stderr"})


def referenced_files(config: Config) -> Iterator[Hit]:
    """What is missing or cannot be read among the files that ``config``, which `is_on_disk`, names."""
    base = os.path.dirname(config.main.path)
    for node in config.top.walk():
        if not node.args or not is_file_name(node.args[0]):
            continue
        token = node.args[0]
        if node.name in _READ_AT_START or node.name in _READ_AT_RUN:
            yield from _readable(node, token, os.path.join(base, token))
        elif node.name in _WRITTEN and token.startswith("/") and token not in _NO_LOG:
            yield from _writable_place(node, token)
        elif node.name == "load_module" and token.startswith("/"):
            yield from _readable(node, token, token)


def is_on_disk(config: Config) -> bool:
    """Whether ``config`` is a file of this machine, or a text named as one, not of a dump, an archive or a manifest."""
    real = config.main.real.removeprefix("stdin:")
    return config.main.host is config.main and (
        os.path.isabs(real) or (real != config.main.real and real != "")
    )


def is_file_name(token: Token) -> bool:
    """Whether an argument surely names a file."""
    return bool(token) and "$" not in token and not token.startswith(_NO_FILE) and not token.filled


def _readable(node: Directive, token: Token, path: str) -> Iterator[Hit]:
    at_start = node.name not in _READ_AT_RUN
    result = "nginx refuses to start" if at_start else "requests that need it fail"
    if os.path.isdir(path):
        problem = f"{path} is a directory, not a file: {result}"
    elif os.path.exists(path):
        if os.access(path, os.R_OK):
            return
        yield Hit(
            arg(node, token),
            f"{path} is there, but the user of this scan may not read it: its content was not looked at",
            node,
            severity=Severity.INFO,
            rejected=False,
            help="Run the scan as the user that starts nginx.",
        )
        return
    elif _hidden(path):
        return  # the directory may not be searched: nobody knows
    else:
        problem = f"{path} does not exist: {result}"
    severity = None if at_start else Severity.WARNING
    yield Hit(
        arg(node, token),
        problem,
        node,
        severity=severity,
        rejected=at_start,
        help="Create the file or correct the path.",
    )


def _writable_place(node: Directive, token: Token) -> Iterator[Hit]:
    directory = os.path.dirname(token)
    if not os.path.isdir(directory) and not _hidden(directory):
        yield Hit(
            arg(node, token),
            f"the directory {directory} does not exist: nginx cannot create {token} and refuses to start",
            node,
            rejected=True,
            help="Create the directory, or correct the path.",
        )


def _hidden(path: str) -> bool:
    """Whether a directory on the way may not be searched, so that existence cannot be told."""
    while path not in ("", "/"):
        path = os.path.dirname(path)
        if os.path.isdir(path):
            return not os.access(path, os.X_OK)
    return False
