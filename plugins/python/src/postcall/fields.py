"""How the fields of an event look in Python."""

from __future__ import annotations

import math
from collections.abc import Iterable, MutableSequence, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, overload

from .transform_pb2 import Applied, Metrics, Turn

if TYPE_CHECKING:
    from .event import Event

T = TypeVar("T")
F = TypeVar("F", bound="Field[Any]")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


class Field(Generic[T]):
    """A field of the message as an attribute of the event. fixed: a transform must not change it."""

    def __init__(self, doc: str = "", *, fixed: bool = False, json: str = "") -> None:
        self.__doc__ = doc
        self.fixed = fixed
        self.json = json  # its name in postcall's canonical JSON

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        first, *rest = name.split("_")
        self.json = self.json or first + "".join(word.capitalize() for word in rest)

    @overload
    def __get__(self: F, event: None, owner: Any = ...) -> F: ...
    @overload
    def __get__(self, event: Event, owner: Any = ...) -> T: ...
    def __get__(self: F, event: Event | None, owner: Any = None) -> F | T:
        return self if event is None else self.read(event.message)

    def __set__(self, event: Event, value: T) -> None:
        if self.fixed:
            raise AttributeError(f"{self.name} of an event must not change")
        self.write(event.message, value)

    def read(self, message: Any) -> Any:
        """Return the value for Python."""
        return getattr(message, self.name)

    def write(self, message: Any, value: Any) -> None:
        """Put the value into the message."""
        setattr(message, self.name, value)


class Text(Field[str]):
    """Text, '' where it is not known."""


class Number(Field[int]):
    """A whole number."""


class Bool(Field[bool]):
    """Yes or no."""


class Real(Field[float]):
    """A finite number."""

    def write(self, message: Any, value: Any) -> None:
        if not math.isfinite(value):
            raise ValueError(f"{self.name} must be a finite number")
        super().write(message, value)


class Maybe(Field[Optional[T]]):
    """A value that is None where it is not known."""

    def read(self, message: Any) -> Any:
        return getattr(message, self.name) if message.HasField(self.name) else None

    def write(self, message: Any, value: Any) -> None:
        if value is None:
            message.ClearField(self.name)
        else:
            setattr(message, self.name, value)


class Flag(Maybe[bool]):
    """Yes, no, or None."""


class Seconds(Maybe[float]):
    """A number of seconds, or None."""

    def write(self, message: Any, value: Any) -> None:
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{self.name} must be a finite number")
        super().write(message, value)


class Time(Maybe[datetime]):
    """A time with its zone, to the microsecond, or None."""

    def read(self, message: Any) -> Any:
        micros = super().read(message)
        return None if micros is None else EPOCH + micros * MICROSECOND

    def write(self, message: Any, value: Any) -> None:
        if value is not None:
            if value.tzinfo is None:
                raise ValueError(f"{self.name} must have a time zone")
            value = (value - EPOCH) // MICROSECOND
        super().write(message, value)


class Texts(Field[MutableSequence[str]]):
    """A list of texts."""

    def write(self, message: Any, value: Any) -> None:
        if isinstance(value, str):
            raise TypeError(f"{self.name} is a list of texts")
        getattr(message, self.name)[:] = list(value)


class Turns(Field[MutableSequence[Turn]]):
    """A list of turns."""

    def write(self, message: Any, value: Iterable[Turn]) -> None:
        turns = [Turn(role=t.role, content=t.content, words=t.words) for t in value]  # some of them can be in the list
        message.ClearField(self.name)
        getattr(message, self.name).extend(turns)


class Topics(Field[Optional[tuple[str, ...]]]):
    """The topics that were found, None where nobody has looked."""

    def read(self, message: Any) -> Any:
        return tuple(message.topics) if message.topics or message.topics_empty else None

    def write(self, message: Any, value: Iterable[str] | None) -> None:
        if isinstance(value, str):
            raise TypeError("topics are a list of texts")
        message.topics[:] = list(value or ())
        message.topics_empty = value is not None and not message.topics


class Counts(Field[Metrics]):
    """The metrics, there even where all are zero."""

    def write(self, message: Any, value: Metrics) -> None:
        message.metrics.CopyFrom(value)


class AppliedTo(Field[Sequence[Applied]]):
    """Transforms, in order."""

    def write(self, message: Any, value: Iterable[Applied]) -> None:
        message.ClearField(self.name)
        getattr(message, self.name).extend(value)
