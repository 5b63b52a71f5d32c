import os
import subprocess
from pathlib import Path

import pytest

from services.local.cluster import MAJOR, MAX_SOCKET_PATH, check_version, make_socket_folder, socket_folder
from services.local.postmaster import program
from services.local.server_user import ServerUser
from services.runtime.settings import StartError

OURSELVES = ServerUser(os.geteuid(), os.getegid())


@pytest.mark.parametrize("length", [10, 60, 79, 80, 90, 120, 300])
@pytest.mark.parametrize("letter", ["d", "ü"])
def test_the_socket_has_a_short_path_however_long_that_of_the_data_is(length: int, letter: str) -> None:
    deep = Path("/") / "/".join([letter * 9] * (length // 10))
    folder = socket_folder(deep)
    assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= MAX_SOCKET_PATH
    assert folder == socket_folder(deep), "every command finds it again"


def test_two_data_folders_never_share_a_socket() -> None:
    deep = Path("/", *["long-name"] * 20)
    assert socket_folder(deep / "a") != socket_folder(deep / "b")


def test_data_of_another_major_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("17\n")
    with pytest.raises(
        StartError, match=r"Postgres 17, and this version brings Postgres 18; .*CLOSEDLOOP_DATABASE_URL"
    ):
        check_version(tmp_path)


def test_a_folder_with_something_else_in_it_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(StartError, match="move it away"):
        check_version(tmp_path)


def test_no_folder_and_an_empty_one_are_new(tmp_path: Path) -> None:
    assert check_version(tmp_path) is False
    assert check_version(tmp_path / "none") is False


def test_the_bundled_server_is_of_the_pinned_major_version() -> None:
    answer = subprocess.run([program("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    assert answer.split()[-1].split(".")[0] == MAJOR


def test_a_socket_folder_that_others_may_enter_is_not_trusted(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(StartError, match="not a private folder of ours"):
        make_socket_folder(open_to_all, OURSELVES)


def test_a_link_in_the_place_of_the_socket_folder_is_not_followed(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(private)
    with pytest.raises(StartError, match="not a private folder of ours"):
        make_socket_folder(tmp_path / "link", OURSELVES)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else's")
def test_a_socket_folder_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, 4321, 4321)
    with pytest.raises(StartError, match="not a private folder of ours"):
        make_socket_folder(foreign, OURSELVES)
