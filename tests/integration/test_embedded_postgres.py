"""The embedded Postgres with its real processes: started, adopted, killed, copied, kept from strangers."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import asyncpg
import pytest

from services.local import as_user
from services.local.cluster import socket_folder
from services.local.locks import FileLock
from services.local.postgres import EmbeddedPostgres, database
from services.local.postmaster import find_postmaster, program
from services.local.processes import find_process, processes_in
from services.local.server_user import choose_server_user
from services.runtime.settings import Settings, StartError

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")


def sql(dsn: str, command: str) -> str:
    words = [program("psql"), "--no-psqlrc", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", command, dsn]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def postmaster_of(folder: Path) -> int:
    postmaster = find_postmaster(folder / "postgres")
    assert postmaster is not None
    return postmaster.pid


def eventually(fact: object, seconds: float = 10) -> None:
    assert callable(fact)
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the first start leaves it, to copy from."""
    folder = tmp_path_factory.mktemp("made") / "data"
    postgres = EmbeddedPostgres(folder)
    assert postgres.start() is True
    sql(postgres.dsn, "CREATE TABLE deals (id int)")
    postgres.stop()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "data"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns("socket"))
    yield copy
    for process in processes_in("postgres", copy / "postgres"):
        os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def postgres(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder)


def test_a_restart_keeps_all_data(postgres: EmbeddedPostgres) -> None:
    assert postgres.start() is True
    sql(postgres.dsn, "INSERT INTO deals VALUES (1)")
    postgres.stop()
    assert not postgres.running()
    assert postgres.start() is True
    assert sql(postgres.dsn, "SELECT * FROM deals") == "1"
    postgres.stop()


async def test_the_services_driver_connects_with_the_address(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    connection = await asyncpg.connect(postgres.dsn)
    assert await connection.fetchval("SELECT current_database()") == "closedloop"
    await connection.close()
    postgres.stop()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("lc_collate", None),
        ("TimeZone", "UTC"),
    ],
)
def test_what_is_committed_is_safe_and_nobody_reaches_it_by_network(
    started: EmbeddedPostgres, setting: str, value: str | None
) -> None:
    if value is None:
        assert sql(started.dsn, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
    else:
        assert sql(started.dsn, f"SELECT current_setting('{setting}')") == value


@pytest.fixture(scope="module")
def started(made: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(made)
    postgres.start()
    yield postgres
    postgres.stop()


def test_a_wrong_password_is_refused(started: EmbeddedPostgres) -> None:
    head, _, rest = started.dsn.partition("closedloop:")
    wrong = head + "closedloop:guess@" + rest.partition("@")[2]
    done = subprocess.run([program("psql"), "-c", "SELECT 1", wrong], capture_output=True, text=True, check=False)
    assert "password authentication failed" in done.stderr


def test_password_and_socket_are_for_their_owner_alone(started: EmbeddedPostgres, made: Path) -> None:
    assert (made / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert socket_folder(made).stat().st_mode & 0o777 == 0o700


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(started: EmbeddedPostgres, made: Path) -> None:
    pid = postmaster_of(made)
    assert os.getsid(pid) == pid != os.getsid(0)


def test_variables_meant_for_another_postgres_change_nothing(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {"PGDATA": "/nowhere", "PGPORT": "1", "PGHOST": "x", "PGUSER": "x", "PGOPTIONS": "--fsync=off"}
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    assert postgres.start() is True
    for name in elsewhere:
        monkeypatch.delenv(name)
    assert sql(postgres.dsn, "SELECT current_setting('fsync')") == "on"
    postgres.stop()


def test_a_running_server_is_adopted_and_the_last_who_uses_it_stops_it(folder: Path) -> None:
    first, second = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
    assert first.start() is True
    pid = postmaster_of(folder)
    assert second.start() is False
    first.stop()
    assert sql(second.dsn, "SELECT 1") == "1"
    assert postmaster_of(folder) == pid
    second.stop()
    assert not first.running()


def test_a_server_whose_starter_was_killed_is_adopted_and_can_be_stopped(folder: Path) -> None:
    program_text = f"""
import os, signal
from pathlib import Path
from services.local.postgres import EmbeddedPostgres
EmbeddedPostgres(Path({str(folder)!r})).start()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program_text], check=False).returncode == -signal.SIGKILL
    postgres = EmbeddedPostgres(folder)
    assert postgres.running()
    assert postgres.start() is False
    postgres.stop()
    assert not postgres.running()


def test_of_many_who_start_at_once_one_starts_it_and_all_use_it(folder: Path) -> None:
    servers = [EmbeddedPostgres(folder) for _ in range(4)]
    launched: list[bool] = []
    threads = [Thread(target=lambda server=server: launched.append(server.start())) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(launched) == [False, False, False, True]
    for server in servers:
        assert server.running()
        server.stop()
    assert not servers[0].running()


def test_after_kill_9_of_the_server_the_next_start_has_every_commit(folder: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start()
    sql(postgres.dsn, "INSERT INTO deals VALUES (1)")
    os.kill(postmaster_of(folder), signal.SIGKILL)
    eventually(lambda: not postgres.running())
    assert postgres.start() is True
    assert sql(postgres.dsn, "SELECT * FROM deals") == "1"
    postgres.stop()


def test_after_kill_9_of_all_its_processes_the_next_start_has_every_commit(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    postgres.start()
    sql(postgres.dsn, "INSERT INTO deals VALUES (1)")
    for process in processes_in("postgres", folder / "postgres"):
        os.kill(process.pid, signal.SIGKILL)
    assert postgres.start() is True
    assert sql(postgres.dsn, "SELECT * FROM deals") == "1"
    postgres.stop()


def test_a_query_that_outlives_a_killed_server_does_not_keep_the_next_one_out(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    """A busy backend does not notice that its server has died, and holds the shared memory that a new one needs."""
    postgres.start()
    busy = "SELECT count(*) FROM generate_series(1, 3_000_000_000) AS n"
    client = subprocess.Popen([program("psql"), "-c", busy, postgres.dsn], stderr=subprocess.DEVNULL)
    eventually(
        lambda: sql(postgres.dsn, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series%'") != "1"
    )
    data = folder / "postgres"
    os.kill(postmaster_of(folder), signal.SIGKILL)
    eventually(lambda: not postgres.running())
    assert processes_in("postgres", data), "the busy one is still there"
    assert postgres.start() is True
    assert sql(postgres.dsn, "SELECT 1") == "1"
    client.wait(timeout=10)
    postgres.stop()


def test_a_pid_file_whose_number_went_to_another_program_is_no_obstacle(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    """A program of the same user: Postgres itself would take it for a server and refuse to start."""
    data = folder / "postgres"
    other = subprocess.Popen(choose_server_user(data).command(["/bin/sleep", "60"], []))
    try:
        postgres.start()
        os.kill(postmaster_of(folder), signal.SIGKILL)
        eventually(lambda: not processes_in("postgres", data))
        lines = (data / "postmaster.pid").read_text().splitlines()
        (data / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        assert not postgres.running()
        assert postgres.start() is True
        assert other.poll() is None, "the other program is left alone"
        postgres.stop()
    finally:
        other.kill()
        other.wait()


def test_a_first_start_that_was_broken_off_is_begun_anew(tmp_path: Path) -> None:
    class BrokenOffError(Exception):
        pass

    def break_off(seconds: float) -> None:
        if (tmp_path / "postgres.new" / "base").exists():
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        EmbeddedPostgres(tmp_path, pause=break_off).start()
    assert (tmp_path / "postgres.new").exists()
    assert not (tmp_path / "postgres").exists()
    postgres = EmbeddedPostgres(tmp_path)
    assert postgres.start() is True
    assert sql(postgres.dsn, "SELECT 1") == "1"
    postgres.stop()
    assert not (tmp_path / "postgres.new").exists()


def test_a_damaged_data_folder_is_told_in_one_line(folder: Path, postgres: EmbeddedPostgres) -> None:
    (folder / "postgres" / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(StartError, match=r"Postgres did not start: .*FATAL.*postgres\.log") as refusal:
        postgres.start()
    assert "\n" not in str(refusal.value)


def test_data_without_its_password_is_told_in_one_line(folder: Path, postgres: EmbeddedPostgres) -> None:
    (folder / "postgres.password").unlink()
    with pytest.raises(StartError, match=r"postgres\.password is missing; restore it"):
        postgres.start()
    assert not postgres.running()


def test_a_path_too_long_for_a_socket_is_no_obstacle(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20) / ("longer-" * 10) / "data"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns("socket"))
    postgres = EmbeddedPostgres(folder)
    try:
        assert postgres.start() is True
        assert sql(postgres.dsn, "SELECT count(*) FROM deals") == "0"
        postgres.stop()
    finally:
        shutil.rmtree(socket_folder(folder))


@AS_ROOT
def test_as_root_a_data_folder_only_root_may_enter_stays_closed(
    folder: Path, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    postgres.start()
    status = Path(f"/proc/{postmaster_of(folder)}/status").read_text()
    assert "\nUid:\t0\t" not in status, "Postgres never runs as root"
    assert "\nCapEff:\t0000000000000002\n" in status, "the right to enter folders, and no other"
    assert sql(postgres.dsn, "SELECT 1") == "1"
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    postgres.stop()


@AS_ROOT
def test_as_root_a_folder_restored_from_a_backup_is_given_back_to_its_user(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    subprocess.run(["/bin/chown", "-R", "0:0", folder], check=True)
    assert postgres.start() is True
    assert sql(postgres.dsn, "SELECT count(*) FROM deals") == "0"
    postgres.stop()


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


ORDINARY_USER = str(pwd.getpwnam("daemon").pw_uid)
"""Any user but root and those who run Postgres for root; initdb wants one with a name."""
START_AND_STOP = """
import sys
from pathlib import Path
from services.local.postgres import EmbeddedPostgres
from services.runtime.settings import StartError
postgres = EmbeddedPostgres(Path(sys.argv[1]))
try:
    print(postgres.start())
    postgres.stop()
except StartError as error:
    print(error)
"""


def start_as_an_ordinary_user(folder: Path) -> str:
    """What it prints; the checkout and its Python may lie where only root may enter, so those are made reachable."""
    words = [sys.executable, "-I", "-S", as_user.__file__, ORDINARY_USER, ORDINARY_USER]
    reach = [sys.prefix, sys.base_prefix, str(Path(as_user.__file__).parent)]
    command = [*words, *reach, "--", sys.executable, "-c", START_AND_STOP, str(folder)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


@AS_ROOT
def test_an_ordinary_user_needs_no_second_one(public_folder: Path) -> None:
    folder = public_folder / "data"
    folder.mkdir()
    os.chown(folder, int(ORDINARY_USER), int(ORDINARY_USER))
    assert start_as_an_ordinary_user(folder) == "True\n"
    assert (folder / "postgres").stat().st_uid == int(ORDINARY_USER)
    postgres = EmbeddedPostgres(folder)
    assert postgres.start() is True, "and root goes on as the owner of the data"
    assert Path(f"/proc/{postmaster_of(folder)}").stat().st_uid == int(ORDINARY_USER)
    postgres.stop()


@AS_ROOT
def test_an_ordinary_user_is_told_that_the_data_is_not_theirs(folder: Path, public_folder: Path) -> None:
    theirs = public_folder / "data"
    shutil.copytree(folder, theirs)
    answer = start_as_an_ordinary_user(theirs)
    assert answer.count("\n") == 1
    assert "run it as" in answer


def test_a_command_gets_the_address_that_is_set() -> None:
    settings = Settings.model_validate({"database_url": "postgresql://somewhere/else"})
    with database(settings) as dsn:
        assert dsn == "postgresql://somewhere/else"


def test_a_command_starts_the_server_for_itself_and_stops_it_afterwards(folder: Path) -> None:
    with database(Settings(data_dir=folder)) as dsn:
        assert sql(dsn, "SELECT count(*) FROM deals") == "0"
    assert not EmbeddedPostgres(folder).running()


def test_a_command_beside_others_leaves_the_server_to_them(folder: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start()
    with database(Settings(data_dir=folder)):
        pass
    assert sql(postgres.dsn, "SELECT 1") == "1"
    postgres.stop()


def test_a_stop_is_patient_with_work_only_so_long(folder: Path, postgres: EmbeddedPostgres) -> None:
    """A client that keeps a stopped backend makes the fast shutdown wait; the immediate one does not."""
    postgres.start()
    client = subprocess.Popen([program("psql"), "-c", "SELECT pg_sleep(60)", postgres.dsn], stderr=subprocess.DEVNULL)
    find = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    eventually(lambda: sql(postgres.dsn, find) != "")
    os.kill(int(sql(postgres.dsn, find)), signal.SIGSTOP)
    begun = time.monotonic()
    postgres.stop(patience=0.5)
    assert time.monotonic() - begun < 9
    assert not postgres.running()
    client.wait(timeout=10)


def test_a_long_log_is_put_aside_and_written_on(folder: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start()
    log = folder / "postgres.log"
    with log.open("ab") as file:
        file.truncate(20 << 20)
    postgres.bound_log()
    assert log.stat().st_size == 0
    assert (folder / "postgres.log.1").stat().st_size == 20 << 20
    postgres.stop()
    assert b"shut down" in log.read_bytes(), "the running server goes on in the emptied file"
    assert log.stat().st_size < 10_000


def test_a_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    hold = f"""
from pathlib import Path
from services.local.locks import FileLock
print(FileLock(Path({str(path)!r})).take() and "held", flush=True)
input()
"""
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    lock = FileLock(path)
    assert not lock.take()
    holder.kill()
    holder.communicate()
    assert find_process(holder.pid) is None
    assert lock.take()
    lock.release()
