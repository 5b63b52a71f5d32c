"""`closedloop deadletters` as an operator uses it, beside running services."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from schemas.codec import encode
from schemas.topics import IDENTITY
from services.runtime.settings import Settings
from tests.builders import at, page
from tests.closing import differences, present
from tests.faulty import Site, consuming, open_site
from tests.reference import present_state

EVENTS = [page("v1", f"e{number}", at(f"10:{number:02}"), title="Ann's\x1b[31m page") for number in range(4)]
POISON = b'{"v":2,"event":{"person":{"email":"ann@x.example"}}}'


@pytest.fixture
async def site(dsn: str, tmp_path: Path, settings_for: Callable[..., Settings]) -> AsyncIterator[Site]:
    """A running site; letters 1 to 3 are events that a fixed program can handle, the last one nobody can."""
    async with open_site(settings_for(dsn, tmp_path)) as site, consuming(site):
        await site.fail_on("hits", "NEW.event_id IN ('e0', 'e1', 'e2')")
        await site.append(*EVENTS)
        await site.caught_up(IDENTITY)
        await site.append_bytes(POISON)
        await site.caught_up(IDENTITY)
        await site.mend("hits")
        yield site


async def closedloop(site: Site, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `closedloop deadletters ...`."""
    environment = {"CLOSEDLOOP_DATABASE_URL": site.dsn, "CLOSEDLOOP_ID_KEY": "test-id-key-0123456789"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "deadletters", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_list_has_filters_and_one_object_a_line(site: Site) -> None:
    code, out, _ = await closedloop(site, "list", "--json")
    letters = [json.loads(line) for line in out.splitlines()]
    assert (code, [letter["id"] for letter in letters]) == (0, [4, 3, 2, 1])
    assert (letters[0]["reason"], letters[0]["tries"], letters[0]["bytes"]) == ("unknown_version", 1, len(POISON))
    assert "ann@" not in out
    _, out, _ = await closedloop(site, "list", "--reason", "unknown_version", "--group", "identity")
    (line,) = out.splitlines()
    assert line.startswith("4  ")
    assert "unknown_version" in line
    assert (await closedloop(site, "list", "--group", "attributor"))[1] == ""


async def test_show_tells_place_reason_tries_and_bytes_and_warns_of_personal_data(site: Site) -> None:
    code, out, err = await closedloop(site, "show", "1")
    letter = (await site.letters())[0]
    assert code == 0
    assert f"{letter['topic']}[{letter['partition']}]@{letter['log_offset']} of log {site.log.log_id}" in out
    assert "handler_failed" in out
    assert "tries   1" in out
    assert encode(EVENTS[0]).decode() in out, "the log's own escapes stay"
    assert "personal data" in err


async def test_retry_takes_off_what_works_now_and_says_what_does_not(site: Site) -> None:
    code, out, _ = await closedloop(site, "retry", "--all", "--dry-run")
    assert (code, out) == (1, "3 can be read, 1 cannot (unknown_version 1)\n")
    assert len(await site.letters()) == 4
    assert (await closedloop(site, "retry", "2"))[:2] == (0, "1 done, 0 failed again\n")
    assert (await closedloop(site, "retry", "--reason", "handler_failed"))[:2] == (0, "2 done, 0 failed again\n")
    assert (await closedloop(site, "retry", "--all"))[:2] == (1, "0 done, 1 failed again (unknown_version 1)\n")
    (left,) = await site.letters()
    assert (left["id"], left["tries"]) == (4, 2)
    await site.caught_up(IDENTITY)
    assert differences(await present(site.database), present_state(EVENTS)) == []


WRONG = [
    pytest.param(["retry"], 2, "which ones?", id="nothing chosen"),
    pytest.param(["retry", "1", "99"], 1, "no such dead letter: 99", id="one that there is not"),
    pytest.param(["retry", "--group", "reports"], 1, "identity and attributor", id="a service that reads no log"),
    pytest.param(["retry", "first"], 2, "Invalid value for 'ID'", id="no number"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), WRONG)
async def test_a_wrong_choice_is_told_and_changes_nothing(
    site: Site, arguments: list[str], code: int, told: str
) -> None:
    before = await site.letters()
    found, out, err = await closedloop(site, *arguments)
    assert (found, out) == (code, "")
    assert told in err
    assert await site.letters() == before
