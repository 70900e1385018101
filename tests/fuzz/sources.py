"""Which inputs each target is given."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from tests.fuzz import corpus, drilled, texts
from tests.fuzz.grammar import configurations
from tests.fuzz.targets import COMMANDS, MARK, VARIANTS

_Inputs = st.SearchStrategy[bytes]


def _marked(inputs: _Inputs, names: Iterable[str], share: int = 2) -> _Inputs:
    """Inputs of which some name in their first line how they are to be read."""
    marks = [MARK + name.encode() + b"\n" for name in names]
    return st.tuples(st.sampled_from([*marks, *[b""] * (len(marks) * (share - 1))]), inputs).map(b"".join)


INPUTS: dict[str, _Inputs] = {
    "words": texts.any_configuration(),
    "tree": texts.any_configuration(),
    "regex": texts.any_expression(),
    "settings": texts.any_settings(),
    "remarks": texts.remarked() | configurations(),
    "dump": texts.any_dump(),
    "page": texts.any_page(),
    "scan": _marked(texts.any_configuration() | texts.any_dump(), VARIANTS),
    "command": _marked(texts.any_configuration() | texts.remarked() | texts.any_dump(), COMMANDS, share=1),
    "fixes": _marked(texts.any_configuration() | texts.remarked(), VARIANTS, share=4),
    "folder": texts.any_dump(),
    "drill": drilled.groups() | texts.mutants(corpus.configurations()),
}


def seeds(target: str) -> list[bytes]:
    """Real inputs for a fuzzer that has no grammar."""
    if target == "regex":
        return [pattern.encode("utf-8", "surrogateescape") for pattern in corpus.patterns()]
    if target == "settings":
        return list(corpus.settings_files())
    if target == "page":
        return list(corpus.pages())
    return list(corpus.dumps() if target in ("dump", "folder") else corpus.configurations())
