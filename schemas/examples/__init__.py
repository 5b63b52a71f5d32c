"""Real payloads, as a sender posts them: one event a file. The tests run them through every service."""

import json
from importlib.resources import files
from typing import Any


def examples() -> dict[str, dict[str, Any]]:
    """The events by the name of their file, sorted; made anew by every call."""
    found = sorted(path.name for path in files(__name__).iterdir() if path.name.endswith(".json"))
    texts = {name.removesuffix(".json"): files(__name__).joinpath(name).read_text("utf-8") for name in found}
    return {name: json.loads(text) for name, text in texts.items()}
