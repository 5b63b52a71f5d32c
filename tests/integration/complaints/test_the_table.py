"""The table of complaints in identity's README names the tests that answer them, and each of these stands in it."""

import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[2] / "identity" / "README.md"
WHOLE_FILES = {"test_taking_back.py", Path(__file__).name}


def test_every_complaint_in_the_readme_is_a_test_and_every_test_is_in_the_readme() -> None:
    _, section = README.read_text(encoding="utf-8").split("## What others got wrong, and our answer")
    rows = [line.split("|") for line in section.splitlines() if line.startswith("|")]
    named = [name for row in rows[2:] for name in re.findall(r"`(\w+)`", row[4])]
    tests = [
        name
        for file in HERE.glob("test_*.py")
        if file.name not in WHOLE_FILES
        for name in re.findall(r"^async def test_(\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(named) == sorted(tests)
