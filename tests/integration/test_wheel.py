"""The wheel: all that the programs read is in it, and it runs where the repository is not."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("attributor", "collector", "identity", "schemas", "services")
READ = {".py", ".sql", ".csv", ".js", ".json", ".html", ".css", ".svg", ".typed", ".txt"}
"""What programs read; the rest are texts and pictures for people."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the repository's folder stays as it is, and no older build is taken for ours."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(target), str(source))
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel, and with what it stands on from ours."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # Folders named in a .pth file are searched, but their own .pth files, such as that of our editable install, are not.
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "pip", "--python", str(folder), "install", "-q", "--no-deps", "--no-index", str(wheel))
    return folder / "bin"


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_that_the_programs_read_is_in_the_wheel(wheel: Path) -> None:
    ours = {
        file.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for file in (ROOT / name).rglob("*")
        if file.suffix in READ and "__pycache__" not in file.parts
    }
    assert ours - set(ZipFile(wheel).namelist()) == set()


def test_the_command_runs_where_the_repository_is_not(elsewhere: Path, tmp_path: Path) -> None:
    assert "deadletters" in run(str(elsewhere / "closedloop"), "--help", cwd=tmp_path)
    words = ("classify", "--url", "https://shop.example/?gclid=1", "--referrer", "https://www.google.com/")
    answer = json.loads(run(str(elsewhere / "closedloop"), *words, cwd=tmp_path))
    assert (answer["channel"], answer["source"]) == ("Paid Search", "google")


@pytest.mark.parametrize(
    "module", ["collector.__main__", "identity.__main__", "attributor.__main__", "services.reports.__main__"]
)
def test_each_service_loads_where_the_repository_is_not(elsewhere: Path, tmp_path: Path, module: str) -> None:
    code = f"import {module} as loaded; print(loaded.__file__)"
    loaded = Path(run(str(elsewhere / "python"), "-c", code, cwd=tmp_path).strip())
    assert loaded.is_relative_to(elsewhere.parent)
