"""Log lines: one JSON object a line on stdout, without personal values."""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

DESCRIPTION_CHARACTERS = 200
LONGEST_MESSAGE = 2_000

# color_message is uvicorn's: the message once more, with escape codes.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_VALUE = re.compile(r"""b?(?P<quote>["']).*?(?P=quote)|\S*@\S*|\b[\w.+-]*\d{5,}[\w.-]*""", re.DOTALL)


def start_logging(service: str, level: int = logging.INFO) -> None:
    """From now on this process logs JSON lines to stdout: ts, level, service, logger, message, and `extra` by name."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # it repeats, with stacks, the outages that we tell of
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # so does this, ten times a second


class JsonLines(logging.Formatter):
    """One record as one line. Of an error: what `describe` says, and the places of its stack; never its arguments."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        error = record.exc_info[1] if record.exc_info else None
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]  # a task group's own message says only that there was one
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            line["error"] = describe(error)
            line["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return orjson.dumps(line, default=str).decode()


def describe(error: BaseException) -> str:
    """The class and the message of an error, in 200 characters, with … where the message repeats somebody's values.

    What is quoted, holds an @ or a long number may be a value. Postgres tells the values of a row in its DETAIL, and
    pydantic in its `input`: both are left out, and the names of the table or of the fields are told instead.
    """
    if isinstance(error, ValidationError):
        problems = sorted({".".join(map(str, problem["loc"])) + ": " + problem["type"] for problem in error.errors()})
        return f"{type(error).__name__}: {', '.join(problems)}"[:DESCRIPTION_CHARACTERS]
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        fields = (getattr(error, field, None) for field in ("table_name", "column_name", "constraint_name"))
        message = " ".join([_without_values(str(error.args[0]) if error.args else ""), *filter(None, fields)])
        return f"{type(error).__name__} {sqlstate}: {message}"[:DESCRIPTION_CHARACTERS]
    return f"{type(error).__name__}: {_without_values(str(error))}"[:DESCRIPTION_CHARACTERS]


def _without_values(message: str) -> str:
    if len(message) > LONGEST_MESSAGE:
        message = message[:LONGEST_MESSAGE]
        return _VALUE.sub("…", message).partition('"')[0].partition("'")[0]  # a quote left open holds half of a value
    return _VALUE.sub("…", message)
