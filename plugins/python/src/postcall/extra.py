"""The fields of an event that postcall has no name for."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

__all__ = ["Extra"]

# Finds where a value ends, without reading its numbers: those can have more digits than Python cares for.
_scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
_SPACE = " \t\n\r"


class Extra(MutableMapping[str, Any]):
    """A JSON object as a dict of values. What is not assigned stays as it was written, to the byte.

    A value you get is a copy: to change a list or an object inside, change the copy and assign it.
    """

    __slots__ = ("_members", "_raw", "changed")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._members: dict[str, str] | None = None
        self.changed = False

    def __getitem__(self, name: str) -> Any:
        return json.loads(self._read()[name])

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str):
            raise TypeError("the name of a field is text")
        self._read()[name] = _write(value)
        self.changed = True

    def __delitem__(self, name: str) -> None:
        del self._read()[name]
        self.changed = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def __repr__(self) -> str:
        return f"<Extra: {len(self)} fields>"  # their values are what a caller said

    def to_bytes(self) -> bytes:
        """Return the JSON object, or nothing where there are no fields."""
        if not self.changed:
            return self._raw
        members = self._read()
        if not members:
            return b""
        return "{{{}}}".format(",".join(f"{_write(name)}:{value}" for name, value in members.items())).encode()

    def _read(self) -> dict[str, str]:
        if self._members is None:
            self._members = _members(self._raw)
        return self._members


def _members(raw: bytes) -> dict[str, str]:
    """Cut a JSON object into its names and the text of its values. The last of several values of a name counts."""
    if not raw.strip():
        return {}
    try:
        return _cut(raw.decode())
    except (ValueError, IndexError, RecursionError):
        pass
    raise ValueError("extra is not a JSON object")  # without the cause, which quotes it


def _cut(text: str) -> dict[str, str]:
    members: dict[str, str] = {}
    at = _skip(text, 0, "{")
    if text[at] != "}":
        while True:
            name, at = _scan(text, at)
            if not isinstance(name, str) or text[at - 1] != '"':
                raise ValueError
            start = _skip(text, _skip(text, at), ":")
            _, end = _scan(text, start)
            members[name] = text[start:end]
            at = _skip(text, end)
            if text[at] == "}":
                break
            at = _skip(text, at, ",")
    if _skip(text, at + 1) != len(text):
        raise ValueError
    return members


def _skip(text: str, at: int, mark: str = "") -> int:
    """Return where the next thing begins, behind spaces, the mark, and spaces."""
    while at < len(text) and text[at] in _SPACE:
        at += 1
    if not mark:
        return at
    if text[at] != mark:
        raise ValueError
    return _skip(text, at + 1)


def _write(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON has only in its escaped form
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text
