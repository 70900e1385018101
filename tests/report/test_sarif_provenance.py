"""What SARIF says about the commit: without credentials, never guessed, nothing where anything is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nginxaudit.report.sarif_provenance import REPOSITORY, base_ids, provenance, public_uri

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _repository(path: Path, url: str = "https://h.example/x", head: str = "ref: refs/heads/main") -> Path:
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
        ("https://secret@dev.azure.com/o/p/_git/r", "https://dev.azure.com/o/p/_git/r"),
        ("https://user:se@cret@h.example/x", "https://h.example/x"),
        ("https://h.example/x?secret=1#secret", "https://h.example/x"),
        ("git@github.com:example/nginx.git", "https://github.com/example/nginx.git"),
        ("ssh://git@host:2222/example/nginx.git", "ssh://host:2222/example/nginx.git"),
        ("https://u:p@[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://h.example/a b/ü", "https://h.example/a%20b/%C3%BC"),
        ("/srv/git/nginx.git", "file:///srv/git/nginx.git"),
        ("file://secret@h.example/x", "file://h.example/x"),
    ],
)
def test_origin(url: str, uri: str, tmp_path: Path) -> None:
    repository = _repository(tmp_path, url)
    (repository / ".git" / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    (found,) = provenance(str(repository)) or []
    assert (found.repository_uri, found.revision_id, found.branch) == (uri, COMMIT, "main")
    assert public_uri(url) == uri


@pytest.mark.parametrize(
    "url",
    [
        "user:passw0rd@host:x",
        "user:passw0rd@git.example.com:a/b.git",
        "us.er:passw0rd@git.example.com:a/b.git",
        "us.er:pass/w0rd@git.example.com:a",
        "user/pa:ss@host/x",
        "https://user/pa:ss@host/x",
        "https://user:pa/ss@host/x",
        "https://user?pass@host/x",
        "https://user:pa#ss@host/x",
        "https://us\\er:pass@host/x",
        "https:///user:pass@host/x",
        "https:user:pass@host/x",
        "//user:pass@host/x",
        "/srv/user:pass@host/x",
        "https://example.com:99999/x",
        "https://example.com:port/x",
        "http://[::1/x",
        "http://::1]/x",
        "https://exa mple/x",
        "https://",
        "ext::sh -c id",
        "javascript:alert(1)",
        "data:text/html,x",
        "not-a-url",
        "../relative",
        "C:/windows",
        "https://h/\x1b[2J",
        "https://h/\u202e",
        "https://h/\0",
        "",
    ],
)
def test_remotes_that_are_left_out(url: str, tmp_path: Path) -> None:
    assert public_uri(url) is None
    assert provenance(str(_repository(tmp_path, url))) is None


@pytest.mark.parametrize(
    ("line", "uri"),
    [
        ("url = https://h/x", "https://h/x"),
        ("URL=https://h/x", "https://h/x"),
        ("url = https://h/x ; a comment", "https://h/x"),
        ('url = "https://h/x"  # a comment', "https://h/x"),
        ("url = https://h\\\n/x", "https://h/x"),
        ('url = "https://h/\\"x\\\\"', None),
        ('url = "https://u:#p@h/x"', None),
        ('url = ht"tps://h"/x', "https://h/x"),
        ("url = https://u\\ser:pass@h/x", None),
        ("pushurl = https://h/y\n\turl = https://h/x\n\turl = https://h/z", "https://h/x"),
        ("url = https://us#er:pass@h/x", None),  # a comment, for git
        ('url = https://us"er:pass@h/x', None),
        ("url", None),
        ("url =", None),
        ('[remote "other"]\nurl = https://h/x', None),
    ],
)
def test_the_format_of_git_config(line: str, uri: str | None, tmp_path: Path) -> None:
    config = _repository(tmp_path) / ".git" / "config"
    for header in ('[remote "origin"]', '[ Remote "origin" ]', "[remote.origin]"):
        config.write_text(f"{header}\n\t{line}\n")
        found = provenance(str(tmp_path))
        assert (found[0].repository_uri if found else None) == uri
    config.write_text(f'[remote "origin"] {line}\n')
    assert bool(provenance(str(tmp_path))) == bool(uri)


HEADS = [
    "ref: refs/heads/a\0b",
    "ref: refs/heads/a b",
    "ref: refs/heads/../../etc/passwd",
    "ref: refs/../../etc/passwd",
    "ref: refs/heads/.invalid",
    "ref: refs/heads/a.lock",
    "ref: refs/heads/a//b",
    "ref: refs/heads/",
    "ref: refs/heads/\x1b[2J",
    "ref: refs/heads/\u202e",
    "ref: refs/heads/loop",
    "ref: refs/heads/text",
    "ref: refs/tags/x",
    "ref: /etc/passwd",
    "refs/heads/main",
    COMMIT.upper(),
    COMMIT[:-1],
    "",
]


@pytest.mark.parametrize("head", HEADS)
def test_heads_that_git_would_not_write(head: str, tmp_path: Path) -> None:
    git = _repository(tmp_path, head=head) / ".git"
    (git / "refs" / "heads" / "loop").symlink_to("loop")
    (git / "refs" / "heads" / "text").write_text("some text\n")
    assert provenance(str(tmp_path)) is None


def test_heads(tmp_path: Path) -> None:
    git = _repository(tmp_path, head=COMMIT) / ".git"
    (found,) = provenance(str(tmp_path)) or []
    assert (found.revision_id, found.branch) == (COMMIT, None)
    (git / "HEAD").write_text("ref: refs/heads/feature/ü#1\n")
    (found,) = provenance(str(tmp_path)) or []
    assert (found.revision_id, found.branch) == (None, "feature/ü#1"), "before the first commit"
    (git / "refs" / "heads" / "feature").mkdir()
    (git / "refs" / "heads" / "feature" / "ü#1").write_text(f"{COMMIT}\n")
    (found,) = provenance(str(tmp_path)) or []
    assert found.revision_id == COMMIT


def test_no_repository(tmp_path: Path) -> None:
    assert provenance(str(tmp_path)) is None
    assert provenance(str(tmp_path / "nowhere")) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "\n" * (1 << 20),
        '[remote "origin"]\n' + "\n" * ((1 << 20) - 100),
        '[remote "origin"]' * 60_000,
        '[remote "origin"]\nurl = ' + "\\x" * 500_000,
        '[remote "origin"]\nurl = ' + '"' * 1_000_000,
        '[remote "origin"]\n' + " url" * 250_000,
        "[" + " " * 1_000_000,
        "[a" + " " * 1_000_000,
        '[a "' + "\\" * 1_000_000,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_configurations_made_to_take_for_ever(text: str, tmp_path: Path) -> None:
    """The first one took 40 seconds."""
    (_repository(tmp_path) / ".git" / "config").write_text(text)
    begun = time.process_time()
    assert provenance(str(tmp_path)) is None
    assert time.process_time() - begun < 5


def test_below_the_root_of_the_repository(tmp_path: Path) -> None:
    below = _repository(tmp_path, "https://h/x") / "nginx"
    below.mkdir()
    (found,) = provenance(str(below)) or []
    assert found.mapped_to.uri_base_id == REPOSITORY
    assert base_ids(str(below))["%SRCROOT%"].uri == "nginx/"
