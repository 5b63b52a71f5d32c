import pytest

from services.runtime import health
from services.runtime.health import Health


@pytest.mark.parametrize(
    ("checks", "ready"),
    [
        pytest.param({}, False, id="a service that has said nothing yet is not ready"),
        pytest.param({"log": True}, True, id="all is well"),
        pytest.param({"log": True, "consumer": False}, False, id="one of two"),
    ],
)
def test_a_service_is_ready_when_all_it_checks_is_ok(checks, ready):
    state = Health()
    for check, ok in checks.items():
        state.set(check, ok, "because")
    assert state.ready is ready
    assert state.report()["checks"] == {check: {"ok": ok, "detail": "because"} for check, ok in checks.items()}


def test_a_service_is_alive_until_its_loop_hangs(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(health.time, "monotonic", lambda: now)
    state = Health()
    now += 10_000
    assert state.alive, "a service without a loop cannot hang"
    state.turn()
    now += health.STALLED_SECONDS - 1
    assert state.alive
    now += 1
    assert not state.alive
    state.turn()
    assert state.alive
