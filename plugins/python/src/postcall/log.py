"""Log lines as postcall reads them: JSON with level and msg on stderr."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from typing import Any, TextIO

from .where import stack

__all__ = ["begin"]

_LEVELS = {"WARNING": "WARN", "CRITICAL": "ERROR"}
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST, _SHORT = 4000, 1000  # characters of a text
_LINE = 16_000  # bytes; postcall cuts a line of more than 16 KiB, and half a line is no JSON


class JSONFormatter(logging.Formatter):
    """Writes a record, and what extra={...} adds to it, as an object. Of an exception it tells the type and the place."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, Any] = {
            "level": _LEVELS.get(record.levelname, record.levelname),
            "msg": record.getMessage()[:_LONGEST],
            "logger": record.name,
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields.update(error=type(error).__name__, stack=stack(error)[-_LONGEST:])
        for name, value in vars(record).items():
            if name not in _OWN:
                plain = value is None or isinstance(value, (bool, int, float))
                fields.setdefault(name, value if plain else str(value)[:_LONGEST])
        line = json.dumps(fields)
        if len(line) > _LINE:
            line = json.dumps({"level": fields["level"], "msg": fields["msg"][:_SHORT], "cut": True})
        return line


class _Prints(io.TextIOBase):
    """A stdout whose lines are logged: what a library prints must not cost the handshake."""

    def __init__(self) -> None:
        self._lock, self._line = threading.Lock(), ""

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._line = (self._line + text).split("\n")
        for line in filter(None, lines):
            logging.getLogger("stdout").info("%s", line)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1  # which goes to stderr too: a child process can have it


def begin(stderr: TextIO) -> None:
    """Let logging, warnings, print and threads that fail write to stderr, as lines of JSON."""
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(JSONFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if root.level in (logging.NOTSET, logging.WARNING):  # the default, so the author hasn't set another
        root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.stdout = _Prints()
    threading.excepthook = _thread_failed


def _thread_failed(args: Any) -> None:
    if args.exc_value is not None:
        logging.getLogger("postcall").error("a thread failed", exc_info=args.exc_value)
