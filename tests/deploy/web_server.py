"""The shipped nginx configuration, filled in as the official image does, and a real nginx on it."""

import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy.composed import DEPLOY, FILES, environment_of, filled, load
from tests.ports import free_ports

SHIPPED = DEPLOY / "nginx"
HERE = {"NGINX_LOCAL_RESOLVERS": "127.0.0.1", "COLLECTOR": "127.0.0.1:1", "REPORTS": "127.0.0.1:1"}
"""What differs from the container: `resolve` needs nginx 1.27.3, which Debian does not have, and Docker's name server."""

NAMES = {"COLLECTOR_HOST": "collect.example.org", "REPORTS_HOST": "reports.example.org"}

MISSING = "nginx is missing, which this checks its configuration with; on Debian: apt-get install nginx-light"


def find_nginx() -> str | None:
    """Where nginx is; an ordinary user's PATH on Debian does not name its folder."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def require_nginx() -> str:
    """Where nginx is; without it the test is skipped, and in CI it fails."""
    if nginx := find_nginx():
        return nginx
    return pytest.fail(MISSING) if os.environ.get("CI") == "true" else pytest.skip(MISSING)


def install(folder: Path, variables: Mapping[str, str], *, tls: bool = False) -> None:
    """Put the shipped configuration into `folder`, with the variables of the compose files unless told otherwise."""
    values = environment_of(load()["services"]["nginx"], {}) | HERE
    shutil.copytree(SHIPPED / "snippets", folder / "snippets")
    shutil.copy(SHIPPED / "nginx.conf", folder)
    (folder / "run").mkdir()
    (folder / "conf.d").mkdir()
    if tls:
        values |= environment_of(load(FILES[1])["services"]["nginx"], NAMES)
        make_certificate(folder / "tls")
    for name in ("closedloop", "tls") if tls else ("closedloop",):
        text = (SHIPPED / "templates" / f"{name}.conf.template").read_text()
        (folder / "conf.d" / f"{name}.conf").write_text(filled(text, values | variables))


def make_certificate(folder: Path) -> None:
    """A key and a certificate for both names, which nobody has signed."""
    folder.mkdir()
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    alternatives = ",".join(f"DNS:{name}" for name in NAMES.values())
    names = ["-subj", "/CN=example.org", "-addext", f"subjectAltName={alternatives}"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run([*words, *names, *files], check=True, capture_output=True)


def command(nginx: str, folder: Path, *words: str) -> list[str]:
    """The command line that runs nginx on the configuration in `folder`."""
    return [nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), *words]


class WebServer:
    """A running nginx on the shipped configuration, on ports of its own."""

    def __init__(self, folder: Path, variables: Mapping[str, str], *, tls: bool = False) -> None:
        self._nginx = require_nginx()
        self._folder = folder
        names = ("COLLECTOR_PORT", "REPORTS_PORT", "HEALTH_PORT", "HTTPS_PORT", "HTTP_PORT")
        self.ports = dict(zip(names, itertools.count(free_ports(len(names))), strict=False))
        install(folder, {name: str(port) for name, port in self.ports.items()} | dict(variables), tls=tls)
        self.collector = f"http://127.0.0.1:{self.ports['COLLECTOR_PORT']}"
        self.reports = f"http://127.0.0.1:{self.ports['REPORTS_PORT']}"
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A worker of root's nginx becomes `nobody` unless told otherwise, and may not enter pytest's folders.
        globally = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        with self._output.open("ab") as output:
            words = command(self._nginx, self._folder, "-g", globally)
            self._process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 10
        while not _listens(self.ports["HEALTH_PORT"]):
            assert self._process.poll() is None, self.output()
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def output(self) -> str:
        """What nginx has written: the access log, and errors."""
        return self._output.read_text(errors="replace")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
