import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.local import as_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
NOBODY = "65534"


def rights_of_the_command(folder: Path) -> dict[str, str]:
    begin = [sys.executable, "-I", "-S", as_user.__file__, NOBODY, NOBODY, str(folder), "--"]
    output = subprocess.run(
        [*begin, "/bin/cat", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    return {name: value.strip() for name, _, value in (line.partition(":") for line in output.splitlines())}


def test_a_second_user_who_can_enter_everything_gets_no_rights() -> None:
    rights = rights_of_the_command(Path("/usr"))
    assert rights["Uid"].split() == [NOBODY] * 4
    assert rights["Groups"] == ""
    assert {rights[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


def test_a_second_user_who_cannot_enter_a_folder_of_root_gets_the_one_right_to_do_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    rights = rights_of_the_command(tmp_path)
    assert rights["Uid"].split() == [NOBODY] * 4
    only_dac_override = f"{1 << as_user.CAP_DAC_OVERRIDE:016x}"
    assert {rights[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {only_dac_override}
    assert tmp_path.stat().st_mode & 0o777 == 0o700, "nothing was opened to everyone"


def test_programs_in_a_folder_of_root_are_found_by_access_too(tmp_path: Path) -> None:
    """initdb looks for its server with access(2), which leaves capabilities out unless a securebit says otherwise."""
    tmp_path.chmod(0o700)
    program = tmp_path / "program"
    program.touch(mode=0o755)
    begin = [sys.executable, "-I", "-S", as_user.__file__, NOBODY, NOBODY, str(tmp_path), "--"]
    look = "import os, sys; print(os.access(sys.argv[1], os.X_OK))"
    done = subprocess.run([*begin, sys.executable, "-c", look, program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_where_the_system_refuses_one_line_says_what_to_do(tmp_path: Path) -> None:
    """Without the capability in the bounding set (as in a locked-down container) it can be neither kept nor raised."""
    tmp_path.chmod(0o700)
    command = [sys.executable, "-I", "-S", as_user.__file__, NOBODY, NOBODY, str(tmp_path), "--", "/bin/true"]
    dropped = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, ctypes.c_ulong(1), 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", dropped, *command], capture_output=True, text=True, check=False)
    assert done.returncode == as_user.EX_NOPERM
    assert done.stderr.count("\n") == 1
    assert "run it as an ordinary user" in done.stderr
