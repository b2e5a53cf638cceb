"""The call under way: whether postcall still waits for its answer, and how long."""

from __future__ import annotations

import time
from contextvars import ContextVar

from .errors import Canceled

__all__ = ["Call", "check", "current", "time_left"]


class Call:
    """One batch under way, seen from the transform."""

    def __init__(self, seconds: float | None = None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.ended = False

    def end(self) -> None:
        """Tell the transform that nobody waits any more."""
        self.ended = True

    def check(self) -> None:
        """Raise Canceled where nobody waits any more."""
        if self.ended or (self.deadline is not None and time.monotonic() >= self.deadline):
            raise Canceled("nobody waits for this batch any more")


current: ContextVar[Call | None] = ContextVar("postcall_call", default=None)


def check() -> None:
    """Raise Canceled where nobody waits for this batch any more.

    The SDK calls it between events. A transform that works on one event for long calls it too: postcall kills a plugin
    that misses its deadline. It looks at the thread's own call and does nothing outside of one.
    """
    call = current.get()
    if call is not None:
        call.check()


def time_left() -> float | None:
    """Return the seconds until the deadline of this batch, None where there is none. Good as a timeout of a request."""
    call = current.get()
    if call is None or call.deadline is None:
        return None
    return max(0.0, call.deadline - time.monotonic())
