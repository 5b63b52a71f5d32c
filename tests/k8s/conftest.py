"""What the tests of the manifests share: kubectl, and the two kustomizations rendered by it."""

import os
import shutil

import pytest

from tests.k8s.manifests import BASE, EVERYTHING, Cluster, render


@pytest.fixture(scope="session")
def kubectl() -> None:
    """Needs kubectl, of which only the built-in kustomize is used; no cluster."""
    if shutil.which("kubectl") is None:
        missing = "kubectl is missing, which renders the manifests; see https://kubernetes.io/docs/tasks/tools/"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)


@pytest.fixture(params=["base", "prod"])
def cluster(request: pytest.FixtureRequest, kubectl: None) -> Cluster:
    return Cluster(render({"base": BASE, "prod": EVERYTHING}[request.param]))


@pytest.fixture
def prod(kubectl: None) -> Cluster:
    """The production overlay, with every component."""
    return Cluster(render(EVERYTHING))
