"""deploy/Dockerfile without Docker: its build stage, line by line, in a folder in place of the root."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.deploy.composed import DEPLOY, ROOT

BASES = ("/opt/closedloop", "/build")
"""The folders that the build stage makes."""


class Instruction(NamedTuple):
    """One instruction: `RUN`, `COPY` and so on, and the rest of its lines joined."""

    word: str
    rest: str


def read_stages() -> list[list[Instruction]]:
    """The instructions of each stage; those before the first FROM are left out."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    stages: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, lines)):
        instruction = Instruction(*line.split(maxsplit=1))
        if instruction.word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(instruction)
    return stages


def copied() -> list[str]:
    """What the build stage takes from the repository."""
    return [source for word, rest in read_stages()[0] if word == "COPY" for source in rest.split()[:-1]]


def build(root: Path) -> Path:
    """Run the build stage in `root`; the folder that the image gets. Raises CalledProcessError with pip's words."""
    environment = dict(os.environ)
    here = root
    for word, rest in read_stages()[0]:
        text = rest
        for base in BASES:
            text = text.replace(base, f"{root}{base}")
        if word == "WORKDIR":
            here = Path(text)
            here.mkdir(parents=True)
        elif word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in text.split())
            environment.pop("PIP_NO_CACHE_DIR")  # the image needs no cache, a test that runs again and again does
        elif word == "COPY":
            *sources, target = text.split()
            for source in sources:
                _copy(ROOT / source, here / target)
        elif word == "RUN":
            subprocess.run(
                ["/bin/sh", "-c", text], cwd=here, env=environment, check=True, capture_output=True, text=True
            )
    return Path(f"{root}{BASES[0]}")


def finish(pycache: Path) -> None:
    """Run the last stage's commands; what they compile goes to `pycache`, not into this machine's Python."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(pycache)}
    for word, rest in read_stages()[-1]:
        if word == "RUN":
            subprocess.run(["/bin/sh", "-c", rest], env=environment, check=True, capture_output=True, text=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
