"""TOML tables as records: the fields of a record say what a table may hold.

Names of keys, types, bounds and choices are those of the record (`msgspec`). What a key may hold besides is in the
``extra`` of its `msgspec.Meta`: ``read`` makes the value of a text, ``show`` is the other way round, ``check`` raises
`ValueError` for a value that has the type and still cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from msgspec import Struct, ValidationError, convert, inspect, structs

from nginxaudit.engine.annotations import choices, metas, plain
from nginxaudit.suggest import did_you_mean

_T = TypeVar("_T", bound=Struct)
_MOST_SHOWN = 60  # characters of a value in a message


class TableError(ValueError):
    """A table that cannot be used: ``key`` is where (dotted), ``reason`` what is wrong and what is allowed."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}" if key else reason)
        self.key = key
        self.reason = reason


def read(kind: type[_T], table: object, key: str = "", noun: str = "setting") -> _T:
    """``table`` as a ``kind``. Raises `TableError`; ``noun`` is what a key is called in it."""
    known = {field.encode_name: field for field in structs.fields(kind)}
    given = _table(table, key)
    for name in given:
        if name not in known:
            raise TableError(_below(key, name), f"unknown {noun}{did_you_mean(name, known)}")
    missing = [name for name, field in known.items() if field.required and name not in given]
    if missing:
        raise TableError(key, f"required but missing: {', '.join(missing)}")
    values = {
        known[name].name: _value(known[name].type, value, _below(key, name), noun)
        for name, value in given.items()
    }
    return kind(**values)


def _value(annotation: Any, value: object, key: str, noun: str) -> Any:
    kind = plain(annotation)
    if _is_record(kind):
        return read(kind, value, key, noun)
    if get_origin(kind) is UnionType and isinstance(value, Mapping):
        record = next(filter(_is_record, get_args(kind)), None)
        if record is not None:
            return read(record, value, key, noun)
    if get_origin(kind) is Mapping:
        each = get_args(kind)[1]
        return {
            name: _value(each, entry, _below(key, name), noun) for name, entry in _table(value, key).items()
        }
    return _leaf(annotation, value, key)


def _leaf(annotation: Any, value: object, key: str) -> Any:
    extra = {name: each for meta in metas(annotation) for name, each in (meta.extra or {}).items()}
    try:
        meant = extra["read"](value) if "read" in extra and isinstance(value, str) else value
        converted = convert(meant, annotation)
        if "check" in extra:
            extra["check"](converted)
    except ValidationError:
        raise TableError(key, _expected(annotation, value, extra.get("show"))) from None
    except ValueError as error:
        raise TableError(key, str(error)) from None
    return converted


def _table(value: object, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TableError(key, f"a table is expected, not {shown(value)}")
    return value


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


# -- what is expected, in words


def shown(value: object) -> str:
    """A value as a message quotes it."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _expected(annotation: Any, value: object, show: Callable[[int], str] | None) -> str:
    words = choices(annotation)
    if words and isinstance(value, str):
        return f"{shown(value)} is not one of {', '.join(words)}{did_you_mean(value, words)}"
    kind = f"one of {', '.join(words)}" if words else _kind(_bare(inspect.type_info(annotation)), show)
    return f"{kind} is expected, not {shown(value)}"


def _bare(info: inspect.Type) -> inspect.Type:
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType) and info.includes_none:
        rest = [each for each in info.types if not isinstance(each, inspect.NoneType)]
        return _bare(rest[0]) if len(rest) == 1 else inspect.UnionType(tuple(rest))
    return info


def _kind(info: inspect.Type, show: Callable[[int], str] | None = None) -> str:
    """A type in words, with its article."""
    if isinstance(info, inspect.UnionType):
        return " or ".join(_kind(_bare(each)) for each in info.types)
    if isinstance(info, inspect.VarTupleType):
        item = _bare(info.item_type)
        plural, example = _LISTS.get(type(item), (f"{_kind(item)}, several times", ""))
        return f"a list of {plural}{example}"
    if isinstance(info, inspect.IntType) and info.ge is not None:
        spell = show or str
        top = "" if info.le is None else f" to {spell(info.le)}"
        return f"{'a size' if show else 'a whole number'} from {info.ge}{top}"
    if isinstance(info, inspect.LiteralType):
        return " or ".join(f'"{each}"' for each in info.values)
    return _WORDS.get(type(info), "something else")


_WORDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "a string",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.StructType: "a table",
    inspect.DictType: "a table",
}
_LISTS: dict[type[inspect.Type], tuple[str, str]] = {
    inspect.StrType: ("strings", ', e.g. ["..."],'),
    inspect.IntType: ("whole numbers", ", e.g. [22],"),
}
