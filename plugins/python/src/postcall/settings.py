"""Reads the settings of a plugin into a dataclass.

What an error says is the name of a setting, what kind of value it has and what it should be: never the value.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import sys
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import SettingError
from .where import where

__all__ = ["NoSettings", "SettingsError", "check_type", "decode"]

S = TypeVar("S")

_KINDS: dict[type, str] = {bool: "a boolean", int: "a whole number", float: "a number", str: "a string"}


def decode(kind: type[S], data: bytes) -> S:
    """Read a JSON object into a dataclass of this kind. What is wrong is a SettingError."""
    try:
        value = json.loads(data, parse_constant=_no_number) if data.strip() else {}
    except (ValueError, RecursionError) as err:
        at = f" at byte {err.pos}" if isinstance(err, json.JSONDecodeError) else ""
        raise SettingsError(f"settings: no valid JSON{at}") from None
    if not isinstance(value, dict):
        raise SettingsError("settings: not a JSON object")
    made: S = _object(kind, value, "")
    return made


def _no_number(_name: str) -> None:
    raise ValueError  # Python reads NaN and Infinity, which JSON doesn't have


@dataclasses.dataclass
class NoSettings:
    """What a plugin without settings has."""


class SettingsError(SettingError):
    """The settings as a whole are wrong."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.setting = ""


def check_type(kind: type) -> None:
    """Raise TypeError where settings can't be read into this kind: an author sees it at the first start."""
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise TypeError(f"{getattr(kind, '__name__', kind)} must be a dataclass to hold settings")
    hints = _hints(kind)
    for field in _fields(kind):
        _check_hint(hints[field.name], f"{kind.__name__}.{field.name}")


def _check_hint(hint: Any, name: str) -> None:
    origin, args = get_origin(hint), get_args(hint)
    if hint in _KINDS or hint is Any or hint is type(None) or origin is Literal:
        return
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        check_type(hint)
    elif _is_union(hint) or (origin is list and args):
        for arg in args:
            _check_hint(arg, name)
    elif origin is dict and args and args[0] is str:
        _check_hint(args[1], name)
    else:
        raise TypeError(
            f"{name} is {hint}: a setting is a bool, int, float, str, list[...], dict[str, ...], Literal, Optional or dataclass"
        )


def _fields(kind: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.init]


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except TypeError as err:
        raise TypeError(f"{kind.__name__}: {err}; before Python 3.10 write Optional[str], not str | None") from None


def _is_union(hint: Any) -> bool:
    if sys.version_info >= (3, 10):
        import types

        if isinstance(hint, types.UnionType):
            return True
    return get_origin(hint) is Union


def _object(kind: Any, value: dict[str, Any], path: str) -> Any:
    fields, hints = {field.name: field for field in _fields(kind)}, _hints(kind)
    for name in value:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            hint = f', did you mean "{path}{near[0]}"?' if near else ""
            raise SettingsError(f'settings: unknown setting "{path}{name}"{hint}')
    for name, field in fields.items():
        if name not in value and field.default is field.default_factory is dataclasses.MISSING:
            raise SettingError(path + name, "is missing")
    read = {name: _value(hints[name], item, path + name) for name, item in value.items()}
    try:
        return kind(**read)
    except SettingError:
        raise
    except Exception as err:  # of __post_init__; its text can quote the value
        raise SettingsError(f"settings: {kind.__name__} raised {type(err).__name__} at {where(err)}") from None


def _value(hint: Any, value: Any, path: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if _is_union(hint):
        return _any_of(args, value, path)
    if origin is Literal:
        if not any(value == choice and type(value) is type(choice) for choice in args):
            raise SettingError(path, "must be one of " + ", ".join(json.dumps(choice) for choice in args))
        return value
    if isinstance(value, dict) and dataclasses.is_dataclass(hint):
        return _object(hint, value, path + ".")
    if isinstance(value, list) and origin is list:
        return [_value(args[0], item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and origin is dict:
        return {key: _value(args[1], item, f"{path}.{key}") for key, item in value.items()}
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if type(value) is hint:
        return value
    raise SettingError(path, f"can't be {_kind(value)}, it must be {_name(hint)}")


def _any_of(hints: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in hints:
        return None
    hints = tuple(hint for hint in hints if hint is not type(None))
    for hint in hints[:-1]:
        try:
            return _value(hint, value, path)
        except SettingError:
            pass
    return _value(hints[-1], value, path)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return _KINDS.get(type(value)) or ("a list" if isinstance(value, list) else "an object")


def _name(hint: Any) -> str:
    if hint in _KINDS:
        return _KINDS[hint]
    return "a list" if get_origin(hint) is list else "an object"
