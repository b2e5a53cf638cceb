import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest
from flit_core import buildapi

from postcall.build import build, main

SDK = Path(__file__).parents[1]
PINNED = [SDK / "requirements.txt", SDK / "template/requirements.txt", SDK / "../detect-language/requirements.txt"]


def pins(path: Path) -> "dict[str, str]":
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#.-")
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("path", PINNED[1:], ids=lambda path: path.parent.name)
def test_what_plugins_run_with_is_what_is_tested(path: Path) -> None:
    tested = pins(PINNED[0])
    assert pins(path).items() <= tested.items()
    assert "grpcio" in pins(path)


def test_the_package_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SDK)
    wheel = zipfile.ZipFile(tmp_path / buildapi.build_wheel(str(tmp_path)))
    names = set(wheel.namelist())
    sources = {f"postcall/{path.name}" for path in (SDK / "src/postcall").iterdir() if path.name != "__pycache__"}
    assert sources <= names
    assert {"postcall/py.typed", "postcall/golden.binpb.gz", "postcall/transform_pb2.py"} <= sources
    metadata = wheel.read(next(name for name in names if name.endswith("METADATA"))).decode()
    for line in ("Name: postcall-plugin", "Requires-Python: >=3.9", "Requires-Dist: grpcio>=", "Requires-Dist: protobuf>="):
        assert line in metadata


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of which the SDK is the only library, installed without a network."""
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads it the other way round: there is none
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    project = tmp_path / "tiny"
    (project / "parts/__pycache__").mkdir(parents=True)
    files = {
        "plugin.py": "import parts, sys\nfrom postcall import serve\n"
        "sys.stderr.write(parts.__file__ + '\\n')\nserve('tiny', '1.0.0', lambda event: None)\n",
        "requirements.txt": f"{SDK}\n",
        "parts/__init__.py": "",
        "parts/words.txt": "a b",
        "parts/__pycache__/old.pyc": "",
        "test_plugin.py": "",
        "README.md": "",
    }
    for name, text in files.items():
        (project / name).write_text(text, encoding="utf-8")
    return project


def content(folder: Path) -> "dict[str, bytes]":
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_project_makes_the_same_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = content(build(Path("tiny"), Path("one")))
    (tmp_path / "two/tiny").mkdir(parents=True)
    (tmp_path / "two/tiny/left over").touch()
    second = content(build(project, tmp_path / "two"))
    assert first == second
    own = {name for name in first if not name.startswith("lib/")}
    assert own == {"tiny", "app/__main__.py", "app/plugin.py", "app/parts/__init__.py", "app/parts/words.txt"}
    assert "lib/postcall/__init__.py" in first
    assert not [name for name in first if name.endswith((".pyc", "RECORD", "direct_url.json")) or "/bin/" in name]
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["tiny"]


def start(launcher: Path) -> "subprocess.CompletedProcess[str]":
    """Start a plugin where the Python of the tests is in PATH."""
    env = {"PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}"}
    return subprocess.run([launcher], cwd="/", env=env, capture_output=True, text=True, check=False)


def test_the_launcher_starts_it_from_anywhere(project: Path, tmp_path: Path) -> None:
    folder = build(project, tmp_path / "out", "other")
    link = tmp_path / "link"
    link.symlink_to(folder)
    # The libraries that pip was kept from installing.
    for path in Path(sys.prefix, "lib").glob("python*/site-packages/*"):
        if path.name in ("google", "grpc", "typing_extensions.py"):
            (folder / "lib" / path.name).symlink_to(path)
    done = start(link / "other")
    assert done.returncode == 2, done.stderr
    assert "app/parts/__init__.py" in done.stderr
    assert "tiny 1.0.0 is a plugin of postcall" in done.stderr
    assert not list(folder.rglob("__pycache__"))


def test_compiled_code_is_not_run(project: Path, tmp_path: Path) -> None:
    (project / "plugin.py").write_text("import parts\nprint(parts.__doc__)\nimport late\n", encoding="utf-8")
    folder = build(project, tmp_path / "out")
    (project / "parts/__init__.py").write_text("'planted'", encoding="utf-8")
    planted = tmp_path / "planted.pyc"
    py_compile.compile(str(project / "parts/__init__.py"), str(planted), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    cached = Path(importlib.util.cache_from_source(str(folder / "app/parts/__init__.py")))
    cached.parent.mkdir()
    shutil.copy(planted, cached)
    shutil.copy(planted, folder / "lib/late.pyc")
    done = start(folder / "tiny")
    assert done.stdout == "None\n"
    assert "No module named 'late'" in done.stderr


def test_another_python_is_named(project: Path, tmp_path: Path) -> None:
    folder = build(project, tmp_path / "out")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("sh", "dirname"):
        (bin_ / name).symlink_to(next(p for p in (Path("/bin") / name, Path("/usr/bin") / name) if p.exists()))
    done = subprocess.run([folder / "tiny"], env={"PATH": str(bin_)}, capture_output=True, text=True, check=False)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.returncode == 1
    assert f"tiny needs Python {version}" in done.stderr


def test_what_is_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "has no plugin.py" in capsys.readouterr().err
    (tmp_path / "plugin.py").touch()
    (tmp_path / "requirements.txt").write_text("./nothing-here\n", encoding="utf-8")
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "pip ended with" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
