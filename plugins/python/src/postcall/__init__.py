"""Write a plugin of postcall: a transform of the events of calls.

    from dataclasses import dataclass
    from postcall import Event, serve

    @dataclass
    class Settings:
        seconds: float = 10.0

    def transform(event: Event, settings: Settings) -> None:
        if event.duration is not None and event.duration < settings.seconds:
            event.drop("too short")

    if __name__ == "__main__":
        serve("drop-short", "1.0.0", transform, Settings)

A transform changes an event in place, drops it, rejects it, or splits children off it. It must be safe to repeat: after
an error, a crash or a deadline the same batch comes again. What becomes of an event must not depend on its neighbours.
Several calls can be under way at once, in threads.

What it raises fails the whole batch, of which nothing is decided then. Permanent, and every exception that isn't named
here, says that an event is at fault: postcall finds it and holds it back. After Retry, OSError and MemoryError postcall
sends the same batch again. Of any exception but Permanent and Retry only its type and the place in your code are told,
since its text can be what a caller said. Reasons, log lines and messages of yours must not hold that either.
"""

from __future__ import annotations

from typing import Any, Callable, Literal, TypeVar, overload

from .call import check, time_left
from .errors import Canceled, Permanent, Retry, SettingError
from .event import Event
from .transform_pb2 import Turn

__all__ = ["Canceled", "Event", "Permanent", "Retry", "SettingError", "Turn", "check", "serve", "time_left"]
__version__ = "0.1.0"

S = TypeVar("S")


@overload
def serve(name: str, version: str, transform: Callable[[Event], None]) -> None: ...
@overload
def serve(name: str, version: str, transform: Callable[[Event, S], None], settings: type[S]) -> None: ...
@overload
def serve(name: str, version: str, transform: Callable[[list[Event]], None], *, batch: Literal[True]) -> None: ...
@overload
def serve(
    name: str, version: str, transform: Callable[[list[Event], S], None], settings: type[S], *, batch: Literal[True]
) -> None: ...
def serve(
    name: str, version: str, transform: Callable[..., None], settings: type[Any] | None = None, *, batch: bool = False
) -> None:
    """Be the whole main of a plugin: serve the transform, and return when postcall ends the plugin.

    transform is called with an event, or with the list of a batch's events where batch is True, and, where settings is
    a dataclass, with what the operator set, read and checked. It changes what it is handed and returns nothing. The
    dataclass raises SettingError in __post_init__ where a value is wrong; what is slow to make belongs there too.

    print and logging write log lines under the plugin's name. Started by hand it says what it is and exits.
    """
    from . import process
    from .transformer import Transformer

    transformer = Transformer(name, version, transform, settings, batch=batch)
    if not process.started_by_postcall():
        process.by_hand(transformer)
    process.run(transformer)
