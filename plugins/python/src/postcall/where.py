"""Where an error came from. Its text can be what a caller said, the place in the code can't."""

from __future__ import annotations

import os
import sysconfig
import traceback

__all__ = ["stack", "where"]

# What is installed beside the SDK is a library, as the SDK itself is.
_BESIDE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARIES = tuple({folder + os.sep for folder in (_BESIDE, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))})


def where(err: BaseException) -> str:
    """Return the last place in the author's own code that the error passed, as plugin.py:12."""
    frames = traceback.extract_tb(err.__traceback__)
    own = [f for f in frames if not _library(os.path.abspath(f.filename))]
    for frame in reversed(own or frames):
        return f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return "an unknown place"


def stack(err: BaseException) -> str:
    """Return the places that the error passed, the outermost first."""
    frames = traceback.extract_tb(err.__traceback__)
    return " > ".join(f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in frames)


def _library(path: str) -> bool:
    return path.startswith((*_LIBRARIES, "<"))
