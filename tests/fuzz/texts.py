"""Inputs besides configurations: settings, pages, dumps, and what is left of a file after an accident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.settings.document import is_table
from nginxaudit.engine.settings.record import FileSettings, described
from tests.fuzz import corpus
from tests.fuzz.grammar import Draw, configurations, expressions, suppressions

_TOKENS = (b"{", b"}", b";", b'"', b"'", b"\\", b"#", b"\n", b"\r", b" ", b"$", b"${", b"\xef\xbb\xbf", b"\xff", b"\xc3\xa9", b"[", b"]", b"=",
           b"~", b"{{", b"{%", b"_by_lua_block {", b"include ", b"# nginxaudit: ignore[", b"]]", b"--[[", b"+++\n", b"```nginx bad\n", b"1" * 30)  # fmt: skip


@st.composite
def mutants(draw: Any, seeds: Sequence[bytes]) -> bytes:
    """A seed to which something happened: deleted, doubled, spliced, flipped, cut off, put in."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        data = _mutated(draw, data, seeds)
    return data


def _mutated(draw: Any, data: bytes, seeds: Sequence[bytes]) -> bytes:
    kind = draw(
        st.sampled_from(("delete", "double", "splice", "flip", "truncate", "insert", "insert", "swap"))
    )
    at = draw(st.integers(0, len(data)))
    end = min(len(data), at + draw(st.sampled_from((1, 1, 2, 5, 20, 100))))
    if kind == "delete":
        return data[:at] + data[end:]
    if kind == "double":
        return data[:end] + data[at:end] * draw(st.sampled_from((1, 1, 3, 50))) + data[end:]
    if kind == "splice":
        other = draw(st.sampled_from(seeds))
        start = draw(st.integers(0, len(other)))
        return data[:at] + other[start : start + 400] + data[end if draw(st.booleans()) else len(data) :]
    if kind == "flip":
        return (
            data[:at] + bytes(byte ^ draw(st.integers(1, 255)) for byte in data[at : at + 1]) + data[at + 1 :]
        )
    if kind == "truncate":
        return data[:at] if draw(st.booleans()) else data[at:]
    if kind == "swap":
        return data[:at] + data[end : end + 10] + data[at:end] + data[end + 10 :]
    return data[:at] + draw(st.sampled_from(_TOKENS)) + data[at:]


def noise() -> st.SearchStrategy[bytes]:
    """Bytes without sense, and signs of the syntax without sense."""
    return st.binary(max_size=80) | st.lists(st.sampled_from(_TOKENS), max_size=30).map(b"".join)


def any_configuration() -> st.SearchStrategy[bytes]:
    """Written, mutilated and senseless configurations."""
    return st.one_of(configurations(), configurations(), mutants(corpus.configurations()), noise())


@st.composite
def remarked(draw: Draw) -> bytes:
    """A configuration with comments to nginxaudit between and behind its lines."""
    lines = draw(st.sampled_from(_READABLE)).split("\n")
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(lines)))
        comment = draw(suppressions()).removesuffix("\n")
        if draw(st.booleans()) and at < len(lines):
            lines[at] += f"  {comment}"
        else:
            lines.insert(at, comment)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


_READABLE = [data.decode("utf-8", "surrogateescape") for data in corpus.configurations()]


@st.composite
def dumps(draw: Any) -> bytes:
    """What ``nginx -T`` may print: files that include each other, in any order, or once more, or not at all."""
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4))
    parts = [draw(st.sampled_from((b"", b"", b"nginx: the configuration file is ok\n", b"\n \r\n", b"x")))]
    for name in names:
        header = draw(
            st.sampled_from(
                (b"# configuration file %s:\n",) * 6
                + (b"# configuration file %s:\r\n", b"#configuration file %s:\n")
            )
        )
        body = draw(any_configuration())
        included = draw(st.sampled_from((*_NAMES, b"*.conf", b"c?nf.d/*", b"[", b"../x", b"/", b"")))
        where = draw(st.sampled_from((b"", b"include %s;\n", b"http { include %s; }\n", b"include '%s';\n")))
        parts += [header % name, where % included if where else b"", body, b"\n"]
    return b"".join(parts)


_NAMES = (
    b"/etc/nginx/nginx.conf",
    b"/etc/nginx/conf.d/a.conf",
    b"/etc/nginx/b.conf",
    b"/",
    b"/x y",
    b"/etc/nginx/\xff.conf",
    b"/c]/[a",
)


def any_dump() -> st.SearchStrategy[bytes]:
    """Written, mutilated and senseless dumps."""
    return st.one_of(dumps(), mutants(corpus.dumps()), noise())


# -- TOML

_SCALARS = ('"x"', '""', "1", "-1", "1.5", "true", "false", "[]", "[1]", '["ALL"]', '["style", "x"]', "{}", "1979-05-27", "nan", "inf", "'*'",
            '"\\u0000"', '["\\u0000"]', '"/"', '["/"]', '["../x"]', '["."]', "9" * 5000, '"1.28.0"', '"plus"', '"error"', "[[[]]]", '{ severity = "info" }',
            '{ topology = "active-active" }', '{ topology = [] }', "{ severity = 1 }", "00", '"""\na"""', '"never"', '["lua"]', '"\ud7ff"',
            '["nginx.conf"]', '"' + "a" * 300 + '"')  # fmt: skip
_OPTIONS = [(rule.slug, option) for rule in builtin() for option in rule.options]
_SETTINGS = described(FileSettings)
_SLUGS = builtin().names


@st.composite
def _toml(draw: Draw) -> bytes:
    scalar = st.sampled_from(_SCALARS)
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        setting = draw(st.sampled_from(_SETTINGS))
        value = setting.sample if draw(st.booleans()) and not is_table(setting) else draw(scalar)
        lines.append(f"{setting.key} = {value}")
    for _ in range(draw(st.integers(0, 3))):
        slug, option = (
            draw(st.sampled_from(_OPTIONS))
            if draw(st.booleans())
            else (draw(st.sampled_from(_SLUGS)), "severity")
        )
        form = draw(st.sampled_from(("[rule.{}]\n{} = {}",) * 4 + ("[upstreams]\n{}.{} = {}", "[per-file-ignores]\n{}.{} = {}", "[rule]\n{1} = {2}",
                                      "[tool.nginxaudit]\n{1} = {2}", "[per-file-ignores]\n'*' = {2}", "[upstreams.'a*']\ntopology = {2}")))  # fmt: skip
        lines.append(form.format(slug, option, draw(scalar)))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def any_settings() -> st.SearchStrategy[bytes]:
    """Written, mutilated and senseless settings files."""
    return st.one_of(_toml(), _toml(), mutants(corpus.settings_files()), noise())


_FRONT_KEYS = ("id", "severity", "confidence", "default", "rejected-by-nginx", "tags", "cwe", "fix", "since", "edition", "nginx-since", "nginx-until",
               "references", "proofs", "check", "repair", "options", "check.directive", "check.contexts", "check.argument", "check.equals", "check.one-of",
               "check.not-one-of", "check.matches", "check.above", "check.below", "check.unit", "check.lacks", "check.in", "check.message", "check.help",
               "check.parameter", "repair.title", "repair.delete", "repair.replace", "repair.append", "repair.insert", "repair.where", "repair.what",
               "options.x", "options.x.type", "options.x.default", "options.x.description", "check.python", "repair.python")  # fmt: skip
_FRONT_VALUES = (*_SCALARS, '"("', '"(a+)+$"', '"gzip"', '["http", "server"]', '"any"', '"1m"', '"size"', '"time"', '"safe"', '"unsafe"', '"none"',
                 '"directive"', '"found"', '"first"', '"last"', '"before"', '"after"', '"http"', '"}"', '"{1} {found} {x}"', '"integer"', "2", '"high"')  # fmt: skip


@st.composite
def _page(draw: Draw) -> bytes:
    """A page with a few keys of its front matter set to something else."""
    front, sign, body = (
        draw(st.sampled_from(corpus.pages())).decode().removeprefix("+++\n").partition("\n+++\n")
    )
    lines = front.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(_FRONT_KEYS))
        table, dot, name = key.rpartition(".")
        lines = [line for line in lines if not line.startswith((f"{name or key} =", f"{name or key}="))]
        at = next((number for number, line in enumerate(lines) if line == f"[{table}]"), None) if dot else -1
        value = f"{name} = {draw(st.sampled_from(_FRONT_VALUES))}"
        lines = [*lines, f"[{table}]", value] if at is None else [*lines[: at + 1], value, *lines[at + 1 :]]
    return _joined(lines, sign, body)


def _joined(lines: list[str], sign: str, body: str) -> bytes:
    return ("+++\n" + "\n".join(lines) + sign + body).encode("utf-8", "surrogatepass")


def any_page() -> st.SearchStrategy[bytes]:
    """Altered, mutilated and senseless rule pages."""
    return st.one_of(_page(), _page(), mutants(corpus.pages()), noise())


def any_expression() -> st.SearchStrategy[bytes]:
    """Regular expressions, and bytes that are none."""
    seeds = [pattern.encode("utf-8", "surrogateescape") for pattern in corpus.patterns()]
    written = expressions().map(lambda text: text.encode("utf-8", "surrogateescape"))
    return st.one_of(written, written, mutants(seeds), noise())
