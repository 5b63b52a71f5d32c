"""What the tests of nginx share: an installation behind the shipped configuration."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.deploy.web_server import WebServer, require_nginx
from tests.e2e.installation import Installation

PATIENCE = "1s"
"""CLIENT_TIMEOUT in tests, so that they need not wait 10 s for a slow sender to be sent away."""


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """`closedloop up` as a user runs it."""
    require_nginx()
    installation = Installation(tmp_path_factory.mktemp("deploy") / "data")
    installation.start()
    yield installation
    installation.stop()


@pytest.fixture(scope="session")
def web(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """nginx with the shipped configuration in front of the installation's collector and reports."""
    upstreams = {
        "COLLECTOR": urlsplit(installation.collector).netloc,
        "REPORTS": urlsplit(installation.reports).netloc,
        "CLIENT_TIMEOUT": PATIENCE,
    }
    web = WebServer(Path(tmp_path_factory.mktemp("nginx")), upstreams)
    web.start()
    yield web
    web.stop()
