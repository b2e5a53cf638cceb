"""Prints the folder of the virtual environment for the tests and linters of plugins in Python, after making it.

It is in the cache that all clones share, one folder for each requirements.txt and version of Python.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def cache() -> Path:
    """Return the folder that the Makefile calls CACHE."""
    if own := os.environ.get("POSTCALL_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "postcall"


def make() -> Path:
    """Return the environment. Only one process makes it; the others wait."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache() / f"python-{digest}"
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{venv}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, stdout=sys.stderr)
            pip = [str(venv / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
            subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
            (venv / "ready").touch()
    return venv


if __name__ == "__main__":
    if sys.version_info < (3, 10):
        sys.exit(f"the plugins in Python are tested with Python 3.10 or later, this is {sys.version.split()[0]}")
    try:
        print(make())
    except subprocess.CalledProcessError as err:
        sys.exit(f"{err}; Python needs its venv (Debian: python3-venv) and a way to the package index")
