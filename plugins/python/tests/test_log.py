import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from postcall import log


@contextmanager
def logging_begun() -> Iterator[io.StringIO]:
    root, stdout = logging.getLogger(), sys.stdout
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    root.setLevel(logging.WARNING)
    stderr = io.StringIO()
    log.begin(stderr)
    yield stderr
    sys.stdout, root.handlers[:], threading.excepthook = stdout, handlers, hook
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(written: io.StringIO) -> "list[dict[str, Any]]":
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_levels_and_attributes() -> None:
    with logging_begun() as written:
        logger = logging.getLogger("mine")
        logger.debug("too fine")
        logger.info("a %s", "b", extra={"count": 3, "path": ["x"], "level": "mine"})
        logger.warning("careful")
        logger.critical("\ud800 and a line\nbreak")
        assert lines(written) == [
            {"level": "INFO", "msg": "a b", "logger": "mine", "count": 3, "path": "['x']"},
            {"level": "WARN", "msg": "careful", "logger": "mine"},
            {"level": "ERROR", "msg": "\ud800 and a line\nbreak", "logger": "mine"},
        ]


def test_an_exception_is_told_without_its_text() -> None:
    with logging_begun() as written:
        try:
            int("jordan")
        except ValueError:
            logging.exception("not a number")
        (line,) = lines(written)
        assert line["error"] == "ValueError"
        assert line["stack"].startswith("test_log.py:")
        assert "jordan" not in written.getvalue()


def test_prints_and_warnings_are_lines() -> None:
    with logging_begun() as written:
        print("one", end=" ")
        print("two\n\nthree")
        print("not ended yet", end="")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", stacklevel=1)
        assert [(line["msg"], line["logger"]) for line in lines(written)[:2]] == [("one two", "stdout"), ("three", "stdout")]
        assert "old" in lines(written)[2]["msg"]
        assert lines(written)[2]["level"] == "WARN"


def test_a_line_is_never_too_long_for_the_host() -> None:
    with logging_begun() as written:
        logging.getLogger().error("\x00" * 100_000, extra={"more": "\x00" * 100_000})
        logging.getLogger().error("\U0001f600" * 100_000)
        logging.getLogger().error("x" * 100_000)
        assert [len(line) < 16_384 for line in written.getvalue().splitlines()] == [True, True, True]
        assert [line.get("cut") for line in lines(written)] == [True, True, None]
