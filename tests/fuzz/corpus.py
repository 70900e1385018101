"""What real inputs look like: the fixtures and the rule pages, for the fuzzer to start from."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

from nginxaudit.engine.rules.places import pages_directory
from nginxaudit.engine.settings.document import sample
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.parse import parse
from tests.rules.examples import cases, clean

_FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
_PATTERN_SIGNS = frozenset({"~", "~*", "!~", "!~*", "rewrite"})


@cache
def configurations() -> tuple[bytes, ...]:
    """Configurations: the fixtures' files and the examples of the pages."""
    files = (path for path in sorted(_FIXTURES.rglob("*")) if path.suffix in (".conf", ".types", ".yaml"))
    examples = (clean(case.example.text) for case in cases())
    texts = [path.read_bytes() for path in files]
    texts += [text.encode("utf-8", "surrogateescape") for text in examples]
    return tuple(dict.fromkeys(text for text in texts if len(text) < 8192))


@cache
def dumps() -> tuple[bytes, ...]:
    """Outputs of ``nginx -T``: a tree of the fixtures, and single configurations."""
    tree = _FIXTURES / "etc-nginx"
    files = [tree / "nginx.conf", *sorted(path for path in tree.rglob("*.conf") if path.name != "nginx.conf")]
    whole = b"".join(
        b"# configuration file /etc/nginx/%s:\n%s\n"
        % (path.relative_to(tree).as_posix().encode(), path.read_bytes())
        for path in files
    )
    singles = [
        b"# configuration file /etc/nginx/nginx.conf:\n" + text + b"\n" for text in configurations()[:20]
    ]
    return (whole, *singles)


@cache
def pages() -> tuple[bytes, ...]:
    """Rule pages that a user may write: those whose check and repair need no Python."""
    texts = [path.read_bytes() for path in sorted(Path(pages_directory()).glob("*/*.md"))]
    own = [text for text in texts if b"python" not in text.partition(b"\n+++\n")[0]]
    return (*own, *_PAGES)


@cache
def settings_files() -> tuple[bytes, ...]:
    """Settings files: the one that ``init`` writes, with its comments opened, and that of the fixtures."""
    lines = sample().splitlines()
    opened = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in lines]
    fixtures = [path.read_bytes() for path in sorted(_FIXTURES.rglob("*.toml"))]
    return ("\n".join(opened).encode(), *fixtures)


@cache
def patterns() -> tuple[str, ...]:
    """Regular expressions of the configurations."""
    found: dict[str, None] = {}
    for data in configurations():
        stack = list(parse(SourceText("c", data.decode("utf-8", "surrogateescape"))).statements)
        while stack:
            statement = stack.pop()
            stack.extend(statement.block or [])
            words = (statement.word, *statement.args)
            for before, word in pairwise(words):
                if before in _PATTERN_SIGNS:
                    found[str(word)] = None
    return tuple(found)


_BODY = b"""# A title

## What it does
It looks.

## Why it matters
It does.

## How to fix
Fix it.

## When to ignore it
Never.

## Examples

```nginx bad
gzip on;  # finding
```

```nginx fixed
gzip off;
```

```nginx good name=x.conf
gzip off;
```
"""
_HEAD = b'+++\nid = "OWN001"\nseverity = "warning"\nconfidence = "high"\ntags = ["own"]\ncwe = [22]\n'
_PAGES = (
    _HEAD
    + b'fix = "safe"\n[check]\ndirective = "gzip"\nargument = 1\nequals = "on"\nmessage = "{value}"\n'
    + b'[repair]\ntitle = "Turn {directive} off"\nreplace = "gzip off;"\n+++\n'
    + _BODY,
    _HEAD
    + b'[check]\nlacks = "server_tokens"\nin = ["http"]\nmessage = "{context}"\nhelp = "say so"\n'
    + b'[options.most]\ntype = "integer"\ndefault = 3\ndescription = "How many."\n+++\n'
    + _BODY,
    _HEAD
    + b'fix = "unsafe"\n[check]\ndirective = ["client_max_body_size", "keepalive_timeout"]\nabove = "1m"\n'
    + b'unit = "size"\nmessage = "big"\n[repair]\ntitle = "less"\ninsert = "x {1};"\nwhere = "first"\n+++\n'
    + _BODY,
)
