"""What SARIF says about the commit: read from .git, without credentials, never guessed."""

from pathlib import Path

import pytest

from nginxaudit.report.sarif_provenance import REPOSITORY, base_ids, provenance

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _repository(path: Path, url: str, head: str = "ref: refs/heads/main") -> Path:
    git = path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text(f"{head}\n")
    (git / "config").write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n\tfetch = +x:y\n')
    return path


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("https://github.com/example/nginx.git", "https://github.com/example/nginx.git"),
        ("https://user:secret@github.com/example/nginx.git", "https://github.com/example/nginx.git"),
        ("git@github.com:example/nginx.git", "https://github.com/example/nginx.git"),
        ("ssh://git@host:2222/example/nginx.git", "ssh://host:2222/example/nginx.git"),
        ("/srv/git/nginx.git", "file:///srv/git/nginx.git"),
    ],
)
def test_origin(url: str, uri: str, tmp_path: Path) -> None:
    repository = _repository(tmp_path, url)
    (repository / ".git" / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    (found,) = provenance(str(repository)) or []
    assert (found.repository_uri, found.revision_id, found.branch) == (uri, COMMIT, "main")


def test_nothing_is_guessed(tmp_path: Path) -> None:
    assert provenance(str(tmp_path)) is None
    assert provenance(str(_repository(tmp_path / "bad", "not-a-url"))) is None
    (found,) = (
        provenance(str(_repository(tmp_path / "odd", "https://h/x", "ref: refs/../../etc/passwd"))) or []
    )
    assert found.revision_id is None


def test_below_the_root_of_the_repository(tmp_path: Path) -> None:
    below = _repository(tmp_path, "https://h/x") / "nginx"
    below.mkdir()
    (found,) = provenance(str(below)) or []
    assert found.mapped_to.uri_base_id == REPOSITORY
    assert base_ids(str(below))["%SRCROOT%"].uri == "nginx/"
