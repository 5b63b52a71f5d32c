"""An import of a file, against a stand-in for the server's side of the wire."""

import json
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.local.import_rows import RATES
from services.local.importing import import_file
from services.runtime.settings import Settings

SETTINGS = Settings(admin_token="an admin token of ours", webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_a_collector_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = []

    def serve(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        if len(sent) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(202, json={"accepted": 1, "rejected": []})

    monkeypatch.setattr(httpx, "AsyncClient", partial(httpx.AsyncClient, transport=httpx.MockTransport(serve)))
    (file := tmp_path / "rates.csv").write_text("date,from,to,rate\n2026-03-01,USD,EUR,0.9\n")
    assert import_file(SETTINGS, RATES, str(file)) == 0
    assert sent[0] == sent[1]
    told = capsys.readouterr()
    assert "waiting for the collector at http" in told.err
    assert "1 rows read, 1 imported; 0 refused" in told.out
