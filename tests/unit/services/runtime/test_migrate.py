import pytest

from services.runtime.migrate import Migration, pending_of, read_migrations
from services.runtime.settings import StartError

FILES = [Migration(number, f"{number:04}_x.sql", f"SELECT {number}") for number in (1, 2, 3)]
JOURNAL = {file.number: (file.name, file.checksum) for file in FILES}


@pytest.mark.parametrize("applied", [[], [1], [1, 2], [1, 2, 3]])
def test_what_is_not_in_the_journal_is_pending_in_order(applied):
    journal = {number: JOURNAL[number] for number in applied}
    assert [file.number for file in pending_of(FILES, journal)] == [n for n in (1, 2, 3) if n not in applied]


def test_an_applied_file_must_not_change():
    changed = [FILES[0]._replace(sql="SELECT 0"), *FILES[1:]]
    with pytest.raises(StartError, match=r"0001_x.sql is not the file that was applied"):
        pending_of(changed, JOURNAL)


def test_a_database_of_a_newer_program_is_refused():
    with pytest.raises(StartError, match=r"newer version \(0003_x.sql\)"):
        pending_of(FILES[:2], JOURNAL)


def test_the_files_of_this_program_are_numbered_without_a_gap():
    assert [file.number for file in read_migrations()] == list(range(1, len(read_migrations()) + 1))
