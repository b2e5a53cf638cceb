"""A plugin that does what an event's summary says: the Go tests of this folder run it."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Callable, Literal, Optional

from postcall import Event, Permanent, Retry, SettingError, check, serve, time_left

Action = Callable[[Event, str], object]


@dataclass
class Settings:
    suffix: str = ""
    share: float = 0.5
    mode: Literal["fast", "slow"] = "fast"
    secret: Optional[str] = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise SettingError("share", "must be between 0 and 1")
        if self.secret is not None:
            int(self.secret)  # whose error quotes it


def transform(event: Event, settings: Settings) -> None:
    what, _, argument = event.summary.partition(" ")
    if what in ACTIONS:
        ACTIONS[what](event, argument)
    event.topic += settings.suffix


def prints(_event: Event, argument: str) -> None:
    print("printed", argument)
    os.write(1, b"written to fd 1\n")
    subprocess.run(["echo", "echoed by a child"], check=True)
    sys.stderr.write("a plain line\n")
    logging.getLogger("mine").warning("about to %s", argument, extra={"count": 3})


def thread_fails(_event: Event, argument: str) -> None:
    def fail() -> None:
        raise ValueError(argument)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def logs_exception(_event: Event, argument: str) -> None:
    try:
        raise KeyError(argument)
    except KeyError:
        logging.exception("lookup failed")


def fails(error: type[Exception]) -> Action:
    def fail(_event: Event, argument: str) -> None:
        raise error(argument)

    return fail


def hang(_event: Event, _argument: str) -> None:
    while True:
        time.sleep(60)


def wait(_event: Event, _argument: str) -> None:
    while True:
        check()
        time.sleep(0.01)


def environment(event: Event, _argument: str) -> None:
    event.extra["environment"] = dict(os.environ)
    event.extra["time_left"] = time_left()
    event.extra["stdin"] = sys.stdin.read()


def split(event: Event, _argument: str) -> None:
    for topic in ("first", "second"):
        event.child().topic = topic


def big(event: Event, _argument: str) -> None:
    event.long_summary = "x" * (100 << 20)


ACTIONS: dict[str, Action] = {
    "print": prints,
    "thread": thread_fails,
    "exception": logs_exception,
    "raise": fails(ValueError),
    "disk": fails(OSError),
    "permanent": fails(Permanent),
    "retry": fails(Retry),
    "hang": hang,
    "wait": wait,
    "environment": environment,
    "split": split,
    "big": big,
    "die": lambda _event, _argument: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda _event, _argument: sys.exit(0),
    "drop": lambda event, _argument: event.drop("unwanted"),
    "reject": lambda event, _argument: event.reject("odd"),
    "extra": lambda event, argument: event.extra.update(json.loads(argument)),
}

if __name__ == "__main__":
    serve("fault", "1.2.3", transform, Settings)
