"""`closedloop up` with real processes: it starts all, keeps all alive, ends all, and mends what a kill left."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.local.ports import Port, check_ports
from services.local.postgres import EmbeddedPostgres
from services.local.postmaster import find_postmaster, program
from services.local.processes import find_process, processes_in
from services.local.run_file import running_up
from services.runtime.settings import StartError
from tests.ports import free_ports

NAMES = ("collector", "identity", "attributor", "reports")
PROGRAM = str(Path(__file__).with_name("up_program.py"))


class Machine:
    """A machine with one data folder, on which `up` is started again and again."""

    def __init__(self, folder: Path, *, embedded: bool) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port, self.reports_port, self.ops_port = free_ports(1), free_ports(1), free_ports(len(NAMES))
        self.ups: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CLOSEDLOOP_")},
            "CLOSEDLOOP_DATA_DIR": str(self.data),
            "CLOSEDLOOP_PORT": str(self.port),
            "CLOSEDLOOP_REPORTS_PORT": str(self.reports_port),
            "CLOSEDLOOP_OPS_PORT": str(self.ops_port),
            "CLOSEDLOOP_DATABASE_URL": "" if embedded else "postgresql://set-by-the-user/x",
        }

    def up(self, migrate_exit_code: int = 0, drain: float = 8.0) -> subprocess.Popen[bytes]:
        command = [sys.executable, PROGRAM, str(self.folder), str(migrate_exit_code), str(drain)]
        with (self.folder / f"output-{len(self.ups)}").open("wb") as output:
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
        self.ups.append(process)
        return process

    def output(self) -> str:
        return (self.folder / f"output-{len(self.ups) - 1}").read_text()

    def until(self, fact: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def run_up(self, drain: float = 8.0) -> subprocess.Popen[bytes]:
        """Start it and wait for its screen."""
        up = self.up(drain=drain)
        self.until(lambda: "Closed Loop is running." in self.output())
        return up

    def stop(self, sign: signal.Signals = signal.SIGINT) -> int:
        self.ups[-1].send_signal(sign)
        return self.ups[-1].wait(timeout=30)

    def pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    def living(self) -> list[str]:
        return [name for name in NAMES if (self.folder / f"{name}.pid").exists() and find_process(self.pid(name))]

    def events(self) -> list[str]:
        return (self.folder / "events").read_text().splitlines()

    def clear(self) -> None:
        for up in self.ups:
            up.kill()
            up.wait()
        for name in self.living():
            os.kill(self.pid(name), signal.SIGKILL)
        for process in processes_in("postgres", self.data / "postgres"):
            os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """With a database of the user's own, which the stand-ins never ask."""
    machine = Machine(tmp_path, embedded=False)
    yield machine
    machine.clear()


@pytest.fixture
def machine_with_postgres(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, embedded=True)
    yield machine
    machine.clear()


def test_everything_comes_up_shows_one_screen_and_ends_on_ctrl_c(machine_with_postgres: Machine) -> None:
    machine = machine_with_postgres
    machine.run_up()
    screen = machine.output()
    assert f"http://127.0.0.1:{machine.port}\n" in screen
    assert f"http://127.0.0.1:{machine.reports_port} " in screen
    write_key = re.search(r"CLOSEDLOOP_WRITE_KEY +(\S+) +\(new\)", screen)
    assert write_key is not None
    assert f'src="http://127.0.0.1:{machine.port}/loop.js" data-key="{write_key[1]}"' in screen
    assert "identity   | identity listens\n" in screen
    assert screen.index("migrate    | migrating") < screen.index("listens"), "tables first"

    info = running_up(machine.data)
    assert info is not None
    assert set(info.services) == set(NAMES)
    select = subprocess.run([program("psql"), "-Atc", "SELECT 1", info.dsn], capture_output=True, check=False)
    assert select.stdout == b"1\n"
    seen = json.loads((machine.folder / "reports.env").read_text())
    assert seen["CLOSEDLOOP_DATABASE_URL"] == info.dsn
    assert seen["CLOSEDLOOP_WRITE_KEY"] == write_key[1]

    begun = time.monotonic()
    assert machine.stop() == 0
    assert time.monotonic() - begun < 5
    assert machine.living() == []
    assert not EmbeddedPostgres(machine.data).running()
    assert running_up(machine.data) is None


def test_it_is_found_on_the_one_address_that_it_listens_on(machine: Machine) -> None:
    machine.environment["CLOSEDLOOP_HOST"] = "127.0.0.2"
    machine.run_up()
    assert f"http://127.0.0.2:{machine.port}\n" in machine.output()
    info = running_up(machine.data)
    assert info is not None
    assert (info.ops_host, info.ops_port) == ("127.0.0.2", machine.ops_port)
    assert machine.stop() == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_intake_ends_first_and_the_rest_after_it(machine: Machine, sign: signal.Signals) -> None:
    machine.run_up()
    assert machine.stop(sign) == 0
    ends = [event for event in machine.events() if event.endswith("ended")]
    assert ends[0] == "collector ended"
    assert sorted(ends) == sorted(f"{name} ended" for name in NAMES)


def test_ctrl_c_in_the_terminal_reaches_no_service_directly(machine: Machine) -> None:
    machine.run_up()
    for name in NAMES:
        assert os.getsid(machine.pid(name)) == machine.pid(name)


def test_keys_are_made_once(machine: Machine) -> None:
    machine.run_up()
    machine.stop()
    first = machine.output()
    machine.run_up()
    second = machine.output()
    assert "(new)" in first
    assert "(new)" not in second
    find = re.compile(r"CLOSEDLOOP_(\w+) +(\S+)")
    assert dict(find.findall(first)) == dict(find.findall(second))


def test_a_service_that_dies_is_started_again_and_the_others_go_on(machine: Machine) -> None:
    machine.run_up()
    before = {name: machine.pid(name) for name in NAMES}
    os.kill(before["identity"], signal.SIGKILL)
    machine.until(lambda: machine.pid("identity") != before["identity"])
    assert "identity was ended by SIGKILL; it starts again in 0.5 s\n" in machine.output()
    assert {name: machine.pid(name) for name in NAMES if name != "identity"}.items() <= before.items()
    info = running_up(machine.data)
    assert info is not None
    assert info.services["identity"].pid == machine.pid("identity")


def test_a_service_that_refuses_a_setting_stops_everything(machine: Machine) -> None:
    (machine.folder / "attributor.refuse").touch()
    assert machine.up().wait(timeout=20) == 78
    assert "attributor | CLOSEDLOOP_X='y': is wrong\n" in machine.output()
    assert machine.output().endswith("attributor refuses a setting, see above; everything is stopped\n")
    assert "starts again" not in machine.output()
    assert machine.living() == []


@pytest.mark.parametrize(("migrate_exit_code", "exit_code"), [(1, 1), (78, 78)])
def test_without_its_tables_nothing_is_started(machine: Machine, migrate_exit_code: int, exit_code: int) -> None:
    assert machine.up(migrate_exit_code).wait(timeout=20) == exit_code
    assert "not be migrated" in machine.output() or "not migrated" in machine.output()
    assert not (machine.folder / "events").exists()


@pytest.mark.parametrize(
    ("after", "setting"), [(0, "CLOSEDLOOP_PORT"), (1, "CLOSEDLOOP_REPORTS_PORT"), (4, "CLOSEDLOOP_OPS_PORT")]
)
def test_a_port_in_use_is_one_line_with_the_setting_that_changes_it(machine: Machine, after: int, setting: str) -> None:
    with socket.create_server(("127.0.0.1", machine.port + after)):
        assert machine.up().wait(timeout=20) == 1
    line = f"Port {machine.port + after} is in use by another program; stop that one, or set {setting} to a free port\n"
    assert machine.output() == line


def test_a_host_that_is_not_ours_is_named() -> None:
    with pytest.raises(StartError, match=r"CLOSEDLOOP_HOST='192\.0\.2\.1' is no address of this machine"):
        check_ports([Port("192.0.2.1", 0, "CLOSEDLOOP_PORT")])


def test_a_data_folder_that_cannot_be_one_is_one_line(machine: Machine) -> None:
    machine.environment["CLOSEDLOOP_DATA_DIR"] = "/proc/closedloop"
    assert machine.up().wait(timeout=20) == 1
    assert machine.output() == "CLOSEDLOOP_DATA_DIR='/proc/closedloop' cannot be used: No such file or directory\n"


def test_a_second_up_says_where_the_first_one_runs_and_leaves_it_alone(machine: Machine) -> None:
    first = machine.run_up()
    assert machine.up().wait(timeout=20) == 1
    assert f"already runs on {machine.data} (process {first.pid}, http://127.0.0.1:{machine.port})" in machine.output()
    assert machine.output().count("\n") == 1
    assert machine.living() == list(NAMES)


def test_when_up_is_killed_its_services_end_and_the_next_up_has_the_same_ports(machine: Machine) -> None:
    machine.run_up()
    before = machine.pid("collector")
    machine.ups[-1].kill()
    machine.ups[-1].wait()
    machine.until(lambda: machine.living() == [])
    machine.run_up()
    assert machine.pid("collector") != before
    assert machine.living() == list(NAMES)
    assert machine.events().count("collector ended") == 1, "the killed one's was told to end, and drained"


def test_what_a_killed_up_left_is_ended_by_the_next_one_even_when_it_is_deaf(machine: Machine) -> None:
    (machine.folder / "reports.deaf").touch()
    machine.run_up()
    left = machine.pid("reports")
    machine.ups[-1].kill()
    machine.ups[-1].wait()
    machine.run_up(drain=0.5)
    assert "An earlier `closedloop up` was killed; ending its" in machine.output()
    assert find_process(left) is None


def test_a_deaf_service_is_killed_after_its_time(machine: Machine) -> None:
    (machine.folder / "identity.deaf").touch()
    machine.run_up(drain=0.5)
    assert machine.stop() == 0
    assert machine.living() == []


def test_a_second_ctrl_c_ends_everything_at_once(machine_with_postgres: Machine) -> None:
    machine = machine_with_postgres
    for name in NAMES:
        (machine.folder / f"{name}.deaf").touch()
    up = machine.run_up()
    up.send_signal(signal.SIGINT)
    machine.until(lambda: "Stopping ..." in machine.output())
    begun = time.monotonic()
    assert machine.stop() == 0
    assert time.monotonic() - begun < 3
    assert machine.living() == []
    assert not EmbeddedPostgres(machine.data).running()


def test_ctrl_c_while_it_starts_leaves_nothing_behind(machine_with_postgres: Machine) -> None:
    machine = machine_with_postgres
    machine.up()
    machine.until(lambda: (machine.data / "postgres.new").exists() or (machine.data / "postgres").exists())
    assert machine.stop() == 0
    assert machine.living() == []
    assert processes_in("postgres", machine.data / "postgres") == []
    machine.run_up()


def test_postgres_that_dies_is_started_again(machine_with_postgres: Machine) -> None:
    machine = machine_with_postgres
    machine.run_up()
    postmaster = find_postmaster(machine.data / "postgres")
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    machine.until(lambda: "Postgres has died; it starts again" in machine.output())
    info = running_up(machine.data)
    assert info is not None
    ask = [program("psql"), "-Atc", "SELECT 1", info.dsn]
    machine.until(lambda: subprocess.run(ask, capture_output=True, check=False).stdout == b"1\n")
    assert machine.living() == list(NAMES)


def test_after_kill_9_of_everything_the_next_up_mends_it_and_all_data_is_there(machine_with_postgres: Machine) -> None:
    machine = machine_with_postgres
    machine.run_up()
    info = running_up(machine.data)
    assert info is not None
    psql = [program("psql"), "-qAt", "-v", "ON_ERROR_STOP=1", info.dsn, "-c"]
    subprocess.run([*psql, "CREATE TABLE deals AS SELECT 42 AS amount"], check=True)
    numbers = [info.supervisor.pid, *(process.pid for process in info.services.values())]
    for number in [*numbers, *(process.pid for process in processes_in("postgres", machine.data / "postgres"))]:
        os.kill(number, signal.SIGKILL)
    machine.ups[-1].wait()
    machine.run_up()
    rows = subprocess.run([*psql, "SELECT amount FROM deals"], capture_output=True, check=True)
    assert rows.stdout == b"42\n"
    assert machine.stop() == 0


def test_a_postgres_that_a_killed_up_left_is_adopted_and_stopped_in_the_end(machine_with_postgres: Machine) -> None:
    machine = machine_with_postgres
    machine.run_up()
    before = find_postmaster(machine.data / "postgres")
    machine.ups[-1].kill()
    machine.ups[-1].wait()
    machine.run_up()
    assert find_postmaster(machine.data / "postgres") == before
    machine.stop()
    assert not EmbeddedPostgres(machine.data).running()


def test_a_reader_of_its_output_who_leaves_does_not_end_it(machine: Machine) -> None:
    command = [sys.executable, PROGRAM, str(machine.folder), "0", "8"]
    up = subprocess.Popen(command, env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    machine.ups.append(up)
    assert up.stdout is not None
    up.stdout.readline()
    up.stdout.close()
    deadline = time.monotonic() + 20
    while len(machine.living()) < len(NAMES):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=30) == 0
