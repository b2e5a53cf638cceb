"""A transform with its settings, called with batches as they come over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from google.protobuf.message import DecodeError

from . import settings as settings_
from . import transform_pb2 as wire
from .call import Call, current
from .errors import Permanent
from .event import Event

__all__ = ["Transformer"]


class Transformer:
    """A transform with its name and version; configure it, then call it from any thread."""

    def __init__(
        self, name: str, version: str, transform: Callable[..., None], settings: type | None, *, batch: bool = False
    ) -> None:
        if not (name and version):
            raise ValueError("a plugin has a name and a version")
        if not callable(transform):
            raise TypeError("transform must be a function")
        if settings is not None:
            settings_.check_type(settings)
        self.name, self.version, self.batch = name, version, batch
        self._transform, self._kind = transform, settings
        self.settings: Any = None

    def configure(self, data: bytes) -> None:
        """Read the settings. What is wrong with them is a SettingError."""
        self.settings = settings_.decode(self._kind or settings_.NoSettings, data)

    def call(self, data: bytes, call: Call) -> bytes:
        """Transform a serialized batch."""
        try:
            batch = wire.Events.FromString(data)
        except DecodeError:
            raise Permanent("the batch is no message of this protocol") from None
        events = [Event.of(message) for message in batch.events]
        self.run(events, call)
        messages = with_children(events)
        if len(messages) > len(events):
            batch = wire.Events(events=messages)
        return batch.SerializeToString()

    def run(self, events: Sequence[Event], call: Call) -> None:
        """Transform events in place."""
        if not events:
            return
        args = () if self._kind is None else (self.settings,)
        token = current.set(call)
        try:
            if self.batch:
                call.check()
                self._one(list(events), args)
                return
            for event in events:
                call.check()
                self._one(event, args)
        finally:
            current.reset(token)

    def _one(self, argument: Any, args: tuple[Any, ...]) -> None:
        if self._transform(argument, *args) is not None:
            raise TypeError("a transform changes what it is handed and returns nothing")


def with_children(events: Sequence[Event]) -> list[wire.Event]:
    """Return the messages of the events, each followed by those of its children."""
    return [e.finish() for event in events for e in (event, *event.children)]
