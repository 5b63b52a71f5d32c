"""The image: what deploy/Dockerfile builds runs as an ordinary user, writes nothing, tells its health, and ends well."""

import os
import shlex
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from services.local.child import answers
from tests.deploy.composed import DEPLOY, ROOT, environment_of, load, make_env
from tests.deploy.recipe import build, copied, finish, read_stages
from tests.ports import free_ports

pytestmark = pytest.mark.timeout(400)  # the build is minutes of work on a busy machine

USER = 10001
SERVICES = ("collector", "identity", "attributor", "reports")
NO_REGISTRY = ("Temporary failure in name resolution", "NewConnectionError", "ConnectTimeoutError", "ProxyError")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """/opt/closedloop of the image, as the Dockerfile's own lines make it, writable by nobody."""
    root = tmp_path_factory.mktemp("image")
    try:
        image = build(root)
    except subprocess.CalledProcessError as error:
        words = error.stdout + error.stderr
        if os.environ.get("CI") != "true" and any(sign in words for sign in NO_REGISTRY):
            pytest.skip("the package registry cannot be reached, which the image's build needs")
        pytest.fail(f"{error.cmd[-1]}\n{words[-4000:]}")
    writable(root, to_owner=False)
    yield image
    writable(root, to_owner=True)


def writable(folder: Path, *, to_owner: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IWUSR if to_owner else mode & ~0o222)


def as_user(*words: str | Path) -> list[str]:
    """The command line as the image's user; where we are an ordinary user already, as ourselves.

    That user may look into folders that are closed to him, such as pytest's, and nothing more.
    """
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    look = [
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ]
    return [*(become + look if os.geteuid() == 0 else []), *map(str, words)]


def reachable(dsn: str) -> str:
    """The same address, whose socket the image's user may write to."""
    [folder] = parse_qs(urlsplit(dsn).query)["host"]
    for socket in Path(folder).glob(".s.PGSQL.*[0-9]"):
        socket.chmod(0o777)
    return dsn


def settings_of(name: str, tmp_path: Path, dsn: str) -> dict[str, str]:
    """The environment that compose.yaml gives a service, but for the addresses of this machine."""
    port, reports = free_ports(1), free_ports(1)
    given = environment_of(load()["services"][name], make_env(tmp_path / f"{name}.env"))
    assert given["CLOSEDLOOP_BROKER"] == "kafka://kafka:9092"
    here = {
        "CLOSEDLOOP_BROKER": "embedded",
        "CLOSEDLOOP_DATABASE_URL": reachable(dsn),
        "CLOSEDLOOP_HOST": "127.0.0.1",
        "CLOSEDLOOP_PORT": str(port),
        "CLOSEDLOOP_REPORTS_PORT": str(reports),
        "CLOSEDLOOP_DATA_DIR": str(tmp_path / "none"),
    }
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"} | given | here


def test_the_build_takes_from_the_repository_what_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == allowed
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_the_image_runs_as_an_ordinary_user_and_gets_signals_itself() -> None:
    last = dict(read_stages()[-1])
    assert last["USER"] == f"{USER}:{USER}"
    assert last["ENTRYPOINT"] == '["closedloop"]'
    assert last["HEALTHCHECK"].endswith('CMD ["python", "-I", "/opt/closedloop/bin/healthcheck.py"]')


def test_compose_and_pyproject_name_the_version_of_the_image() -> None:
    version = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version"))
    number = shlex.split(version)[2]
    assert f"ARG VERSION={number}\n" in (DEPLOY / "Dockerfile").read_text()
    composed = (DEPLOY / "compose.yaml").read_text()
    assert f"image: closedloop:${{CLOSEDLOOP_VERSION:-{number}}}\n" in composed
    assert f"VERSION: ${{CLOSEDLOOP_VERSION:-{number}}}\n" in composed


def test_everything_in_the_image_is_compiled_and_ours_is_no_link_to_a_checkout(image: Path) -> None:
    [packages] = image.glob("lib/python*/site-packages")
    for name in ("collector", "identity", "attributor", "services", "schemas"):
        sources = {path.stem for path in (packages / name).glob("*.py")}
        compiled = {path.name.split(".")[0] for path in (packages / name / "__pycache__").glob("*.pyc")}
        assert sources == compiled, name


def test_the_standard_library_is_compiled_as_well(tmp_path: Path) -> None:
    finish(tmp_path)
    assert [path.name for path in tmp_path.rglob("asyncio/base_events.*.pyc")] != []


def test_migrate_works_on_the_database_it_is_given(image: Path, tmp_path: Path, empty_dsn: str) -> None:
    words = as_user(image / "bin/closedloop", "migrate")
    environment = settings_of("migrate", tmp_path, empty_dsn)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_healthy_writes_nothing_and_drains_when_it_is_asked_to_end(
    image: Path, tmp_path: Path, dsn: str, name: str
) -> None:
    environment = settings_of(name, tmp_path, dsn)
    first = free_ports(len(SERVICES))
    environment["CLOSEDLOOP_OPS_PORT"] = str(first)
    before = listing(image)
    assert "nobody listens" in ask_health(image, environment)
    service = subprocess.Popen(as_user(image / "bin/closedloop", name), env=environment, stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not answers("127.0.0.1", first + SERVICES.index(name)):
            assert service.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ask_health(image, environment) == ""
        service.send_signal(signal.SIGSTOP)
        assert "not alive" in ask_health(image, environment)
    finally:
        service.send_signal(signal.SIGCONT)
        service.terminate()
        output, _ = service.communicate(timeout=30)
    assert service.returncode == 0
    assert b'"message":"stopped"' in output
    assert listing(image) == before
    assert not (tmp_path / "none").exists(), "no data folder is made"


def ask_health(image: Path, environment: dict[str, str]) -> str:
    """What the image's health check says; nothing when all is well."""
    words = as_user(image / "bin/python", "-I", image / "bin/healthcheck.py")
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stderr)
    return done.stderr


def listing(folder: Path) -> dict[Path, int]:
    """Every file and when it was written."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
