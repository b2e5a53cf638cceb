"""Builds a project into a folder that postcall runs: a launcher, the plugin's code, and its libraries.

    python -m postcall.build [PROJECT] --out DIR

PROJECT (the current folder without it) has plugin.py, beside it modules and packages that plugin.py imports, and
requirements.txt, which names exact versions. DIR/NAME is made anew, NAME being the project folder's own.

The same project and the same version of Python make the same folder, to the byte, so that its checksum can be locked.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["build", "main"]

# -I and -S keep the machine's other packages and the user's settings out, -B keeps the folder as it was built.
LAUNCHER = """\
#!/bin/sh
# Starts this plugin with the Python that its libraries are for.
dir=$(cd "$(dirname "$0")" && pwd)
export MALLOC_ARENA_MAX=2 # threads share memory: otherwise each keeps what it once had
for python in python{version} python3 python; do
	if "$python" -I -S -c 'import sys; sys.exit(sys.version_info[:2] != ({major}, {minor}))' 2>/dev/null; then
		exec "$python" -I -S -B "$dir/app/__main__.py"
	fi
done
echo "{name} needs Python {version}, which its libraries are for, in PATH; or build it again with the Python that is there" >&2
exit 1
"""

MAIN = """\
import runpy
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path


class Source(SourceFileLoader):
    # No checksum covers compiled code, so none of this folder's is run.
    def get_data(self, path):
        if path.endswith(".pyc"):
            raise OSError(path)
        return super().get_data(path)


find = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (Source, SOURCE_SUFFIXES))
folder = Path(__file__).resolve().parent.parent


def find_here(path):
    if folder not in Path(path).parents:
        raise ImportError(path)
    return find(path)


sys.path_hooks.insert(0, find_here)
# Behind the standard library: nothing here can stand in for it.
sys.path += [str(folder / "app"), str(folder / "lib")]
runpy.run_module("plugin", run_name="__main__", alter_sys=True)
"""


def build(project: Path, out: Path, name: str = "") -> Path:
    """Build the project and return the folder. What was there before stays as it is until the new one is whole."""
    project, out = project.resolve(), out.resolve()
    name = name or project.name
    for needed in ("plugin.py", "requirements.txt"):
        if not (project / needed).is_file():
            raise FileNotFoundError(f"{project} has no {needed}: it is no plugin in Python")
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=out))
        try:
            _fill(project, made, name)
            _replace(made, out / name)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return out / name


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep two builds into one folder from replacing each other's halves."""
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _fill(project: Path, made: Path, name: str) -> None:
    made.chmod(0o755)
    (made / "app").mkdir()
    for source in _sources(project):
        target = made / "app" / source.relative_to(project)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (made / "app" / "__main__.py").write_text(MAIN, encoding="utf-8")
    _install(project, made / "lib")
    major, minor = sys.version_info[:2]
    launcher = made / name
    launcher.write_text(LAUNCHER.format(name=name, version=f"{major}.{minor}", major=major, minor=minor), encoding="utf-8")
    launcher.chmod(0o755)


def _sources(project: Path) -> Iterator[Path]:
    """Yield the modules beside plugin.py and every file of the packages there, but no tests."""
    for path in sorted(project.iterdir()):
        if path.suffix == ".py" and not path.name.startswith("test_") and path.name != "conftest.py":
            yield path
        elif (path / "__init__.py").is_file():
            yield from (file for file in sorted(path.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)


def _install(project: Path, lib: Path) -> None:
    """Install the libraries, and leave out what pip notes about this machine and this moment."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-compile"]
    subprocess.run([*pip, "--target", str(lib), "--requirement", "requirements.txt"], check=True, cwd=project)
    shutil.rmtree(lib / "bin", ignore_errors=True)
    for noted in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for path in lib.glob(f"*.dist-info/{noted}"):
            path.unlink()
    for path in sorted(lib.rglob("__pycache__")):
        shutil.rmtree(path)


def _replace(made: Path, target: Path) -> None:
    old = made.with_name(made.name + "-old")
    if target.exists():
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m postcall.build", description="build a plugin into a folder that postcall runs"
    )
    parser.add_argument(
        "project", nargs="?", default=".", type=Path, help="folder with plugin.py and requirements.txt (default: .)"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the plugins; DIR/NAME is made anew")
    parser.add_argument("--name", default="", help="what postcall calls the plugin (default: the project folder's name)")
    options = parser.parse_args(arguments)
    try:
        print(build(options.project, options.out, options.name))
    except OSError as err:
        print(f"postcall.build: {err}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as err:
        print(f"postcall.build: pip ended with {err.returncode}; what it said is above", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)  # pip would take what is there for installed
    sys.exit(main())
