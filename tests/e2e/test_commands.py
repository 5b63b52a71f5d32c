"""The command line as a user meets it: beside a running `up`, without one, and with wrong words."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.credit import MODELS
from services.local.child import answers
from tests.e2e.installation import SERVICES, Installation

ANN = {"type": "form", "event_id": "f", "visitor_id": "v", "occurred_at": "2026-03-02T09:00:00Z", "url": "https://a.example/?utm_source=[red]news&utm_medium=email", "email": "ann@customer.example"}  # fmt: skip
WON = {"type": "deal", "event_id": "d", "deal_id": "D-1", "stage": "won", "amount": "10.00", "currency": "EUR", "closed_at": "2026-03-20", "contacts": [{"email": "ann@customer.example"}], "updated_at": "2026-03-20T10:00:00Z"}  # fmt: skip


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("commands") / "data")
    installation.start()
    installation.post([ANN, WON])
    installation.settle()
    yield installation
    installation.stop()


def run(environment: dict[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)


def test_explain_shows_the_deals_journey_and_what_each_model_gives(installation: Installation) -> None:
    page = installation.command("explain", "D-1", "--all-models")
    assert "Deal webhook:D-1 is won, 10.00 EUR" in page
    assert "email:ann@customer.example" in page
    assert "[red]news / email" in page, "a source is text, not markup"
    assert all(model in page for model in MODELS)
    assert json.loads(installation.command("explain", "D-1", "--json"))["splits"][0]["parts"][0]["amount"] == "10.00"


def test_receipts_show_what_moved_and_why(installation: Installation) -> None:
    page = installation.command("receipts", "--since", "2026-01-01T00:00:00Z")
    assert "0.00 before, 10.00 after: +10.00 EUR" in page
    answer = json.loads(installation.command("receipts", "--since", "2026-01-01T00:00:00Z", "--json"))
    assert (answer["difference"], {line["deal"] for line in answer["receipts"]}) == ("10.00", {"webhook:D-1"})
    refused = run(installation.environment, "receipts", "--since", "yesterday")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)


def test_a_deal_that_nobody_knows_is_one_line(installation: Installation) -> None:
    result = run(installation.environment, "explain", "D-2")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "there is no deal 'D-2'" in result.stderr


def test_explain_lead_shows_why_a_visit_is_the_leads(installation: Installation) -> None:
    page = installation.command("explain-lead", "ann@customer.example")
    assert "is customer" in page
    assert "[red]news / email" in page, "a source is text, not markup"
    assert page == installation.command("explain-lead", page.split()[1]), "its id finds it as well"


def test_a_lead_that_nobody_knows_is_one_line(installation: Installation) -> None:
    result = run(installation.environment, "explain-lead", "user:7")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "there is no lead 'user:7'" in result.stderr


def test_status_says_that_everything_has_had_its_effects(installation: Installation) -> None:
    assert installation.command("status").startswith("settled")
    status = json.loads(installation.command("status", "--json"))
    assert (status["settled"], status["events"], status["dead_letters"]) == (True, 2, 0)


def test_migrate_tells_of_rules_that_the_settings_would_have_otherwise(installation: Installation) -> None:
    result = run(installation.environment | {"CLOSEDLOOP_LOOKBACK_DAYS": "30"}, "migrate")
    assert result.returncode == 0
    assert "CLOSEDLOOP_LOOKBACK_DAYS: kept 90, set is 30; `closedloop replay` shows" in result.stdout


def test_dead_letters_are_none_and_a_wrong_number_is_one_line(installation: Installation) -> None:
    assert installation.command("deadletters", "list") == ""
    result = run(installation.environment, "deadletters", "show", "7")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    "command", [["status"], ["digest"], ["explain", "D-1"], ["explain-lead", "user:1"], ["deadletters", "list"]]
)
def test_a_question_where_there_is_no_data_is_one_line_and_leaves_nothing(command: list[str], tmp_path: Path) -> None:
    result = run({"CLOSEDLOOP_DATA_DIR": str(tmp_path / "data")}, *command)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "there is no data in" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("place", "service"), list(enumerate(SERVICES)), ids=SERVICES)
def test_a_second_one_of_a_service_works_beside_up_on_its_database(
    installation: Installation, place: int, service: str
) -> None:
    environment = Installation(installation.data_dir).environment  # the same data, other ports
    ops_port = int(environment["CLOSEDLOOP_OPS_PORT"]) + place
    with subprocess.Popen([sys.executable, "-m", "services.cli", service], env=environment) as process:
        deadline = time.monotonic() + 30
        while not answers("127.0.0.1", ops_port) and time.monotonic() < deadline:
            time.sleep(0.1)
        is_ready = answers("127.0.0.1", ops_port)
        process.terminate()
    assert is_ready
    assert process.returncode == 0


def test_a_second_up_on_the_same_data_is_one_line(installation: Installation) -> None:
    result = run(installation.environment, "up")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1


def test_the_digest_is_the_same_beside_a_running_up_and_without_one(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.start()
    installation.post([ANN, WON])
    installation.settle()
    beside = installation.command("digest")
    installation.stop()
    assert installation.command("digest") == beside
    assert len(beside.strip()) == 64


def test_classify_answers_a_line_for_a_line() -> None:
    lines = [
        {"url": "https://a.example/?utm_source=chatgpt.com", "referrer": None},
        {"url": "https://a.example/", "referrer": "https://a.example/before"},
        {},
    ]
    result = run({}, "classify", "--jsonl", stdin="\n".join(map(json.dumps, lines)))
    assert [json.loads(line)["channel"] for line in result.stdout.splitlines()] == [
        "AI Assistant",
        "Internal",
        "Direct",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{", "line 2 is no JSON", id="broken"),
        pytest.param('{"url": 1}', "line 2 is no object such as", id="a number for a url"),
        pytest.param("[]", "line 2 is no object such as", id="a list"),
    ],
)
def test_classify_names_the_line_that_it_cannot_read(line: str, told: str) -> None:
    result = run({}, "classify", "--jsonl", stdin=f"{{}}\n{line}\n")
    assert result.returncode == 1
    assert told in result.stderr
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("TIMEZONE", "Mars/Base", "IANA", id="a zone that is none"),
        pytest.param("PORT", "http", "CLOSEDLOOP_PORT", id="a port that is none"),
        pytest.param("BROKER", "rabbit://", "CLOSEDLOOP_BROKER", id="a broker that is none"),
        pytest.param("ADMIN_TOKEN", "k3y", "CLOSEDLOOP_ADMIN_TOKEN: is shorter than 16", id="a token to guess"),
        pytest.param("OWN_DOMAINS", "https://a.example", "CLOSEDLOOP_OWN_DOMAINS", id="an address for a domain"),
        pytest.param("WEBHOOK_SECRET", "whsec_k3y!", "CLOSEDLOOP_WEBHOOK_SECRET", id="a webhook secret of no bytes"),
        pytest.param("PUBLIC_URL", "collect.example", "CLOSEDLOOP_PUBLIC_URL", id="a domain for an address"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(name: str, value: str, told: str, tmp_path: Path) -> None:
    result = run({"CLOSEDLOOP_DATA_DIR": str(tmp_path), f"CLOSEDLOOP_{name}": value}, "up")
    assert result.returncode == 78
    assert result.stderr.count("\n") == 1
    assert told in result.stderr
    assert "k3y" not in result.stderr, "a secret is not told"


@pytest.mark.parametrize("service", ["collector", "identity", "attributor", "reports"])
def test_a_service_is_ours_wherever_the_user_stands(service: str, tmp_path: Path) -> None:
    for folder in ("collector", "identity", "attributor", "services"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__main__.py").write_text("print('a stranger')")
    command = [sys.executable, "-P", "-m", "services.cli", service]
    result = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (78, ""), "it asks for its settings"


def test_a_name_that_is_no_setting_is_said(tmp_path: Path) -> None:
    environment = {
        "CLOSEDLOOP_DATA_DIR": str(tmp_path),
        "CLOSEDLOOP_PROT": "8080",
        "CLOSEDLOOP_DATABASE_URL": "nonsense",
    }
    result = run(environment, "up")
    assert result.returncode != 0
    assert "CLOSEDLOOP_PROT is no setting of this version" in result.stdout
