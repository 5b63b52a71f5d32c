import io
from pathlib import Path

import pytest

from services.local.console import Console, welcome
from services.local.ports import check_ports, ports_of
from services.local.supervisor import environment_of, service_commands
from services.runtime.settings import Settings, StartError, load_settings, make_keys


def test_a_service_reads_exactly_the_settings_of_the_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = make_keys(
        Settings(data_dir=tmp_path, own_domains=("a.example", "b.example"), honour_dnt=True, port=81)
    )
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_the_four_services_have_four_ops_ports_in_a_row() -> None:
    services = service_commands(Settings(ops_port=9100))
    assert {service.name: service.ops_port for service in services} == {
        "collector": 9100,
        "identity": 9101,
        "attributor": 9102,
        "reports": 9103,
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"port": 8081}, "Port 8081 is wanted by CLOSEDLOOP_PORT and by CLOSEDLOOP_REPORTS_PORT"),
        ({"port": 9092}, "Port 9092 is wanted by CLOSEDLOOP_PORT and by CLOSEDLOOP_OPS_PORT"),
        ({"reports_port": 9090}, "Port 9090 is wanted by CLOSEDLOOP_REPORTS_PORT and by CLOSEDLOOP_OPS_PORT"),
    ],
)
def test_two_settings_that_want_one_port_are_both_named(changes: dict[str, int], line: str) -> None:
    with pytest.raises(StartError, match=line):
        check_ports(ports_of(Settings.model_validate(changes)))


def test_the_screen_has_the_addresses_the_snippet_and_marks_new_keys(tmp_path: Path) -> None:
    settings, made = make_keys(
        Settings(data_dir=tmp_path, write_key="my-own-key", public_url="https://t.shop.example/")
    )
    screen = welcome(settings, made)
    assert '<script async src="https://t.shop.example/loop.js" data-key="my-own-key"></script>' in screen
    assert "http://127.0.0.1:8081" in screen
    new = [line.split()[0] for line in screen.splitlines() if line.endswith("(new)")]
    assert new == ["CLOSEDLOOP_ADMIN_TOKEN", "CLOSEDLOOP_ID_KEY", "CLOSEDLOOP_WEBHOOK_SECRET"]
    assert settings.admin_token.get_secret_value() in screen


def test_lines_of_services_carry_their_names_and_no_colours_when_nobody_looks() -> None:
    stream = io.StringIO()
    Console(stream).relay("identity", "caught up\n")
    assert stream.getvalue() == "identity   | caught up\n"
