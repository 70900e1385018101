"""Which commit was audited, in the words of SARIF.

Only what is certain is reported: a repository with an ``origin``. What may hold credentials is left out.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit

import sarif_om as om

from nginxaudit.report.sarif_places import ROOT
from nginxaudit.source.git import head_of, origin_of, repository_at
from nginxaudit.source.read import ReadError

REPOSITORY = "%REPOROOT%"

_SCHEMES = frozenset({"https", "http", "ssh", "git", "git+ssh", "ssh+git", "ftp", "ftps", "file"})
_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_NAME = re.compile(rf"{_HOST}|\[[0-9A-Fa-f:.]+\]")
_SCP = re.compile(rf"(?:[\w.-]+@)?({_HOST}\.[A-Za-z0-9-]+):(?!//)(.+)", re.ASCII)  # git@host:owner/name
_IN_PATHS = "/%:+,~!$&'()*;="


def base_ids(start: str = ".") -> dict[str, om.ArtifactLocation]:
    """What the relative paths of a report are relative to: the start, and the repository around it."""
    words = om.Message(text="The directory in which nginxaudit was started.")
    inside = _inside(start)
    if inside in (None, "."):
        return {ROOT: om.ArtifactLocation(description=words)}
    return {
        ROOT: om.ArtifactLocation(uri=f"{quote(str(inside))}/", uri_base_id=REPOSITORY, description=words),
        REPOSITORY: om.ArtifactLocation(description=om.Message(text="The root of the repository.")),
    }


def _inside(start: str) -> str | None:
    """Path of ``start`` below the root of its repository, ``.`` at the root, None outside of one."""
    repository = repository_at(start)
    return os.path.relpath(os.path.realpath(start), repository.top) if repository else None


def provenance(start: str = ".") -> list[om.VersionControlDetails] | None:
    """Repository, branch and commit of the working tree around ``start``; None if there is none."""
    repository = repository_at(start)
    if repository is None:
        return None
    try:
        origin, head = origin_of(repository), head_of(repository)
    except ReadError:
        return None
    uri = public_uri(origin) if origin else None
    if uri is None:
        return None
    root = om.ArtifactLocation(uri_base_id=ROOT if _inside(start) == "." else REPOSITORY)
    return [
        om.VersionControlDetails(
            repository_uri=uri, revision_id=head.commit, branch=head.branch, mapped_to=root
        )
    ]


def public_uri(remote: str) -> str | None:
    """Scheme, host and path of a remote as git writes it; None where it is not certain which part is which.

    ``user:password@host:path`` has no scheme, and in ``https://user/pass@host`` the password is in the path: where a
    URL goes on with an ``@`` behind its host, that may be the end of a password.
    """
    if not remote.isprintable() or "\\" in remote:
        return None
    scp = _SCP.fullmatch(remote)
    if remote.startswith("/"):
        scheme, authority, path = "file", "", remote
    elif scp:
        scheme, authority, path = "https", scp[1], f"/{scp[2].lstrip('/')}"
    else:
        try:
            parts = urlsplit(remote)
            port = parts.port
        except ValueError:
            return None
        host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}")
        if parts.scheme not in _SCHEMES or not (
            _NAME.fullmatch(host) or (parts.scheme, host) == ("file", "")
        ):
            return None
        if "@" in parts.query + parts.fragment:
            return None
        scheme, authority, path = parts.scheme, f"{host}:{port}" if port else host, parts.path
    return None if "@" in path else f"{scheme}://{authority}{quote(path, safe=_IN_PATHS)}"
